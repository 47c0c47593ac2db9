"""What the service seals to the regulator: who called, and what it did about it.

The service makes these messages and forgets them; the regulator alone opens them. They contain no amount.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.wire import Base64Url, Holder, Identifier, Message, Seconds, SecretMessage

CALLER_SIZE = 432
"""Bytes of a sealed Caller, whatever its length."""
SealedCaller = Annotated[bytes, Base64Url(CALLER_SIZE)]


class CallerNote(SecretMessage):
    """Whose key signed a request: the legal person, and below it the branch and the outlet, where it was theirs."""

    institution: Holder
    outlet: list[Holder] = Field(max_length=2)


class ProbingNote(SecretMessage):
    """An institution was refused too often on one document and may not draw on it for a while."""

    kind: Literal["probing-blocked"] = "probing-blocked"
    institution: Holder
    outlet: list[Holder] = Field(max_length=2)
    document: Identifier
    refusals: int = Field(ge=1, lt=1 << 31)
    until: Seconds


class RequestKeyChange(Message):
    """A further request key of an institution. `signature` is by that key (schemas.request_keys.rotation_bytes)."""

    key: Annotated[bytes, Base64Url(32)]
    signature: Annotated[bytes, Base64Url(64)]


class AlertMessage(Message):
    """A party's alert, sealed by it to the regulator."""

    memo: Annotated[bytes, Base64Url(1584)]
