"""The public data of every operation: what travels to the service, is stored, logged and audited. No secrets, no state.

Each operation knows its payload digest: 32 bytes over those of its public fields that its statements do not contain, so that
a memo, an expiry or a draw key cannot be exchanged under a proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from zkcore.commitments import HandledCommitment
from zkcore.errors import EncodingError, LengthError
from zkcore.group import Element
from zkcore.transcript import LABEL_PAYLOAD, digest, text

RELEASED = "released"
REPAID_OWN_FUNDS = "repaid-own-funds"
REPAID_PROCEEDS = "repaid-proceeds"
WRITTEN_OFF = "written-off"
REASONS = (RELEASED, REPAID_OWN_FUNDS, REPAID_PROCEEDS, WRITTEN_OFF)
"""Why an outstanding amount is reduced. The kind's policy says which of them give headroom back."""

DECLARED = "declared"
CUSTOMS_RELEASED = "customs-released"
CLEARED = "cleared"
FROZEN = "frozen"
RETURNED = "returned"
DELETED = "deleted"
STATUSES = (DECLARED, CUSTOMS_RELEASED, CLEARED, FROZEN, RETURNED, DELETED)
"""What the attester says of a document. Only a cleared one can be drawn on."""

AMENDED = "amended"
PARTLY_RETURNED = "partly-returned"
AMENDMENTS = (AMENDED, PARTLY_RETURNED)
"""Why a document's limit changes."""

ACCEPTED = "accepted"
APPROVED = "approved"
REJECTED = "rejected"
DECISIONS = (ACCEPTED, APPROVED, REJECTED)
"""What a bank decides about an application."""

MEMO_SIZE = 1584
"""Bytes of a sealed memo, whatever it says: 1,536 of padded content and 48 of the sealed box."""
EXPIRES_MAXIMUM = (1 << 48) - 1
"""Times are unix seconds below 2**48."""

OWNER = "owner"
REGULATOR = "regulator"


def _time(seconds: int) -> bytes:
    """8 bytes, little-endian. Raises EncodingError for a time that is not one."""
    if not 0 <= seconds <= EXPIRES_MAXIMUM:
        raise EncodingError("a time is unix seconds below 2**48")
    return seconds.to_bytes(8, "little")


@dataclass(frozen=True)
class Memos:
    """Two sealed boxes, opaque to everybody but their reader (zkcore.secret.memos). MEMO_SIZE bytes each."""

    owner: bytes
    regulator: bytes

    def __post_init__(self) -> None:
        if len(self.owner) != MEMO_SIZE or len(self.regulator) != MEMO_SIZE:
            raise LengthError(f"a memo is {MEMO_SIZE} bytes")

    def parts(self) -> list[bytes]:
        return [self.owner, self.regulator]


@dataclass(frozen=True)
class Register:
    """The attester registers a document: its limit, committed, and the owner's blinded key for this document."""

    document: bytes
    kind: str
    counter: str
    status: str
    currency: str
    epoch: int
    attester: Element
    owner: Element
    limit: HandledCommitment
    memos: Memos
    proof: bytes
    range_proof: bytes

    def payload(self) -> bytes:
        said = [text(self.kind), text(self.counter), text(self.status)]
        return digest(LABEL_PAYLOAD, [b"register", *said, *self.memos.parts()])


@dataclass(frozen=True)
class ChangeStatus:
    """The attester says what became of a document. `replacement`: the document that stands for a deleted one, or ABSENT."""

    document: bytes
    attester: Element
    status: str
    replacement: bytes
    memos: Memos
    proof: bytes

    def payload(self) -> bytes:
        return digest(LABEL_PAYLOAD, [b"status", text(self.status), self.replacement, *self.memos.parts()])


@dataclass(frozen=True)
class Amend:
    """The attester replaces a document's limit by another one, higher or lower. What was drawn stays drawn."""

    document: bytes
    attester: Element
    reason: str
    limit: HandledCommitment
    memos: Memos
    proof: bytes
    range_proof: bytes

    def payload(self) -> bytes:
        return digest(LABEL_PAYLOAD, [b"amend", text(self.reason), *self.memos.parts()])


@dataclass(frozen=True)
class Overdrawn:
    """The regulator shows that more is drawn on a document than its limit. `over` commits to how much more."""

    document: bytes
    over: Element
    proof: bytes
    range_proof: bytes

    def payload(self) -> bytes:
        return digest(LABEL_PAYLOAD, [b"overdrawn"])


