"""The ledger's states, and what moves them from one to the next.

All are immutable. The service makes them from rows of its database, the auditor from what it replayed. SPEC.md: states in
section 10.1, their machines in section 10.2, what every state keeps to in section 13, "The residual". Ids, heads and revisions
are 32 bytes, times unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from zkcore.commitments import HandledCommitment
from zkcore.errors import EncodingError, IdentityError, KeyRejected, StateError
from zkcore.group import Element
from zkcore.operations import (
    ACCEPTED,
    APPROVED,
    CLEARED,
    CUSTOMS_RELEASED,
    DECLARED,
    DELETED,
    FROZEN,
    OWNER,
    REGULATOR,
    REJECTED,
    RELEASED,
    REPAID_OWN_FUNDS,
    REPAID_PROCEEDS,
    RETURNED,
    WRITTEN_OFF,
)

MAXIMUM_DRAWS = 1 << 20
"""Draws a document can carry over its life (SPEC.md, section 17), so that sums of ranges stay far below the group's order."""

# --- stages ---------------------------------------------------------------------------------------------------------------

APPLIED = "applied"
RESERVED = "reserved"
DISBURSED = "disbursed"
PARTLY_REPAID = "partly-repaid"
PARTLY_WRITTEN_OFF = "partly-written-off"
SETTLED = "settled"
EXPIRED = "expired"
MOVED = "moved"

DISBURSE = "disburse"
CLOSE = "close"
EXPIRE = "expire"
MOVE = "move"

APPLICATION_STAGES = (APPLIED, ACCEPTED, APPROVED, REJECTED, RESERVED)
DRAW_STAGES = (RESERVED, DISBURSED, PARTLY_REPAID, PARTLY_WRITTEN_OFF, SETTLED, RELEASED, EXPIRED, WRITTEN_OFF, MOVED)
ENDS = frozenset({SETTLED, RELEASED, EXPIRED, WRITTEN_OFF, MOVED})
"""Stages of a draw that nothing leads out of."""

DECISIONS_AT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        APPLIED: frozenset({ACCEPTED, REJECTED}),
        ACCEPTED: frozenset({APPROVED, REJECTED}),
        APPROVED: frozenset({REJECTED}),
    }
)
"""What a bank can decide about an application at each stage; a draw takes it from `approved` to `reserved` (SPEC.md, 10.2)."""

_OWED = {REPAID_OWN_FUNDS: PARTLY_REPAID, REPAID_PROCEEDS: PARTLY_REPAID, WRITTEN_OFF: PARTLY_WRITTEN_OFF, MOVE: MOVED}
_DOUBTFUL = {**dict.fromkeys((REPAID_OWN_FUNDS, REPAID_PROCEEDS, WRITTEN_OFF), PARTLY_WRITTEN_OFF), MOVE: MOVED}
TRANSITIONS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        RESERVED: {DISBURSE: DISBURSED, RELEASED: RESERVED, CLOSE: RELEASED, EXPIRE: EXPIRED, MOVE: MOVED},
        DISBURSED: {**_OWED, CLOSE: SETTLED},
        PARTLY_REPAID: {**_OWED, CLOSE: SETTLED},
        PARTLY_WRITTEN_OFF: {**_DOUBTFUL, CLOSE: WRITTEN_OFF},
    }
)
"""A draw's life: from each stage, what can happen, and the stage that it leads to.

SPEC.md, section 10.2, has the same table and docs/DATA_MODEL.md draws it: tests/zkcore/test_data_model.py compares all three.
"""

STATUSES_AFTER: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        DECLARED: frozenset({CUSTOMS_RELEASED, CLEARED, FROZEN, RETURNED, DELETED}),
        CUSTOMS_RELEASED: frozenset({CLEARED, FROZEN, RETURNED, DELETED}),
        CLEARED: frozenset({FROZEN, RETURNED, DELETED}),
        FROZEN: frozenset({DECLARED, CUSTOMS_RELEASED, CLEARED, RETURNED, DELETED}),
        RETURNED: frozenset(),
        DELETED: frozenset(),
    }
)
"""What an attester can say of a document next (SPEC.md, section 10.2). Nothing: the document is at its end."""


def next_stage(draw: DrawState, action: str) -> str:
    """The stage that this action leads a draw to. Raises StateError when the draw's stage does not have it."""
    if action not in TRANSITIONS.get(draw.stage, {}):
        raise StateError(f"this draw is {draw.stage}, where there is no {action}")
    return TRANSITIONS[draw.stage][action]


