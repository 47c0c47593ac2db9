"""The service against a model of plain integers, over a connection that loses requests and answers and delivers some twice.

Hypothesis chooses what parties do, in which order, and what the connection does to each request. Must hold, after every step:
the service says what the model says, also where nobody hears it; what it keeps opens, with the owner's key and with the
regulator's, to exactly the model's integers; every accepted write is in the log once, whole, as its receipt says; nothing else
is kept; and an auditor who replays the export comes to the same states. A failure would be a draw too many or one lost, a write
done by half, a key answered in two ways, or a refusal other than the true one. That much is refused is no failure.

Some hundreds of operations in every run; TRADEVEIL_OPERATIONS=10000 for at least so many, with every kind of write, refusal and
loss among them.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, func, select

from parties.auditor.replay import AuditState, Replay, line_end
from schemas import problems
from schemas.answers import DocumentView, EntriesPage, Receipt
from schemas.canonical import canonical, canonical_value
from schemas.entries import Kind, decode_entry
from schemas.kinds import load_kinds
from schemas.messages import ViewMessage
from schemas.problems import TYPE_PREFIX, ProblemType
from schemas.wire import encode_base64url
from service import reading
from service.tables import ANSWERS, CONSENTS, DOCUMENTS, DRAWS, ENTRIES, LOG, NONCES, document_of_row, draw_of_row
from tests.builders import (
    NOW,
    Loan,
    NewDocument,
    NewDraw,
    NewReduction,
    Paper,
    World,
    flip,
    make_close,
    make_draw,
    make_early_close,
    make_overdraw,
    make_overreduce,
    make_reduce,
    make_register,
    make_view,
)
from tests.service.harness import JSON, Desk, begin_anew, open_desk, refused
from tests.service.lossy import Fate, LossyTransport
from tests.service.model import Closure, Financing, Line, Model, Operation, Reduction, Registration
from tlog.leaf import leaf_hash
from zkcore.amounts import MAXIMUM
from zkcore.commitments import HandledCommitment
from zkcore.operations import REASONS
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.opening import Opening, amount_points

# The model knows neither stages of draws, nor what becomes of documents, nor signed requests, all of which came after it.
pytest.skip("the model of integers does not know stages and signed requests yet", allow_module_level=True)

OPERATIONS = int(os.environ.get("TRADEVEIL_OPERATIONS", "0"))
SHORT_RUN = 200
STEPS = 40
"""Of one log, from its beginning."""
LARGEST_LIMIT = MAXIMUM // 4
"""Leaves room for what is too large and yet an amount."""
MOST_LINES = 3
CLOCK_SET_BACK = 600
LONGEST_WAIT = 3 * 86_400
LONGEST_DRAFT = 7 * 86_400

NEVER = -1
"""Moves after which nothing is."""
LEAST_CALM = 4
"""Operations between two restarts, each of which takes as long as several of them."""

T = TypeVar("T")
FATES = st.sampled_from([Fate.DELIVERED] * 3 + [Fate.REQUEST_LOST, Fate.ANSWER_LOST, Fate.DUPLICATED])
LIMITS = st.one_of(st.integers(1, 10_000), st.sampled_from([1, 100_000, LARGEST_LIMIT]))


@dataclass
class Tally:
    """What one run consisted of. An operation is a request that somebody means to make, however often it is delivered."""

    operations: int = 0
    restarts: int = 0
    logs: int = 0
    entries: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    said: Counter[tuple[str, str]] = field(default_factory=Counter)

    def note(self, what: object, answer: httpx.Response) -> None:
        """Something was answered, whoever heard it."""
        slug = "accepted" if answer.is_success else str(answer.json()["type"]).removeprefix(TYPE_PREFIX)
        replayed = "replayed" if "Idempotency-Replayed" in answer.headers else slug
        self.said[what if isinstance(what, str) else type(what).__name__, replayed] += 1

    def problems(self) -> set[str]:
        return {slug for _, slug in self.said}


def several_kinds(world: World) -> World:
    """The world with every kind that ships with this, one that gives all headroom back and one that gives none."""
    kinds = [*load_kinds(), Kind(name="generous", restores=list(REASONS)), Kind(name="strict", restores=[])]
    genesis = world.genesis.model_copy(update={"kinds": kinds})
    return replace(world, genesis=genesis, parameters=genesis.parameters(world.suite))


class ServiceAndModel(RuleBasedStateMachine):
    """One log from its beginning: the service, what must be true of it, and what the parties know."""

    def __init__(self, world: World, database: str, tally: Tally) -> None:
        super().__init__()
        self.world = world.alone("the service and the model")  # so that the same choices make the same proofs
        self.database, self.tally = database, tally
        restores = {name: policy.restores for name, policy in world.parameters.kinds.items()}
        self.model = Model(restores, NOW, world.genesis.time)
        self.audit = Replay(world.suite)
        self.receipts: list[Receipt] = []
        self.said: dict[str, bytes] = {}
        self.waiting: dict[str, Operation] = {}
        self.views = 0
        self.calm = 0
        """Operations since the service began to work."""
        self.secrets: dict[bytes, ViewSecret] = {}
        self.keys: dict[bytes, SigningSecret] = {}
        self.openings: dict[bytes, Opening] = {}
        self.numbers = count()
        self.work = ExitStack()
        begin_anew(self.world, database)
        tally.logs += 1
        self.open()

    def open(self) -> None:
        """The application begins to work on the database as it is."""
        self.desk: Desk = self.work.enter_context(open_desk(self.world, self.database))
        self.desk.now = self.model.now
        self.transport = LossyTransport(self.desk.client._transport, lambda: self.fate)
        self.http = self.work.enter_context(httpx.Client(transport=self.transport, base_url=self.desk.client.base_url))
        self.fate, self.calm = Fate.DELIVERED, 0

    def teardown(self) -> None:
        """An auditor who reads the whole log at its end, in pages, finds what the one did who followed it."""
        with self.work:
            whole = Replay(self.world.suite)
            start: int | None = 0
            while start is not None:
                page = EntriesPage.model_validate_json(self.desk.export(f"?from={start}&limit=7").content)
                feed(whole, page)
                start = page.next
            whole.settle()
            assert whole.verdict(0).state == self.audit.verdict(0).state
            self.tally.entries += whole.entries

    # --- what parties know --------------------------------------------------------------------------------------------------

    @property
    def state(self) -> AuditState:
        """The public state as the auditor has it: what proofs are made for."""
        assert self.audit.state is not None
        return self.audit.state

    def paper(self, document: bytes) -> Paper:
        return Paper(self.state.documents[document], self.secrets[document], self.model.documents[document].headroom)

    def loan(self, draw: bytes) -> Loan:
        return Loan(self.state.draws[draw], self.keys[draw], self.openings[draw])

    def drawable(self) -> list[bytes]:
        """The documents with headroom."""
        return [id_ for id_, document in self.model.documents.items() if document.headroom]

    def reducible(self) -> list[bytes]:
        """The draws on which something is outstanding."""
        return [id_ for id_, draw in self.model.draws.items() if draw.outstanding]

    def settled(self) -> list[bytes]:
        """The open draws on which nothing is outstanding."""
        return [id_ for id_, draw in self.model.draws.items() if not draw.outstanding and not draw.closed]

    def hoped_for(self) -> list[Line]:
        """The draws whose bank was not answered."""
        financings = [operation for operation in self.waiting.values() if isinstance(operation, Financing)]
        return [line for financing in financings for line in financing.lines]

    # --- making operations --------------------------------------------------------------------------------------------------

    def new_document(self, data: st.DataObject) -> NewDocument:
        kind = data.draw(st.sampled_from(sorted(self.model.restores)), label="kind")
        document = make_register(self.world, data.draw(LIMITS, label="limit"), kind=kind)
        self.secrets[document.operation.document] = document.secret
        return document

    def line(self, draw: NewDraw) -> Line:
        """A draw as it is made now."""
        self.keys[draw.operation.draft.draw] = draw.key
        document = self.model.documents.get(draw.paper.state.document)
        return Line(draw, 0 if document is None else document.moves)

    def new_draw(self, data: st.DataObject, document: bytes) -> Line:
        """A draw that its document covers."""
        paper = self.paper(document)
        expires = self.model.now + data.draw(st.integers(0, LONGEST_DRAFT), label="seconds until it expires")
        consented = data.draw(st.booleans(), label="consented to beforehand")
        amount = up_to(data, paper.headroom)
        return self.line(make_draw(self.world, paper, amount, expires=expires, consented=consented))

    def new_reduction(self, data: st.DataObject, *, whole: bool = False) -> Reduction:
        """By a part of what is outstanding, or by all of it."""
        id_ = pick(data, self.reducible(), "draw")
        draw, reason = self.model.draws[id_], data.draw(st.sampled_from(REASONS), label="reason")
        amount = draw.outstanding if whole else up_to(data, draw.outstanding)
        return Reduction(make_reduce(self.world, self.paper(draw.document), self.loan(id_), amount, reason), draw.moves)

    def new_closure(self, data: st.DataObject) -> Closure:
        id_ = pick(data, self.settled(), "draw")
        draw = self.model.draws[id_]
        return Closure(make_close(self.world, self.paper(draw.document), self.loan(id_)), draw.moves)

    # --- sending them -------------------------------------------------------------------------------------------------------

    def send(self, data: st.DataObject, operation: Operation, key: str | None = None) -> None:
        """Send a write, under a fresh key unless one is given, and hold all that is answered against the model."""
        key = key or f"model-request-{next(self.numbers):06}"
        self.waiting[key] = operation
        for answer in self.deliver(data, operation, operation.path, canonical(operation.message), key):
            self.check(key, operation, answer)

    def deliver(self, data: st.DataObject, what: object, path: str, body: bytes, key: str) -> list[httpx.Response]:
        """Send a request into the connection. Returns everything that the service answered, seen or not."""
        self.fate = data.draw(FATES, label="fate")
        self.transport.answers.clear()
        try:
            self.http.post(path, content=body, headers={**JSON, "Idempotency-Key": key})
            self.waiting.pop(key, None)
        except httpx.TransportError:
            assert self.fate in (Fate.REQUEST_LOST, Fate.ANSWER_LOST)
        self.calm += 1
        self.tally.operations += 1
        self.tally.fates[self.fate] += 1
        for answer in self.transport.answers:
            self.tally.note(what, answer)
        return list(self.transport.answers)

    def check(self, key: str, operation: Operation, answer: httpx.Response) -> None:
        """One answer is the one that the model knows."""
        replayed = key in self.model.accepted
        verdict = self.model.receive(key, operation)
        if verdict is not None:
            refused(answer, verdict)
            return
        assert answer.status_code == 201, answer.text
        assert ("Idempotency-Replayed" in answer.headers) == replayed
        if replayed:
            assert answer.content == self.said[key]
        else:
            self.said[key] = answer.content
            self.receipts += operation.receipts(answer.content)
            self.openings |= operation.openings

    # --- what parties do ----------------------------------------------------------------------------------------------------

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.register(data, 2)

    @rule(data=st.data(), number=st.integers(1, MOST_LINES))
    def register(self, data: st.DataObject, number: int) -> None:
        self.send(data, Registration([self.new_document(data) for _ in range(number)]))

    @precondition(lambda self: self.drawable())
    @rule(data=st.data())
    def draw(self, data: st.DataObject) -> None:
        self.send(data, Financing([self.new_draw(data, pick(data, self.drawable(), "document"))]))

    @precondition(lambda self: len(self.drawable()) > 1)
    @rule(data=st.data(), number=st.integers(2, MOST_LINES))
    def draw_on_several(self, data: st.DataObject, number: int) -> None:
        documents = pick_several(data, self.drawable(), number, "document")
        self.send(data, Financing([self.new_draw(data, document) for document in documents]))

    @precondition(lambda self: self.model.documents)
    @rule(data=st.data(), number=st.integers(1, MOST_LINES))
    def draw_too_much(self, data: st.DataObject, number: int) -> None:
        """On the last of several documents, the others of which would cover what is drawn."""
        last = pick(data, list(self.model.documents), "document")
        others = [document for document in self.drawable() if document != last]
        lines = [self.new_draw(data, document) for document in pick_several(data, others, number - 1, "other document")]
        paper = self.paper(last)
        beyond = make_overdraw(self.world, paper, paper.headroom + up_to(data, LARGEST_LIMIT))
        self.send(data, Financing([*lines, self.line(beyond)]))

    @precondition(lambda self: self.drawable())
    @rule(data=st.data())
    def draw_twice_for_one_head(self, data: st.DataObject) -> None:
        """Whichever arrives first is accepted."""
        document = pick(data, self.drawable(), "document")
        for line in [self.new_draw(data, document) for _ in range(2)]:
            self.send(data, Financing([line]))

    @rule(data=st.data())
    def draw_on_wrong_documents(self, data: st.DataObject) -> None:
        """On one document twice in a financing, or on one that is not registered."""
        if self.drawable() and data.draw(st.booleans(), label="on one twice"):
            document = pick(data, self.drawable(), "document")
            lines = [self.new_draw(data, document) for _ in range(2)]
        else:
            paper = self.new_document(data).committed()
            lines = [self.line(make_draw(self.world, paper, up_to(data, paper.headroom)))]
        self.send(data, Financing(lines))

    @precondition(lambda self: self.reducible())
    @rule(data=st.data())
    def reduce(self, data: st.DataObject) -> None:
        self.send(data, self.new_reduction(data))

    @precondition(lambda self: self.reducible())
    @rule(data=st.data())
    def repay(self, data: st.DataObject) -> None:
        self.send(data, self.new_reduction(data, whole=True))

    @precondition(lambda self: self.settled())
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        self.send(data, self.new_closure(data))

    @precondition(lambda self: self.reducible())
    @rule(data=st.data())
    def claim_too_much(self, data: st.DataObject) -> None:
        """That more was repaid than is outstanding, or that nothing is outstanding any more."""
        id_ = pick(data, self.reducible(), "draw")
        draw = self.model.draws[id_]
        paper, loan = self.paper(draw.document), self.loan(id_)
        if data.draw(st.booleans(), label="that nothing is outstanding"):
            self.send(data, Closure(make_early_close(self.world, paper, loan), draw.moves))
        else:
            reason = data.draw(st.sampled_from(REASONS), label="reason")
            amount = draw.outstanding + up_to(data, LARGEST_LIMIT)
            self.send(data, Reduction(make_overreduce(self.world, paper, loan, amount, reason), draw.moves))

    @precondition(lambda self: self.hoped_for())
    @rule(data=st.data())
    def reduce_what_is_hoped_for(self, data: st.DataObject) -> None:
        """A bank that was not answered takes its draw for committed, and can but guess the entry that its proof depends on."""
        paper, loan = pick(data, self.hoped_for(), "draw").draw.committed()
        amount = up_to(data, loan.outstanding.amount)
        self.send(data, Reduction(make_reduce(self.world, paper, loan, amount), NEVER))

    @rule(data=st.data())
    def forge(self, data: st.DataObject) -> None:
        """A right operation with one bit of one of its proofs another."""
        makers: list[Callable[[], Operation]] = [lambda: forge_registration(data, self.new_document(data))]
        if self.drawable():
            makers.append(lambda: forge_draw(data, self.new_draw(data, pick(data, self.drawable(), "document"))))
        if self.reducible():
            makers.append(lambda: forge_reduction(data, self.new_reduction(data)))
        if self.settled():
            makers.append(lambda: forge_closure(data, self.new_closure(data)))
        self.send(data, pick(data, makers, "kind of forgery")())

    # --- what happens to requests -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """What was not answered is sent again as it was, however much has happened in between."""
        key = pick(data, list(self.waiting), "request")
        self.send(data, self.waiting[key], key)

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def arrive_late(self, data: st.DataObject) -> None:
        """A copy of an accepted request, long after the answer."""
        key = pick(data, list(self.model.accepted), "request")
        self.send(data, self.model.accepted[key], key)

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def use_a_key_again(self, data: st.DataObject) -> None:
        """For another request: a new one, or one that was accepted under another key."""
        key = pick(data, list(self.model.accepted), "request")
        others = [operation for operation in self.model.accepted.values() if operation is not self.model.accepted[key]]
        if others and data.draw(st.booleans(), label="an accepted one"):
            self.send(data, pick(data, others, "other request"), key)
        else:
            self.send(data, Registration([self.new_document(data)]), key)

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def use_another_key(self, data: st.DataObject) -> None:
        """For what was accepted already."""
        self.send(data, pick(data, list(self.model.accepted.values()), "request"))

    @precondition(lambda self: self.model.documents)
    @rule(data=st.data())
    def view(self, data: st.DataObject) -> None:
        """The owner looks at a document, with a request that is good for once."""
        document = pick(data, list(self.model.documents), "document")
        message = ViewMessage.of(make_view(self.world, self.paper(document), issued=self.model.now))
        path = f"/v1/documents/{encode_base64url(document)}/view"
        answers = self.deliver(data, "View", path, canonical(message), "a-key-that-means-nothing-here")
        self.views += bool(answers)
        for again, answer in enumerate(answers):
            if again:
                refused(answer, problems.ALREADY_EXISTS)
                continue
            seen, state = DocumentView.model_validate_json(answer.content), self.state.documents[document]
            assert (seen.residual, seen.head, seen.draws) == (state.residual.encode(), state.head, state.draws)
            moved = [entry for entry in seen.entries if entry["type"] == "draw"]
            assert len(moved) == self.model.documents[document].draws

    # --- what happens to the service ----------------------------------------------------------------------------------------

    @rule(seconds=st.integers(-CLOCK_SET_BACK, LONGEST_WAIT))
    def wait(self, seconds: int) -> None:
        """Time passes, or the clock is set back."""
        self.model.now += seconds
        self.desk.now = self.model.now

    @precondition(lambda self: self.calm >= LEAST_CALM)
    @rule()
    def restart(self) -> None:
        self.work.close()
        self.open()
        self.tally.restarts += 1

    # --- what must hold -----------------------------------------------------------------------------------------------------

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        self.the_log_holds_what_was_accepted()
        self.the_database_holds_that_and_nothing_else()
        self.every_balance_opens_to_the_model()

    def the_log_holds_what_was_accepted(self) -> None:
        """Once, in order, as the receipts say; and the auditor, who follows it, finds nothing wrong."""
        page = reading.export(self.desk.verifier, self.audit.entries, 1_000)
        feed(self.audit, page)
        self.audit.settle()
        assert not self.audit.failures, self.audit.failures
        for exported in page.entries:
            if exported.index:
                self.check_entry(exported.index, canonical_value(exported.entry))
        assert self.audit.entries == 1 + len(self.model.bodies) == 1 + len(self.receipts)

    def the_database_holds_that_and_nothing_else(self) -> None:
        model, group = self.model, self.world.suite.group
        with self.desk.database.connect() as connection:
            documents = {row["id"]: document_of_row(group, row) for row in connection.execute(select(DOCUMENTS)).mappings()}
            draws = {row["id"]: draw_of_row(group, row) for row in connection.execute(select(DRAWS)).mappings()}
            answers = {row.id: row.body for row in connection.execute(select(ANSWERS))}
            log = [(row.size, row.time) for row in connection.execute(select(LOG))]
            consents = {(row.document, row.application) for row in connection.execute(select(CONSENTS))}
            positions = sorted(connection.scalars(select(ENTRIES.c.position)))
            nonces = _count(connection, NONCES)
        assert documents == self.state.documents
        assert draws == self.state.draws
        assert answers == {hashlib.sha256(key.encode()).digest(): said for key, said in self.said.items()}
        assert set(self.said) == set(model.accepted)
        assert log == [(1 + len(model.bodies), model.latest)]
        assert positions == list(range(1 + len(model.bodies)))
        assert consents == model.consents == self.state.consents
        assert nonces <= self.views  # those of long ago are forgotten

    def every_balance_opens_to_the_model(self) -> None:
        """For both readers."""
        assert set(self.model.documents) == set(self.state.documents)
        assert set(self.model.draws) == set(self.state.draws)
        balances: list[tuple[bytes, HandledCommitment, int]] = []
        for id_, document in self.model.documents.items():
            state = self.state.documents[id_]
            balances += [(id_, state.limit, document.limit), (id_, state.residual, document.headroom)]
            assert (state.kind, state.draws) == (document.kind, document.draws)
            assert 0 <= document.headroom <= document.limit
        for id_, draw in self.model.draws.items():
            found = self.state.draws[id_]
            balances.append((draw.document, found.outstanding, draw.outstanding))
            assert (found.document, found.closed) == (draw.document, draw.closed)
        amounts = [self.world.suite.group.mul(amount, self.world.suite.G) for _, _, amount in balances]
        for (id_, balance, _), amount in zip(balances, amounts, strict=True):
            assert amount_points(self.world.suite, self.secrets[id_], [(balance.commitment, balance.owner)]) == [amount]
        pairs = [(balance.commitment, balance.regulator) for _, balance, _ in balances]
        assert amount_points(self.world.suite, self.world.regulator, pairs) == amounts

    def check_entry(self, index: int, data: bytes) -> None:
        entry, receipt = decode_entry(data), self.receipts[index - 1]
        assert entry.type != "genesis"
        assert entry.body == self.model.bodies[index - 1]
        assert entry.time == self.model.times[index - 1]
        assert (receipt.index, receipt.time, receipt.leaf) == (index, entry.time, leaf_hash(data))


def feed(audit: Replay, page: EntriesPage) -> None:
    """Hand the auditor a page of the export."""
    for exported in page.entries:
        audit.feed(b'{"entry":' + canonical_value(exported.entry) + line_end(exported.index))


# --- choices --------------------------------------------------------------------------------------------------------------


def pick(data: st.DataObject, among: Sequence[T], label: str) -> T:
    """One of them, shown by its place."""
    return among[data.draw(st.integers(0, len(among) - 1), label=label)]


def pick_several(data: st.DataObject, among: Sequence[T], number: int, label: str) -> list[T]:
    """As many different ones as there are, at most `number`."""
    left = list(among)
    return [left.pop(data.draw(st.integers(0, len(left) - 1), label=label)) for _ in range(min(number, len(left)))]


def up_to(data: st.DataObject, most: int) -> int:
    """An amount of 1 to `most`, often all of it."""
    return data.draw(st.one_of(st.just(most), st.integers(1, most)), label="amount")


def _count(connection: Connection, table: Any) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


# --- forgeries ------------------------------------------------------------------------------------------------------------


def flipped(data: st.DataObject, proof: bytes) -> bytes:
    """With one bit another."""
    return flip(proof, data.draw(st.integers(0, 8 * len(proof) - 1), label="bit"))


def forge_registration(data: st.DataObject, document: NewDocument) -> Registration:
    operation = document.operation
    part = data.draw(st.sampled_from(["proof", "range_proof"]), label="part")
    forged = replace(operation, **{part: flipped(data, getattr(operation, part))})
    return Registration([replace(document, operation=forged)], problems.PROOF_INVALID)


def forge_draw(data: st.DataObject, line: Line) -> Financing:
    draw = line.draw.operation
    uncovered = problems.HEADROOM_NOT_PROVEN
    flaws = {"draft": problems.PROOF_INVALID, "proof": uncovered, "range_proof": uncovered}
    consent = draw.draft.consent
    part = data.draw(st.sampled_from([*flaws, *(["consent"] if consent else [])]), label="part")
    if part == "draft":
        forged = replace(draw, draft=replace(draw.draft, proof=flipped(data, draw.draft.proof)))
    elif part == "consent" and consent is not None:
        given = replace(consent, proof=flipped(data, consent.proof))
        forged = replace(draw, draft=replace(draw.draft, consent=given))
    else:
        forged = replace(draw, headroom=replace(draw.headroom, **{part: flipped(data, getattr(draw.headroom, part))}))
    flaw = flaws.get(part, problems.CONSENT_INVALID)
    return Financing([replace(line, draw=replace(line.draw, operation=forged), flaw=flaw)])


def forge_reduction(data: st.DataObject, reduction: Reduction) -> Reduction:
    made: NewReduction = reduction.reduction
    part = data.draw(st.sampled_from(["proof", "range_proof"]), label="part")
    forged = replace(made.operation, **{part: flipped(data, getattr(made.operation, part))})
    return replace(reduction, reduction=replace(made, operation=forged), flaw=problems.PROOF_INVALID)


def forge_closure(data: st.DataObject, closure: Closure) -> Closure:
    forged = replace(closure.close, proof=flipped(data, closure.close.proof))
    return replace(closure, close=forged, flaw=problems.PROOF_INVALID)


# --- the runs -------------------------------------------------------------------------------------------------------------

EVERY_REFUSAL: set[ProblemType] = {
    problems.ALREADY_EXISTS,
    problems.CONSENT_INVALID,
    problems.CONSENT_USED,
    problems.DOCUMENT_REPEATED,
    problems.DOCUMENT_UNKNOWN,
    problems.WRONG_STAGE,
    problems.DRAW_UNKNOWN,
    problems.EXPIRED,
    problems.HEADROOM_NOT_PROVEN,
    problems.KEY_REUSED,
    problems.PROOF_INVALID,
}


def run(world: World, database: str, logs: int) -> Tally:
    """So many logs, each from its beginning. What fails is shrunk to a short story by Hypothesis."""
    tally, world = Tally(), several_kinds(world)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: ServiceAndModel(world, database, tally),
        settings=settings(
            max_examples=logs,
            stateful_step_count=STEPS,
            deadline=None,
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )
    return tally


@pytest.mark.slow
def test_the_service_does_what_the_model_does(world: World, database: str) -> None:
    wanted = OPERATIONS or SHORT_RUN
    tally = run(world, database, logs=3 * wanted // (2 * STEPS))  # not every step is an operation
    print(tally)  # noqa: T201 - shown with -s, and when it fails
    assert tally.operations >= wanted
    assert set(tally.fates) == set(Fate)
    if OPERATIONS:
        assert tally.restarts
        assert {problem.slug for problem in EVERY_REFUSAL} <= tally.problems()
        for operation in ("Registration", "Financing", "Reduction", "Closure"):
            assert tally.said[operation, "accepted"]
            assert tally.said[operation, "replayed"]
