"""The rules against a model of plain integers: whatever happens to documents and draws, the balances are the model's.

Must hold after every step: each document's residual (which an amendment can make negative) and each draw's outstanding amount,
opened with the owner's and with the regulator's key, are what the model says; what the model forbids, the prover refuses; and
the verifier refuses what a prover without checks makes of it. A failure would also be a head that stays or returns when it
should change, or changes when it should not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from schemas.vectors import dishonest
from schemas.vectors.dishonest import Secret
from tests.builders import (
    Loan,
    Paper,
    World,
    expire,
    make_amend,
    make_close,
    make_disburse,
    make_draft,
    make_draw,
    make_headroom,
    make_moved_draw,
    make_overdraw,
    make_overdrawn,
    make_reduce,
    make_register,
    make_status,
    make_view,
    make_world,
)
from zkcore import engine, ledger
from zkcore.amounts import MAXIMUM
from zkcore.commitments import HandledCommitment
from zkcore.errors import (
    AmountError,
    BatchRejected,
    EncodingError,
    IdentityError,
    KeyRejected,
    OpeningError,
    StateError,
    WitnessError,
    ZkError,
)
from zkcore.ledger import MAXIMUM_DRAWS, Parameters
from zkcore.ledger.state import ENDS
from zkcore.operations import (
    CLEARED,
    OWNER,
    REASONS,
    REGULATOR,
    RELEASED,
    REPAID_OWN_FUNDS,
    STATUSES,
    Close,
    Draw,
    Reduce,
)
from zkcore.secret import operations
from zkcore.secret.opening import LogarithmTable, Opening, check_amount, open_by_logarithm
from zkcore.verifying.batch import verify

SUITE = engine.load()
RESTORES = {RELEASED, REPAID_OWN_FUNDS}
amounts = st.integers(1, 50) | st.integers(1, MAXIMUM) | st.sampled_from([1, 10**8, MAXIMUM])
parts = st.integers(1, 99) | st.just(100)  # per cent; 100 uses everything up


def opens(world: World, paper: Paper, handled: HandledCommitment, amount: int) -> None:
    """Both readers open the commitment to this amount. Raises OpeningError."""
    check_amount(SUITE, paper.secret, handled.commitment, handled.owner, amount)
    check_amount(SUITE, world.regulator, handled.commitment, handled.regulator, amount)


def opens_signed(world: World, paper: Paper, handled: HandledCommitment, amount: int) -> None:
    """The same for a balance that can be negative."""
    if amount < 0:
        handled, amount = HandledCommitment(-handled.commitment, -handled.owner, -handled.regulator), -amount
    opens(world, paper, handled, amount)


@dataclass
class ModelDocument:
    limit: int
    drawn: int  # what counts against the limit; an amendment can leave it above
    status: str = CLEARED
    shown: bool = False  # to be overdrawn, with nothing changed since

    @property
    def headroom(self) -> int:
        return self.limit - self.drawn

    @property
    def financeable(self) -> bool:
        return self.status == CLEARED and not self.shown


@dataclass
class ModelDraw:
    document: int
    outstanding: int
    stage: str


class Ledger(RuleBasedStateMachine):
    """Real proofs, verified before the state moves; beside them two lists of integers.

    The model says with its own words what may happen at which stage, so that a wrong table is found, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = make_world(SUITE, b"the ledger against a model")
        self.parameters = self.world.parameters
        self.leaves = count()
        self.papers: list[Paper] = []
        self.loans: list[Loan] = []
        self.documents: list[ModelDocument] = []
        self.draws: list[ModelDraw] = []

    def leaf(self) -> bytes:
        return next(self.leaves).to_bytes(32, "big")

    def pick(self, data: st.DataObject, length: int) -> int:
        return data.draw(st.integers(0, length - 1))

    @rule(limit=amounts)
    def register(self, limit: int) -> None:
        new = make_register(self.world, limit)
        verify(SUITE, ledger.check_register(SUITE, self.parameters, new.operation))
        self.papers.append(new.committed(self.leaf()))
        self.documents.append(ModelDocument(limit, 0))

    # --- what the attester and the regulator do -----------------------------------------------------------------------------

    @precondition(lambda self: self.documents)
    @rule(data=st.data(), status=st.sampled_from(STATUSES))
    def change_status(self, data: st.DataObject, status: str) -> None:
        index = self.pick(data, len(self.documents))
        model, paper = self.documents[index], self.papers[index]
        possible = {CLEARED: {"frozen", "returned", "deleted"}}
        possible["frozen"] = {"declared", "customs-released", "cleared", "returned", "deleted"}
        possible["declared"] = {"customs-released", "cleared", "frozen", "returned", "deleted"}
        possible["customs-released"] = {"cleared", "frozen", "returned", "deleted"}
        operation = make_status(self.world, paper, status)
        if status not in possible.get(model.status, set()):
            with pytest.raises(StateError):
                ledger.check_status(SUITE, self.parameters, paper.state, operation)
            return
        verify(SUITE, ledger.check_status(SUITE, self.parameters, paper.state, operation))
        self.papers[index] = replace(paper, state=ledger.status_changed(paper.state, operation, self.leaf()))
        model.status, model.shown = status, False

    @precondition(lambda self: self.documents)
    @rule(data=st.data(), part=st.integers(1, 300))
    def amend(self, data: st.DataObject, part: int) -> None:
        index = self.pick(data, len(self.documents))
        model, paper = self.documents[index], self.papers[index]
        limit = min(MAXIMUM, max(1, model.limit * part // 100))
        new = make_amend(self.world, paper, model.limit, limit)
        if model.status in ("returned", "deleted"):
            with pytest.raises(StateError):
                ledger.check_amend(SUITE, self.parameters, paper.state, new.operation)
            return
        verify(SUITE, ledger.check_amend(SUITE, self.parameters, paper.state, new.operation))
        self.papers[index] = new.committed(paper, self.leaf())
        model.limit, model.shown = limit, False

    @precondition(lambda self: self.documents)
    @rule(data=st.data())
    def show_overdrawn(self, data: st.DataObject) -> None:
        index = self.pick(data, len(self.documents))
        model, paper = self.documents[index], self.papers[index]
        if model.headroom >= 0:
            with pytest.raises(WitnessError):
                make_overdrawn(self.world, paper)
            return
        operation = make_overdrawn(self.world, paper)
        if model.shown:
            with pytest.raises(StateError):
                ledger.check_overdrawn(SUITE, self.parameters, paper.state, operation)
            return
        verify(SUITE, ledger.check_overdrawn(SUITE, self.parameters, paper.state, operation))
        self.papers[index] = replace(paper, state=ledger.shown_overdrawn(paper.state))
        model.shown = True

    # --- what banks do ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.documents)
    @rule(data=st.data(), part=parts, consented=st.booleans())
    def draw(self, data: st.DataObject, part: int, consented: bool) -> None:
        index = self.pick(data, len(self.documents))
        model, paper = self.documents[index], self.papers[index]
        amount = max(1, model.headroom * part // 100)
        if model.headroom <= 0:
            with pytest.raises(WitnessError):
                make_draw(self.world, paper, amount, consented=consented)
            return
        new = make_draw(self.world, paper, amount, consented=consented)
        if not model.financeable:
            with pytest.raises(StateError):
                ledger.check_draw(SUITE, self.parameters, paper.state, new.operation)
            return
        verify(SUITE, ledger.check_draw(SUITE, self.parameters, paper.state, new.operation))
        self.papers[index], loan = new.committed(self.leaf())
        self.loans.append(loan)
        model.drawn += amount
        self.draws.append(ModelDraw(index, amount, "reserved"))
        with pytest.raises(BatchRejected):  # the same draw again, on the state that it left
            verify(SUITE, ledger.check_draw(SUITE, self.parameters, self.papers[index].state, new.operation))

    @precondition(lambda self: self.documents)
    @rule(data=st.data(), excess=st.integers(1, 3))
    def overdraw(self, data: st.DataObject, excess: int) -> None:
        index = self.pick(data, len(self.documents))
        model, paper = self.documents[index], self.papers[index]
        amount = max(1, model.headroom + excess)
        if amount > MAXIMUM:
            with pytest.raises(AmountError):
                make_draw(self.world, paper, amount)
            return
        with pytest.raises(WitnessError):
            make_draw(self.world, paper, amount)
        if model.financeable and model.headroom >= 0:
            operation = make_overdraw(self.world, paper, amount).operation
            with pytest.raises(BatchRejected):
                verify(SUITE, ledger.check_draw(SUITE, self.parameters, paper.state, operation))

    @precondition(lambda self: self.draws)
    @rule(data=st.data(), part=parts)
    def disburse(self, data: st.DataObject, part: int) -> None:
        index = self.pick(data, len(self.draws))
        model, loan = self.draws[index], self.loans[index]
        paper = self.papers[model.document]
        rest = model.outstanding - max(1, model.outstanding * part // 100) if model.outstanding else 0
        new = make_disburse(self.world, paper, loan, rest)
        if model.stage != "reserved":
            with pytest.raises(StateError):
                ledger.check_disburse(SUITE, self.parameters, paper.facts, loan.state, new.operation)
            return
        verify(SUITE, ledger.check_disburse(SUITE, self.parameters, paper.facts, loan.state, new.operation))
        self.papers[model.document], self.loans[index] = new.committed(paper, loan, self.leaf())
        model.outstanding, model.stage = model.outstanding - rest, "disbursed"
        self.restore(model.document, rest)

    def restore(self, document: int, amount: int) -> None:
        self.documents[document].drawn -= amount
        self.documents[document].shown &= not amount

    @precondition(lambda self: self.draws)
    @rule(data=st.data(), part=parts, reason=st.sampled_from(REASONS))
    def reduce(self, data: st.DataObject, part: int, reason: str) -> None:
        index = self.pick(data, len(self.draws))
        model, loan = self.draws[index], self.loans[index]
        paper = self.papers[model.document]
        if model.outstanding == 0:
            with pytest.raises(WitnessError):
                make_reduce(self.world, paper, loan, 1, reason)
            return
        amount = max(1, model.outstanding * part // 100)
        new = make_reduce(self.world, paper, loan, amount, reason)
        at = {"reserved"} if reason == RELEASED else {"disbursed", "partly-repaid", "partly-written-off"}
        if model.stage not in at:
            with pytest.raises(StateError):
                ledger.check_reduce(SUITE, self.parameters, paper.facts, loan.state, new.operation)
            return
        verify(SUITE, ledger.check_reduce(SUITE, self.parameters, paper.facts, loan.state, new.operation))
        self.papers[model.document], self.loans[index] = new.committed(self.world, paper, loan, self.leaf())
        model.outstanding -= amount
        if reason == "written-off":
            model.stage = "partly-written-off"
        elif model.stage == "disbursed":
            model.stage = "partly-repaid"
        self.restore(model.document, amount if reason in RESTORES else 0)

    @precondition(lambda self: self.draws)
    @rule(data=st.data())
    def reduce_too_much(self, data: st.DataObject) -> None:
        index = self.pick(data, len(self.draws))
        model, loan = self.draws[index], self.loans[index]
        with pytest.raises(AmountError if model.outstanding == MAXIMUM else WitnessError):
            make_reduce(self.world, self.papers[model.document], loan, model.outstanding + 1)

    @precondition(lambda self: self.draws)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        index = self.pick(data, len(self.draws))
        model, loan = self.draws[index], self.loans[index]
        paper = self.papers[model.document]
        if model.outstanding:
            with pytest.raises(WitnessError):
                make_close(self.world, paper, loan)
            return
        closure = make_close(self.world, paper, loan)
        if model.stage in ENDS:
            with pytest.raises(StateError):
                ledger.check_close(SUITE, self.parameters, paper.facts, loan.state, closure)
            return
        verify(SUITE, ledger.check_close(SUITE, self.parameters, paper.facts, loan.state, closure))
        document, draw = ledger.closed(self.parameters, paper.state, loan.state, self.leaf())
        assert document == paper.state
        self.loans[index] = replace(loan, state=draw)
        model.stage = {"reserved": "released", "partly-written-off": "written-off"}.get(model.stage, "settled")

    @precondition(lambda self: self.draws)
    @rule(data=st.data(), late=st.booleans())
    def expire(self, data: st.DataObject, late: bool) -> None:
        index = self.pick(data, len(self.draws))
        model, loan = self.draws[index], self.loans[index]
        paper, at = self.papers[model.document], loan.state.expires + late
        if model.stage != "reserved" or not late:
            with pytest.raises(StateError):
                ledger.check_expire(loan.state, at)
            return
        ledger.check_expire(loan.state, at)
        self.papers[model.document], self.loans[index] = expire(paper, loan, self.leaf())
        self.documents[model.document].drawn -= model.outstanding
        self.documents[model.document].shown = False
        model.stage = "expired"

    @precondition(lambda self: self.draws and len(self.documents) > 1)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        """A draw to another document, as if that one replaced the draw's own."""
        index, target = self.pick(data, len(self.draws)), self.pick(data, len(self.documents))
        model, loan, to, paper = self.draws[index], self.loans[index], self.documents[target], self.papers[target]
        if target == model.document or model.outstanding == 0:
            return
        if to.headroom < model.outstanding:
            with pytest.raises(WitnessError if model.stage not in ENDS else StateError):
                make_moved_draw(self.world, paper, loan)
            return
        if model.stage in ENDS:
            with pytest.raises(StateError):
                make_moved_draw(self.world, paper, loan)
            return
        new = make_moved_draw(self.world, paper, loan)
        if not to.financeable:
            with pytest.raises(StateError):
                ledger.check_draw(SUITE, self.parameters, paper.state, new.operation, moved=loan.state)
            return
        verify(SUITE, ledger.check_draw(SUITE, self.parameters, paper.state, new.operation, moved=loan.state))
        leaf = self.leaf()
        self.papers[target], there = new.committed(leaf)
        self.loans[index] = replace(loan, state=ledger.moved_away(loan.state, leaf))
        self.loans.append(there)
        to.drawn += model.outstanding
        self.draws.append(ModelDraw(target, model.outstanding, model.stage))
        model.stage = "moved"

    # --- what holds after every step ----------------------------------------------------------------------------------------

    @invariant()
    def balances_are_the_models(self) -> None:
        for document, paper in zip(self.documents, self.papers, strict=True):
            opens(self.world, paper, paper.state.limit, document.limit)
            opens_signed(self.world, paper, paper.state.residual, document.headroom)
            assert 0 <= document.drawn <= MAXIMUM
            assert (paper.state.status, paper.state.is_overdrawn) == (document.status, document.shown)
            assert paper.state.financeable == document.financeable
        for draw, loan in zip(self.draws, self.loans, strict=True):
            opens(self.world, self.papers[draw.document], loan.state.outstanding, draw.outstanding)
            assert loan.state.stage == draw.stage

    @invariant()
    def what_is_outstanding_counts(self) -> None:
        """The argument of SPEC.md, section 13: what counts covers what is still owed."""
        for index, document in enumerate(self.documents):
            owed = sum(draw.outstanding for draw in self.draws if draw.document == index and draw.stage not in ENDS)
            assert owed <= document.drawn

    @invariant()
    def heads_are_all_different(self) -> None:
        heads = [paper.state.head for paper in self.papers] + [loan.state.head for loan in self.loans]
        heads += [paper.state.revision for paper in self.papers]
        assert len(set(heads)) == len(heads)


TestLedger = pytest.mark.slow(Ledger.TestCase)
TestLedger.settings = settings(max_examples=8, stateful_step_count=25, deadline=None)


# --- what provers refuse --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SUITE, b"what provers refuse")


@pytest.fixture(scope="module")
def paper(world: World) -> Paper:
    return make_register(world, 1000).committed(bytes(32))


@pytest.fixture(scope="module")
def reservation(world: World, paper: Paper) -> tuple[Paper, Loan]:
    """A draw of 600 on 1,000."""
    return make_draw(world, paper, 600).committed(b"\1" * 32)


@pytest.fixture(scope="module")
def loan(world: World, reservation: tuple[Paper, Loan]) -> tuple[Paper, Loan]:
    """The same, disbursed."""
    return make_disburse(world, *reservation).committed(*reservation, b"\5" * 32)


@pytest.mark.parametrize("amount", [0, -1, MAXIMUM + 1])
def test_amounts_out_of_range_are_not_even_opened(world: World, paper: Paper, amount: int) -> None:
    with pytest.raises(AmountError):
        make_register(world, amount)
    with pytest.raises(AmountError):
        make_draw(world, paper, amount)


def test_a_draft_that_does_not_open_as_told_is_not_answered(world: World, paper: Paper) -> None:
    opening = world.opening(100)
    draft = make_draft(world, paper, opening, world.bank)
    for told in (replace(opening, amount=99), replace(opening, blinding=opening.blinding + 1)):
        with pytest.raises(OpeningError):
            make_headroom(world, paper, draft, told)


def test_a_draft_that_does_not_prove_itself_is_not_answered(world: World, paper: Paper) -> None:
    opening = world.opening(100)
    draft = make_draft(world, paper, opening, world.bank)
    with pytest.raises(BatchRejected):
        make_headroom(world, paper, replace(draft, expires=draft.expires + 1), opening)


def test_a_wrong_figure_or_key_is_not_proven(world: World, paper: Paper) -> None:
    opening = world.opening(100)
    draft = make_draft(world, paper, opening, world.bank)
    for wrong in (replace(paper, headroom=999), replace(paper, headroom=1001), replace(paper, secret=world.owner)):
        with pytest.raises(OpeningError):
            make_headroom(world, wrong, draft, opening)
    with pytest.raises(WitnessError):
        make_view(world, paper, secret=world.owner)


def test_a_reduction_needs_the_opening_of_what_is_outstanding(world: World, loan: tuple[Paper, Loan]) -> None:
    after, draw = loan
    wrong = replace(draw, outstanding=replace(draw.outstanding, amount=draw.outstanding.amount + 1))
    with pytest.raises(OpeningError):
        make_reduce(world, after, wrong, 1)
    with pytest.raises(OpeningError):
        make_close(world, after, wrong)
    with pytest.raises(WitnessError):
        make_reduce(world, after, replace(draw, key=world.bank), 1)


def test_a_consent_and_its_opening_come_together(world: World, paper: Paper) -> None:
    arguments = {"draw": world.identifier(), "key": world.bank, "expires": 1, "memos": world.memos()}
    with pytest.raises(WitnessError):
        operations.prove_draft(
            SUITE,
            world.parameters,
            paper.facts,
            opening=world.opening(1),
            consent=None,
            asked=world.opening(1),
            randomness=world.randomness,
            **arguments,  # type: ignore[arg-type]
        )


# --- what the rules refuse before any proof -------------------------------------------------------------------------------


def test_registration_is_refused_on_its_face(world: World) -> None:
    good = make_register(world, 5).operation
    stranger = SUITE.group.mul(7, SUITE.G)
    cases: list[tuple[object, type[ZkError]]] = [
        (replace(good, kind="tax-filing"), StateError),
        (replace(good, counter="refund"), StateError),
        (replace(good, status="frozen"), StateError),
        (replace(good, epoch=2), StateError),
        (replace(good, attester=stranger), KeyRejected),
        (replace(good, owner=world.parameters.regulator), KeyRejected),
        (replace(good, owner=good.attester), KeyRejected),
        (replace(good, owner=SUITE.group.identity()), KeyRejected),
    ]
    for operation, error in cases:
        with pytest.raises(error):
            ledger.check_register(SUITE, world.parameters, operation)  # type: ignore[arg-type]


def test_parameters_with_the_identity_or_one_key_twice_are_refused(world: World) -> None:
    good, identity = world.parameters, SUITE.group.identity()
    for attesters, regulator in (
        ({identity: "customs"}, good.regulator),
        (good.attesters, identity),
        ({good.regulator: "customs"}, good.regulator),
    ):
        with pytest.raises(KeyRejected):
            Parameters(good.origin, good.epoch, regulator, attesters, good.kinds).check()


def test_a_document_carries_so_many_draws_and_no_more(world: World, paper: Paper) -> None:
    """Only the count differs, which no proof contains."""
    draw = make_draw(world, paper, 1).operation
    almost = replace(paper.state, draws=MAXIMUM_DRAWS - 1)
    verify(SUITE, ledger.check_draw(SUITE, world.parameters, almost, draw))
    assert ledger.drawn(world.parameters, almost, draw, bytes(32))[0].draws == MAXIMUM_DRAWS
    with pytest.raises(StateError):
        ledger.check_draw(SUITE, world.parameters, replace(paper.state, draws=MAXIMUM_DRAWS), draw)


def test_operations_name_their_document_and_draw(world: World, loan: tuple[Paper, Loan]) -> None:
    after, draw = loan
    other = make_register(world, 1000).committed(bytes(32))
    reduction, view = make_reduce(world, after, draw, 1).operation, make_view(world, after)
    parameters, state = world.parameters, draw.state
    elsewhere = replace(state, document=other.state.document)
    for document, of, named in ((after, state, bytes(32)), (other, state, state.draw), (after, elsewhere, state.draw)):
        with pytest.raises(StateError):
            ledger.check_reduce(SUITE, parameters, document.facts, of, replace(reduction, draw=named))
        with pytest.raises(StateError):
            ledger.check_close(SUITE, parameters, document.facts, of, Close(named, b""))
    with pytest.raises(StateError):
        ledger.check_view(SUITE, parameters, other.state, view)
    with pytest.raises(StateError):
        ledger.check_draw(SUITE, parameters, other.state, make_draw(world, after, 1).operation)


def test_words_outside_their_lists_are_refused(world: World, loan: tuple[Paper, Loan]) -> None:
    after, draw = loan
    reduction: Reduce = replace(make_reduce(world, after, draw, 1).operation, reason="forgotten")
    with pytest.raises(EncodingError):
        ledger.check_reduce(SUITE, world.parameters, after.facts, draw.state, reduction)
    with pytest.raises(EncodingError):
        ledger.check_view(SUITE, world.parameters, after.state, replace(make_view(world, after), reader="bank"))
    new = make_draw(world, after, 1).operation
    with pytest.raises(EncodingError):
        ledger.check_headroom(SUITE, world.parameters, after.state, new.draft, replace(new.headroom, prover="bank"))


@pytest.mark.parametrize("seconds", [-1, 1 << 48, 1 << 64])
def test_times_out_of_range_are_refused(world: World, paper: Paper, seconds: int) -> None:
    new = make_draw(world, paper, 1).operation
    with pytest.raises(EncodingError):
        ledger.check_draft(SUITE, world.parameters, paper.facts, replace(new.draft, expires=seconds))
    with pytest.raises(EncodingError):
        ledger.check_view(SUITE, world.parameters, paper.state, replace(make_view(world, paper), issued=seconds))


def test_the_prover_of_headroom_and_the_consent_go_together(world: World, paper: Paper) -> None:
    owner = make_draw(world, paper, 1).operation
    regulator = make_draw(world, paper, 1, consented=True).operation
    for operation, other in ((owner, REGULATOR), (regulator, OWNER)):
        verify(SUITE, ledger.check_draw(SUITE, world.parameters, paper.state, operation))
        changed = Draw(operation.draft, replace(operation.headroom, prover=other))
        with pytest.raises(StateError):
            ledger.check_draw(SUITE, world.parameters, paper.state, changed)


# --- what the state becomes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", REASONS)
def test_headroom_comes_back_where_the_kind_says_so(
    world: World, reservation: tuple[Paper, Loan], loan: tuple[Paper, Loan], reason: str
) -> None:
    after, draw = reservation if reason == RELEASED else loan
    new = make_reduce(world, after, draw, 200, reason)
    document, reduced = ledger.reduced(world.parameters, after.state, draw.state, new.operation, b"\2" * 32)
    opens(world, after, reduced.outstanding, 400)
    assert reduced.head != draw.state.head
    if reason in RESTORES:
        opens(world, after, document.residual, 600)
        assert document.head != after.state.head
    else:
        assert document == after.state  # a document whose headroom did not change has the head it had


def test_heads_depend_on_leaf_and_history(world: World, paper: Paper) -> None:
    new = make_draw(world, paper, 1).operation
    heads = set()
    for state in (paper.state, replace(paper.state, head=b"\7" * 32)):
        for leaf in (bytes(32), b"\1" * 32):
            document, draw = ledger.drawn(world.parameters, state, new, leaf)
            heads |= {document.head, draw.head}
    assert len(heads) == 4 + 2  # a draw's first head is its own: it does not tell the document's history


def test_both_readers_find_small_amounts_by_logarithm(world: World, loan: tuple[Paper, Loan]) -> None:
    after, _ = loan
    residual, table = after.state.residual, LogarithmTable(SUITE, 64)
    for secret, reader in ((after.secret, OWNER), (world.regulator, REGULATOR)):
        assert open_by_logarithm(SUITE, secret, residual.commitment, residual.handle(reader), 1000, table) == 400


# --- balances without a blinding ------------------------------------------------------------------------------------------


def test_blindings_that_cancel_are_refused(world: World) -> None:
    """Whoever knows the blindings of a balance could leave it without one: unencodable, and its amount in the open."""
    new = make_register(world, 1000)
    paper = new.committed(bytes(32))
    draft = make_draft(world, paper, Opening(400, new.limit.blinding), world.bank)
    with pytest.raises(IdentityError):
        make_headroom(world, paper, draft, Opening(400, new.limit.blinding))
    headroom = make_draw(world, paper, 400).operation.headroom
    with pytest.raises(IdentityError):
        ledger.check_draw(SUITE, world.parameters, paper.state, Draw(draft, headroom))
    with pytest.raises(IdentityError):
        ledger.drawn(world.parameters, paper.state, Draw(draft, headroom), bytes(32))


@pytest.mark.parametrize("amount", [200, 600])
def test_reductions_that_cancel_are_refused(world: World, reservation: tuple[Paper, Loan], amount: int) -> None:
    after, draw = reservation
    committed = Secret(amount, draw.outstanding.blinding).handled(SUITE, after.state.owner, world.parameters.regulator)
    operation = Reduce(draw.state.draw, committed, RELEASED, world.memos(), b"", b"")
    with pytest.raises(IdentityError):
        ledger.check_reduce(SUITE, world.parameters, after.facts, draw.state, operation)
    with pytest.raises(IdentityError):
        ledger.reduced(world.parameters, after.state, draw.state, operation, bytes(32))


def test_a_restored_residual_that_cancels_is_refused(world: World) -> None:
    """Here bank and owner together know the residual's blinding. The claims hold; the state they would lead to is refused."""
    new = make_register(world, 1000)
    drawn = make_draw(world, new.committed(bytes(32)), 600)
    paper, loan = drawn.committed(b"\1" * 32)
    residual = new.limit.minus(SUITE, drawn.opening)
    operation = dishonest.reduce(
        SUITE,
        world.parameters,
        paper.facts,
        loan.state,
        key=loan.key,
        outstanding=Secret(600, drawn.opening.blinding),
        amount=Secret(200, -residual.blinding),
        reason=RELEASED,
        memos=world.memos(),
        randomness=world.randomness,
    )
    verify(SUITE, ledger.check_reduce(SUITE, world.parameters, paper.facts, loan.state, operation))
    with pytest.raises(IdentityError):
        ledger.reduced(world.parameters, paper.state, loan.state, operation, bytes(32))
