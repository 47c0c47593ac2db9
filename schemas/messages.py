"""The operations on the wire and in the log: one message a zkcore operation, with the conversion in both directions.

Decoding a message decodes and checks every point (zkcore raises LengthError or PointError); nothing is verified here.
"""

from __future__ import annotations

from typing import Literal, Self

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
from zkcore.group import Group

MAXIMUM_DOCUMENTS = 100
"""Documents in one registration request."""
MAXIMUM_LINES = 100
"""Draws in one financing."""

Reader = Literal["owner", "regulator"]
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
        return cls(
            document=operation.document,
            kind=operation.kind,
            currency=operation.currency,
            epoch=operation.epoch,
            attester=operation.attester.encode(),
            owner=operation.owner.encode(),
            limit=operation.limit.encode(),
            memos=MemosMessage.of(operation.memos),
            proof=operation.proof,
            range_proof=operation.range_proof,
        )

    def decode(self, group: Group) -> operations.Register:
        return operations.Register(
            self.document,
            self.kind,
            self.currency,
            self.epoch,
            group.decode(self.attester),
            group.decode(self.owner),
            HandledCommitment.decode(group, self.limit),
            self.memos.decode(),
            self.proof,
            self.range_proof,
        )


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
    """The bank's part of a draw. `amount` is C, D_owner, D_regulator, 33 bytes each."""

    document: Identifier
    draw: Identifier
    key: Point
    amount: Handled
    expires: Seconds
    consent: ConsentMessage | None
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
