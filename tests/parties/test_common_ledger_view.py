"""A reader opens a document from its entries: right amounts always, and an alert for every memo that does not tell the truth.

Must hold: owner and regulator open the same figures; a garbage or lying memo raises an alert, and the amount is found all the
same; a service that hides, changes or reorders entries is found out. A failure would be a wrong amount, an endless search,
or a missing draw that nobody notices. Not a failure: that an amount beyond the search bound stays unknown, with an alert.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from parties.common.errors import ServiceMisbehaved
from parties.common.ledger_view import (
    Logged,
    OpenedDocument,
    Reader,
    Search,
    decode_entries,
    document_state,
    group_by_document,
    open_entries,
    open_histories,
    open_view,
)
from parties.common.memos import memo_for
from schemas.answers import DocumentView
from schemas.callers import CALLER_SIZE, CallerNote
from schemas.canonical import canonical
from schemas.entries import Amended, AnyEntry, Closed, Disbursed, Drawn, Reduced, Registered
from schemas.messages import AmendMessage, CloseMessage, DisburseMessage, DrawMessage, ReduceMessage, RegisterMessage
from schemas.sealed import DisburseMemo, DrawMemo, ReduceMemo, RegulatorAmendMemo, RegulatorRegisterMemo
from schemas.wire import SecretMessage
from service.institutions.sealing import seal
from tests import builders
from tests.builders import Loan, Paper, World, make_close, make_register, make_world
from tests.parties.logbook import Logbook
from zkcore import engine, ledger
from zkcore.context import ABSENT
from zkcore.group import encode_scalar
from zkcore.ledger.state import RESERVED
from zkcore.operations import MEMO_SIZE, REPAID_PROCEEDS, Draw, Memos
from zkcore.randomness import random_nonzero_scalar
from zkcore.secret import operations
from zkcore.secret.memos import SealSecret
from zkcore.secret.opening import Opening

LIMIT = 1_000_000_00
OWNER_SEAL = SealSecret(b"o" * 32)
SEARCH = Search()
"""Shared, as commands share it: its table takes a while to make."""
GARBAGE = b"\x00" * MEMO_SIZE
MakeMemo = Callable[[Opening], bytes]


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(engine.load())


@dataclass
class Story:
    """One document whose entries are written as a service would, with memos that tell the truth unless told otherwise."""

    world: World
    entries: list[AnyEntry] = field(default_factory=list)
    paper: Paper = field(init=False)
    limit: int = LIMIT
    register_memo: MakeMemo | None = None

    def __post_init__(self) -> None:
        operation = make_register(self.world, self.limit)
        memo = RegulatorRegisterMemo(
            number="1",
            holder="h",
            name="n",
            date="2026-01-01",
            limit=self.limit,
            blinding=self._scalar(operation.limit.blinding),
        )
        made = self.register_memo or (lambda _: self._sealed(memo))
        # The proof covers the memos, so they are set before it is made anew; readers do not check it here.
        changed = replace(operation.operation, memos=Memos(GARBAGE, made(operation.limit)))
        leaf = self._log(Registered(time=1, body=RegisterMessage.of(changed)))
        self.paper = replace(operation, operation=changed).committed(leaf)

    def draw(self, amount: int, memo: MakeMemo | None = None) -> Loan:
        world = self.world
        key = world.bank.shifted(world.suite, random_nonzero_scalar(world.randomness, world.suite.group))
        opening = world.opening(amount)
        made = memo or (lambda told: self._sealed(self.draw_memo(told)))
        draft = operations.prove_draft(
            world.suite,
            world.parameters,
            self.paper.facts,
            draw=world.identifier(),
            key=key,
            opening=opening,
            expires=builders.NOW,
            memos=Memos(made(opening), made(opening)),
            consent=None,
            asked=None,
            randomness=world.randomness,
        )
        new = builders.NewDraw(
            world, Draw(draft, builders.make_headroom(world, self.paper, draft, opening)), self.paper, key, opening
        )
        self.paper, loan = new.committed(self._log(Drawn(time=2, body=DrawMessage.of(new.operation), caller=self._caller())))
        return loan

    def reduce(self, loan: Loan, amount: int, reason: str = "repaid-own-funds", memo: MakeMemo | None = None) -> Loan:
        if loan.state.stage == RESERVED and reason != "released":
            loan = self.disburse(loan)
        world, opening = self.world, self.world.opening(amount)
        made = memo or (lambda told: self._sealed(self.reduce_memo(told)))
        operation, rest = operations.prove_reduce(
            world.suite,
            world.parameters,
            self.paper.facts,
            loan.state,
            key=loan.key,
            outstanding=loan.outstanding,
            opening=opening,
            reason=reason,
            memos=Memos(made(opening), made(opening)),
            randomness=world.randomness,
        )
        leaf = self._log(Reduced(time=3, body=ReduceMessage.of(operation), caller=self._caller()))
        self.paper, loan = builders.NewReduction(operation, amount, rest).committed(world, self.paper, loan, leaf)
        return loan

    def close(self, loan: Loan) -> None:
        self._log(Closed(time=4, body=CloseMessage.of(make_close(self.world, self.paper, loan)), caller=self._caller()))

    def _caller(self) -> bytes:
        """As the service seals it."""
        return seal(self.world.regulator_seal.public, CallerNote(institution="BANK-A", outlet=[]), CALLER_SIZE)

    def disburse(self, loan: Loan, rest: int = 0, memo: MakeMemo | None = None) -> Loan:
        world, opening = self.world, self.world.opening(rest) if rest else None
        told = (
            self._sealed(self.disburse_memo(loan.outstanding.amount - rest, opening))
            if memo is None
            else memo(loan.outstanding)
        )
        operation, left = operations.prove_disburse(
            world.suite,
            world.parameters,
            self.paper.facts,
            loan.state,
            key=loan.key,
            outstanding=loan.outstanding,
            rest=opening,
            memos=Memos(told, told),
            randomness=world.randomness,
        )
        leaf = self._log(Disbursed(time=2, body=DisburseMessage.of(operation), caller=self._caller()))
        self.paper, after = builders.NewDisbursement(operation, rest, left).committed(self.paper, loan, leaf)
        return after

    def disburse_memo(self, paid: int, rest: Opening | None) -> DisburseMemo:
        blinding = None if rest is None else self._scalar(rest.blinding)
        return DisburseMemo(paid=paid, rest=0 if rest is None else rest.amount, blinding=blinding, reference="R1", note="")

    def amend(self, before: int, limit: int, memo: MakeMemo | None = None) -> None:
        world, opening = self.world, self.world.opening(limit)
        told = self._sealed(RegulatorAmendMemo(limit=limit, blinding=self._scalar(opening.blinding), note="half came back"))
        operation = operations.prove_amend(
            world.suite,
            world.parameters,
            ledger.attested_facts(self.paper.state),
            attester=world.attester,
            opening=opening,
            reason="amended",
            memos=Memos(GARBAGE, told if memo is None else memo(opening)),
            randomness=world.randomness,
        )
        leaf = self._log(Amended(time=5, body=AmendMessage.of(operation)))
        self.paper = builders.NewAmendment(operation, opening, before).committed(self.paper, leaf)

    def draw_memo(self, told: Opening, **change: int) -> DrawMemo:
        memo = DrawMemo(
            amount=told.amount,
            blinding=self._scalar(told.blinding),
            bank="BANK-A",
            bank_name="Bank A",
            outlet="",
            reference="R1",
            financing=b"f" * 32,
            note="",
        )
        return memo.model_copy(update=change)

    def reduce_memo(self, told: Opening) -> ReduceMemo:
        return ReduceMemo(amount=told.amount, blinding=self._scalar(told.blinding), reference="R1", note="")

    def logged(self) -> list[Logged]:
        return decode_entries([json.loads(canonical(entry)) for entry in self.entries])

    def open(self, search: Search | None = None, logged: list[Logged] | None = None) -> OpenedDocument:
        entries = self.logged() if logged is None else logged
        return open_entries(self.world.suite, self.world.parameters, entries, self.regulator(), search or SEARCH)

    def regulator(self) -> Reader:
        return Reader("regulator", self.world.regulator, self.world.regulator_seal)

    def view(self) -> DocumentView:
        state = self.paper.state
        return DocumentView.model_validate(
            {
                "document": state.document,
                "kind": state.kind,
                "counter": state.counter,
                "currency": state.currency,
                "epoch": state.epoch,
                "owner": state.owner.encode(),
                "limit": state.limit.encode(),
                "residual": state.residual.encode(),
                "head": state.head,
                "draws": state.draws,
                "status": state.status,
                "revision": state.revision,
                "replacement": None if state.replacement == ABSENT else state.replacement,
                "taken": state.taken,
                "overdrawn": state.is_overdrawn,
                "blocks": [],
                "entries": [json.loads(canonical(entry)) for entry in self.entries],
            }
        )

    def _sealed(self, memo: SecretMessage) -> bytes:
        return memo_for(self.world.regulator_seal.public, memo)

    def _scalar(self, scalar: int) -> bytes:
        return encode_scalar(self.world.suite.group, scalar)

    def _log(self, entry: AnyEntry) -> bytes:
        self.entries.append(entry)
        return self.logged()[-1].leaf


def test_everything_is_opened(world: World) -> None:
    story = Story(world)
    first, second = story.draw(600_000_00), story.draw(350_000_00)
    first = story.reduce(first, 200_000_00)
    story.reduce(second, 350_000_00, REPAID_PROCEEDS)
    opened = story.open()
    assert (opened.limit, opened.headroom, opened.drawn, opened.outstanding) == (LIMIT, 250_000_00, 950_000_00, 400_000_00)
    assert [draw.outstanding for draw in opened.draws] == [400_000_00, 0]
    assert [(step.restores, step.amount) for draw in opened.draws for step in draw.reductions] == [
        (True, 200_000_00),
        (False, 350_000_00),
    ]
    assert opened.alerts == ()
    assert opened.draws[0].memo is not None
    assert opened.draws[0].memo.reference == "R1"
    assert opened.state == story.paper.state


def test_a_settled_draw_is_closed(world: World) -> None:
    story = Story(world)
    loan = story.reduce(story.draw(5), 5, "released")
    story.close(loan)
    opened = story.open()
    assert opened.draws[0].state.closed
    assert (opened.headroom, opened.outstanding) == (LIMIT, 0)


def test_the_owner_opens_the_same_by_its_own_key(world: World) -> None:
    story = Story(world)
    story.draw(400_000_00)
    reader = Reader("owner", story.paper.secret, OWNER_SEAL)
    opened = open_entries(world.suite, world.parameters, story.logged(), reader, SEARCH)
    # No memo here is for this owner, so everything was searched; the limit is found by its own size.
    assert (opened.limit, opened.headroom, opened.drawn) == (LIMIT, 600_000_00, 400_000_00)
    assert {alert.code for alert in opened.alerts} == {"memo-unreadable"}


def test_a_garbage_memo_hides_nothing(world: World) -> None:
    story = Story(world)
    loan = story.draw(123_456_78, lambda _: GARBAGE)
    story.reduce(loan, 456_78, memo=lambda _: GARBAGE)
    opened = story.open()
    assert (opened.drawn, opened.outstanding, opened.headroom) == (123_456_78, 123_000_00, LIMIT - 123_000_00)
    assert [(alert.code, alert.draw) for alert in opened.alerts] == [("memo-unreadable", loan.state.draw)] * 2
    assert opened.draws[0].memo is None


def test_a_lying_memo_is_found_out(world: World) -> None:
    story = Story(world)
    loan = story.draw(500_000_00, lambda told: story._sealed(story.draw_memo(told, amount=1)))
    opened = story.open()
    assert (opened.drawn, opened.headroom) == (500_000_00, 500_000_00)
    assert [(alert.code, alert.draw) for alert in opened.alerts] == [("memo-contradicts", loan.state.draw)]
    assert opened.draws[0].memo is None


def test_a_limit_whose_memo_is_garbage_is_searched(world: World) -> None:
    story = Story(world, register_memo=lambda _: GARBAGE)
    story.draw(1)
    opened = story.open()
    assert (opened.limit, opened.headroom, opened.memo) == (LIMIT, LIMIT - 1, None)


def test_a_search_ends_at_its_bound(world: World) -> None:
    story = Story(world, register_memo=lambda _: GARBAGE)
    story.draw(1)
    opened = story.open(Search(bound=1000))
    assert (opened.limit, opened.headroom, opened.drawn) == (None, None, 1)
    assert [alert.code for alert in opened.alerts] == ["memo-unreadable", "amount-unknown", "amount-unknown"]


def test_memos_are_not_needed(world: World) -> None:
    story, steps = Story(world), []
    story.draw(777_77)
    opened = story.open(Search(always=True, progress=lambda done, most: steps.append((done, most))))
    assert (opened.limit, opened.drawn, opened.headroom, opened.alerts) == (LIMIT, 777_77, LIMIT - 777_77, ())
    assert steps


def test_amounts_do_not_print(world: World) -> None:
    story = Story(world)
    story.draw(600_000_00)
    opened = story.open()
    shown = repr(opened) + repr(opened.draws[0]) + repr(story.regulator())
    assert "60000000" not in shown
    assert str(world.regulator.scalar) not in shown


# --- a document's life ----------------------------------------------------------------------------------------------------


def test_what_is_not_paid_out_comes_back(world: World) -> None:
    story = Story(world)
    story.disburse(story.draw(600_000_00), 100_000_00)
    opened = story.open()
    assert (opened.headroom, opened.outstanding, opened.drawn, opened.alerts) == (500_000_00, 500_000_00, 600_000_00, ())
    assert [(step.what, step.amount) for step in opened.draws[0].steps] == [
        ("reserved", 600_000_00),
        ("disbursed", 500_000_00),
    ]


def test_an_amendment_below_what_is_drawn_is_opened_as_overdrawn(world: World) -> None:
    story = Story(world)
    story.disburse(story.draw(600_000_00))
    story.amend(LIMIT, 450_000_00)
    for search in (SEARCH, replace(SEARCH, always=True)):
        opened = story.open(search)
        assert (opened.limit, opened.headroom, opened.overdrawn) == (450_000_00, -150_000_00, True)
        assert [alert.code for alert in opened.alerts] == ["overdrawn"]
        assert [(step.what, step.amount, step.note) for step in opened.changes] == [("amended", 450_000_00, "half came back")]


def test_an_amendment_with_a_garbage_memo_hides_nothing(world: World) -> None:
    story = Story(world)
    story.disburse(story.draw(600_000_00))
    story.amend(LIMIT, 450_000_00, lambda _: GARBAGE)
    opened = story.open()
    assert (opened.limit, opened.headroom) == (450_000_00, -150_000_00)
    assert [alert.code for alert in opened.alerts] == ["memo-unreadable", "overdrawn"]
    # Not even where the sum is unknown, because a draw is beyond the search.
    unknown = story.open(Search(bound=200_000_00))
    assert (unknown.limit, unknown.headroom) == (None, -150_000_00)


def whole_life(world: World) -> Logbook:
    """A log with every type of entry, and memos that nobody can open."""
    written = Logbook(world)
    written.register(1_000, status="declared")
    written.status(0, "cleared")
    written.apply(0)
    written.decide(0, "accepted")
    written.decide(0, "approved")
    written.draw(0, 600, applied=0)
    written.disburse(0, rest=100)
    written.reduce(0, 50, "repaid-own-funds")
    written.draw(0, 300, expires=written.now + 2)
    written.amend(0, 700)
    written.overdrawn(0)
    written.now += 10
    written.expire(1)
    written.register(700)
    written.status(0, "deleted", replacement=1)
    written.move(0, 1)
    written.reduce(2, 450, "written-off")
    written.close(2)
    return written


def test_every_type_of_entry_is_opened_without_any_memo(world: World) -> None:
    written = whole_life(world)
    logged = decode_entries([json.loads(canonical(entry)) for entry in written.entries])
    reader = Reader("regulator", world.regulator, world.regulator_seal)
    first, second = open_histories(world.suite, world.parameters, group_by_document(logged), reader, SEARCH)
    assert (first.state, second.state) == tuple(paper.state for paper in written.papers)
    assert (first.limit, first.headroom, second.headroom) == (700, 250, 250)
    assert [draw.state for draw in (*first.draws, *second.draws)] == [loan.state for _, loan in written.loans]
    assert [draw.state.stage for draw in first.draws] == ["moved", "expired"]
    assert [step.what for step in second.draws[0].steps] == ["taken-over", "written-off", "written-off"]
    assert [application.state.stage for application in first.applications] == ["reserved"]
    assert [change.what for change in first.changes] == ["cleared", "amended", "overdrawn", "deleted"]
    assert (first.outstanding, second.outstanding) == (0, 0)


def test_one_document_by_itself_tells_as_much_as_its_entries_do(world: World) -> None:
    written = whole_life(world)
    logged = decode_entries([json.loads(canonical(entry)) for entry in written.entries])
    second = written.papers[1].state.document
    own = list(group_by_document(logged)[second])
    opened = open_entries(world.suite, world.parameters, own, Reader("owner", written.papers[1].secret, OWNER_SEAL), SEARCH)
    assert opened.state == written.papers[1].state
    assert (opened.headroom, opened.draws[0].moves) == (250, written.loans[0][1].state.draw)


# --- a service that does not tell the truth -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(world: World) -> Story:
    """A draw of 10, of which 5 are repaid from proceeds. To be read only."""
    story = Story(world)
    story.reduce(story.draw(10), 5, REPAID_PROCEEDS)
    return story


def test_a_view_that_follows_from_its_entries(world: World, told: Story) -> None:
    view = told.view()
    assert document_state(world.suite, view) == told.paper.state
    assert open_view(world.suite, world.parameters, view, told.regulator()).headroom == LIMIT - 10


@pytest.mark.parametrize("change", ["hidden", "head", "draws", "residual", "owner", "currency", "limit", "point"])
def test_a_view_that_does_not(world: World, told: Story, change: str) -> None:
    view = told.view()
    changes: dict[str, dict[str, object]] = {
        "hidden": {"entries": view.entries[:1]},
        "head": {"head": b"h" * 32},
        "draws": {"draws": 0},
        "residual": {"residual": view.limit},
        "owner": {"owner": world.owner.public(world.suite).encode()},
        "currency": {"currency": "EUR"},
        "limit": {"limit": view.residual},
        "point": {"residual": b"\x05" * 99},
    }
    with pytest.raises(ServiceMisbehaved):
        open_view(world.suite, world.parameters, view.model_copy(update=changes[change]), told.regulator())


@pytest.mark.parametrize("order", [[], [1, 0], [0, 0], [0, 3], [0, 1, 1], [1]])
def test_entries_that_are_no_history(world: World, told: Story, order: list[int]) -> None:
    logged = [told.logged()[index] for index in order]
    with pytest.raises(ServiceMisbehaved):
        open_entries(world.suite, world.parameters, logged, told.regulator())


def test_entries_of_another_document_are_not_mixed_in(world: World) -> None:
    first, second = Story(world), Story(world)
    second.draw(10)
    with pytest.raises(ServiceMisbehaved):
        first.open(logged=[*first.logged(), *second.logged()[1:]])


def test_a_reduction_told_twice_does_not_fit_the_state(world: World) -> None:
    story = Story(world)
    story.reduce(story.draw(10), 5)
    view = story.view()
    doubled = view.model_copy(update={"entries": [*view.entries, view.entries[-1]]})
    with pytest.raises(ServiceMisbehaved):
        open_view(world.suite, world.parameters, doubled, story.regulator())


def test_a_whole_log_is_taken_apart_by_document(world: World) -> None:
    first, second = Story(world), Story(world)
    loan = first.draw(10)
    second.draw(20)
    first.reduce(loan, 10)
    mixed = [
        *first.logged()[:1],
        *second.logged()[:1],
        *first.logged()[1:2],
        *second.logged()[1:],
        *first.logged()[2:],
    ]
    apart = group_by_document(mixed)
    assert list(apart) == [first.paper.state.document, second.paper.state.document]
    assert first.open(logged=apart[first.paper.state.document]).outstanding == 0
    with pytest.raises(ServiceMisbehaved):
        group_by_document(first.logged()[1:])
    with pytest.raises(ServiceMisbehaved):
        group_by_document([first.logged()[0], first.logged()[3]])


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"type": "other"},
        {"type": "draw", "time": 1, "body": {}},
        {"type": "draw", "time": 1 << 60},
        {"type": "draw", "time": float("inf")},
        {"\ud800": 1},
        {"type": "\ud800"},
    ],
)
def test_what_is_no_entry(entry: dict[str, object]) -> None:
    with pytest.raises(ServiceMisbehaved):
        decode_entries([entry])


def test_another_readers_key_is_refused_before_any_search(world: World, told: Story) -> None:
    stranger = Reader("owner", world.owner, OWNER_SEAL)
    with pytest.raises(ServiceMisbehaved):
        open_entries(world.suite, world.parameters, told.logged(), stranger, Search(bound=1 << 47))


def test_the_genesis_is_passed_over(world: World) -> None:
    assert decode_entries([json.loads(canonical(world.genesis))]) == []
