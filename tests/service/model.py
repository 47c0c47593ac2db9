"""What a service must do, in plain integers: limits, headroom, amounts outstanding, and which write is accepted or refused.

The model knows no commitment, proof or table. A write is an Operation: how it is sent, what the service must say to it in the
state that the model is in (`verdict`), and what is true once it was accepted (`apply`). A further kind of write is one more
class here and a rule that makes it in test_model.py.

That something moved since a proof was made for it is an integer here, too: a document's `moves` count what changes its head,
its `words` what its attester said, a draw's `moves` its steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from schemas import problems
from schemas.answers import DocumentReceipt, DrawReceipt, FinancingAnswer, Receipt, RegistrationAnswer, StepsAnswer
from schemas.canonical import canonical
from schemas.messages import (
    AmendMessage,
    ChangeStatusMessage,
    CloseMessage,
    DisburseMessage,
    DrawMessage,
    ExpireMessage,
    OverdrawnMessage,
    ReduceMessage,
    RegisterMessage,
)
from schemas.problems import ProblemType
from schemas.wire import encode_base64url
from tests.builders import (
    NewAmendment,
    NewDisbursement,
    NewDocument,
    NewDraw,
    NewReduction,
    financing_request,
    registration_request,
    steps_request,
)
from zkcore.context import ABSENT
from zkcore.ledger.state import (
    DISBURSED,
    EXPIRED,
    MOVED,
    PARTLY_REPAID,
    PARTLY_WRITTEN_OFF,
    RESERVED,
    SETTLED,
    KindPolicy,
)
from zkcore.operations import (
    CLEARED,
    CUSTOMS_RELEASED,
    DECLARED,
    DELETED,
    FROZEN,
    RELEASED,
    RETURNED,
    WRITTEN_OFF,
    ChangeStatus,
    Close,
    Disburse,
    Expire,
    Overdrawn,
    Reduce,
)
from zkcore.secret.opening import Opening

NEVER = -1
"""Moves after which nothing is."""
SIGNATURE_LIFE, REMEMBERED = 300, 600
"""Seconds by which the making of a signature may differ from the clock, and for which it is remembered after it."""
MINUTE, DAY = 60, 86_400
ATTESTER, BANK, REGULATOR = "attester", "bank", "regulator"

_PROGRESS = (DECLARED, CUSTOMS_RELEASED, CLEARED)
_LENT = (DISBURSED, PARTLY_REPAID, PARTLY_WRITTEN_OFF)
_CLOSED_AS = {RESERVED: RELEASED, DISBURSED: SETTLED, PARTLY_REPAID: SETTLED, PARTLY_WRITTEN_OFF: WRITTEN_OFF}
"""What becomes of a draw that is closed, by its stage; those at another stage are closed no more."""


# --- what there is --------------------------------------------------------------------------------------------------------


@dataclass
class Document:
    """A document: amounts in minor units, headroom below nothing where it is overdrawn.

    counted: of the limit, all that was drawn and has not come back
    shown: the moves after which the regulator had shown it to be overdrawn
    """

    kind: str
    limit: int
    status: str
    counted: int = 0
    draws: int = 0
    moves: int = 0
    words: int = 0
    replacement: bytes = ABSENT
    taken: bool = False
    shown: int = NEVER

    @property
    def headroom(self) -> int:
        return self.limit - self.counted

    @property
    def is_overdrawn(self) -> bool:
        """Shown to be so, with nothing moved since."""
        return self.shown == self.moves

    @property
    def financeable(self) -> bool:
        return self.status == CLEARED and not self.is_overdrawn

    @property
    def ended(self) -> bool:
        return self.status in (RETURNED, DELETED)

    def becomes(self, status: str) -> bool:
        """Whether this is what an attester can say next: further on in the clearance, frozen, back from it, or an end."""
        if self.ended:
            return False
        if status in (RETURNED, DELETED):
            return True
        if FROZEN in (self.status, status):
            return self.status != status
        return _PROGRESS.index(status) > _PROGRESS.index(self.status)

    def give_back(self, amount: int) -> None:
        """Headroom comes back."""
        assert 0 < amount <= self.counted, "more would come back than counts"
        self.counted -= amount
        self.moves += 1


@dataclass
class Draw:
    """A draw: what is outstanding in minor units; of one that expired or moved away, what was.

    changes: how often what is outstanding became another amount
    """

    document: bytes
    outstanding: int
    expires: int
    stage: str = RESERVED
    moves: int = 0
    changes: int = 0

    @property
    def closed(self) -> bool:
        return self.stage not in _CLOSED_AS

    def reduced(self, reason: str) -> str | None:
        """The stage after a reduction for this reason; None where there is no such reduction."""
        if self.stage == RESERVED or reason == RELEASED:
            return RESERVED if (self.stage, reason) == (RESERVED, RELEASED) else None
        if self.stage not in _LENT:
            return None
        doubtful = reason == WRITTEN_OFF or self.stage == PARTLY_WRITTEN_OFF
        return PARTLY_WRITTEN_OFF if doubtful else PARTLY_REPAID


class Operation(ABC):
    """One write. Its subclasses are frozen dataclasses of what the test knows of it, amounts and all."""

    caller: str
    """The role of who sends it."""

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


# --- who is let in --------------------------------------------------------------------------------------------------------


@dataclass
class Door:
    """What the service remembers of who called, besides what was written.

    signatures: by number, until when each is remembered
    counts: by caller and what is counted, the sum in each window by its start
    """

    signatures: dict[int, int] = field(default_factory=dict)
    counts: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)

    def lets_in(self, caller: str, signature: int, created: int, now: int) -> bool:
        """Whether a request with this signature is looked at: a signature is good once, and for five minutes."""
        if abs(now - created) > SIGNATURE_LIFE:
            return False
        self.signatures = {number: until for number, until in self.signatures.items() if until >= now}
        if signature in self.signatures:
            return False
        self.signatures[signature] = created + REMEMBERED
        self.count(caller, "requests-per-minute", 1, now - now % MINUTE)
        return True

    def count(self, caller: str, what: str, amount: int, window: int) -> None:
        """Earlier windows are forgotten with the first use in a new one."""
        counts = self.counts.setdefault((caller, what), {})
        begins = window not in counts
        counts[window] = counts.get(window, 0) + amount
        if begins:
            self.counts[caller, what] = {start: used for start, used in counts.items() if start >= window}


@dataclass
class Model:
    """Everything that is true. `kinds`: the policies of the kinds of document.

    bodies: what the log must hold after its genesis, in order
    accepted: by caller and Idempotency-Key, the operation that it stands for; a key is one caller's
    refusals: by document and request, when headroom was found wanting
    now, latest: the service's clock, and the time of the last entry, unix seconds
    """

    kinds: Mapping[str, KindPolicy]
    now: int
    latest: int
    documents: dict[bytes, Document] = field(default_factory=dict)
    draws: dict[bytes, Draw] = field(default_factory=dict)
    consents: set[tuple[bytes, bytes]] = field(default_factory=set)
    bodies: list[BaseModel] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    accepted: dict[tuple[str, str], Operation] = field(default_factory=dict)
    refusals: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    door: Door = field(default_factory=Door)

    def receive(self, key: str, operation: Operation) -> ProblemType | None:
        """What the service must say to this write under this key; None where it must accept, now or as it did before."""
        before = self.accepted.get((operation.caller, key))
        if before is not None:
            return None if before is operation else problems.KEY_REUSED
        verdict = operation.verdict(self)
        if verdict is None:
            self.accepted[operation.caller, key] = operation
            self.latest = max(self.now, self.latest)
            operation.apply(self)
            self.add(operation.entries)
        elif verdict is problems.HEADROOM_NOT_PROVEN and isinstance(operation, Financing):
            self._remember(operation)
        return verdict

    def add(self, bodies: Sequence[BaseModel]) -> None:
        """The log is so much longer."""
        self.bodies += bodies
        self.times += [self.latest] * len(bodies)

    def _remember(self, financing: Financing) -> None:
        """A refusal for want of headroom is counted for a day, the same request once."""
        recent = {pair: time for pair, time in self.refusals.items() if time > self.now - DAY}
        request = canonical(financing.message)
        new = {(document, request): self.now for document in financing.uncovered(self)}
        self.refusals = {**new, **recent}

    # Time.

    def overdue(self) -> list[bytes]:
        """The reservations whose time is over."""
        return [id_ for id_, draw in self.draws.items() if draw.stage == RESERVED and draw.expires < self.now]

    def expire(self, id_: bytes) -> None:
        """A reservation frees itself, whole."""
        draw = self.draws[id_]
        document = self.documents[draw.document]
        assert draw.stage == RESERVED, "a draw that is not reserved would expire"
        self.latest = max(self.now, self.latest)
        document.counted -= draw.outstanding
        document.moves += 1
        document.taken = False
        draw.stage = EXPIRED
        draw.moves += 1
        self.add([ExpireMessage.of(Expire(id_))])

    # What must be so in any state.

    def check(self) -> None:
        """What is owed counts against its document's limit, and all that counts was drawn."""
        owed = dict.fromkeys(self.documents, 0)
        for draw in self.draws.values():
            assert draw.outstanding >= 0
            owed[draw.document] += 0 if draw.closed else draw.outstanding
        for id_, document in self.documents.items():
            assert owed[id_] <= document.counted
            assert document.draws or not document.counted


