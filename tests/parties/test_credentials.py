"""A credential shows what its holder chooses, and nothing shown is another thing than what was signed.

Must hold: any choice of fields verifies and reads back; a field that is not shown cannot be found by guessing; whatever is
exchanged, doubled, dropped or borrowed from another credential is refused. A failure would be a bank that believes a field the
attester did not sign, or that can tell a limit it was not shown. That the number of fields shows is no failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.common.credentials import Said, issue_credential, verify_credential, verify_presentation
from parties.common.errors import Refused
from schemas.sealed import FIELDS, Credential, Disclosure, Presentation
from tests.builders import KIND, make_register, make_world
from zkcore import engine
from zkcore.authenticity import field_digest
from zkcore.errors import EncodingError

WORLD = make_world(engine.load())
Change = Callable[[Presentation], Presentation]


def issue(number: str, limit: int) -> Credential:
    document = make_register(WORLD, limit).operation
    said = Said(
        document=document.document,
        kind=KIND,
        counter="financing",
        currency="USD",
        epoch=1,
        number=number,
        holder="91320581MA1P3K7L9H",
        name="苏州",
        date="2026-03-06",
        declared="2026-03-02",
        total=250_00,
        limit=limit,
        mode="0615",
        share="part",
        owner=document.owner.encode(),
    )
    return issue_credential(WORLD.suite, WORLD.parameters, said, WORLD.attester, WORLD.randomness)


ONE, OTHER = issue("232520260028296053", 100_00), issue("232520260028296054", 50_00)
SHOWN = ("number", "holder", "total")


def check(presentation: Presentation, needed: tuple[str, ...] = ("number",)) -> None:
    verify_presentation(WORLD.suite, WORLD.parameters, presentation, needed)


@given(st.sets(st.sampled_from(FIELDS)))
def test_any_choice_of_fields_verifies_and_no_other_is_readable(chosen: set[str]) -> None:
    shown = Presentation.model_validate_json(ONE.present(chosen).model_dump_json())
    check(shown, tuple(chosen))
    for name in FIELDS:
        if name in chosen:
            assert {item.name: item.value for item in shown.disclosed}[name] == str(getattr(ONE, name))
        else:
            with pytest.raises(Refused):
                check(shown, (name,))


def test_properties_are_what_was_signed() -> None:
    shown = ONE.present(FIELDS)
    for name in ("number", "holder", "name", "date", "declared", "share", "total", "limit"):
        assert getattr(shown, name) == getattr(ONE, name)
        with pytest.raises(EncodingError):
            getattr(ONE.present(()), name)


def test_a_hidden_field_cannot_be_guessed_from_its_digest() -> None:
    """Not with the salts of the other fields, which come from the same secret."""
    shown = ONE.present(SHOWN)
    for salt in [item.salt for item in shown.disclosed] + [bytes(16)]:
        assert field_digest(salt, "limit", b"10000") not in shown.digests
    assert len({item.salt for item in ONE.present(FIELDS).disclosed}) == len(FIELDS)


def test_digests_of_two_credentials_with_the_same_fields_have_nothing_in_common() -> None:
    same = issue(ONE.number, ONE.limit)
    assert not set(same.present(()).digests) & set(ONE.present(()).digests)


def test_digests_stand_in_no_order_of_the_fields() -> None:
    digests = ONE.present(()).digests
    assert digests == sorted(digests)
    assert digests != [item.digest() for item in ONE.present(FIELDS).disclosed]


def _disclosed(change: Callable[[list[Disclosure]], list[Disclosure]]) -> Change:
    return lambda shown: shown.model_copy(update={"disclosed": change(shown.disclosed)})


def _digests(change: Callable[[list[bytes]], list[bytes]]) -> Change:
    return lambda shown: shown.model_copy(update={"digests": change(shown.digests)})


def _first(**fields: object) -> Change:
    return _disclosed(lambda shown: [shown[0].model_copy(update=fields), *shown[1:]])


MUTATIONS: dict[str, Change] = {
    "a value changed": _first(value="232520260028296054"),
    "a value emptied": _first(value=""),
    "a salt changed": _first(salt=bytes(16)),
    "a field under another name": _first(name="holder"),
    "a field that is none": _first(name="bank"),
    "salts exchanged": _disclosed(
        lambda shown: [
            shown[0].model_copy(update={"salt": shown[1].salt}),
            shown[1].model_copy(update={"salt": shown[0].salt}),
            *shown[2:],
        ]
    ),
    "values exchanged": _disclosed(
        lambda shown: [
            shown[0].model_copy(update={"value": shown[1].value}),
            shown[1].model_copy(update={"value": shown[0].value}),
            *shown[2:],
        ]
    ),
    "a field disclosed twice": _disclosed(lambda shown: [*shown, shown[0]]),
    "a field disclosed with two values": _disclosed(lambda shown: [*shown, shown[0].model_copy(update={"value": "1"})]),
    "nothing disclosed": _disclosed(lambda shown: []),
    "a disclosure of another credential": _disclosed(lambda shown: [OTHER.present(["number"]).disclosed[0], *shown[1:]]),
    "the disclosures of another credential": _disclosed(lambda shown: OTHER.present(SHOWN).disclosed),
    "digests exchanged": _digests(lambda digests: [digests[1], digests[0], *digests[2:]]),
    "a digest twice": _digests(lambda digests: [digests[0], *digests]),
    "a digest dropped": _digests(lambda digests: digests[1:]),
    "a digest added": _digests(lambda digests: sorted([*digests, bytes(32)])),
    "a digest of another credential": _digests(lambda digests: sorted([*digests[1:], OTHER.present(()).digests[0]])),
    "digests and disclosures of another credential": lambda shown: shown.model_copy(
        update={"digests": OTHER.present(()).digests, "disclosed": OTHER.present(SHOWN).disclosed}
    ),
    "for another document": lambda shown: shown.model_copy(update={"document": OTHER.document}),
    "for another owner's key": lambda shown: shown.model_copy(update={"owner": OTHER.owner}),
    "the signature of another credential": lambda shown: shown.model_copy(update={"signature": OTHER.signature}),
    "of another kind": lambda shown: shown.model_copy(update={"kind": "import-declaration"}),
    "in another currency": lambda shown: shown.model_copy(update={"currency": "EUR"}),
    "of another epoch": lambda shown: shown.model_copy(update={"epoch": 2}),
    "by a bank": lambda shown: shown.model_copy(update={"attester": WORLD.bank.public(WORLD.suite).encode()}),
    "a point that is none": lambda shown: shown.model_copy(update={"owner": bytes(33)}),
}


@pytest.mark.parametrize("change", MUTATIONS.values(), ids=MUTATIONS.keys())
def test_what_was_changed_is_refused(change: Change) -> None:
    shown = ONE.present(SHOWN)
    check(shown)
    changed = change(shown)
    assert changed != shown
    with pytest.raises(Refused) as refused:
        check(changed)
    assert refused.value.code == "credential-invalid"


def test_the_whole_credential_is_checked_field_by_field() -> None:
    verify_credential(WORLD.suite, WORLD.parameters, ONE)
    for change in ({"limit": 1}, {"share": "whole"}, {"mode": "0110"}, {"salts": bytes(32)}, {"declared": "2026-03-03"}):
        with pytest.raises(Refused):
            verify_credential(WORLD.suite, WORLD.parameters, ONE.model_copy(update=change))


def test_an_amount_that_is_no_number_is_refused() -> None:
    """An attester could sign it."""
    shown = ONE.present(["limit"])
    for value in ("", "-1", "1.5", "01", "١", "1" * 17):
        bad = shown.model_copy(update={"disclosed": [shown.disclosed[0].model_copy(update={"value": value})]})
        with pytest.raises(EncodingError):
            _ = bad.limit


def test_neither_form_prints() -> None:
    for message in (ONE, ONE.present(FIELDS), *ONE.present(FIELDS).disclosed):
        assert "232520260028296053" not in repr(message) + str(message)


def test_an_attester_of_another_role_vouches_for_nothing() -> None:
    """A tax authority's key is one of the log, and not one that attests declarations."""
    attester = WORLD.attester.public(WORLD.suite)
    parameters = replace(WORLD.parameters, attesters={attester: "tax"})
    with pytest.raises(Refused, match=r"\(key\)"):
        verify_credential(WORLD.suite, parameters, ONE)
    unknown = replace(WORLD.parameters, kinds={})
    with pytest.raises(Refused, match=r"\(state\)"):
        verify_credential(WORLD.suite, unknown, ONE)
