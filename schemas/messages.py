"""The operations on the wire and in the log: one message a zkcore operation, with the conversion in both directions.

Decoding a message decodes and checks every point (zkcore raises LengthError or PointError); nothing is verified here.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from schemas.wire import (
    Currency,
    Epoch,
    Handled,
    Identifier,
    Memo,
    Message,
    Name,
    Nonce,
    Point,
    Proof,
    Seconds,
)
from zkcore import operations
from zkcore.commitments import HandledCommitment
from zkcore.context import ABSENT
from zkcore.errors import EncodingError
from zkcore.group import Group

MAXIMUM_DOCUMENTS = 100
"""Documents in one registration request."""
MAXIMUM_LINES = 100
"""Draws in one financing."""

Reader = Literal["owner", "regulator"]
DocumentStatusName = Literal["declared", "customs-released", "cleared", "frozen", "returned", "deleted"]
AmendmentReason = Literal["amended", "partly-returned"]
Decision = Literal["accepted", "approved", "rejected"]
Reason = Literal["released", "repaid-own-funds", "repaid-proceeds", "written-off"]


class MemosMessage(Message):
    """Two sealed boxes of one size, for the owner and for the regulator."""

    owner: Memo
    regulator: Memo

    @classmethod
    def of(cls, memos: operations.Memos) -> Self:
        return cls(owner=memos.owner, regulator=memos.regulator)

    def decode(self) -> operations.Memos:
        return operations.Memos(self.owner, self.regulator)


class RegisterMessage(Message):
    """A document with a committed limit. `limit` is C, D_owner, D_regulator, 33 bytes each."""

    document: Identifier
    kind: Name
    counter: Name
    status: DocumentStatusName
    currency: Currency
    epoch: Epoch
    attester: Point
    owner: Point
    limit: Handled
    memos: MemosMessage
    proof: Proof
    range_proof: Proof

    @classmethod
    def of(cls, operation: operations.Register) -> Self:
        return cls.model_validate(
            {
                "document": operation.document,
                "kind": operation.kind,
                "counter": operation.counter,
                "status": operation.status,
                "currency": operation.currency,
                "epoch": operation.epoch,
                "attester": operation.attester.encode(),
                "owner": operation.owner.encode(),
                "limit": operation.limit.encode(),
                "memos": MemosMessage.of(operation.memos),
                "proof": operation.proof,
                "range_proof": operation.range_proof,
            }
        )

    def decode(self, group: Group) -> operations.Register:
        return operations.Register(
            self.document,
            self.kind,
            self.counter,
            self.status,
            self.currency,
            self.epoch,
            group.decode(self.attester),
            group.decode(self.owner),
            HandledCommitment.decode(group, self.limit),
            self.memos.decode(),
            self.proof,
            self.range_proof,
        )


class ChangeStatusMessage(Message):
    """The attester says what became of a document. `replacement`: the document that stands for a deleted one, or null."""

    document: Identifier
    attester: Point
    status: DocumentStatusName
    replacement: Identifier | None
    memos: MemosMessage
    proof: Proof

    @classmethod
    def of(cls, operation: operations.ChangeStatus) -> Self:
        return cls.model_validate(
            {
                "document": operation.document,
                "attester": operation.attester.encode(),
                "status": operation.status,
                "replacement": None if operation.replacement == ABSENT else operation.replacement,
                "memos": MemosMessage.of(operation.memos),
                "proof": operation.proof,
            }
        )

    def decode(self, group: Group) -> operations.ChangeStatus:
        """Raises EncodingError for a replacement of 32 zero bytes, which would be a second way to write null."""
        if self.replacement == ABSENT:
            raise EncodingError("a replacement that is absent is null")
        return operations.ChangeStatus(
            self.document,
            group.decode(self.attester),
            self.status,
            self.replacement or ABSENT,
            self.memos.decode(),
            self.proof,
        )


class AmendMessage(Message):
    """The attester replaces a document's limit. `limit` is C, D_owner, D_regulator, 33 bytes each."""

    document: Identifier
    attester: Point
    reason: AmendmentReason
    limit: Handled
    memos: MemosMessage
    proof: Proof
    range_proof: Proof

    @classmethod
    def of(cls, operation: operations.Amend) -> Self:
        return cls.model_validate(
            {
                "document": operation.document,
                "attester": operation.attester.encode(),
                "reason": operation.reason,
                "limit": operation.limit.encode(),
                "memos": MemosMessage.of(operation.memos),
                "proof": operation.proof,
                "range_proof": operation.range_proof,
            }
        )

    def decode(self, group: Group) -> operations.Amend:
        return operations.Amend(
            self.document,
            group.decode(self.attester),
            self.reason,
            HandledCommitment.decode(group, self.limit),
            self.memos.decode(),
            self.proof,
            self.range_proof,
        )


