"""The context that every proof is bound to. It has no defaults: what a statement does not have is said to be ABSENT."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from zkcore.errors import ContextError
from zkcore.transcript import derive_session_id, frame, text

if TYPE_CHECKING:
    from zkcore.suite import Suite

ID_SIZE = 32
ABSENT = bytes(ID_SIZE)
"""Stands for an identifier, head or payload that a statement does not have. Never a valid value of one."""

NO_CURRENCY = "---"
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9.\-/]{2,99}")
_CURRENCY = re.compile(r"[A-Z]{3}|---")


@dataclass(frozen=True)
class Context:
    """Everything a proof is bound to besides its statement.

    origin: the log's name, 3 to 100 characters of a-z 0-9 . - /
    statement: the statement's name (zkcore.statements)
    document, head, draw, payload: 32 bytes each, or ABSENT; payload is the digest of the operation's other public fields
    currency: three capital letters, or NO_CURRENCY
    epoch: the regulator key's epoch, from 1; 0 where no regulator key takes part
    """

    origin: str
    statement: str
    document: bytes
    head: bytes
    draw: bytes
    currency: str
    epoch: int
    payload: bytes

    def __post_init__(self) -> None:
        if not _ORIGIN.fullmatch(self.origin):
            raise ContextError("an origin is 3 to 100 characters of a-z 0-9 . - / and starts with a letter or digit")
        if not _CURRENCY.fullmatch(self.currency):
            raise ContextError("a currency is three capital letters (ISO 4217)")
        for value in (self.document, self.head, self.draw, self.payload):
            if type(value) is not bytes or len(value) != ID_SIZE:
                raise ContextError(f"the document, head, draw and payload of a context are {ID_SIZE} bytes each")
        if type(self.epoch) is not int or not 0 <= self.epoch < 1 << 32:
            raise ContextError("an epoch is a number below 2**32")

    def tag(self, suite: Suite) -> bytes:
        """The tag of sigma-protocols-03: name, version, statement, flavour and suite verbatim, then the framed fields."""
        fields = [self.document, self.head, self.draw, self.currency.encode("ascii"), self.epoch.to_bytes(4, "little")]
        return _head(self.statement, suite.identifier, self.origin) + frame([*fields, self.payload, suite.generators_digest])

    def session_id(self, suite: Suite) -> bytes:
        """32 bytes: DeriveSessionID of the tag."""
        return derive_session_id(self.tag(suite))


@lru_cache(maxsize=256)
def _head(statement: str, suite: str, origin: str) -> bytes:
    """How the tags of a statement in a log begin."""
    return b"TRADEVEIL-V01-" + text(statement) + b"-DSFS-with-" + text(suite) + frame([text(origin)])
