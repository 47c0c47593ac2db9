"""What a bank keeps of its financings, one file each in its home: openings, keys' shifts, receipts, and what is under way.

A step that changes the log is written here, with its Idempotency-Key, before it is sent. Where the answer is lost, the same
command finds the pending step, sends the same bytes again, and so completes it without doing it twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from parties.common.credentials import credential_facts
from parties.common.errors import InputError, Refused
from parties.common.home import Home
from schemas.answers import BatchAccepted, Receipt
from schemas.messages import DraftMessage, FinancingRequest, StepsRequest
from schemas.sealed import ConsentOffer, Loan, MinorUnits, OpeningMessage, Presentation
from schemas.wire import (
    Count,
    Digest,
    Epoch,
    Handled,
    Holder,
    Identifier,
    Point,
    Proof,
    Scalar,
    SealKey,
    Seconds,
    SecretMessage,
    decode_base64url,
)
from zkcore.commitments import HandledCommitment
from zkcore.group import decode_scalar, encode_scalar
from zkcore.ledger import DocumentFacts, DrawState
from zkcore.ledger.state import ENDS
from zkcore.secret.opening import Opening
from zkcore.suite import Suite

FOLDER = "financings"


class PendingFinancing(SecretMessage):
    """Draws that were sent, or are about to be, and whose answer has not come: by themselves under `key`, or in a batch."""

    pending: Literal["financing"] = "financing"
    key: str
    request: FinancingRequest
    batch: str | None = None


class PendingBatch(SecretMessage):
    """Financings that are sent in one batch, in its order of lines; `accepted` once the service has it."""

    key: str
    financings: list[Identifier]
    accepted: BatchAccepted | None = None


class PendingLine(SecretMessage):
    """Which line a pending step is of, and the opening of what is outstanding on it afterwards, where that changes."""

    index: Count
    outstanding: OpeningMessage | None


class PendingSteps(SecretMessage):
    """Steps under way. `asked` tells whether a command asks for the same; `settle`: what is repaid in full is closed next."""

    pending: Literal["steps"] = "steps"
    key: str
    request: StepsRequest
    lines: list[PendingLine]
    asked: str
    settle: bool = False


class ApplicationStanding(SecretMessage):
    """An application as the log has it: its head, against which it is decided about, and its stage."""

    head: Digest
    stage: str
    receipts: list[Receipt]


class Standing(SecretMessage):
    """A committed draw as the log has it: its head, its stage, and the commitment to what is outstanding."""

    head: Digest
    outstanding: Handled
    stage: str
    receipts: list[Receipt]

    @property
    def closed(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.stage in ENDS


class Place(SecretMessage):
    """The document that a draw moved to, where it is not the credential's. `owner`: its blinded key, 33 bytes."""

    document: Identifier
    epoch: Epoch
    owner: Point


class Drafted(SecretMessage):
    """A draft. `opening` is of the whole draw, `outstanding` of what is left of it."""

    draft: DraftMessage
    opening: OpeningMessage
    outstanding: OpeningMessage
    place: Place | None = None


class DrawRecord(SecretMessage):
    """One line of a financing, from application to end.

    asked: minor units; applied: the owner's part of the application; draw: the id that the draw has or will have
    moving: the draft that is to take this draw over on the document that replaces its own
    """

    credential: Presentation
    key_shift: Scalar
    asked: MinorUnits
    applied: Proof
    consent: ConsentOffer | None
    draw: Identifier
    application: ApplicationStanding | None = None
    drafted: Drafted | None = None
    standing: Standing | None = None
    moving: Drafted | None = None

    @property
    def draft(self) -> DraftMessage:
        """Raises Refused when there is none yet."""
        return self._drafted.draft

    @property
    def opening(self) -> OpeningMessage:
        """Of the whole draw. Raises Refused when it is not drafted."""
        return self._drafted.opening

    @property
    def outstanding(self) -> OpeningMessage:
        """Of what is left of the draw. Raises Refused when it is not drafted."""
        return self._drafted.outstanding

    @property
    def _drafted(self) -> Drafted:
        if self.drafted is None:
            raise Refused("not-drafted", "this draw is not drafted yet", "该笔尚未出具草案")
        return self.drafted

    def facts(self, suite: Suite) -> DocumentFacts:
        """The document drawn on."""
        place = None if self.drafted is None else self.drafted.place
        if place is None:
            return credential_facts(suite, self.credential)
        return DocumentFacts(place.document, self.credential.currency, place.epoch, suite.group.decode(place.owner))

    def state(self, suite: Suite) -> DrawState:
        """The draw as the log has it. Raises Refused when it is not committed."""
        if self.standing is None:
            raise Refused("not-committed", "this draw is not committed yet", "该笔尚未登记")
        decode, draft = suite.group.decode, self.draft
        outstanding = HandledCommitment.decode(suite.group, self.standing.outstanding)
        key, standing = decode(draft.key), self.standing
        return DrawState(draft.draw, draft.document, key, outstanding, standing.head, standing.stage, draft.expires)

    def with_outstanding(self, outstanding: OpeningMessage, standing: Standing) -> DrawRecord:
        """After a step that changed what is left."""
        drafted = self._drafted.model_copy(update={"outstanding": outstanding})
        return self.model_copy(update={"drafted": drafted, "standing": standing})


