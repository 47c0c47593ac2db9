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

from schemas import sealed
from schemas.canonical import canonical, parse_strict
from schemas.identities import Identity
from schemas.sealed import DrawMemo, Loan, OpeningMessage
from schemas.wire import SecretMessage
from tests.builders import make_identity, make_world
from zkcore import engine
from zkcore.errors import BatchRejected, ZkError

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
