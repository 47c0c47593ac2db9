"""Documents through their life: registered before they are cleared, frozen, amended, overdrawn, deleted and replaced.

Must hold: only a cleared document is drawn on, and a proof made before a change is worth nothing after it; draws survive every
change; a document below what is drawn on it is never drawn on, and banks learn of it at most one flag. A failure would be a
draw on a document that its attester has not cleared, or one that is lost or doubled when its document is replaced.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import problems
from schemas.answers import DocumentReceipt, DocumentStatus, FinancingAnswer, RegistrationAnswer, StepsAnswer
from schemas.wire import encode_base64url
from tests.builders import (
    Loan,
    NewDraw,
    Paper,
    World,
    make_amend,
    make_close,
    make_disburse,
    make_draw,
    make_moved_draw,
    make_overdraw,
    make_overdrawn,
    make_reduce,
    make_register,
    make_status,
    opens_to,
)
from tests.service.harness import Desk, accepted, refused, unchanged
from zkcore import ledger
from zkcore.ledger.state import DISBURSED, MOVED
from zkcore.operations import CLEARED, DECLARED, DELETED, FROZEN, RETURNED
from zkcore.secret.keys import SigningSecret


def status_of(desk: Desk, paper: Paper) -> DocumentStatus:
    response = desk.get(f"/v1/documents/{encode_base64url(paper.state.document)}")
    assert response.status_code == 200, response.text
    return DocumentStatus.model_validate(response.json())


def residual_opens_to(desk: Desk, paper: Paper, amount: int) -> bool:
    state = desk.verifier.storage.documents([paper.state.document])[paper.state.document]
    assert state == paper.state
    return opens_to(desk.world, state.residual, amount % desk.world.suite.group.order)


@pytest.fixture
def declared(desk: Desk, world: World) -> Paper:
    """A document over 500 that is declared and not yet cleared."""
    document = make_register(world, 500, status=DECLARED)
    return document.committed(accepted(desk.send_documents([document]), RegistrationAnswer).receipts[0].leaf)


def beyond(world: World, paper: Paper) -> NewDraw:
    """A draw of one minor unit on an overdrawn document, proven for the same document with a higher limit."""
    richer = make_amend(world, paper, 700, 1_000).committed(paper)
    return replace(make_draw(world, richer, 1), paper=paper)


def overdrawn(desk: Desk) -> tuple[Paper, Loan]:
    """A document over 1,000 of which 800 are drawn, amended to 700."""
    paper, loan = desk.lend(desk.register(1_000)[0], 800)
    return desk.amend(paper, 1_000, 700), loan


def test_only_a_cleared_document_is_drawn_on(desk: Desk, world: World, declared: Paper) -> None:
    assert not status_of(desk, declared).financeable
    draw = make_draw(world, declared, 5)
    with unchanged(desk):
        problem = refused(desk.send_draws([draw]), problems.DOCUMENT_NOT_FINANCEABLE)
    assert [line.line for line in problem.lines] == [0]
    cleared = desk.change(declared, CLEARED)
    assert status_of(desk, cleared).financeable
    with unchanged(desk):  # its proof is for the head before
        refused(desk.send_draws([draw]), problems.HEADROOM_NOT_PROVEN)
    desk.draw(cleared, 500)


@pytest.mark.parametrize("status", [FROZEN, RETURNED, DELETED])
def test_a_proof_made_before_is_worth_nothing_after(desk: Desk, world: World, status: str) -> None:
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 5)
    changed = desk.change(paper, status)
    for attempt in (draw, make_draw(world, changed, 5)):
        with unchanged(desk):
            refused(desk.send_draws([attempt]), problems.DOCUMENT_NOT_FINANCEABLE)


def test_a_frozen_document_thaws(desk: Desk, world: World) -> None:
    """Draws go on while it is frozen: what is lent can be repaid."""
    paper, loan = desk.lend(desk.register(500)[0], 100)
    paper = desk.change(paper, FROZEN)
    paper, loan = desk.reduce(make_reduce(world, paper, loan, 100), paper, loan)
    paper = desk.change(paper, CLEARED)
    desk.draw(paper, 500)


@pytest.mark.parametrize("before, after", [(CLEARED, DECLARED), (DELETED, CLEARED), (RETURNED, CLEARED), (DELETED, FROZEN)])
def test_a_status_that_does_not_follow(desk: Desk, world: World, before: str, after: str) -> None:
    paper = desk.register(500)[0]
    if before != CLEARED:
        paper = desk.change(paper, before)
    with unchanged(desk):
        refused(desk.send_status(make_status(world, paper, after)), problems.CHANGE_REFUSED)


def test_who_is_no_attester_changes_nothing(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    stranger = replace(world, attester=SigningSecret.generate(world.suite, world.randomness))
    with unchanged(desk):
        refused(desk.send_status(make_status(stranger, paper, FROZEN)), problems.CHANGE_REFUSED)
        refused(desk.send_amendment(make_amend(stranger, paper, 500, 400).operation), problems.CHANGE_REFUSED)
        stolen = replace(make_status(stranger, paper, FROZEN), attester=world.attester.public(world.suite))
        refused(desk.send_status(stolen), problems.PROOF_INVALID)


def test_a_change_is_for_one_revision(desk: Desk, world: World) -> None:
    """What the attester said before cannot be said again later; draws in between do not disturb it."""
    paper = desk.register(500)[0]
    freeze, amendment = make_status(world, paper, FROZEN), make_amend(world, paper, 500, 400)
    drawn, _ = desk.draw(paper, 10)
    receipt = accepted(desk.send_status(freeze), DocumentReceipt)
    frozen = replace(drawn, state=ledger.status_changed(drawn.state, freeze, receipt.receipt.leaf))
    assert receipt.revision == frozen.state.revision == status_of(desk, frozen).revision
    thawed = desk.change(frozen, CLEARED)
    with unchanged(desk):
        refused(desk.send_status(freeze), problems.PROOF_INVALID)
        refused(desk.send_amendment(amendment.operation), problems.PROOF_INVALID)
    desk.draw(thawed, 490)


def test_an_amendment_up_gives_headroom(desk: Desk) -> None:
    paper, _ = desk.draw(desk.register(500)[0], 500)
    paper = desk.amend(paper, 500, 600)
    assert residual_opens_to(desk, paper, 100)
    desk.draw(paper, 100)


def test_an_amendment_down_leaves_what_is_left(desk: Desk, world: World) -> None:
    paper, _ = desk.draw(desk.register(500)[0], 300)
    paper = desk.amend(paper, 500, 400)
    with unchanged(desk):
        refused(desk.send_draws([make_overdraw(world, paper, 101)]), problems.HEADROOM_NOT_PROVEN)
    desk.draw(paper, 100)


def test_nothing_is_drawn_on_an_overdrawn_document(desk: Desk, world: World) -> None:
    """Whether anybody has shown it or not; and its status says so once the regulator has."""
    paper, loan = overdrawn(desk)
    assert residual_opens_to(desk, paper, -100)
    assert status_of(desk, paper).financeable
    with unchanged(desk):
        refused(desk.send_draws([beyond(world, paper)]), problems.HEADROOM_NOT_PROVEN)
    accepted(desk.send_overdrawn(make_overdrawn(world, paper)), DocumentReceipt)
    paper = replace(paper, state=ledger.shown_overdrawn(paper.state))
    status = status_of(desk, paper)
    assert (status.overdrawn, status.financeable) == (True, False)
    with unchanged(desk):
        refused(desk.send_draws([beyond(world, paper)]), problems.DOCUMENT_NOT_FINANCEABLE)
        refused(desk.send_overdrawn(make_overdrawn(world, paper)), problems.ALREADY_EXISTS)
    paper, _ = desk.reduce(make_reduce(world, paper, loan, 150), paper, loan)
    assert status_of(desk, paper).financeable
    desk.draw(paper, 50)


def test_a_document_that_is_not_overdrawn_is_not_shown_to_be(desk: Desk, world: World) -> None:
    """A proof for the state before an amendment up, and one over a residual of the prover's own."""
    paper, _ = overdrawn(desk)
    proof = make_overdrawn(world, paper)
    paper = desk.amend(paper, 700, 900)
    other = make_register(world, 500).committed()
    lent = world.opening(600)
    pretended = replace(other, headroom=-100)
    with pytest.raises(Exception, match="does not match"):
        make_overdrawn(world, pretended)
    assert lent.amount == 600
    with unchanged(desk):
        refused(desk.send_overdrawn(proof), problems.PROOF_INVALID)


