"""The three state machines: every pair of a stage and an action leads where the tables say, or is refused and leaves nothing.

Must hold: what a table has is accepted with its proof and leads to the stage it names; what it has not raises StateError before
a proof is looked at; the rules that need no proof (times, applications, replacements, single use) hold on both sides of their
boundaries. A failure would be an end that something leads out of, a stage nobody reaches, and a proof that outlives the state
it was made for: a freeze, a decision, a move. The wording of a refusal is no matter.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import (
    KIND,
    NOW,
    Loan,
    NewDraw,
    Paper,
    World,
    expire,
    make_amend,
    make_apply,
    make_close,
    make_decide,
    make_disburse,
    make_draw,
    make_kind,
    make_moved_draw,
    make_overdrawn,
    make_reduce,
    make_register,
    make_status,
    make_world,
)
from zkcore import engine, ledger
from zkcore.context import ABSENT
from zkcore.errors import BatchRejected, EncodingError, KeyRejected, StateError, WitnessError
from zkcore.ledger import ApplicationState, DrawState, KindPolicy
from zkcore.ledger.state import (
    APPLICATION_STAGES,
    APPLIED,
    CLOSE,
    DECISIONS_AT,
    DISBURSE,
    DRAW_STAGES,
    ENDS,
    EXPIRE,
    MOVE,
    MOVED,
    RESERVED,
    STATUSES_AFTER,
    TRANSITIONS,
)
from zkcore.operations import (
    APPROVED,
    CLEARED,
    DECISIONS,
    DELETED,
    FROZEN,
    REASONS,
    REGULATOR,
    RELEASED,
    STATUSES,
    ChangeStatus,
    Draw,
    Reduce,
)
from zkcore.secret.keys import SigningSecret
from zkcore.verifying.batch import verify

SUITE = engine.load()
ACTIONS = (DISBURSE, *REASONS, CLOSE, EXPIRE, MOVE)
SINGLE = "freight-bill"
AFTER = b"\1" * 32
LATER = b"\2" * 32


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SUITE, b"state machines", [make_kind(), make_kind(SINGLE, use="single")])


@pytest.fixture(scope="module")
def paper(world: World) -> Paper:
    return make_register(world, 1000).committed()


@pytest.fixture(scope="module")
def replacement(world: World) -> Paper:
    return make_register(world, 1000).committed()


@pytest.fixture(scope="module")
def reservation(world: World, paper: Paper) -> tuple[Paper, Loan]:
    return make_draw(world, paper, 600).committed()


# --- the tables themselves ------------------------------------------------------------------------------------------------


def test_the_tables_are_closed() -> None:
    """Every stage named is a stage; ends have no way out, all else has one; everything is reached."""
    assert set(TRANSITIONS) == set(DRAW_STAGES) - ENDS
    led_to = {after for actions in TRANSITIONS.values() for after in actions.values()}
    assert led_to | {RESERVED} == set(DRAW_STAGES)
    assert {action for actions in TRANSITIONS.values() for action in actions} == set(ACTIONS)
    assert set(STATUSES_AFTER) == set(STATUSES)
    assert set().union(*STATUSES_AFTER.values()) == set(STATUSES)
    assert set(DECISIONS_AT) <= set(APPLICATION_STAGES)
    assert set().union(*DECISIONS_AT.values()) == set(DECISIONS)


def test_only_a_reservation_gives_back_and_only_what_is_paid_out_is_repaid() -> None:
    """What a table that is wrong would break: headroom back for money that is out, or a repayment of none."""
    for stage, actions in TRANSITIONS.items():
        assert (stage == RESERVED) == (RELEASED in actions) == (EXPIRE in actions) == (DISBURSE in actions)
        assert (stage != RESERVED) == bool(set(actions) & (set(REASONS) - {RELEASED}))
        assert actions[MOVE] == MOVED


# --- draws ----------------------------------------------------------------------------------------------------------------


def attempt(world: World, paper: Paper, loan: Loan, action: str, to: Paper) -> DrawState:
    """Prove and check an action on this draw, and say what it becomes. Raises what refuses it."""
    parameters, draw = world.parameters, loan.state
    if action == DISBURSE:
        paid = make_disburse(world, paper, loan)
        verify(SUITE, ledger.check_disburse(SUITE, parameters, paper.facts, draw, paid.operation))
        return ledger.disbursed(paper.state, draw, paid.operation, LATER)[1]
    if action in REASONS:
        new = make_reduce(world, paper, loan, 100, action)
        verify(SUITE, ledger.check_reduce(SUITE, parameters, paper.facts, draw, new.operation))
        return ledger.reduced(parameters, paper.state, draw, new.operation, LATER)[1]
    if action == CLOSE:
        empty = replace(loan, outstanding=replace(loan.outstanding, amount=0))
        residue = loan.state.outstanding.commitment - SUITE.group.mul(loan.outstanding.amount, SUITE.G)
        draw = replace(draw, outstanding=replace(draw.outstanding, commitment=residue))
        closure = make_close(world, paper, replace(empty, state=draw))
        verify(SUITE, ledger.check_close(SUITE, parameters, paper.facts, draw, closure))
        return ledger.closed(parameters, paper.state, draw, LATER)[1]
    if action == EXPIRE:
        ledger.check_expire(draw, draw.expires + 1)
        return ledger.expired(paper.state, draw, LATER)[1]
    moved = make_moved_draw(world, to, loan)
    verify(SUITE, ledger.check_draw(SUITE, parameters, to.state, moved.operation, moved=draw))
    taken = ledger.drawn(parameters, to.state, moved.operation, LATER, draw)[1]
    assert (taken.stage, taken.key) == (draw.stage, draw.key)
    return ledger.moved_away(draw, LATER)


@pytest.mark.parametrize("stage", DRAW_STAGES)
@pytest.mark.parametrize("action", ACTIONS)
def test_every_stage_and_action(
    world: World, reservation: tuple[Paper, Loan], replacement: Paper, stage: str, action: str
) -> None:
    paper, loan = reservation
    loan = replace(loan, state=replace(loan.state, stage=stage))
    expected = TRANSITIONS.get(stage, {}).get(action)
    if expected is None:
        with pytest.raises(StateError):
            attempt(world, paper, loan, action, replacement)
        return
    after = attempt(world, paper, loan, action, replacement)
    assert after.stage == expected
    assert after.head != loan.state.head
    assert after.closed == (expected in ENDS)


@pytest.mark.parametrize("stage", sorted(set(DRAW_STAGES) - {RESERVED}))
def test_states_do_not_come_about_from_a_wrong_stage(world: World, reservation: tuple[Paper, Loan], stage: str) -> None:
    """Also without the check before: the functions that make the new state refuse what the table does not have."""
    paper, loan = reservation
    draw = replace(loan.state, stage=stage)
    with pytest.raises(StateError):
        ledger.disbursed(paper.state, draw, make_disburse(world, paper, loan).operation, LATER)
    with pytest.raises(StateError):
        ledger.expired(paper.state, draw, LATER)
    released: Reduce = make_reduce(world, paper, loan, 100, RELEASED).operation
    with pytest.raises(StateError):
        ledger.reduced(world.parameters, paper.state, draw, released, LATER)
    if stage in ENDS:
        with pytest.raises(StateError):
            ledger.closed(world.parameters, paper.state, draw, LATER)
        with pytest.raises(StateError):
            ledger.moved_away(draw, LATER)


def test_a_reservation_lasts_to_the_second(world: World, reservation: tuple[Paper, Loan]) -> None:
    """Disbursed or expired: at every second exactly one of the two is possible."""
    draw = reservation[1].state
    for at in (draw.expires - 1, draw.expires):
        ledger.check_disburse_time(draw, at)
        with pytest.raises(StateError):
            ledger.check_expire(draw, at)
    for at in (draw.expires + 1, draw.expires + 10**6):
        ledger.check_expire(draw, at)
        with pytest.raises(StateError):
            ledger.check_disburse_time(draw, at)


def test_a_draft_expires_within_its_kinds_reservation(world: World, paper: Paper) -> None:
    draft = make_draw(world, paper, 1).operation.draft
    longest = world.parameters.kinds[KIND].reservation
    for at in (draft.expires, draft.expires - longest):
        ledger.check_draw_time(world.parameters, paper.state, draft, at)
    for at in (draft.expires + 1, draft.expires - longest - 1):
        with pytest.raises(StateError):
            ledger.check_draw_time(world.parameters, paper.state, draft, at)


def test_nothing_is_disbursed_that_leaves_nothing(world: World, reservation: tuple[Paper, Loan]) -> None:
    paper, loan = reservation
    for rest in (600, 601):
        with pytest.raises(WitnessError):
            make_disburse(world, paper, loan, rest)
    least = make_disburse(world, paper, loan, 599)
    verify(SUITE, ledger.check_disburse(SUITE, world.parameters, paper.facts, loan.state, least.operation))
    after, paid = least.committed(paper, loan)
    assert (after.headroom, paid.outstanding.amount) == (999, 1)


def test_a_range_proof_of_nothing_is_refused(world: World, reservation: tuple[Paper, Loan]) -> None:
    paper, loan = reservation
    operation = replace(make_disburse(world, paper, loan).operation, range_proof=b"\1")
    with pytest.raises(EncodingError):
        ledger.check_disburse(SUITE, world.parameters, paper.facts, loan.state, operation)


def test_an_expired_reservation_gives_all_back(world: World, reservation: tuple[Paper, Loan]) -> None:
    """Also after a part was released, and whatever became of the document."""
    paper, loan = reservation
    part = make_reduce(world, paper, loan, 100, RELEASED)
    for before, of in ((paper, loan), part.committed(world, paper, loan)):
        for status in STATUSES:
            after, _ = expire(replace(before, state=replace(before.state, status=status)), of)
            assert after.headroom == 1000
            check_headroom(world, after)


def check_headroom(world: World, paper: Paper) -> None:
    """The residual opens to the headroom that the owner believes in: a draw of all of it can be proven, or none."""
    group, residual = SUITE.group, paper.state.residual
    assert residual.commitment - group.mul(paper.secret.scalar, residual.owner) == group.mul(paper.headroom, SUITE.G)
    assert residual.commitment - group.mul(world.regulator.scalar, residual.regulator) == group.mul(paper.headroom, SUITE.G)


# --- documents of single use ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def single(world: World) -> tuple[Paper, Loan]:
    return make_draw(world, make_register(world, 1000, kind=SINGLE).committed(), 600).committed()


def take_again(world: World, paper: Paper) -> None:
    """A second draw, proven as it should be. Raises StateError when the document is in use."""
    verify(SUITE, ledger.check_draw(SUITE, world.parameters, paper.state, make_draw(world, paper, 1).operation))


def test_a_document_of_single_use_is_taken_once(world: World, single: tuple[Paper, Loan]) -> None:
    paper, loan = single
    assert paper.state.taken
    with pytest.raises(StateError):
        take_again(world, paper)
    paid, owed = make_disburse(world, paper, loan, 100).committed(paper, loan)
    repaid, settled = make_reduce(world, paid, owed, 500).committed(world, paid, owed)
    document, draw = ledger.closed(world.parameters, repaid.state, settled.state, LATER)
    assert (document.taken, draw.stage) == (True, "settled")
    for used in (paid, repaid, replace(repaid, state=document)):
        with pytest.raises(StateError):
            take_again(world, used)


def test_a_document_of_single_use_is_free_after_release_or_expiry(world: World, single: tuple[Paper, Loan]) -> None:
    paper, loan = single
    freed, _ = expire(paper, loan)
    take_again(world, freed)
    part, smaller = make_reduce(world, paper, loan, 500, RELEASED).committed(world, paper, loan)
    with pytest.raises(StateError):
        take_again(world, part)
    whole, empty = make_reduce(world, part, smaller, 100, RELEASED).committed(world, part, smaller, LATER)
    with pytest.raises(StateError):  # until it is closed, it could be disbursed
        take_again(world, whole)
    closure = make_close(world, whole, empty)
    verify(SUITE, ledger.check_close(SUITE, world.parameters, whole.facts, empty.state, closure))
    document, draw = ledger.closed(world.parameters, whole.state, empty.state, LATER)
    assert (document.taken, draw.stage) == (False, "released")
    assert document.head != whole.state.head
    take_again(world, replace(whole, state=document))


# --- documents ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_every_status_and_the_next(world: World, paper: Paper, before: str, after: str) -> None:
    paper = replace(paper, state=replace(paper.state, status=before))
    operation = make_status(world, paper, after)
    if after not in STATUSES_AFTER[before]:
        with pytest.raises(StateError):
            ledger.check_status(SUITE, world.parameters, paper.state, operation)
        return
    verify(SUITE, ledger.check_status(SUITE, world.parameters, paper.state, operation))
    changed = ledger.status_changed(paper.state, operation, AFTER)
    assert (changed.status, changed.residual, changed.draws) == (after, paper.state.residual, paper.state.draws)
    assert changed.head != paper.state.head
    assert changed.revision != paper.state.revision


@pytest.mark.parametrize("status", STATUSES)
def test_only_a_cleared_document_is_drawn_on(world: World, paper: Paper, status: str) -> None:
    operation = make_draw(world, paper, 1).operation
    state = replace(paper.state, status=status)
    if status == CLEARED:
        verify(SUITE, ledger.check_draw(SUITE, world.parameters, state, operation))
        return
    with pytest.raises(StateError):
        ledger.check_draw(SUITE, world.parameters, state, operation)


def thaw(world: World, paper: Paper) -> tuple[ChangeStatus, Paper]:
    """Frozen and cleared again; and the freeze."""
    freeze = make_status(world, paper, FROZEN)
    frozen = replace(paper, state=ledger.status_changed(paper.state, freeze, AFTER))
    clear = make_status(world, frozen, CLEARED)
    return freeze, replace(paper, state=ledger.status_changed(frozen.state, clear, LATER))


def test_a_headroom_proof_does_not_outlive_a_freeze(world: World, paper: Paper) -> None:
    """Made before the freeze, used when the document is cleared again: nothing but the head has changed."""
    operation = make_draw(world, paper, 600).operation
    _, again = thaw(world, paper)
    assert (again.state.status, again.state.residual) == (paper.state.status, paper.state.residual)
    with pytest.raises(BatchRejected) as rejected:
        verify(SUITE, ledger.check_draw(SUITE, world.parameters, again.state, operation))
    assert {label for label, _ in rejected.value.failures} == {"draw.headroom", "draw.range"}
    weakened = replace(again.state, head=paper.state.head)  # a status that moves no head would let it through
    verify(SUITE, ledger.check_draw(SUITE, world.parameters, weakened, operation))


def test_an_attesters_word_is_taken_once(world: World, paper: Paper) -> None:
    """A freeze, recorded and replayed after the document was cleared again."""
    freeze, again = thaw(world, paper)
    with pytest.raises(BatchRejected):
        verify(SUITE, ledger.check_status(SUITE, world.parameters, again.state, freeze))
    weakened = replace(again.state, revision=paper.state.revision)  # without the revision it would freeze a second time
    verify(SUITE, ledger.check_status(SUITE, world.parameters, weakened, freeze))


def test_an_attesters_words_hold_whatever_banks_did_between(world: World, paper: Paper) -> None:
    """And in no other order than they were said: of two that were said of one revision, one is taken."""
    freeze, lower = make_status(world, paper, FROZEN), make_amend(world, paper, 1000, 500)
    drawn, _ = make_draw(world, paper, 600).committed()
    verify(SUITE, ledger.check_status(SUITE, world.parameters, drawn.state, freeze))
    verify(SUITE, ledger.check_amend(SUITE, world.parameters, drawn.state, lower.operation))
    lowered = lower.committed(drawn)
    assert lowered.headroom == -100
    with pytest.raises(BatchRejected):
        verify(SUITE, ledger.check_status(SUITE, world.parameters, lowered.state, freeze))
    frozen = ledger.status_changed(drawn.state, freeze, LATER)
    with pytest.raises(BatchRejected):
        verify(SUITE, ledger.check_amend(SUITE, world.parameters, frozen, lower.operation))


def test_an_attester_of_another_role_changes_nothing(world: World, paper: Paper) -> None:
    freeze, lower = make_status(world, paper, FROZEN), make_amend(world, paper, 1000, 500)
    taxman = replace(world.parameters, attesters={freeze.attester: "tax"})
    nobody = replace(world.parameters, attesters={})
    for parameters in (taxman, nobody):
        with pytest.raises(KeyRejected):
            ledger.check_status(SUITE, parameters, paper.state, freeze)
        with pytest.raises(KeyRejected):
            ledger.check_amend(SUITE, parameters, paper.state, lower.operation)
        with pytest.raises(KeyRejected):
            ledger.check_register(SUITE, parameters, make_register(world, 5).operation)
        with pytest.raises(KeyRejected):
            ledger.check_attester(parameters, KIND, freeze.attester)
    ledger.check_attester(world.parameters, KIND, freeze.attester)
    with pytest.raises(StateError):
        ledger.check_attester(world.parameters, "tax-filing", freeze.attester)


def test_words_outside_their_lists_are_refused(world: World, paper: Paper) -> None:
    with pytest.raises(EncodingError):
        ledger.check_status(SUITE, world.parameters, paper.state, make_status(world, paper, "lost"))
    with pytest.raises(EncodingError):
        ledger.check_amend(SUITE, world.parameters, paper.state, make_amend(world, paper, 1000, 5, "lost").operation)
    new = make_apply(world, paper)
    decision = make_decide(world, paper, new.committed(), new.key, "forgotten")
    with pytest.raises(EncodingError):
        ledger.check_decide(SUITE, world.parameters, paper.facts, new.committed(), decision)


def test_overdrawn_is_known_for_as_long_as_nothing_changes(world: World, reservation: tuple[Paper, Loan]) -> None:
    paper, loan = reservation
    lowered = make_amend(world, paper, 1000, 500).committed(paper)
    with pytest.raises(WitnessError):
        make_draw(world, lowered, 1)
    proof = make_overdrawn(world, lowered)
    verify(SUITE, ledger.check_overdrawn(SUITE, world.parameters, lowered.state, proof))
    shown = replace(lowered, state=ledger.shown_overdrawn(lowered.state))
    assert shown.state.is_overdrawn
    assert not shown.state.financeable
    raised = make_amend(world, shown, 500, 600).committed(shown, LATER)
    assert raised.headroom == 0
    assert raised.state.financeable
    with pytest.raises(WitnessError):
        make_overdrawn(world, raised)
    freed, _ = expire(shown, loan, LATER)
    assert freed.headroom == 500
    assert freed.state.financeable
    take_again(world, freed)


# --- applications ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", APPLICATION_STAGES)
@pytest.mark.parametrize("decision", DECISIONS)
def test_every_stage_and_decision(world: World, paper: Paper, stage: str, decision: str) -> None:
    new = make_apply(world, paper)
    application = replace(new.committed(), stage=stage)
    operation = make_decide(world, paper, application, new.key, decision)
    if decision not in DECISIONS_AT.get(stage, frozenset()):
        with pytest.raises(StateError):
            ledger.check_decide(SUITE, world.parameters, paper.facts, application, operation)
        return
    verify(SUITE, ledger.check_decide(SUITE, world.parameters, paper.facts, application, operation))
    after = ledger.decided(application, operation, AFTER)
    assert (after.stage, after.head != application.head) == (decision, True)


def test_an_application_reaches_the_log_in_time(world: World, paper: Paper) -> None:
    operation = make_apply(world, paper, expires=NOW).operation
    ledger.check_apply_time(operation, NOW)
    with pytest.raises(StateError):
        ledger.check_apply_time(operation, NOW + 1)


def approved(draw: Draw, application: ApplicationState) -> ApplicationState:
    """This application, as if it were for this draw and approved."""
    return replace(
        application,
        draw=draw.draft.draw,
        document=draw.draft.document,
        key=draw.draft.key,
        stage=APPROVED,
        expires=draw.draft.expires,
    )


def test_a_draw_follows_its_own_approved_application(world: World, paper: Paper) -> None:
    draw = make_draw(world, paper, 1).operation
    good = approved(draw, make_apply(world, paper).committed())
    ledger.check_application(world.parameters, paper.state, draw.draft, good)
    for changed in (
        *(replace(good, stage=stage) for stage in APPLICATION_STAGES if stage != APPROVED),
        replace(good, draw=bytes(32)),
        replace(good, document=bytes(32)),
        replace(good, key=world.parameters.regulator),
        replace(good, expires=draw.draft.expires - 1),
    ):
        with pytest.raises(StateError):
            ledger.check_application(world.parameters, paper.state, draw.draft, changed)
    assert ledger.reserved(good, AFTER).stage == RESERVED
    assert good.stage != APPLIED


def test_a_kind_can_demand_applications(world: World, reservation: tuple[Paper, Loan], replacement: Paper) -> None:
    paper, loan = reservation
    policy: KindPolicy = replace(world.parameters.kinds[KIND], applied_for=True)
    parameters = replace(world.parameters, kinds={KIND: policy})
    draft = make_draw(world, paper, 1).operation.draft
    ledger.check_application(world.parameters, paper.state, draft, None)
    with pytest.raises(StateError):
        ledger.check_application(parameters, paper.state, draft, None)
    moved = make_moved_draw(world, replacement, loan).operation.draft  # it was applied for when it was first drawn
    ledger.check_application(parameters, replacement.state, moved, None)


# --- draws that move ------------------------------------------------------------------------------------------------------


def replaced_by(world: World, paper: Paper, replacement: Paper) -> Paper:
    delete = make_status(world, paper, DELETED, replacement.state.document)
    verify(SUITE, ledger.check_status(SUITE, world.parameters, paper.state, delete))
    return replace(paper, state=ledger.status_changed(paper.state, delete, AFTER))


def test_a_draw_moves_to_what_replaces_its_document(world: World, reservation: tuple[Paper, Loan], replacement: Paper) -> None:
    paper, loan = reservation
    gone = replaced_by(world, paper, replacement)
    ledger.check_replaced(replacement.state, gone.state, loan.state)
    other = make_register(world, 1000).committed()
    for document, before, draw in (
        (other.state, gone.state, loan.state),
        (replacement.state, paper.state, loan.state),
        (replacement.state, replace(gone.state, replacement=ABSENT), loan.state),
        (replacement.state, gone.state, replace(loan.state, document=other.state.document)),
        (replace(replacement.state, kind=SINGLE), gone.state, loan.state),
        (replace(replacement.state, counter="payment"), gone.state, loan.state),
        (replace(replacement.state, currency="EUR"), gone.state, loan.state),
    ):
        with pytest.raises(StateError):
            ledger.check_replaced(document, before, draw)


def test_a_draw_moves_once(world: World, reservation: tuple[Paper, Loan], replacement: Paper) -> None:
    _, loan = reservation
    moved: NewDraw = make_moved_draw(world, replacement, loan)
    after, there = moved.committed(LATER)
    gone = ledger.moved_away(loan.state, LATER)
    assert (after.headroom, there.state.stage, gone.stage) == (400, RESERVED, MOVED)
    check_headroom(world, after)
    with pytest.raises(StateError):
        ledger.check_draw(SUITE, world.parameters, replacement.state, moved.operation, moved=gone)
    with pytest.raises(StateError):
        make_moved_draw(world, replacement, replace(loan, state=gone))


def test_a_moved_reservation_does_not_last_longer(world: World, reservation: tuple[Paper, Loan], replacement: Paper) -> None:
    """What is disbursed has no expiry any more."""
    _, loan = reservation
    shorter = replace(loan.state, expires=loan.state.expires - 1)
    operation = make_moved_draw(world, replacement, loan).operation
    with pytest.raises(StateError):
        ledger.check_draw(SUITE, world.parameters, replacement.state, operation, moved=shorter)
    paid = replace(shorter, stage="disbursed")
    verify(SUITE, ledger.check_draw(SUITE, world.parameters, replacement.state, operation, moved=paid))


def test_the_regulator_moves_without_a_consent_and_a_consent_is_refused(
    world: World, reservation: tuple[Paper, Loan], replacement: Paper
) -> None:
    _, loan = reservation
    operation = make_moved_draw(world, replacement, loan).operation
    consent = make_draw(world, replacement, 600, consented=True).operation.draft.consent
    both = Draw(replace(operation.draft, consent=consent), operation.headroom)
    with pytest.raises(StateError):
        ledger.check_draw(SUITE, world.parameters, replacement.state, both, moved=loan.state)
    named = Draw(operation.draft, replace(operation.headroom, prover=REGULATOR))
    with pytest.raises(BatchRejected):  # it is taken for the regulator's, whose key did not make it
        verify(SUITE, ledger.check_draw(SUITE, world.parameters, replacement.state, named, moved=loan.state))


def test_a_move_is_by_the_draws_own_key(world: World, reservation: tuple[Paper, Loan], replacement: Paper) -> None:
    _, loan = reservation
    thief = SigningSecret(4711)
    with pytest.raises(StateError):
        make_moved_draw(world, replacement, replace(loan, key=thief))
    operation = make_moved_draw(world, replacement, loan).operation
    renamed = replace(loan.state, key=thief.public(SUITE))
    with pytest.raises(StateError):
        ledger.check_draw(SUITE, world.parameters, replacement.state, operation, moved=renamed)


def test_overdrawn_is_shown_once_at_a_head(world: World, reservation: tuple[Paper, Loan]) -> None:
    """Two proofs at one head, both right: whoever writes conditionally on the head takes one, and a replay only that."""
    paper, _ = reservation
    lowered = make_amend(world, paper, 1000, 500).committed(paper)
    first, second = make_overdrawn(world, lowered), make_overdrawn(world, lowered)
    for proof in (first, second):
        verify(SUITE, ledger.check_overdrawn(SUITE, world.parameters, lowered.state, proof))
    shown = ledger.shown_overdrawn(lowered.state)
    assert shown.head != lowered.state.head
    assert shown.is_overdrawn
    for proof in (first, second):
        with pytest.raises(StateError):
            ledger.check_overdrawn(SUITE, world.parameters, shown, proof)