class OverdrawnMessage(Message):
    """The regulator shows that more is drawn on a document than its limit; `over` commits to how much more."""

    document: Identifier
    over: Point
    proof: Proof
    range_proof: Proof

    @classmethod
    def of(cls, operation: operations.Overdrawn) -> Self:
        return cls(
            document=operation.document,
            over=operation.over.encode(),
            proof=operation.proof,
            range_proof=operation.range_proof,
        )

    def decode(self, group: Group) -> operations.Overdrawn:
        return operations.Overdrawn(self.document, group.decode(self.over), self.proof, self.range_proof)


class ApplyMessage(Message):
    """An application reaches a bank: `consent` is the owner's part, `proof` the bank's. It names no amount."""

    document: Identifier
    draw: Identifier
    key: Point
    application: Identifier
    expires: Seconds
    consent: Proof
    memos: MemosMessage
    proof: Proof

    @classmethod
    def of(cls, operation: operations.Apply) -> Self:
        return cls(
            document=operation.document,
            draw=operation.draw,
            key=operation.key.encode(),
            application=operation.application,
            expires=operation.expires,
            consent=operation.consent,
            memos=MemosMessage.of(operation.memos),
            proof=operation.proof,
        )

    def decode(self, group: Group) -> operations.Apply:
        return operations.Apply(
            self.document,
            self.draw,
            group.decode(self.key),
            self.application,
            self.expires,
            self.consent,
            self.memos.decode(),
            self.proof,
        )


class DecideMessage(Message):
    """The bank accepts, approves or rejects an application."""

    draw: Identifier
    decision: Decision
    memos: MemosMessage
    proof: Proof

    @classmethod
    def of(cls, operation: operations.Decide) -> Self:
        return cls.model_validate(
            {
                "draw": operation.draw,
                "decision": operation.decision,
                "memos": MemosMessage.of(operation.memos),
                "proof": operation.proof,
            }
        )

    def decode(self, group: Group) -> operations.Decide:
        return operations.Decide(self.draw, self.decision, self.memos.decode(), self.proof)


class ConsentMessage(Message):
    """The owner's consent beforehand, needed when the regulator proves the headroom."""

    application: Identifier
    asked: Point
    proof: Proof

    @classmethod
    def of(cls, consent: operations.Consent) -> Self:
        return cls(application=consent.application, asked=consent.asked.encode(), proof=consent.proof)

    def decode(self, group: Group) -> operations.Consent:
        return operations.Consent(self.application, group.decode(self.asked), self.proof)


class DraftMessage(Message):
    """The bank's part of a draw. `amount` is C, D_owner, D_regulator, 33 bytes each.

    `expires`: until when it can be committed and, once committed, until when it must be disbursed. `moves`: the draw on a
    deleted document that this one takes over, or null.
    """

    document: Identifier
    draw: Identifier
    key: Point
    amount: Handled
    expires: Seconds
    consent: ConsentMessage | None
    moves: Identifier | None
    memos: MemosMessage
    proof: Proof

    @classmethod
    def of(cls, draft: operations.Draft) -> Self:
        return cls(
            document=draft.document,
            draw=draft.draw,
            key=draft.key.encode(),
            amount=draft.amount.encode(),
            expires=draft.expires,
            consent=None if draft.consent is None else ConsentMessage.of(draft.consent),
            moves=draft.moves,
            memos=MemosMessage.of(draft.memos),
            proof=draft.proof,
        )

    def decode(self, group: Group) -> operations.Draft:
        return operations.Draft(
            self.document,
            self.draw,
            group.decode(self.key),
            HandledCommitment.decode(group, self.amount),
            self.expires,
            None if self.consent is None else self.consent.decode(group),
            self.moves,
            self.memos.decode(),
            self.proof,
        )


class HeadroomMessage(Message):
    """The owner's or the regulator's part of a draw."""

    prover: Reader
    left: Point
    proof: Proof
    range_proof: Proof

    @classmethod
    def of(cls, headroom: operations.Headroom) -> Self:
        return cls.model_validate(
            {
                "prover": headroom.prover,
                "left": headroom.left.encode(),
                "proof": headroom.proof,
                "range_proof": headroom.range_proof,
            }
        )

    def decode(self, group: Group) -> operations.Headroom:
        return operations.Headroom(self.prover, group.decode(self.left), self.proof, self.range_proof)


class DrawMessage(Message):
    """A whole draw: the bank's draft and the headroom proof that answers it."""

    draft: DraftMessage
    headroom: HeadroomMessage

    @classmethod
    def of(cls, draw: operations.Draw) -> Self:
        return cls(draft=DraftMessage.of(draw.draft), headroom=HeadroomMessage.of(draw.headroom))

    def decode(self, group: Group) -> operations.Draw:
        return operations.Draw(self.draft.decode(group), self.headroom.decode(group))