# --- documents ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Registration(Operation):
    """Documents, all or none. `flaw`: what is wrong with one of them on its face."""

    documents: Sequence[NewDocument]
    flaw: ProblemType | None = None
    caller = ATTESTER

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
            new = document.operation
            model.documents[new.document] = Document(new.kind, document.limit.amount, new.status)


class _OfDocument(Operation):
    """A write on one document, answered with one receipt."""

    suffix: str

    @property
    @abstractmethod
    def document(self) -> bytes:
        """Which."""

    @property
    def path(self) -> str:
        return f"/v1/documents/{encode_base64url(self.document)}/{self.suffix}"

    @property
    def entries(self) -> Sequence[BaseModel]:
        return [self.message]

    def receipts(self, answer: bytes) -> Sequence[Receipt]:
        receipt = DocumentReceipt.model_validate_json(answer)
        assert receipt.document == self.document
        return [receipt.receipt]


@dataclass(frozen=True)
class StatusChange(_OfDocument):
    """What became of a document, signed for it as it was after `words` words of its attester."""

    change: ChangeStatus
    words: int
    flaw: ProblemType | None = None
    caller = ATTESTER
    suffix = "status"

    @property
    def document(self) -> bytes:
        return self.change.document

    @property
    def message(self) -> BaseModel:
        return ChangeStatusMessage.of(self.change)

    def verdict(self, model: Model) -> ProblemType | None:
        found = model.documents.get(self.document)
        if found is None:
            return problems.DOCUMENT_UNKNOWN
        if not found.becomes(self.change.status):
            return problems.CHANGE_REFUSED
        return self.flaw or (problems.PROOF_INVALID if self.words != found.words else None)

    def apply(self, model: Model) -> None:
        document = model.documents[self.document]
        document.status, document.replacement = self.change.status, self.change.replacement
        document.words += 1
        document.moves += 1