@dataclass(frozen=True)
class Apply:
    """An application reaches a bank: for a draw under this key, within a financing (`application`, 32 bytes), until `expires`.

    `consent` is the owner's part (statement `application`), `proof` the bank's (`apply`).
    """

    document: bytes
    draw: bytes
    key: Element
    application: bytes
    expires: int
    consent: bytes
    memos: Memos
    proof: bytes

    def payload(self) -> bytes:
        parts = [self.key.encode(), self.application, _time(self.expires), self.consent, *self.memos.parts()]
        return digest(LABEL_PAYLOAD, [b"apply", *parts])


def application_payload(application: bytes, key: Element, expires: int) -> bytes:
    """What the owner's part of an application binds besides the document: financing (32 bytes), draw key, expiry (seconds)."""
    return digest(LABEL_PAYLOAD, [b"application", application, key.encode(), _time(expires)])


@dataclass(frozen=True)
class Decide:
    """The bank accepts, approves or rejects an application."""

    draw: bytes
    decision: str
    memos: Memos
    proof: bytes

    def payload(self) -> bytes:
        return digest(LABEL_PAYLOAD, [b"decide", text(self.decision), *self.memos.parts()])


@dataclass(frozen=True)
class Consent:
    """The owner's consent beforehand: to this bank (the draw's key) and this amount (committed), until the draw expires."""

    application: bytes
    asked: Element
    proof: bytes


def consent_payload(application: bytes, key: Element, asked: Element, expires: int) -> bytes:
    """What a consent binds besides the document: application id (32 bytes), draw key, amount asked, expiry (unix seconds)."""
    return digest(LABEL_PAYLOAD, [b"consent", application, key.encode(), asked.encode(), _time(expires)])


@dataclass(frozen=True)
class Draft:
    """The bank's part of a draw: a committed amount on a document, under a key of its own.

    `expires`, unix seconds: until when it can be committed and, once committed, until when it must be disbursed. `moves` is the
    draw on a deleted document whose outstanding amount this one takes over, or None.
    """

    document: bytes
    draw: bytes
    key: Element
    amount: HandledCommitment
    expires: int
    consent: Consent | None
    moves: bytes | None
    memos: Memos
    proof: bytes

    def payload(self) -> bytes:
        return self._payload

    @cached_property
    def _payload(self) -> bytes:
        """Both parts of a draw are bound to it, by several contexts: the memos are hashed once."""
        consent = b"" if self.consent is None else self.consent.application + self.consent.asked.encode()
        parts = [b"draw", self.key.encode(), self.amount.encode(), _time(self.expires), consent, self.moves or b""]
        return digest(LABEL_PAYLOAD, [*parts, *self.memos.parts()])


@dataclass(frozen=True)
class Headroom:
    """The owner's (or the regulator's) part of a draw: what is left is not negative. It is the owner's authorisation too."""

    prover: str
    left: Element
    proof: bytes
    range_proof: bytes


@dataclass(frozen=True)
class Draw:
    """A whole draw, as verify-and-commit takes it."""

    draft: Draft
    headroom: Headroom


@dataclass(frozen=True)
class Disburse:
    """The bank pays out what it reserved: all of it (no rest, no range proof), or all but `rest`, which is released."""

    draw: bytes
    rest: HandledCommitment | None
    memos: Memos
    proof: bytes
    range_proof: bytes

    def payload(self) -> bytes:
        return digest(LABEL_PAYLOAD, [b"disburse", *self.memos.parts()])


@dataclass(frozen=True)
class Expire:
    """A reservation that was not disbursed by its expiry frees itself. Anybody can see that it is so; nobody proves it."""

    draw: bytes


@dataclass(frozen=True)
class Reduce:
    """The bank reduces what is outstanding on a draw."""

    draw: bytes
    amount: HandledCommitment
    reason: str
    memos: Memos
    proof: bytes
    range_proof: bytes

    def payload(self) -> bytes:
        return digest(LABEL_PAYLOAD, [b"reduce", text(self.reason), *self.memos.parts()])


@dataclass(frozen=True)
class Close:
    """The bank closes a draw on which nothing is outstanding."""

    draw: bytes
    proof: bytes

    def payload(self) -> bytes:
        return digest(LABEL_PAYLOAD, [b"close"])


@dataclass(frozen=True)
class View:
    """A reader asks for a document's private state. `nonce` 16 fresh bytes, `issued` unix seconds."""

    document: bytes
    reader: str
    nonce: bytes
    issued: int
    proof: bytes

    def payload(self) -> bytes:
        return digest(LABEL_PAYLOAD, [b"view", text(self.reader), self.nonce, _time(self.issued)])