def test_a_draw_moves_once_to_the_replacement(desk: Desk, world: World) -> None:
    old, new = desk.register(1_000, 900)
    old, loan = desk.lend(old, 600)
    old = desk.change(old, DELETED, new.state.document)
    assert status_of(desk, old).replacement == new.state.document
    draw = make_moved_draw(world, new, loan)
    receipt = accepted(desk.send_draws([draw]), FinancingAnswer).draws[0].receipt
    after, moved = draw.committed(receipt.leaf)
    assert residual_opens_to(desk, after, 300)
    states = desk.verifier.storage.draws([loan.state.draw, moved.state.draw])
    assert states[loan.state.draw].stage == MOVED
    assert states[moved.state.draw] == moved.state
    assert moved.state.stage == DISBURSED
    again = replace(draw, operation=replace(draw.operation, draft=replace(draw.operation.draft, draw=world.identifier())))
    with unchanged(desk):
        refused(desk.send_draws([again]), problems.MOVE_REFUSED)
        refused(desk.send_reduction(make_reduce(world, old, loan, 5)), problems.WRONG_STAGE)
    after, moved = desk.reduce(make_reduce(world, after, moved, 600), after, moved)
    accepted(desk.send_close(make_close(world, after, moved)), StepsAnswer)


def test_a_draw_moves_nowhere_else(desk: Desk, world: World) -> None:
    """Not while its document stands, not to another one, not under another key, not with another amount."""
    old, new, other = desk.register(1_000, 900, 900)
    old, loan = desk.lend(old, 600)
    with unchanged(desk):
        refused(desk.send_draws([make_moved_draw(world, new, loan)]), problems.MOVE_REFUSED)
    old = desk.change(old, DELETED, new.state.document)
    stranger = replace(loan, key=SigningSecret.generate(world.suite, world.randomness))
    plain = make_draw(world, new, 500, key=loan.key)
    less = replace(plain, operation=replace(plain.operation, draft=replace(plain.operation.draft, moves=loan.state.draw)))
    nowhere = replace(plain, operation=replace(plain.operation, draft=replace(plain.operation.draft, moves=world.identifier())))
    with unchanged(desk):
        refused(desk.send_draws([make_moved_draw(world, other, loan)]), problems.MOVE_REFUSED)
        refused(desk.send_draws([less]), problems.PROOF_INVALID)
        refused(desk.send_draws([nowhere]), problems.DRAW_UNKNOWN)
        with pytest.raises(Exception, match="own key"):
            make_moved_draw(world, new, stranger)


def test_a_replacement_covers_what_moves(desk: Desk, world: World) -> None:
    """No more is moved than the replacement is worth."""
    old, new = desk.register(1_000, 500)
    old, loan = desk.lend(old, 600)
    desk.change(old, DELETED, new.state.document)
    with pytest.raises(Exception, match="does not cover"):
        make_moved_draw(world, new, loan)


def test_an_amendment_and_a_disbursement_of_one_document(desk: Desk, world: World) -> None:
    """A step is proven for its draw's head, so it goes in after the document was amended; a draw does not."""
    paper, loan = desk.draw(desk.register(500)[0], 100)
    disbursement, draw = make_disburse(world, paper, loan, 40), make_draw(world, paper, 10)
    paper = desk.amend(paper, 500, 450)
    accepted(desk.send_steps(disbursement.operation), StepsAnswer)
    with unchanged(desk):
        refused(desk.send_draws([draw]), problems.HEADROOM_NOT_PROVEN)