@dataclass(frozen=True)
class Amendment(_OfDocument):
    """Another limit, proven for the document as it was after `words` words of its attester."""

    amendment: NewAmendment
    words: int
    flaw: ProblemType | None = None
    caller = ATTESTER
    suffix = "amendments"

    @property
    def document(self) -> bytes:
        return self.amendment.operation.document

    @property
    def message(self) -> BaseModel:
        return AmendMessage.of(self.amendment.operation)

    def verdict(self, model: Model) -> ProblemType | None:
        found = model.documents.get(self.document)
        if found is None:
            return problems.DOCUMENT_UNKNOWN
        if found.ended:
            return problems.CHANGE_REFUSED
        return self.flaw or (problems.PROOF_INVALID if self.words != found.words else None)

    def apply(self, model: Model) -> None:
        document = model.documents[self.document]
        document.limit = self.amendment.limit.amount
        document.words += 1
        document.moves += 1


@dataclass(frozen=True)
class Showing(_OfDocument):
    """The regulator's proof that a document is overdrawn, made for it as it was after `moves` moves. `over`: by how much."""

    overdrawn: Overdrawn
    over: int
    moves: int
    flaw: ProblemType | None = None
    caller = REGULATOR
    suffix = "overdrawn"

    @property
    def document(self) -> bytes:
        return self.overdrawn.document

    @property
    def message(self) -> BaseModel:
        return OverdrawnMessage.of(self.overdrawn)

    def verdict(self, model: Model) -> ProblemType | None:
        found = model.documents.get(self.document)
        if found is None:
            return problems.DOCUMENT_UNKNOWN
        if found.is_overdrawn:
            return problems.ALREADY_EXISTS
        true = (self.moves, self.over) == (found.moves, -found.headroom)
        return self.flaw or (None if true else problems.PROOF_INVALID)

    def apply(self, model: Model) -> None:
        document = model.documents[self.document]
        assert document.headroom < 0, "a document that is not overdrawn would be shown to be"
        document.moves += 1
        document.shown = document.moves


