"""The service against a model of plain integers, over a connection that loses requests and answers and delivers some twice.

Hypothesis chooses what parties do, in which order, and what the connection does to each request. Must hold, after every step:
the service says what the model says, also where nobody hears it; what it keeps opens, with the owner's key and with the
regulator's, to exactly the model's integers; every accepted write is in the log once, whole, as its receipt says; nothing else
is kept; and an auditor who replays the export comes to the same states. A failure would be a draw too many or one lost, a write
done by half, a key answered in two ways, a signature that is good twice, or a refusal other than the true one. That much is
refused is no failure.

What the network delivers twice is refused, byte for byte the same as it is, and takes nothing back; a party that was not
answered signs anew, under the same Idempotency-Key, and is answered as before.

Nearly two hundred operations in every run, and with TRADEVEIL_OPERATIONS as many as it says; among 10,000 every kind of write,
refusal, loss and stage must be.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, func, select

from parties.auditor.replay import AuditState, Replay, line_end
from parties.common.request_keys import RequestSigner
from schemas import problems
from schemas.answers import DocumentReceipt, DocumentStatus, DocumentView, EntriesPage, Receipt
from schemas.canonical import canonical, canonical_value
from schemas.entries import decode_entry
from schemas.kinds import load_kinds
from schemas.messages import ViewMessage
from schemas.problems import TYPE_PREFIX, ProblemType
from schemas.wire import encode_base64url
from service import reading
from service.expiry import free_expired
from service.idempotency import RequestKey
from service.institutions.pseudonyms import Pseudonyms
from service.institutions.tables import COUNTERS, REFUSALS, REQUEST_NONCES
from service.tables import (
    ANSWERS,
    CONSENTS,
    DOCUMENTS,
    DRAWS,
    ENTRIES,
    LOG,
    METADATA,
    NONCES,
    document_of_row,
    draw_of_row,
)
from tests.builders import (
    NOW,
    Loan,
    NewDocument,
    NewDraw,
    Paper,
    World,
    make_amend,
    make_close,
    make_disburse,
    make_draw,
    make_early_close,
    make_kind,
    make_moved_draw,
    make_overdraw,
    make_overdrawn,
    make_overreduce,
    make_overrelease,
    make_overstatement,
    make_reduce,
    make_register,
    make_status,
    make_view,
)
from tests.service import harness
from tests.service.choices import (
    forge_amendment,
    forge_change,
    forge_closure,
    forge_draw,
    forge_made,
    forge_registration,
    forge_showing,
    part_of,
    pick,
    pick_several,
    up_to,
    whether,
)
from tests.service.harness import JSON, SERVICE_KEY, Desk, begin_anew, open_desk, refused, signer
from tests.service.lossy import Fate, LossyTransport
from tests.service.model import (
    ATTESTER,
    BANK,
    NEVER,
    REGULATOR,
    Amendment,
    Closure,
    Disbursal,
    Document,
    Draw,
    Financing,
    Line,
    Model,
    Operation,
    Reduction,
    Registration,
    Showing,
    StatusChange,
    Step,
    Steps,
)
from tlog.leaf import leaf_hash
from zkcore.amounts import MAXIMUM
from zkcore.commitments import HandledCommitment
from zkcore.context import ABSENT
from zkcore.ledger.state import DRAW_STAGES, RESERVED
from zkcore.operations import CLEARED, CUSTOMS_RELEASED, DECLARED, DELETED, FROZEN, REASONS, RETURNED, STATUSES
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.opening import Opening, amount_points

OPERATIONS = int(os.environ.get("TRADEVEIL_OPERATIONS", "0"))
SHORT_RUN = 180
COMPLETE = 10_000
"""Operations of a run in which everything has happened that can."""
STEPS = 60
"""Of one log, from its beginning."""
LARGEST_LIMIT = MAXIMUM // 4
"""Leaves room for what is too large and yet an amount."""
MOST_LINES = 3
CLOCK_SET_BACK = 600
LONGEST_WAIT = 3 * 86_400
LONGEST_DRAFT = 7 * 86_400
LEAST_CALM = 4
"""Operations between two restarts, each of which takes as long as several of them."""

FATES = st.sampled_from([Fate.DELIVERED] * 4 + [fate for fate in Fate if fate is not Fate.DELIVERED])
LIMITS = st.one_of(st.integers(1, 10_000), st.sampled_from([1, 100_000, LARGEST_LIMIT]))
STATUSES_AT_FIRST = st.sampled_from([CLEARED] * 8 + [CUSTOMS_RELEASED, DECLARED])
SECRETS = {ATTESTER: harness.ATTESTER_KEY, BANK: harness.BANK_KEY, REGULATOR: harness.REGULATOR_KEY}
NAMES = Pseudonyms(SERVICE_KEY)
HOLDERS = {ATTESTER: harness.ATTESTER, BANK: harness.BANK, REGULATOR: harness.REGULATOR}
INSTITUTIONS = {role: NAMES.institution(holder) for role, holder in HOLDERS.items()}
"""By role, the id under which the service knows who has it."""
UNSIGNED = httpx.Auth()
WRITTEN = (ANSWERS, CONSENTS, COUNTERS, DOCUMENTS, DRAWS, ENTRIES, LOG, NONCES, REFUSALS, REQUEST_NONCES)
"""The tables that change, as the model says. All others stay as they are when a log begins."""


@dataclass
class Tally:
    """What one run consisted of. An operation is a request that somebody means to make, however often it is delivered."""

    operations: int = 0
    restarts: int = 0
    logs: int = 0
    entries: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    said: Counter[tuple[str, str]] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    overdrawn: int = 0

    def note(self, what: object, answer: httpx.Response) -> None:
        """Something was answered, whoever heard it."""
        slug = "accepted" if answer.is_success else str(answer.json()["type"]).removeprefix(TYPE_PREFIX)
        replayed = "replayed" if "Idempotency-Replayed" in answer.headers else slug
        self.said[what if isinstance(what, str) else type(what).__name__, replayed] += 1

    def end(self, model: Model) -> None:
        """What was left of a log."""
        self.stages.update(draw.stage for draw in model.draws.values())
        self.statuses.update(document.status for document in model.documents.values())
        self.overdrawn += sum(document.headroom < 0 for document in model.documents.values())

    def problems(self) -> set[str]:
        return {slug for _, slug in self.said}


@dataclass(frozen=True)
class Sent:
    """A request as it was signed, and by whom. `signature`: its number; `created`: when, by the signer's clock."""

    key: str
    operation: Operation
    signed_by: str
    request: httpx.Request
    signature: int
    created: int


