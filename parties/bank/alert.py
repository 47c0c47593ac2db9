"""What a bank tells the regulator outside the log: sealed here, so that the service keeps it and cannot read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from parties.bank.desk import Desk
from parties.common.client import idempotency_key
from parties.common.errors import InputError
from parties.common.memos import memo_for
from schemas.callers import AlertMessage
from schemas.sealed import AlertMemo

Kind = Literal["wrong-owner", "unknown-document", "bad-memo", "forgery-suspected", "not-confirmed", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, repr=False)
class Told:
    """What the alert says; what does not apply is empty. `holder`: of whom it is told."""

    kind: str
    number: str = ""
    holder: str = ""
    reference: str = ""
    note: str = ""
    document: bytes | None = None


def send_alert(desk: Desk, told: Told) -> int:
    """Seal an alert and send it. When the service took it, unix seconds. Raises InputError, and what the client raises."""
    kind = next((each for each in KINDS if each == told.kind), None)
    if kind is None:
        raise InputError("kind", f"a kind of alert is one of: {', '.join(KINDS)}", f"警示种类应为：{'、'.join(KINDS)}")
    for name, value, most in (("--number", told.number, 32), ("--holder", told.holder, 100), ("--note", told.note, 200)):
        if len(value) > most:
            raise InputError("too-long", f"{name} is at most {most} characters", f"{name} 最多 {most} 个字符")
    identity = desk.signer.identity
    memo = AlertMemo(
        kind=kind,
        bank=identity.holder,
        bank_name=identity.name,
        number=told.number,
        holder=told.holder,
        document=told.document,
        reference=told.reference[:64],
        note=told.note,
    )
    sealed = memo_for(desk.log.genesis.regulator.seal_key, memo)
    return desk.client.alert(AlertMessage(memo=sealed), idempotency_key(desk.randomness)).time
