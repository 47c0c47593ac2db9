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
from schemas.messages import CloseMessage, DraftMessage, FinancingRequest, ReduceMessage
from schemas.sealed import Loan, MinorUnits, OpeningMessage, Presentation
from schemas.wire import Digest, Handled, Holder, Identifier, Scalar, SealKey, Seconds, SecretMessage, decode_base64url
from zkcore.commitments import HandledCommitment
from zkcore.group import decode_scalar, encode_scalar
from zkcore.ledger import DocumentFacts, DrawState
from zkcore.operations import Draft
from zkcore.secret.opening import Opening
from zkcore.suite import Suite

FOLDER = "financings"
State = Literal["drafted", "sent", "open", "closed"]


class PendingFinancing(SecretMessage):
    """A financing that was sent, or is about to be, and whose answer has not come: by itself under `key`, or in a batch."""

    key: str
    request: FinancingRequest
    batch: str | None = None


class PendingBatch(SecretMessage):
    """Financings that are sent in one batch, in its order of lines; `accepted` once the service has it."""

    key: str
    financings: list[Identifier]
    accepted: BatchAccepted | None = None


class PendingReduction(SecretMessage):
    """A reduction under way. `rest`: the opening of what is outstanding after it. `settle`: the draw is closed next."""

    step: Literal["reduction"] = "reduction"
    key: str
    message: ReduceMessage
    amount: MinorUnits
    rest: OpeningMessage
    settle: bool


class PendingClosure(SecretMessage):
    """A closure under way."""

    step: Literal["closure"] = "closure"
    key: str
    message: CloseMessage


class Standing(SecretMessage):
    """A committed draw as the log has it: its head, and the commitment to what is outstanding."""

    head: Digest
    outstanding: Handled
    closed: bool
    receipts: list[Receipt]


class DrawRecord(SecretMessage):
    """One line of a financing. `opening` is of the whole draw, `outstanding` of what is left of it."""

    credential: Presentation
    key_shift: Scalar
    draft: DraftMessage
    opening: OpeningMessage
    outstanding: OpeningMessage
    standing: Standing | None = None
    pending: PendingReduction | PendingClosure | None = None

    def facts(self, suite: Suite) -> DocumentFacts:
        """The document drawn on."""
        return credential_facts(suite, self.credential)

    def state(self, suite: Suite) -> DrawState:
        """The draw as the log has it. Raises Refused when it is not committed."""
        if self.standing is None:
            raise Refused("not-committed", "this draw is not committed yet", "该笔尚未登记")
        decode = suite.group.decode
        outstanding = HandledCommitment.decode(suite.group, self.standing.outstanding)
        key, closed = decode(self.draft.key), self.standing.closed
        return DrawState(self.draft.draw, self.draft.document, key, outstanding, self.standing.head, closed)


class FinancingRecord(SecretMessage):
    """A financing from draft to end. `prover` is whom the draft is for; `refusal` the last reason why it was not committed."""

    financing: Identifier
    reference: str = Field(min_length=1, max_length=64)
    drafted: Seconds
    expires: Seconds
    applicant: Holder
    applicant_name: str
    seal_key: SealKey
    prover: Literal["owner", "regulator"]
    loan: Loan | None
    purpose: str
    lines: list[DrawRecord] = Field(min_length=1)
    pending: PendingFinancing | None = None
    refusal: str | None = None

    @property
    def committed(self) -> bool:
        return all(line.standing is not None for line in self.lines)

    def state(self, line: DrawRecord) -> State:
        """Where a line stands."""
        if line.standing is None:
            return "drafted" if self.pending is None else "sent"
        return "closed" if line.standing.closed else "open"

    def with_line(self, index: int, line: DrawRecord) -> FinancingRecord:
        """The record with one line replaced."""
        return self.model_copy(update={"lines": [*self.lines[:index], line, *self.lines[index + 1 :]]})


def opening_message(suite: Suite, opening: Opening) -> OpeningMessage:
    """For a file."""
    return OpeningMessage(amount=opening.amount, blinding=encode_scalar(suite.group, opening.blinding))


def opening_of(suite: Suite, message: OpeningMessage) -> Opening:
    """From a file."""
    return Opening(message.amount, decode_scalar(suite.group, message.blinding))


def draft_record(suite: Suite, credential: Presentation, key_shift: bytes, draft: Draft, opening: Opening) -> DrawRecord:
    """The record of a draft."""
    told = opening_message(suite, opening)
    return DrawRecord(credential=credential, key_shift=key_shift, draft=DraftMessage.of(draft), opening=told, outstanding=told)


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
        """All of them, in the order in which they were drafted."""
        records = [self._home.load(name, FinancingRecord) for name in self._home.names(FOLDER)]
        return iter(sorted(records, key=lambda record: (record.drafted, record.reference)))

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