def several_kinds(world: World) -> World:
    """The world with every kind that its attester may attest: those that ship with this, one that gives all headroom back and
    one that gives none, one for a single use, and one whose reservations are short."""
    kinds = [
        *(kind for kind in load_kinds() if kind.attester == world.genesis.attesters[0].role),
        make_kind("generous", restores=list(REASONS)),
        make_kind("strict", restores=[]),
        make_kind("single", use="single"),
        make_kind("brief", reservation_days=1),
    ]
    genesis = world.genesis.model_copy(update={"kinds": kinds})
    return replace(world, genesis=genesis, parameters=genesis.parameters(world.suite))


async def free_nothing(verifier: object, seconds: float, ended: asyncio.Event) -> None:
    """In place of the service's own rounds, which come by the machine's clock: here a rule frees what has expired."""
    await ended.wait()


class ServiceAndModel(RuleBasedStateMachine):
    """One log from its beginning: the service, what must be true of it, and what the parties know."""

    def __init__(self, world: World, database: str, tally: Tally) -> None:
        super().__init__()
        self.world = world.alone("the service and the model")  # so that the same choices make the same proofs
        self.database, self.tally = database, tally
        self.model = Model(world.parameters.kinds, NOW, world.genesis.time)
        self.audit = Replay(world.suite)
        self.receipts: list[Receipt] = []
        self.said: dict[tuple[str, str], bytes] = {}
        self.answers: dict[bytes, tuple[bytes, bytes]] = {}
        """What the service must keep of them: fingerprint and body by digest."""
        self.waiting: dict[tuple[str, str], Operation] = {}
        self.sent: list[Sent] = []
        self.views = 0
        self.calm = 0
        """Operations since the service began to work."""
        self.secrets: dict[bytes, ViewSecret] = {}
        self.keys: dict[bytes, SigningSecret] = {}
        self.openings: dict[bytes, Opening] = {}
        self.numbers = count()
        self.signers: dict[str, RequestSigner] = {
            role: signer(secret, lambda: self.model.now) for role, secret in SECRETS.items()
        }
        self.work = ExitStack()
        begin_anew(self.world, database)
        tally.logs += 1
        self.open()
        self.beginning = self.untouched()

    def open(self) -> None:
        """The application begins to work on the database as it is."""
        patched = self.work.enter_context(pytest.MonkeyPatch.context())
        patched.setattr("service.app.keep_freeing", free_nothing)
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
            self.follow()
            assert whole.verdict(0).state == self.audit.verdict(0).state
            self.tally.entries += whole.entries
            self.tally.end(self.model)

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

    def held(self, draw: bytes) -> tuple[Paper, Loan]:
        """A draw and the document that it is on."""
        return self.paper(self.model.draws[draw].document), self.loan(draw)

    def documents(self, which: Callable[[Document], bool]) -> list[bytes]:
        return [id_ for id_, document in self.model.documents.items() if which(document)]

    def draws(self, which: Callable[[Draw], bool]) -> list[bytes]:
        return [id_ for id_, draw in self.model.draws.items() if which(draw)]

    def drawable(self) -> list[bytes]:
        """The documents that can be drawn on."""
        return self.documents(lambda document: document.financeable and not document.taken and document.headroom > 0)

    def withheld(self) -> list[bytes]:
        """The documents that have headroom and cannot be drawn on."""
        return [id_ for id_ in self.documents(lambda document: document.headroom > 0) if id_ not in self.drawable()]

    def live(self) -> list[bytes]:
        """The draws on which something is outstanding."""
        return self.draws(lambda draw: not draw.closed and draw.outstanding > 0)

    def reserved(self) -> list[bytes]:
        """Those of them that wait to be disbursed."""
        return [id_ for id_ in self.live() if self.model.draws[id_].stage == RESERVED]

    def settled(self) -> list[bytes]:
        """The open draws on which nothing is outstanding."""
        return self.draws(lambda draw: not draw.closed and not draw.outstanding)

    def ended(self) -> list[bytes]:
        """The draws that are at their end."""
        return self.draws(lambda draw: draw.closed)

    def movable(self) -> list[tuple[bytes, bytes]]:
        """Draws on deleted documents, each with the replacement that covers it."""
        found = [(id_, self.model.documents[self.model.draws[id_].document].replacement) for id_ in self.live()]
        return [(id_, document) for id_, document in found if self.covers(document, id_)]

    def covers(self, document: bytes, draw: bytes) -> bool:
        """Whether a document has the headroom for what is outstanding on a draw."""
        return document in self.drawable() and self.model.documents[document].headroom >= self.model.draws[draw].outstanding

    def hoped_for(self) -> list[Line]:
        """The draws whose bank was not answered."""
        financings = [operation for operation in self.waiting.values() if isinstance(operation, Financing)]
        return [line for financing in financings for line in financing.lines]

    # --- making operations --------------------------------------------------------------------------------------------------

    def new_document(self, data: st.DataObject, *, kind: str | None = None, limit: int | None = None) -> NewDocument:
        kind = kind or data.draw(st.sampled_from(sorted(self.model.kinds)), label="kind")
        limit = limit or data.draw(LIMITS, label="limit")
        document = make_register(self.world, limit, kind=kind, status=data.draw(STATUSES_AT_FIRST, label="status"))
        self.secrets[document.operation.document] = document.secret
        return document

    def line(self, draw: NewDraw) -> Line:
        """A draw as it is made now."""
        self.keys[draw.operation.draft.draw] = draw.key
        document = self.model.documents.get(draw.paper.state.document)
        changes = NEVER if draw.moved is None else self.model.draws[draw.moved.draw].changes
        return Line(draw, 0 if document is None else document.moves, changes)

    def expiry(self, data: st.DataObject, document: bytes) -> int:
        """Until when a draw on a document may wait."""
        longest = min(LONGEST_DRAFT, self.model.kinds[self.model.documents[document].kind].reservation)
        return self.model.now + data.draw(st.integers(0, longest), label="seconds until it expires")

    def new_draw(self, data: st.DataObject, document: bytes) -> Line:
        """A draw that its document covers."""
        paper, expires = self.paper(document), self.expiry(data, document)
        consented = whether(data, "consented to beforehand")
        amount = up_to(data, paper.headroom)
        return self.line(make_draw(self.world, paper, amount, expires=expires, consented=consented))

    def new_disbursal(self, data: st.DataObject, draw: bytes) -> Disbursal:
        found = self.model.draws[draw]
        rest = part_of(data, found.outstanding) if found.outstanding else 0
        return Disbursal(make_disburse(self.world, *self.held(draw), rest), found.moves)

    def new_reduction(self, data: st.DataObject, draw: bytes, *, whole: bool = False) -> Reduction:
        """By a part of what is outstanding, or by all of it, for a reason that the draw's stage has."""
        found = self.model.draws[draw]
        reason = pick(data, [reason for reason in REASONS if found.reduced(reason)], "reason")
        amount = found.outstanding if whole else up_to(data, found.outstanding)
        return Reduction(make_reduce(self.world, *self.held(draw), amount, reason), found.moves)

    def new_closure(self, draw: bytes) -> Closure:
        return Closure(make_close(self.world, *self.held(draw)), self.model.draws[draw].moves)

    def new_step(self, data: st.DataObject, draw: bytes) -> Step:
        """What the stage of a draw has."""
        found = self.model.draws[draw]
        if not found.outstanding:
            return self.new_closure(draw)
        if found.stage == RESERVED and whether(data, "disbursed"):
            return self.new_disbursal(data, draw)
        return self.new_reduction(data, draw)

    def new_change(self, document: bytes, status: str, replacement: bytes = ABSENT) -> StatusChange:
        change = make_status(self.world, self.paper(document), status, replacement)
        return StatusChange(change, self.model.documents[document].words)

    def new_amendment(self, document: bytes, limit: int) -> Amendment:
        found = self.model.documents[document]
        return Amendment(make_amend(self.world, self.paper(document), found.limit, limit), found.words)

    def new_showing(self, document: bytes) -> Showing:
        found = self.model.documents[document]
        return Showing(make_overdrawn(self.world, self.paper(document)), -found.headroom, found.moves)

    # --- sending them -------------------------------------------------------------------------------------------------------

    def send(self, data: st.DataObject, operation: Operation, key: str | None = None, *, signed_by: str | None = None) -> None:
        """Send a write, signed now, under a fresh key unless one is given, and hold all that is answered against the model."""
        key, caller = key or f"model-request-{next(self.numbers):06}", signed_by or operation.caller
        if caller == operation.caller:
            self.waiting[caller, key] = operation
        created, body = self.model.now, canonical(operation.message)
        heard = self.deliver(data, operation, operation.path, body, {"Idempotency-Key": key}, self.signers[caller])
        assert self.transport.request is not None
        self.sent.append(Sent(key, operation, caller, self.transport.request, len(self.sent), created))
        for answer in self.transport.answers:
            self.check(self.sent[-1], answer)
        if heard is not None and heard.status_code != problems.SIGNATURE_INVALID.status:
            self.waiting.pop((caller, key), None)

    def deliver(
        self,
        data: st.DataObject,
        what: object,
        path: str,
        body: bytes,
        headers: dict[str, str],
        auth: httpx.Auth = UNSIGNED,
    ) -> httpx.Response | None:
        """Send a request into the connection, and return what its sender hears. `transport.answers` are all that the service
        answered, heard or not."""
        self.fate, heard = data.draw(FATES, label="fate"), None
        self.transport.answers.clear()
        try:
            heard = self.http.post(path, content=body, headers={**JSON, **headers}, auth=auth)
        except httpx.TransportError:
            assert self.fate in (Fate.REQUEST_LOST, Fate.ANSWER_LOST)
        self.calm += 1
        self.tally.operations += 1
        self.tally.fates[self.fate] += 1
        for answer in self.transport.answers:
            self.tally.note(what, answer)
        return heard

    def check(self, sent: Sent, answer: httpx.Response) -> None:
        """One answer is the one that the model knows."""
        if not self.model.door.lets_in(sent.signed_by, sent.signature, sent.created, self.model.now):
            refused(answer, problems.SIGNATURE_INVALID)
            return
        key, operation = sent.key, sent.operation
        if sent.signed_by != operation.caller:
            refused(answer, problems.NOT_PERMITTED)
            return
        replayed = (operation.caller, key) in self.model.accepted
        verdict = self.model.receive(key, operation)
        if verdict is not None:
            refused(answer, verdict)
            return
        assert answer.status_code == 201, answer.text
        assert ("Idempotency-Replayed" in answer.headers) == replayed
        if replayed:
            assert answer.content == self.said[operation.caller, key]
        else:
            self.accept(sent, answer.content)

    def accept(self, sent: Sent, answer: bytes) -> None:
        """Something was written that was not there before."""
        operation = sent.operation
        request = request_key(operation, sent.key)
        self.said[operation.caller, sent.key] = answer
        self.answers[request.digest] = (request.fingerprint, answer)
        self.receipts += operation.receipts(answer)
        self.openings |= operation.openings

    # --- what attesters and the regulator do --------------------------------------------------------------------------------

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        self.register(data, 2)

    @rule(data=st.data(), number=st.integers(1, MOST_LINES))
    def register(self, data: st.DataObject, number: int) -> None:
        self.send(data, Registration([self.new_document(data) for _ in range(number)]))

    @precondition(lambda self: self.model.documents)
    @rule(data=st.data())
    def change_status(self, data: st.DataObject) -> None:
        """Frozen, or back from it, or further on in the clearance; or what does not follow, or nothing any more."""
        id_, status = self.some_document(data), data.draw(st.sampled_from(STATUSES[:4]), label="status")
        self.send(data, self.new_change(id_, status))

    @precondition(lambda self: self.model.documents)
    @rule(data=st.data())
    def clear(self, data: st.DataObject) -> None:
        """A document that is not financeable now, if there is one."""
        uncleared = self.documents(lambda document: document.status != CLEARED and not document.ended)
        self.send(data, self.new_change(pick(data, uncleared or list(self.model.documents), "document"), CLEARED))

    @precondition(lambda self: len(self.model.documents) > 2)
    @rule(data=st.data())
    def end_a_document(self, data: st.DataObject) -> None:
        """Of several. What is lent on it stays lent."""
        id_, status = self.some_document(data), data.draw(st.sampled_from([RETURNED, DELETED]), label="status")
        self.send(data, self.new_change(id_, status))

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def replace_a_document(self, data: st.DataObject) -> None:
        """One that is drawn on by another of its kind; and where that is known to be done, the draw moves there."""
        id_ = pick(data, self.live(), "draw")
        draw = self.model.draws[id_]
        before = self.model.documents[draw.document]
        after = self.new_document(data, kind=before.kind, limit=draw.outstanding + up_to(data, 1_000))
        self.send(data, Registration([after]))
        self.send(data, self.new_change(draw.document, DELETED, after.operation.document))
        self.the_log_holds_what_was_accepted()
        if (id_, after.operation.document) in self.movable():
            self.send(data, Financing([self.new_move(data, id_, after.operation.document)]))

    @precondition(lambda self: self.model.documents)
    @rule(data=st.data())
    def amend(self, data: st.DataObject) -> None:
        """To any limit, whatever is drawn."""
        self.send(data, self.new_amendment(self.some_document(data), data.draw(LIMITS, label="limit")))

    @precondition(lambda self: self.documents(lambda document: document.counted > 1))
    @rule(data=st.data())
    def amend_below_what_is_drawn(self, data: st.DataObject) -> None:
        id_ = pick(data, self.documents(lambda document: document.counted > 1), "document")
        self.send(data, self.new_amendment(id_, up_to(data, self.model.documents[id_].counted - 1)))

    @precondition(lambda self: self.model.documents)
    @rule(data=st.data())
    def show_overdrawn(self, data: st.DataObject) -> None:
        """A document that is overdrawn; or, where there is none, one that is not."""
        overdrawn = self.documents(lambda document: document.headroom < 0)
        if overdrawn:
            self.send(data, self.new_showing(pick(data, overdrawn, "document")))
            return
        id_, over = self.some_document(data), up_to(data, LARGEST_LIMIT)
        made = make_overstatement(self.world, self.paper(id_), over)
        self.send(data, Showing(made, over, self.model.documents[id_].moves))

    def some_document(self, data: st.DataObject) -> bytes:
        return pick(data, list(self.model.documents), "document")

    # --- what banks do ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.drawable())
    @rule(data=st.data())
    def draw(self, data: st.DataObject) -> None:
        self.send(data, Financing([self.new_draw(data, pick(data, self.drawable(), "document"))]))

    @precondition(lambda self: self.drawable())
    @rule(data=st.data())
    def lend(self, data: st.DataObject) -> None:
        """A draw and, where its bank knows that it is committed, its disbursement."""
        line = self.new_draw(data, pick(data, self.drawable(), "document"))
        self.send(data, Financing([line]))
        self.the_log_holds_what_was_accepted()
        if line.id in self.reserved():
            self.send(data, Steps([self.new_disbursal(data, line.id)]))

    @precondition(lambda self: len(self.drawable()) > 1)
    @rule(data=st.data(), number=st.integers(2, MOST_LINES))
    def draw_on_several(self, data: st.DataObject, number: int) -> None:
        documents = pick_several(data, self.drawable(), number, "document")
        self.send(data, Financing([self.new_draw(data, document) for document in documents]))

    @precondition(lambda self: self.model.documents)
    @rule(data=st.data(), number=st.integers(1, MOST_LINES))
    def draw_too_much(self, data: st.DataObject, number: int) -> None:
        """On the last of several documents, the others of which would cover what is drawn."""
        last = self.some_document(data)
        others = [document for document in self.drawable() if document != last]
        lines = [self.new_draw(data, document) for document in pick_several(data, others, number - 1, "other document")]
        paper, expires = self.paper(last), self.expiry(data, last)
        beyond = make_overdraw(self.world, paper, max(paper.headroom, 0) + up_to(data, LARGEST_LIMIT), expires=expires)
        self.send(data, Financing([*lines, self.line(beyond)]))

    @precondition(lambda self: self.withheld())
    @rule(data=st.data())
    def draw_on_what_is_withheld(self, data: st.DataObject) -> None:
        """A document that is not cleared, or of single use and in use, or was."""
        self.send(data, Financing([self.new_draw(data, pick(data, self.withheld(), "document"))]))

    @precondition(lambda self: self.drawable())
    @rule(data=st.data())
    def draw_twice_for_one_head(self, data: st.DataObject) -> None:
        """Whichever arrives first is accepted."""
        document = pick(data, self.drawable(), "document")
        for line in [self.new_draw(data, document) for _ in range(2)]:
            self.send(data, Financing([line]))

    @rule(data=st.data())
    def draw_amiss(self, data: st.DataObject) -> None:
        """For longer than the kind allows, or on one document twice in a financing, or on one that is not registered."""
        if not self.drawable() or whether(data, "on one that is not registered"):
            paper = self.new_document(data).committed()
            self.send(data, Financing([self.line(make_draw(self.world, paper, up_to(data, paper.headroom)))]))
            return
        document = pick(data, self.drawable(), "document")
        if whether(data, "twice"):
            self.send(data, Financing([self.new_draw(data, document) for _ in range(2)]))
            return
        paper, longest = self.paper(document), self.model.kinds[self.model.documents[document].kind].reservation
        expires = self.model.now + longest + up_to(data, LONGEST_DRAFT)
        self.send(data, Financing([self.line(make_draw(self.world, paper, up_to(data, paper.headroom), expires=expires))]))

    @precondition(lambda self: self.movable())
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        """A draw on a deleted document goes over to the one that replaces it."""
        self.send(data, Financing([self.new_move(data, *pick(data, self.movable(), "draw"))]))

    @precondition(lambda self: self.live() and self.drawable())
    @rule(data=st.data())
    def move_anywhere(self, data: st.DataObject) -> None:
        """A draw to a document that covers it, whether or not that replaces its own."""
        draw = pick(data, self.live(), "draw")
        among = [document for document in self.drawable() if self.covers(document, draw)]
        if among:
            self.send(data, Financing([self.new_move(data, draw, pick(data, among, "document"))]))

    def new_move(self, data: st.DataObject, draw: bytes, document: bytes) -> Line:
        """A reservation does not last longer than before."""
        found, expires = self.model.draws[draw], self.expiry(data, document)
        expires = min(expires, found.expires) if found.stage == RESERVED else expires
        return self.line(make_moved_draw(self.world, self.paper(document), self.loan(draw), expires=expires))

    @precondition(lambda self: self.draws(lambda draw: draw.stage == RESERVED))
    @rule(data=st.data())
    def disburse(self, data: st.DataObject) -> None:
        """Nothing, too, where all that was reserved was released."""
        draw = pick(data, self.draws(lambda draw: draw.stage == RESERVED), "draw")
        self.send(data, Steps([self.new_disbursal(data, draw)]))

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def reduce(self, data: st.DataObject) -> None:
        self.send(data, Steps([self.new_reduction(data, pick(data, self.live(), "draw"))]))

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """All that is outstanding; and then, where its bank knows that nothing is, the draw is closed."""
        draw = pick(data, self.live(), "draw")
        self.send(data, Steps([self.new_reduction(data, draw, whole=True)]))
        self.the_log_holds_what_was_accepted()
        if draw in self.settled():
            self.send(data, Steps([self.new_closure(draw)]))

    @precondition(lambda self: self.settled())
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        self.send(data, Steps([self.new_closure(pick(data, self.settled(), "draw"))]))

    @precondition(lambda self: len(self.live()) > 1)
    @rule(data=st.data(), number=st.integers(2, MOST_LINES))
    def step_on_several(self, data: st.DataObject, number: int) -> None:
        """All or none; none where two are on one document."""
        draws = pick_several(data, [*self.live(), *self.settled()], number, "draw")
        self.send(data, Steps([self.new_step(data, draw) for draw in draws]))

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def claim_too_much(self, data: st.DataObject) -> None:
        """That more was repaid, or is released, than is outstanding; or that nothing is outstanding any more. Perhaps as the
        last of several steps, the others of which are right."""
        id_ = pick(data, self.live(), "draw")
        others = [draw for draw in self.live() if self.model.draws[draw].document != self.model.draws[id_].document]
        right = [self.new_step(data, draw) for draw in pick_several(data, others, 1, "other draw")]
        self.send(data, Steps([*right, self.too_much(data, id_)]))

    def too_much(self, data: st.DataObject, id_: bytes) -> Step:
        draw, (paper, loan) = self.model.draws[id_], self.held(id_)
        what = data.draw(st.sampled_from(["nothing is outstanding", "more was repaid", "all is released"]), label="what")
        if what == "nothing is outstanding":
            return Closure(make_early_close(self.world, paper, loan), draw.moves)
        if what == "all is released" and draw.stage == RESERVED:
            rest = draw.outstanding + part_of(data, LARGEST_LIMIT)
            return Disbursal(make_overrelease(self.world, paper, loan, rest), draw.moves)
        reason = data.draw(st.sampled_from(REASONS), label="reason")
        amount = draw.outstanding + up_to(data, LARGEST_LIMIT)
        return Reduction(make_overreduce(self.world, paper, loan, amount, reason), draw.moves)

    @precondition(lambda self: self.live() or self.ended())
    @rule(data=st.data())
    def step_at_the_wrong_stage(self, data: st.DataObject) -> None:
        """Paid out twice, repaid before it was paid out, released after; or anything at all after the end."""
        id_ = pick(data, [*self.live(), *self.ended()], "draw")
        draw, held = self.model.draws[id_], self.held(id_)
        steps: list[Callable[[], Step]] = []
        if draw.outstanding:
            steps = [
                lambda reason=reason: Reduction(  # type: ignore[misc]
                    make_reduce(self.world, *held, up_to(data, draw.outstanding), reason), draw.moves
                )
                for reason in REASONS
                if not draw.reduced(reason)
            ]
        if draw.stage != RESERVED:
            steps.append(lambda: self.new_disbursal(data, id_))
        if not draw.outstanding:
            steps.append(lambda: self.new_closure(id_))
        self.send(data, Steps([pick(data, steps, "step")()]))

    @precondition(lambda self: self.hoped_for())
    @rule(data=st.data())
    def step_on_what_is_hoped_for(self, data: st.DataObject) -> None:
        """A bank that was not answered takes its draw for committed, and can but guess the entry that its proof depends on."""
        held = pick(data, self.hoped_for(), "draw").draw.committed()
        if whether(data, "disbursed"):
            self.send(data, Steps([Disbursal(make_disburse(self.world, *held), NEVER)]))
        else:
            amount, reason = up_to(data, held[1].outstanding.amount), data.draw(st.sampled_from(REASONS), label="reason")
            self.send(data, Steps([Reduction(make_reduce(self.world, *held, amount, reason), NEVER)]))

    # --- what nobody may do -------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def forge(self, data: st.DataObject) -> None:
        """A right operation with one bit of one of its proofs another."""
        makers: list[Callable[[], Operation]] = [lambda: forge_registration(data, self.new_document(data))]
        documents, live, settled = list(self.model.documents), self.live(), self.settled()
        overdrawn = self.documents(lambda document: document.headroom < 0)
        if documents:
            makers.append(lambda: forge_change(data, self.new_change(self.some_document(data), FROZEN)))
            makers.append(lambda: forge_amendment(data, self.new_amendment(self.some_document(data), LARGEST_LIMIT)))
        if overdrawn:
            makers.append(lambda: forge_showing(data, self.new_showing(pick(data, overdrawn, "document"))))
        if live:
            makers.append(lambda: Steps([forge_made(data, self.new_reduction(data, pick(data, live, "draw")))]))
        if self.reserved():
            makers.append(lambda: Steps([forge_made(data, self.new_disbursal(data, pick(data, self.reserved(), "draw")))]))
        if settled:
            makers.append(lambda: Steps([forge_closure(data, self.new_closure(pick(data, settled, "draw")))]))
        self.send(data, pick(data, makers, "kind of forgery")())

    @precondition(lambda self: self.drawable())
    @rule(data=st.data())
    def forge_a_draw(self, data: st.DataObject) -> None:
        self.send(data, forge_draw(data, self.new_draw(data, pick(data, self.drawable(), "document"))))

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def write_as_another(self, data: st.DataObject) -> None:
        """What was accepted, or a new document, signed by who may not write it."""
        accepted = pick(data, list(self.model.accepted.values()), "request")
        new = whether(data, "a new one")
        operation = Registration([self.new_document(data)]) if new else accepted
        others = sorted({*SECRETS} - {operation.caller})
        self.send(data, operation, signed_by=pick(data, others, "signer"))

    # --- what happens to requests -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """What was not answered is signed anew and sent again, however much has happened in between."""
        caller, key = pick(data, list(self.waiting), "request")
        self.send(data, self.waiting[caller, key], key)

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def ask_again(self, data: st.DataObject) -> None:
        """A party signs anew and sends what was accepted already, long after the answer; each kind of write as often."""
        kind = pick(data, [kind for kind in EVERY_WRITE if self.accepted(kind)], "kind of write")
        caller, key = pick(data, self.accepted(kind), "request")
        self.send(data, self.model.accepted[caller, key], key)

    def accepted(self, kind: type[Operation]) -> list[tuple[str, str]]:
        """The callers and keys of writes of this kind."""
        return [used for used, operation in self.model.accepted.items() if isinstance(operation, kind)]

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def arrive_late(self, data: st.DataObject) -> None:
        """A copy of any earlier request, byte for byte, or what was taken for lost; nobody hears the answer."""
        sent = pick(data, self.sent, "request")
        self.tally.note(sent.operation, answer := self.transport.deliver(sent.request))
        self.check(sent, answer)

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def use_a_key_again(self, data: st.DataObject) -> None:
        """For another request: a new one, or one that was accepted under another key. The keys of two callers have nothing to
        do with one another."""
        used = pick(data, list(self.model.accepted), "request")
        others = [operation for operation in self.model.accepted.values() if operation is not self.model.accepted[used]]
        if others and whether(data, "an accepted one"):
            self.send(data, pick(data, others, "other request"), used[1])
        else:
            self.send(data, Registration([self.new_document(data)]), used[1])

    @precondition(lambda self: self.model.accepted)
    @rule(data=st.data())
    def use_another_key(self, data: st.DataObject) -> None:
        """For what was accepted already."""
        self.send(data, pick(data, list(self.model.accepted.values()), "request"))

    @precondition(lambda self: self.model.documents)
    @rule(data=st.data())
    def view(self, data: st.DataObject) -> None:
        """The owner looks at a document, with a request that is good for once."""
        id_ = self.some_document(data)
        document, state = self.model.documents[id_], self.state.documents[id_]
        message = ViewMessage.of(make_view(self.world, self.paper(id_), issued=self.model.now))
        self.deliver(data, "View", f"/v1/documents/{encode_base64url(id_)}/view", canonical(message), {})
        self.views += bool(self.transport.answers)
        for again, answer in enumerate(self.transport.answers):
            if again:
                refused(answer, problems.ALREADY_EXISTS)
                continue
            seen = DocumentView.model_validate_json(answer.content)
            assert (seen.residual, seen.head, seen.draws) == (state.residual.encode(), state.head, state.draws)
            assert (seen.status, seen.overdrawn, seen.taken) == (document.status, document.is_overdrawn, document.taken)
            assert len([entry for entry in seen.entries if entry["type"] == "draw"]) == document.draws
        status = DocumentStatus.model_validate_json(self.desk.get(f"/v1/documents/{encode_base64url(id_)}").content)
        assert (status.status, status.financeable) == (document.status, document.financeable)

    # --- what happens to the service ----------------------------------------------------------------------------------------

    @rule(seconds=st.integers(-CLOCK_SET_BACK, LONGEST_WAIT))
    def wait(self, seconds: int) -> None:
        """Time passes, or the clock is set back; not to before the log's beginning, when nobody was admitted yet."""
        self.set_clock(max(NOW, self.model.now + seconds))

    @precondition(lambda self: self.reserved())
    @rule(data=st.data(), over=st.sampled_from([0, 1, 1]))
    def wait_for_an_expiry(self, data: st.DataObject, over: int) -> None:
        """To the last second of a reservation, or one beyond."""
        draw = self.model.draws[pick(data, self.reserved(), "draw")]
        self.set_clock(max(self.model.now, draw.expires + over))

    def set_clock(self, now: int) -> None:
        self.model.now = self.desk.now = now

    @precondition(lambda self: self.reserved())
    @rule()
    def free_what_has_expired(self) -> None:
        """And nothing else. Those that expired at one time are freed in any order."""
        due = self.model.overdue()
        order = self.desk.verifier.storage.expired_draws(self.model.now, 1 + len(due))
        assert sorted(order) == sorted(due)
        assert free_expired(self.desk.verifier) == len(due)
        for id_ in order:
            self.model.expire(id_)
            self.receipts.append(self.check_expiry(id_))

    def check_expiry(self, draw: bytes) -> Receipt:
        """It stands for the one request that there is for it."""
        digest = hashlib.sha256(b"expire" + draw).digest()
        with self.desk.database.connect() as connection:
            body = connection.scalar(select(ANSWERS.c.body).where(ANSWERS.c.id == digest))
        assert body is not None
        self.answers[digest] = (digest, body)
        answer = DocumentReceipt.model_validate_json(body)
        assert answer.document == self.model.draws[draw].document
        return answer.receipt

    @precondition(lambda self: self.calm >= LEAST_CALM)
    @rule()
    def restart(self) -> None:
        self.work.close()
        self.open()
        self.tally.restarts += 1

    # --- what must hold -----------------------------------------------------------------------------------------------------

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        self.model.check()
        self.the_log_holds_what_was_accepted()
        self.the_database_holds_that_and_nothing_else()
        self.what_is_known_of_callers_is_right()
        self.every_balance_opens_to_the_model()

    def follow(self) -> EntriesPage:
        """The auditor reads on to the end of the log. What is new there."""
        page = reading.export(self.desk.verifier, self.audit.entries, 1_000)
        feed(self.audit, page)
        self.audit.settle()
        return page

    def the_log_holds_what_was_accepted(self) -> None:
        """Once, in order, as the receipts say; and the auditor, who follows it, finds nothing wrong."""
        page = self.follow()
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
            answers = {row.id: (row.fingerprint, row.body) for row in connection.execute(select(ANSWERS))}
            log = [(row.size, row.time) for row in connection.execute(select(LOG))]
            consents = {(row.document, row.application) for row in connection.execute(select(CONSENTS))}
            positions = sorted(connection.scalars(select(ENTRIES.c.position)))
            nonces = _count(connection, NONCES)
        assert documents == self.state.documents
        assert draws == self.state.draws
        assert answers == self.answers
        assert set(self.said) == set(model.accepted)
        assert log == [(1 + len(model.bodies), model.latest)]
        assert positions == list(range(1 + len(model.bodies)))
        assert consents == model.consents == self.state.consents
        assert nonces <= self.views  # those of long ago are forgotten
        assert self.untouched() == self.beginning

    def untouched(self) -> dict[str, list[Any]]:
        """Every row of every table that nothing here changes."""
        with self.desk.database.connect() as connection:
            tables = [table for table in METADATA.sorted_tables if table not in WRITTEN]
            return {table.name: sorted(map(tuple, connection.execute(select(table)))) for table in tables}

    def what_is_known_of_callers_is_right(self) -> None:
        """Signatures that were seen, requests and draws that were counted, and refusals for want of headroom."""
        door = self.model.door
        with self.desk.database.connect() as connection:
            signatures = sorted(connection.scalars(select(REQUEST_NONCES.c.until)))
            counts = {tuple(row) for row in connection.execute(select(COUNTERS))}
            refusals = {(row.pair, row.request): row.time for row in connection.execute(select(REFUSALS))}
        assert signatures == sorted(door.signatures.values())
        assert counts == {
            (INSTITUTIONS[caller], what, window, used)
            for (caller, what), windows in door.counts.items()
            for window, used in windows.items()
        }
        assert refusals == {
            (NAMES.pair(INSTITUTIONS[BANK], document), financing_fingerprint(request)): time
            for (document, request), time in self.model.refusals.items()
        }

    def every_balance_opens_to_the_model(self) -> None:
        """For both readers."""
        assert set(self.model.documents) == set(self.state.documents)
        assert set(self.model.draws) == set(self.state.draws)
        balances: list[tuple[bytes, HandledCommitment, int]] = []
        for id_, document in self.model.documents.items():
            state = self.state.documents[id_]
            balances += [(id_, state.limit, document.limit), (id_, state.residual, document.headroom)]
            assert (state.kind, state.draws, state.status) == (document.kind, document.draws, document.status)
            assert (state.taken, state.is_overdrawn) == (document.taken, document.is_overdrawn)
            assert state.replacement == document.replacement
        for id_, draw in self.model.draws.items():
            found = self.state.draws[id_]
            balances.append((draw.document, found.outstanding, draw.outstanding))
            assert (found.document, found.stage, found.expires) == (draw.document, draw.stage, draw.expires)
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