# --- financings -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A draw of a financing, proven for its document as it was after `moves` moves, and for the draw that it takes over as that
    was after `changes` changes. `flaw`: what is wrong with it besides."""

    draw: NewDraw
    moves: int
    changes: int = NEVER
    flaw: ProblemType | None = None

    @property
    def id(self) -> bytes:
        return self.draw.operation.draft.draw

    @property
    def document(self) -> bytes:
        return self.draw.operation.draft.document

    @property
    def moved(self) -> bytes | None:
        """The draw that it takes over."""
        return self.draw.operation.draft.moves

    @property
    def expires(self) -> int:
        return self.draw.operation.draft.expires

    @property
    def amount(self) -> int:
        return self.draw.opening.amount

    @property
    def consent(self) -> tuple[bytes, bytes] | None:
        given = self.draw.operation.draft.consent
        return None if given is None else (self.document, given.application)

    def replaces(self, model: Model) -> bool:
        """Whether its document stands for that of the draw which it takes over."""
        if self.moved is None:
            return True
        id_ = model.draws[self.moved].document
        before, after = model.documents[id_], model.documents[self.document]
        return before.replacement == self.document and before.kind == after.kind

    def lasts(self, model: Model) -> ProblemType | None:
        """Whether it is in time, and does not wait for longer than it may."""
        if self.expires < model.now:
            return problems.EXPIRED
        longest = model.now + model.kinds[model.documents[self.document].kind].reservation
        return problems.RESERVATION_TOO_LONG if self.expires > longest else None

    def takes_over(self, model: Model) -> ProblemType | None:
        """What is wrong with its taking over another draw, at that one's stage."""
        if self.moved is None:
            return None
        draw = model.draws[self.moved]
        if draw.stage not in (RESERVED, DISBURSED, PARTLY_REPAID, PARTLY_WRITTEN_OFF):
            return problems.MOVE_REFUSED
        return problems.MOVE_REFUSED if draw.stage == RESERVED and self.expires > draw.expires else None

    def found(self, model: Model) -> ProblemType | None:
        """What is wrong with what it proves."""
        document = model.documents[self.document]
        if self.moved is not None and self.changes != model.draws[self.moved].changes:
            return problems.PROOF_INVALID
        uncovered = self.moves != document.moves or self.amount > document.headroom or document.taken
        return self.flaw or (problems.HEADROOM_NOT_PROVEN if uncovered else None)