class FinancingRecord(SecretMessage):
    """A financing from application to end. `prover` is whom the draft is for; `refusal` the last reason why it was not done.

    received_by: who received it, as told with --by; short: received, accepted and approved in one go with the draft
    """

    financing: Identifier
    reference: str = Field(min_length=1, max_length=64)
    received: Seconds
    received_by: str
    outlet: str
    short: bool
    expires: Seconds
    applicant: Holder
    applicant_name: str
    seal_key: SealKey
    prover: Literal["owner", "regulator"]
    loan: Loan | None
    purpose: str
    lines: list[DrawRecord] = Field(min_length=1)
    pending: PendingFinancing | PendingSteps | None = Field(default=None, discriminator="pending")
    refusal: str | None = None

    @property
    def committed(self) -> bool:
        return all(line.standing is not None for line in self.lines)

    @property
    def moving(self) -> list[int]:
        """The lines whose draws are to be taken over on the documents that replace theirs."""
        return [index for index, line in enumerate(self.lines) if line.moving is not None]

    @property
    def complete(self) -> bool:
        """Whether no approval is waited for: all lines are committed, and none is to be taken over."""
        return self.committed and not self.moving

    @property
    def sent(self) -> bool:
        """Whether its draws were sent, and their answer has not come."""
        return isinstance(self.pending, PendingFinancing)

    def state(self, line: DrawRecord) -> str:
        """Where a line stands: received, a stage of its application, drafted, sent, or a stage of its draw."""
        if line.standing is not None:
            return line.standing.stage
        if line.drafted is not None:
            return "sent" if self.sent else "drafted"
        return "received" if line.application is None else line.application.stage

    def with_line(self, index: int, line: DrawRecord) -> FinancingRecord:
        """The record with one line replaced."""
        return self.model_copy(update={"lines": [*self.lines[:index], line, *self.lines[index + 1 :]]})


def opening_message(suite: Suite, opening: Opening) -> OpeningMessage:
    """For a file."""
    return OpeningMessage(amount=opening.amount, blinding=encode_scalar(suite.group, opening.blinding))


def opening_of(suite: Suite, message: OpeningMessage) -> Opening:
    """From a file."""
    return Opening(message.amount, decode_scalar(suite.group, message.blinding))


class Book:
    """The financings in a bank's home. Hold home.lock() around reading and writing one."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def find(self, financing: bytes) -> FinancingRecord | None:
        """The financing of this id, or None."""
        name = _name(financing)
        return self._home.load(name, FinancingRecord) if self._home.exists(name) else None

    def save(self, record: FinancingRecord) -> None:
        self._home.save(_name(record.financing), record)

    def __iter__(self) -> Iterator[FinancingRecord]:
        """All of them, in the order in which they were received."""
        records = [self._home.load(name, FinancingRecord) for name in self._home.names(FOLDER)]
        return iter(sorted(records, key=lambda record: (record.received, record.reference)))

    def by_reference(self, reference: str) -> FinancingRecord:
        """The financing with the bank's own reference. Raises InputError when there is none."""
        for record in self:
            if record.reference == reference:
                return record
        raise InputError(
            "reference-unknown",
            f"no financing here has the reference {reference!r}; `tradeveil bank draws` lists them",
            f"没有编号为 {reference!r} 的融资；可用 `tradeveil bank draws` 查看",
        )

    def by_id(self, financing: str) -> FinancingRecord:
        """The financing of this id in base64url. Raises InputError."""
        try:
            found = self.find(decode_base64url(financing))
        except ValueError:
            found = None
        if found is None:
            raise InputError("financing-unknown", "no financing here has this id", "没有该编号的融资")
        return found


def _name(financing: bytes) -> str:
    return f"{FOLDER}/{financing.hex()}.json"
