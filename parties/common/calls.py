"""One call of the service, as the generated parties.common.api makes it and as whatever sends it takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel

from schemas.canonical import canonical

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """What to send. `token`: of the operations that need one; it does not print. `signed`: by an institution (RFC 9421).

    repeatable: whether the call does no harm when it is sent again though it may have arrived: it changes nothing, or carries
    an Idempotency-Key
    body, lines: a message, or many as canonical JSON, each a line
    """

    operation: str
    method: str
    path: str
    repeatable: bool
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    token: str | None = field(default=None, repr=False)
    signed: bool = False
    body: BaseModel | None = field(default=None, repr=False)
    lines: Sequence[bytes] | None = field(default=None, repr=False)

    @property
    def target(self) -> str:
        """Path and query."""
        return self.path + ("?" + urlencode(self.query) if self.query else "")

    @property
    def content(self) -> bytes | None:
        """The bytes of the body."""
        if self.lines is not None:
            return b"\n".join(self.lines)
        return None if self.body is None else canonical(self.body)

    @property
    def content_type(self) -> str:
        return "application/json" if self.lines is None else "application/x-ndjson"


class Send(Protocol):
    """Sends a call and returns its answer, a message of this form; raises a PartyError when there is none."""

    def __call__(self, call: Call, form: type[A]) -> A: ...


def segment(value: str) -> str:
    """A value as one segment of a path."""
    return quote(value, safe="")