@dataclass(frozen=True)
class Financing(Operation):
    """Draws on as many documents, all or none."""

    lines: Sequence[Line]
    caller = BANK

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
        return {line.id: line.draw.opening for line in self.lines}

    def receipts(self, answer: bytes) -> Sequence[Receipt]:
        draws = FinancingAnswer.model_validate_json(answer).draws
        assert [draw.draw for draw in draws] == [line.id for line in self.lines]
        return [draw.receipt for draw in draws]

    def uncovered(self, model: Model) -> list[bytes]:
        """The documents whose headroom is found wanting."""
        return [line.document for line in self.lines if line.found(model) is problems.HEADROOM_NOT_PROVEN]

    def verdict(self, model: Model) -> ProblemType | None:
        return next(self._wrong(model), None)

    def _wrong(self, model: Model) -> Iterator[ProblemType]:
        """All that is wrong with it, in the order in which the service finds it."""
        yield from self._misplaced(model)
        yield from filter(None, [line.lasts(model) for line in self.lines])
        if not all(model.documents[line.document].financeable for line in self.lines):
            yield problems.DOCUMENT_NOT_FINANCEABLE
        yield from filter(None, [line.takes_over(model) for line in self.lines])
        found = [line.found(model) for line in self.lines]
        yield from (problem for problem in (problems.PROOF_INVALID, problems.CONSENT_INVALID) if problem in found)
        if any(line.consent in model.consents for line in self.lines):
            yield problems.CONSENT_USED
        if any(line.id in model.draws for line in self.lines):
            yield problems.ALREADY_EXISTS
        if problems.HEADROOM_NOT_PROVEN in found:
            yield problems.HEADROOM_NOT_PROVEN
        if any(line.expires < model.latest for line in self.lines):
            yield problems.EXPIRED

    def _misplaced(self, model: Model) -> Iterator[ProblemType]:
        documents = [line.document for line in self.lines]
        moved = [line.moved for line in self.lines if line.moved is not None]
        if len(set(documents)) < len(documents):
            yield problems.DOCUMENT_REPEATED
        if not set(documents) <= set(model.documents):
            yield problems.DOCUMENT_UNKNOWN
        if not set(moved) <= set(model.draws):
            yield problems.DRAW_UNKNOWN
        if len(set(moved)) < len(moved) or not all(line.replaces(model) for line in self.lines):
            yield problems.MOVE_REFUSED

    def apply(self, model: Model) -> None:
        model.door.count(self.caller, "draws-per-day", len(self.lines), model.latest - model.latest % DAY)
        for line in self.lines:
            document = model.documents[line.document]
            assert 0 < line.amount <= document.headroom, "more than the headroom would be drawn"
            assert line.id not in model.draws, "a draw would be there twice"
            document.counted += line.amount
            document.draws += 1
            document.moves += 1
            document.taken = model.kinds[document.kind].single_use
            model.draws[line.id] = Draw(line.document, line.amount, line.expires)
            if line.moved is not None:
                before = model.draws[line.moved]
                assert before.outstanding == line.amount, "another amount than is outstanding would move"
                model.draws[line.id].stage, before.stage = before.stage, MOVED
                before.moves += 1
            if line.consent is not None:
                model.consents.add(line.consent)


# --- steps ----------------------------------------------------------------------------------------------------------------


class Step(ABC):
    """A step of one draw, proven for it as it was after `moves` moves. `flaw`: what is wrong with its proof."""

    moves: int
    flaw: ProblemType | None

    @property
    @abstractmethod
    def operation(self) -> Disburse | Reduce | Close:
        """As it is sent."""

    @property
    @abstractmethod
    def entry(self) -> BaseModel:
        """The body of its entry."""

    @property
    def opening(self) -> Opening | None:
        """Of what is outstanding afterwards, where it is another amount."""
        return None

    @abstractmethod
    def fits(self, draw: Draw) -> bool:
        """Whether the draw is at a stage that has such a step."""

    @abstractmethod
    def true(self, draw: Draw) -> bool:
        """Whether what it claims of the amount is so."""

    @abstractmethod
    def apply(self, draw: Draw, document: Document, policy: KindPolicy) -> None:
        """It was taken."""

    def is_late(self, draw: Draw, time: int) -> bool:
        """Whether this is after the time for such a step."""
        return False


@dataclass(frozen=True)
class Disbursal(Step):
    """What is reserved is paid out, or all of it but a rest. Where all was released before, that is nothing."""

    made: NewDisbursement
    moves: int
    flaw: ProblemType | None = None

    @property
    def operation(self) -> Disburse:
        return self.made.operation

    @property
    def entry(self) -> BaseModel:
        return DisburseMessage.of(self.operation)

    @property
    def opening(self) -> Opening:
        return self.made.outstanding

    def is_late(self, draw: Draw, time: int) -> bool:
        return draw.expires < time

    def fits(self, draw: Draw) -> bool:
        return draw.stage == RESERVED

    def true(self, draw: Draw) -> bool:
        return not self.made.released or self.made.released < draw.outstanding

    def apply(self, draw: Draw, document: Document, policy: KindPolicy) -> None:
        assert self.true(draw), "as much as is reserved would come back"
        draw.stage = DISBURSED
        if self.made.released:
            draw.outstanding -= self.made.released
            draw.changes += 1
            document.give_back(self.made.released)


