"""What a service must do, in plain integers: limits, headroom, amounts outstanding, and which write is accepted or refused.

The model knows no commitment, proof or table. A write is an Operation: how it is sent, what the service must say to it in the
state that the model is in (`verdict`), and what is true once it was accepted (`apply`). A further kind of write is one more
class here and a rule that makes it in test_model.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from schemas import problems
from schemas.answers import DrawReceipt, FinancingAnswer, Receipt, RegistrationAnswer
from schemas.messages import CloseMessage, DrawMessage, ReduceMessage, RegisterMessage
from schemas.problems import ProblemType
from schemas.wire import encode_base64url
from tests.builders import NewDocument, NewDraw, NewReduction, financing_request, registration_request
from zkcore.operations import Close
from zkcore.secret.opening import Opening


@dataclass
class Document:
    """A document: amounts in minor units, and how often what its proofs are made for has moved."""

    kind: str
    limit: int
    headroom: int
    draws: int = 0
    moves: int = 0


@dataclass
class Draw:
    """A draw: what is outstanding in minor units, and how often what its proofs are made for has moved."""

    document: bytes
    outstanding: int
    closed: bool = False
    moves: int = 0


class Operation(ABC):
    """One write. Its subclasses are frozen dataclasses of what the test knows of it, amounts and all."""

    @property
    @abstractmethod
    def path(self) -> str:
        """Where it is sent."""

    @property
    @abstractmethod
    def message(self) -> BaseModel:
        """What is sent."""

    @property
    @abstractmethod
    def entries(self) -> Sequence[BaseModel]:
        """The bodies of the log's entries that it leads to, in order."""

    @property
    def openings(self) -> Mapping[bytes, Opening]:
        """What its bank knows of draws once it was accepted: by draw, the opening of what is outstanding."""
        return {}

    @abstractmethod
    def receipts(self, answer: bytes) -> Sequence[Receipt]:
        """The receipts in the answer to it, one an entry."""

    @abstractmethod
    def verdict(self, model: Model) -> ProblemType | None:
        """What it must be refused with as things stand; None where it must be accepted."""

    @abstractmethod
    def apply(self, model: Model) -> None:
        """It was accepted."""


@dataclass
class Model:
    """Everything that is true. `restores`: by kind, the reasons that give headroom back.

    bodies: what the log must hold after its genesis, in order
    accepted: by Idempotency-Key, the operation that it stands for
    now, latest: the service's clock, and the time of the last entry, unix seconds
    """

    restores: Mapping[str, frozenset[str]]
    now: int
    latest: int
    documents: dict[bytes, Document] = field(default_factory=dict)
    draws: dict[bytes, Draw] = field(default_factory=dict)
    consents: set[tuple[bytes, bytes]] = field(default_factory=set)
    bodies: list[BaseModel] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    accepted: dict[str, Operation] = field(default_factory=dict)

    def receive(self, key: str, operation: Operation) -> ProblemType | None:
        """What the service must say to this write under this key; None where it must accept, now or as it did before."""
        before = self.accepted.get(key)
        if before is not None:
            return None if before is operation else problems.KEY_REUSED
        verdict = operation.verdict(self)
        if verdict is None:
            self.latest = max(self.now, self.latest)
            operation.apply(self)
            self.accepted[key] = operation
            self.bodies += operation.entries
            self.times += [self.latest] * len(operation.entries)
        return verdict


# --- operations -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registration(Operation):
    """Documents, all or none. `flaw`: what is wrong with one of them on its face."""

    documents: Sequence[NewDocument]
    flaw: ProblemType | None = None

    @property
    def path(self) -> str:
        return "/v1/documents"

    @property
    def message(self) -> BaseModel:
        return registration_request(self.documents)

    @property
    def entries(self) -> Sequence[BaseModel]:
        return [RegisterMessage.of(document.operation) for document in self.documents]

    def receipts(self, answer: bytes) -> Sequence[Receipt]:
        return RegistrationAnswer.model_validate_json(answer).receipts

    def verdict(self, model: Model) -> ProblemType | None:
        known = any(document.operation.document in model.documents for document in self.documents)
        return self.flaw or (problems.ALREADY_EXISTS if known else None)

    def apply(self, model: Model) -> None:
        for document in self.documents:
            limit = document.limit.amount
            model.documents[document.operation.document] = Document(document.operation.kind, limit, limit)


@dataclass(frozen=True)
class Line:
    """A draw of a financing, proven for its document as it was after `moves` moves. `flaw`: what is wrong with it besides."""

    draw: NewDraw
    moves: int
    flaw: ProblemType | None = None

    @property
    def document(self) -> bytes:
        return self.draw.operation.draft.document

    @property
    def amount(self) -> int:
        return self.draw.opening.amount

    @property
    def consent(self) -> tuple[bytes, bytes] | None:
        given = self.draw.operation.draft.consent
        return None if given is None else (self.document, given.application)

    def found(self, model: Model) -> ProblemType | None:
        """What is wrong with this line alone, where its document is there."""
        document = model.documents[self.document]
        uncovered = self.moves != document.moves or self.amount > document.headroom
        return self.flaw or (problems.HEADROOM_NOT_PROVEN if uncovered else None)


