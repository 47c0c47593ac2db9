"""Identity files vouch for their keys, and messages with secrets do not print.

Must hold: an identity whose proof, key, holder, log or seal key was changed is refused; no message of schemas.sealed shows a
field in its repr, its str or the error of a refused input. A failure would be a memo sealed to a stranger's key, or an amount
in a log file. Who a holder really is, no proof can tell.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from pydantic import ValidationError

from parties.common.request_keys import RequestSecret, sign_identity
from schemas import sealed
from schemas.canonical import canonical, parse_strict
from schemas.identities import Identity
from schemas.request_keys import verify_signature
from schemas.sealed import DrawMemo, Loan, OpeningMessage
from schemas.wire import SecretMessage
from tests.builders import ORIGIN, make_identity, make_world
from zkcore import engine
from zkcore.errors import BatchRejected, KeyRejected, ZkError

SUITE = engine.load()
WORLD = make_world(SUITE)
IDENTITY = make_identity(WORLD, "regulator", "regulator", WORLD.regulator, WORLD.regulator_seal)
SECRET_MESSAGES = [
    item
    for _, item in inspect.getmembers(sealed, inspect.isclass)
    if issubclass(item, SecretMessage) and item is not SecretMessage
]


def test_an_identity_reads_back_and_holds() -> None:
    read = Identity.model_validate(parse_strict(canonical(IDENTITY)))
    assert read == IDENTITY
    read.check(SUITE)


@pytest.mark.parametrize(
    "change",
    [
        {"holder": "somebody"},
        {"origin": "another.example/log"},
        {"seal_key": b"\x01" * 32},
        {"role": "bank"},
        {"proof": IDENTITY.proof[::-1]},
        {"proof": b"\x02" + bytes(64)},
        {"key": WORLD.attester.public(SUITE).encode()},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_changed_identity_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BatchRejected):
        IDENTITY.model_copy(update=change).check(SUITE)


OTHER = make_identity(WORLD, "attester", "customs", WORLD.attester, WORLD.attester_seal)


def request_changed(**change: bytes) -> Identity:
    assert IDENTITY.request_key is not None
    return IDENTITY.model_copy(update={"request_key": IDENTITY.request_key.model_copy(update=change)})


def test_a_request_key_is_bound_to_its_identity_in_both_directions() -> None:
    """Another key cannot be put in, with whatever signature; and a key cannot be claimed by whom it did not sign for."""
    assert OTHER.request_key is not None
    thief = RequestSecret(b"t" * 32)
    taken = request_changed(key=thief.public)
    with pytest.raises(BatchRejected):
        sign_identity(taken, thief).check(SUITE)
    bound = WORLD.regulator.prove_possession(
        SUITE, ORIGIN, "regulator", IDENTITY.seal_key, WORLD.randomness, OTHER.request_key.key
    )
    claimed = request_changed(key=OTHER.request_key.key, proof=bound)
    with pytest.raises(KeyRejected):
        claimed.check(SUITE)
    with pytest.raises(KeyRejected):
        request_changed(signature=bytes(64)).check(SUITE)
    with pytest.raises(BatchRejected):
        request_changed(proof=IDENTITY.proof).check(SUITE)
    with pytest.raises(KeyRejected):
        IDENTITY.model_copy(update={"request_key": None}).check(SUITE)
    with pytest.raises(KeyRejected):
        IDENTITY.model_copy(update={"name": "Another name"}).check(SUITE)


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32], ids=["zero", "the identity", "no point"])
def test_a_key_under_which_anybody_could_sign_is_refused(key: bytes) -> None:
    signature = b"\x01" + bytes(63)  # R the identity and s zero: holds under the identity for any message
    with pytest.raises(KeyRejected):
        verify_signature(key, b"any message", signature)


def test_a_key_that_is_no_point_is_refused() -> None:
    with pytest.raises(ZkError):
        IDENTITY.model_copy(update={"key": bytes(33)}).check(SUITE)


@pytest.mark.parametrize("name", ["", "a\nb", "a\x1b[31m", "n" * 101])
def test_a_name_is_short_and_printable(name: str) -> None:
    with pytest.raises(ValidationError):
        Identity.model_validate({**IDENTITY.model_dump(), "name": name})


@pytest.mark.parametrize("form", SECRET_MESSAGES, ids=lambda form: form.__name__)
def test_no_secret_message_prints(form: type[SecretMessage]) -> None:
    values: dict[str, Any] = dict.fromkeys(form.model_fields, "planted-secret-7351")
    message = form.model_construct(**values)
    for text in (repr(message), str(message), f"{message}", repr([message])):
        assert "7351" not in text
    with pytest.raises(ValidationError) as refused:
        form.model_validate({**values, "planted-name": "planted-secret-7351"})
    assert "7351" not in str(refused.value)
    assert "7351" not in repr(refused.value)


def test_amounts_are_bounded_where_they_are_read() -> None:
    blinding = b"\x01" * 32
    assert OpeningMessage(amount=0, blinding=blinding).amount == 0
    for amount in (-1, 1 << 48, True, 1.0, "5"):
        with pytest.raises(ValidationError):
            OpeningMessage.model_validate({"amount": amount, "blinding": blinding})
    for amount in (0, -1, 1 << 48):
        with pytest.raises(ValidationError):
            Loan.model_validate({"currency": "CNY", "amount": amount, "rate": ""})


def test_a_memo_reads_back() -> None:
    memo = DrawMemo(
        amount=(1 << 48) - 1,
        blinding=b"\x02" * 32,
        bank="BANKA",
        bank_name="虚构甲银行",
        outlet="苏州分行",
        reference="JIA-1",
        financing=b"\x03" * 32,
        note="",
    )
    assert DrawMemo.model_validate(parse_strict(canonical(memo))) == memo