@dataclass(frozen=True)
class Reduction(Step):
    """Less is outstanding."""

    made: NewReduction
    moves: int
    flaw: ProblemType | None = None

    @property
    def operation(self) -> Reduce:
        return self.made.operation

    @property
    def entry(self) -> BaseModel:
        return ReduceMessage.of(self.operation)

    @property
    def opening(self) -> Opening:
        return self.made.rest

    def fits(self, draw: Draw) -> bool:
        return draw.reduced(self.operation.reason) is not None

    def true(self, draw: Draw) -> bool:
        return self.made.amount <= draw.outstanding

    def apply(self, draw: Draw, document: Document, policy: KindPolicy) -> None:
        assert 0 < self.made.amount <= draw.outstanding, "more than is outstanding would be reduced"
        stage = draw.reduced(self.operation.reason)
        assert stage is not None
        draw.stage = stage
        draw.outstanding -= self.made.amount
        draw.changes += 1
        if self.operation.reason == RELEASED or self.operation.reason in policy.restores:
            document.give_back(self.made.amount)


@dataclass(frozen=True)
class Closure(Step):
    """The end of a draw on which nothing is outstanding. One that was never disbursed is released by it."""

    made: Close
    moves: int
    flaw: ProblemType | None = None

    @property
    def operation(self) -> Close:
        return self.made

    @property
    def entry(self) -> BaseModel:
        return CloseMessage.of(self.made)

    def fits(self, draw: Draw) -> bool:
        return not draw.closed

    def true(self, draw: Draw) -> bool:
        return not draw.outstanding

    def apply(self, draw: Draw, document: Document, policy: KindPolicy) -> None:
        assert not draw.outstanding, "a draw would be closed on which something is outstanding"
        draw.stage = _CLOSED_AS[draw.stage]
        if draw.stage == RELEASED and document.taken:
            document.taken = False
            document.moves += 1


@dataclass(frozen=True)
class Steps(Operation):
    """Steps of as many draws, each on another document: all or none."""

    steps: Sequence[Step]
    caller = BANK

    @property
    def path(self) -> str:
        return "/v1/steps"

    @property
    def message(self) -> BaseModel:
        return steps_request([step.operation for step in self.steps])

    @property
    def entries(self) -> Sequence[BaseModel]:
        return [step.entry for step in self.steps]

    @property
    def openings(self) -> Mapping[bytes, Opening]:
        return {step.operation.draw: step.opening for step in self.steps if step.opening is not None}

    def receipts(self, answer: bytes) -> Sequence[Receipt]:
        steps: Sequence[DrawReceipt] = StepsAnswer.model_validate_json(answer).steps
        assert [step.draw for step in steps] == [step.operation.draw for step in self.steps]
        return [step.receipt for step in steps]

    def verdict(self, model: Model) -> ProblemType | None:
        if not {step.operation.draw for step in self.steps} <= set(model.draws):
            return problems.DRAW_UNKNOWN
        found = [(step, model.draws[step.operation.draw]) for step in self.steps]
        if len({draw.document for _, draw in found}) < len(found):
            return problems.DOCUMENT_REPEATED
        if any(step.is_late(draw, model.now) for step, draw in found):
            return problems.EXPIRED
        if not all(step.fits(draw) for step, draw in found):
            return problems.WRONG_STAGE
        if any(step.flaw or step.moves != draw.moves or not step.true(draw) for step, draw in found):
            return problems.PROOF_INVALID
        return problems.EXPIRED if any(step.is_late(draw, model.latest) for step, draw in found) else None

    def apply(self, model: Model) -> None:
        for step in self.steps:
            draw = model.draws[step.operation.draw]
            document = model.documents[draw.document]
            step.apply(draw, document, model.kinds[document.kind])
            draw.moves += 1