@dataclass(frozen=True)
class Financing(Operation):
    """Draws on as many documents, all or none."""

    lines: Sequence[Line]

    @property
    def path(self) -> str:
        return "/v1/financings"

    @property
    def message(self) -> BaseModel:
        return financing_request([line.draw for line in self.lines])

    @property
    def entries(self) -> Sequence[BaseModel]:
        return [DrawMessage.of(line.draw.operation) for line in self.lines]

    @property
    def openings(self) -> Mapping[bytes, Opening]:
        return {line.draw.operation.draft.draw: line.draw.opening for line in self.lines}

    def receipts(self, answer: bytes) -> Sequence[Receipt]:
        return [draw.receipt for draw in FinancingAnswer.model_validate_json(answer).draws]

    def verdict(self, model: Model) -> ProblemType | None:
        documents = [line.document for line in self.lines]
        expires = min(line.draw.operation.draft.expires for line in self.lines)
        if len(set(documents)) < len(documents):
            return problems.DOCUMENT_REPEATED
        if not set(documents) <= set(model.documents):
            return problems.DOCUMENT_UNKNOWN
        if expires < model.now:
            return problems.EXPIRED
        found = [line.found(model) for line in self.lines]
        for problem in (problems.PROOF_INVALID, problems.CONSENT_INVALID):
            if problem in found:
                return problem
        used = [line.consent for line in self.lines if line.consent in model.consents]
        taken = [line for line in self.lines if line.draw.operation.draft.draw in model.draws]
        if used or taken:
            return problems.CONSENT_USED if used else problems.ALREADY_EXISTS
        if problems.HEADROOM_NOT_PROVEN in found:
            return problems.HEADROOM_NOT_PROVEN
        return problems.EXPIRED if expires < model.latest else None

    def apply(self, model: Model) -> None:
        for line in self.lines:
            document = model.documents[line.document]
            assert 0 < line.amount <= document.headroom, "more than the headroom would be drawn"
            document.headroom -= line.amount
            document.draws += 1
            document.moves += 1
            model.draws[line.draw.operation.draft.draw] = Draw(line.document, line.amount)
            if line.consent is not None:
                model.consents.add(line.consent)


@dataclass(frozen=True)
class Reduction(Operation):
    """Less is outstanding, proven for the draw as it was after `moves` moves."""

    reduction: NewReduction
    moves: int
    flaw: ProblemType | None = None

    @property
    def path(self) -> str:
        return f"/v1/draws/{encode_base64url(self.reduction.operation.draw)}/reductions"

    @property
    def message(self) -> BaseModel:
        return ReduceMessage.of(self.reduction.operation)

    @property
    def entries(self) -> Sequence[BaseModel]:
        return [ReduceMessage.of(self.reduction.operation)]

    @property
    def openings(self) -> Mapping[bytes, Opening]:
        return {self.reduction.operation.draw: self.reduction.rest}

    def receipts(self, answer: bytes) -> Sequence[Receipt]:
        return [DrawReceipt.model_validate_json(answer).receipt]

    def verdict(self, model: Model) -> ProblemType | None:
        refusal = _refusal_of_draw(model, self.reduction.operation.draw, self.moves)
        if refusal is not None:
            return refusal
        excess = self.reduction.amount > model.draws[self.reduction.operation.draw].outstanding
        return self.flaw or (problems.PROOF_INVALID if excess else None)

    def apply(self, model: Model) -> None:
        draw = model.draws[self.reduction.operation.draw]
        assert 0 < self.reduction.amount <= draw.outstanding, "more than is outstanding would be reduced"
        draw.outstanding -= self.reduction.amount
        draw.moves += 1
        document = model.documents[draw.document]
        if self.reduction.operation.reason in model.restores[document.kind]:
            document.headroom += self.reduction.amount
            document.moves += 1


@dataclass(frozen=True)
class Closure(Operation):
    """The end of a draw, proven for it as it was after `moves` moves."""

    close: Close
    moves: int
    flaw: ProblemType | None = None

    @property
    def path(self) -> str:
        return f"/v1/draws/{encode_base64url(self.close.draw)}/closure"

    @property
    def message(self) -> BaseModel:
        return CloseMessage.of(self.close)

    @property
    def entries(self) -> Sequence[BaseModel]:
        return [CloseMessage.of(self.close)]

    def receipts(self, answer: bytes) -> Sequence[Receipt]:
        return [DrawReceipt.model_validate_json(answer).receipt]

    def verdict(self, model: Model) -> ProblemType | None:
        refusal = _refusal_of_draw(model, self.close.draw, self.moves)
        if refusal is not None:
            return refusal
        return self.flaw or (problems.PROOF_INVALID if model.draws[self.close.draw].outstanding else None)

    def apply(self, model: Model) -> None:
        draw = model.draws[self.close.draw]
        draw.closed = True
        draw.moves += 1


def _refusal_of_draw(model: Model, draw: bytes, moves: int) -> ProblemType | None:
    """What every step of a draw is refused with, where it is not there, is closed, or has moved since the proof."""
    found = model.draws.get(draw)
    if found is None:
        return problems.DRAW_UNKNOWN
    if found.closed:
        return problems.WRONG_STAGE
    return problems.PROOF_INVALID if found.moves != moves else None