# --- parameters -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KindPolicy:
    """A kind of document: its policy, fixed by the log's first entry (SPEC.md, sections 10.5 and 12; docs/DATA_MODEL.md).

    attester: the role of those who attest it
    restores: the reasons whose reduction gives headroom back
    counters: what a document's limit can count; each counter of a paper is a document of its own
    single_use: one draw at a time, and none after one that was disbursed
    reservation: seconds that a draw may wait for its disbursement, at most
    applied_for: whether a draw needs an approved application on the log
    """

    name: str
    attester: str
    restores: frozenset[str]
    counters: tuple[str, ...]
    single_use: bool
    reservation: int
    applied_for: bool


@dataclass(frozen=True)
class Parameters:
    """The public facts of a log that its first entry, the genesis, fixes (SPEC.md, sections 10.1 and 12).

    origin: the log's name, in the context of every proof
    epoch: of the regulator's key, from 1; one a log in this version
    regulator: the regulator's public view key
    attesters: the role of each attester's public signing key
    kinds: the policy of each kind by its name
    """

    origin: str
    epoch: int
    regulator: Element
    attesters: Mapping[Element, str]
    kinds: Mapping[str, KindPolicy]

    def check(self) -> None:
        """Raises KeyRejected when a key is the identity or stands twice (SPEC.md, section 9)."""
        keys = [self.regulator, *self.attesters]
        if any(key.is_identity for key in keys) or len(set(keys)) != len(keys):
            raise KeyRejected("a key is the identity, or one key is used for two roles")


# --- states ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DocumentState:
    """A document as the verifier knows it (SPEC.md, section 10.1).

    owner: the owner's view key, blinded for this document
    limit: what the attester committed to last, with a handle for owner and regulator
    residual: the limit less what counts, so that an amendment can leave it negative
    head: a chain over all that changed what can be drawn
    draws: how many there have been
    status: what the attester said last
    revision: a chain over what the attester said, which the attester knows without knowing of any draw
    replacement: the document that stands for this one, once it is deleted, or ABSENT
    taken: whether a document of single use is in use
    overdrawn: the head at which it was proven to be overdrawn, or ABSENT
    """

    document: bytes
    kind: str
    counter: str
    currency: str
    epoch: int
    owner: Element
    limit: HandledCommitment
    residual: HandledCommitment
    head: bytes
    draws: int
    status: str
    revision: bytes
    replacement: bytes
    taken: bool
    overdrawn: bytes

    @property
    def is_overdrawn(self) -> bool:
        """Proven to be overdrawn, with nothing changed since."""
        return self.overdrawn == self.head

    @property
    def financeable(self) -> bool:
        """Whether a draw can be tried at all."""
        return self.status == CLEARED and not self.is_overdrawn


@dataclass(frozen=True)
class ApplicationState:
    """An application as the verifier knows it: it names no amount and holds no headroom (SPEC.md, section 10.1).

    draw: the id that its draw will have
    key: the key of that draw
    application: the id of the financing it belongs to
    expires: until when it reaches the log, and until when at most its draw may last
    """

    draw: bytes
    document: bytes
    key: Element
    application: bytes
    expires: int
    stage: str
    head: bytes


@dataclass(frozen=True)
class DrawState:
    """A draw as the verifier knows it (SPEC.md, section 10.1).

    key: the bank's public key for this draw alone
    outstanding: what is owed, or reserved, and not yet paid back, released or written off
    expires: until when it must be disbursed
    """

    draw: bytes
    document: bytes
    key: Element
    outstanding: HandledCommitment
    head: bytes
    stage: str
    expires: int

    @property
    def closed(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.stage in ENDS


@dataclass(frozen=True)
class DocumentFacts:
    """What the makers of a draw must know of a document, besides the log's parameters: no state, no limit."""

    document: bytes
    currency: str
    epoch: int
    owner: Element


def facts(document: DocumentState) -> DocumentFacts:
    """The facts of a document that the verifier knows."""
    return DocumentFacts(document.document, document.currency, document.epoch, document.owner)


def blinded_balance(balance: HandledCommitment) -> HandledCommitment:
    """A balance that an operation leaves behind, which must have an encoding.

    Whoever knows every blinding behind a balance can choose one that cancels them. The balance would then stand unblinded and
    could be neither stored nor stated. Raises IdentityError (SPEC.md, section 10).
    """
    if any(element.is_identity for element in (balance.commitment, balance.owner, balance.regulator)):
        raise IdentityError("the balance left would stand without a blinding; commit again with a fresh one")
    return balance


def reader_key(parameters: Parameters, document: DocumentState, reader: str) -> Element:
    """The public view key of "owner" or "regulator" for this document. Raises EncodingError for another reader."""
    if reader not in (OWNER, REGULATOR):
        raise EncodingError("a reader is owner or regulator")
    return document.owner if reader == OWNER else parameters.regulator