class DisburseMessage(Message):
    """The bank pays out what it reserved: all (`rest` and `range_proof` are null), or all but `rest`, which is released."""

    draw: Identifier
    rest: Handled | None
    memos: MemosMessage
    proof: Proof
    range_proof: Proof | None

    @classmethod
    def of(cls, operation: operations.Disburse) -> Self:
        return cls(
            draw=operation.draw,
            rest=None if operation.rest is None else operation.rest.encode(),
            memos=MemosMessage.of(operation.memos),
            proof=operation.proof,
            range_proof=operation.range_proof or None,
        )

    def decode(self, group: Group) -> operations.Disburse:
        rest = None if self.rest is None else HandledCommitment.decode(group, self.rest)
        return operations.Disburse(self.draw, rest, self.memos.decode(), self.proof, self.range_proof or b"")


class ExpireMessage(Message):
    """A reservation that was not disbursed by its expiry frees itself. The service writes it; nobody sends it."""

    draw: Identifier

    @classmethod
    def of(cls, operation: operations.Expire) -> Self:
        return cls(draw=operation.draw)

    def decode(self, group: Group) -> operations.Expire:
        return operations.Expire(self.draw)


class ReduceMessage(Message):
    """A release, repayment or write-off. `amount` is C, D_owner, D_regulator, 33 bytes each."""

    draw: Identifier
    amount: Handled
    reason: Reason
    memos: MemosMessage
    proof: Proof
    range_proof: Proof

    @classmethod
    def of(cls, operation: operations.Reduce) -> Self:
        return cls.model_validate(
            {
                "draw": operation.draw,
                "amount": operation.amount.encode(),
                "reason": operation.reason,
                "memos": MemosMessage.of(operation.memos),
                "proof": operation.proof,
                "range_proof": operation.range_proof,
            }
        )

    def decode(self, group: Group) -> operations.Reduce:
        return operations.Reduce(
            self.draw,
            HandledCommitment.decode(group, self.amount),
            self.reason,
            self.memos.decode(),
            self.proof,
            self.range_proof,
        )


class CloseMessage(Message):
    """A draw on which nothing is outstanding is closed."""

    draw: Identifier
    proof: Proof

    @classmethod
    def of(cls, operation: operations.Close) -> Self:
        return cls(draw=operation.draw, proof=operation.proof)

    def decode(self, group: Group) -> operations.Close:
        return operations.Close(self.draw, self.proof)


class ViewMessage(Message):
    """A reader asks for a document's private state; `issued` must be within five minutes of the service's clock."""

    document: Identifier
    reader: Reader
    nonce: Nonce
    issued: Seconds
    proof: Proof

    @classmethod
    def of(cls, operation: operations.View) -> Self:
        return cls.model_validate(
            {
                "document": operation.document,
                "reader": operation.reader,
                "nonce": operation.nonce,
                "issued": operation.issued,
                "proof": operation.proof,
            }
        )

    def decode(self, group: Group) -> operations.View:
        return operations.View(self.document, self.reader, self.nonce, self.issued, self.proof)


class RegistrationRequest(Message):
    """Documents to register: all or none."""

    documents: list[RegisterMessage] = Field(min_length=1, max_length=MAXIMUM_DOCUMENTS)


class FinancingRequest(Message):
    """The draws of one financing: all or none. No two of them on one document."""

    lines: list[DrawMessage] = Field(min_length=1, max_length=MAXIMUM_LINES)


class ApplyStep(Message):
    """A line of a steps request: an application."""

    type: Literal["apply"] = "apply"
    body: ApplyMessage


class DecideStep(Message):
    """A line of a steps request: a decision about an application."""

    type: Literal["decide"] = "decide"
    body: DecideMessage


class DisburseStep(Message):
    """A line of a steps request: a disbursement."""

    type: Literal["disburse"] = "disburse"
    body: DisburseMessage


class ReduceStep(Message):
    """A line of a steps request: a release, repayment or write-off."""

    type: Literal["reduce"] = "reduce"
    body: ReduceMessage


class CloseStep(Message):
    """A line of a steps request: the end of a draw."""

    type: Literal["close"] = "close"
    body: CloseMessage


Step = Annotated[ApplyStep | DecideStep | DisburseStep | ReduceStep | CloseStep, Field(discriminator="type")]


class StepsRequest(Message):
    """Steps of one financing before and after its draws: all or none. No two of them on one draw or one document."""

    steps: list[Step] = Field(min_length=1, max_length=MAXIMUM_LINES)