def request_key(operation: Operation, key: str) -> RequestKey:
    """As the service knows the request."""
    return RequestKey.of(INSTITUTIONS[operation.caller], key, "POST", operation.path, canonical(operation.message))


def financing_fingerprint(body: bytes) -> bytes:
    """Of a bank's request for a financing, under whatever key."""
    return RequestKey.of(INSTITUTIONS[BANK], "", "POST", "/v1/financings", body).fingerprint


def _count(connection: Connection, table: Any) -> int:
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


# --- the runs -------------------------------------------------------------------------------------------------------------

EVERY_REFUSAL: set[ProblemType] = {
    problems.ALREADY_EXISTS,
    problems.CHANGE_REFUSED,
    problems.CONSENT_INVALID,
    problems.CONSENT_USED,
    problems.DOCUMENT_NOT_FINANCEABLE,
    problems.DOCUMENT_REPEATED,
    problems.DOCUMENT_UNKNOWN,
    problems.DRAW_UNKNOWN,
    problems.EXPIRED,
    problems.HEADROOM_NOT_PROVEN,
    problems.KEY_REUSED,
    problems.MOVE_REFUSED,
    problems.NOT_PERMITTED,
    problems.PROOF_INVALID,
    problems.RESERVATION_TOO_LONG,
    problems.SIGNATURE_INVALID,
    problems.WRONG_STAGE,
}
EVERY_WRITE = (Registration, StatusChange, Amendment, Showing, Financing, Steps)


def run(world: World, database: str, wanted: int) -> Tally:
    """So many operations at least, in logs that each begin anew. What fails is shrunk to a short story by Hypothesis."""
    tally, world = Tally(), several_kinds(world)
    while tally.operations < wanted:
        run_state_machine_as_test(
            lambda: ServiceAndModel(world, database, tally),  # type: ignore[arg-type]  # whatever makes one will do
            settings=settings(
                max_examples=1 + (wanted - tally.operations) // STEPS,
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
    tally = run(world, database, OPERATIONS or SHORT_RUN)
    print(tally)  # noqa: T201 - shown with -s, and when it fails
    assert set(tally.fates) == set(Fate)
    if tally.operations >= COMPLETE:
        assert tally.restarts
        assert tally.overdrawn
        assert {problem.slug for problem in EVERY_REFUSAL} <= tally.problems()
        assert set(DRAW_STAGES) <= set(tally.stages)
        assert set(STATUSES) <= set(tally.statuses)
        for write in EVERY_WRITE:
            assert tally.said[write.__name__, "accepted"]
            assert tally.said[write.__name__, "replayed"]
