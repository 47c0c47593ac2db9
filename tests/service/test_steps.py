"""A financing from application to its end, step by step, and reservations that free themselves.

Must hold: every step fits the stage that the draw or application has, under its own key, and a request over several documents
is whole; the headroom that comes back is exactly what the stage and the reason give back. A failure would be headroom that
comes back twice or for money that was paid out, a draw that follows from no approval where its kind demands one, a step of
half a financing.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from schemas import problems
from schemas.answers import FinancingAnswer, StepsAnswer
from service.expiry import free_expired
from tests.builders import (
    DRAFT_LIFE,
    NOW,
    Loan,
    NewApplication,
    NewDraw,
    Paper,
    World,
    expire,
    make_apply,
    make_close,
    make_decide,
    make_disburse,
    make_draw,
    make_kind,
    make_overdraw,
    make_reduce,
    make_world,
    opens_to,
)
from tests.service.harness import Desk, accepted, make_desk, refused, unchanged
from tlog.leaf import leaf_hash
from zkcore import engine, ledger
from zkcore.ledger import ApplicationState
from zkcore.ledger.state import EXPIRED, RESERVED
from zkcore.operations import ACCEPTED, APPROVED, REJECTED, RELEASED, REPAID_OWN_FUNDS, REPAID_PROCEEDS, WRITTEN_OFF
from zkcore.secret.keys import SigningSecret


def apply(desk: Desk, paper: Paper) -> tuple[NewApplication, ApplicationState]:
    application = make_apply(desk.world, paper)
    answer = accepted(desk.send_steps(application.operation), StepsAnswer)
    state = application.committed(answer.steps[0].receipt.leaf)
    assert answer.steps[0].head == state.head
    return application, state


def decide(desk: Desk, paper: Paper, application: NewApplication, state: ApplicationState, decision: str) -> ApplicationState:
    operation = make_decide(desk.world, paper, state, application.key, decision)
    answer = accepted(desk.send_steps(operation), StepsAnswer)
    return ledger.decided(state, operation, answer.steps[0].receipt.leaf)


def approved(desk: Desk, paper: Paper) -> tuple[NewApplication, ApplicationState]:
    application, state = apply(desk, paper)
    for decision in (ACCEPTED, APPROVED):
        state = decide(desk, paper, application, state, decision)
    return application, state


def draw_of(desk: Desk, paper: Paper, application: NewApplication, amount: int) -> NewDraw:
    """The draw that an application is for."""
    return make_draw(desk.world, paper, amount, draw=application.operation.draw, key=application.key)


def residual(desk: Desk, paper: Paper) -> bool:
    """Whether the database holds the document as the builders have it, open to its headroom."""
    state = desk.verifier.storage.documents([paper.state.document])[paper.state.document]
    return state == paper.state and opens_to(desk.world, state.residual, paper.headroom)


@pytest.fixture
def strict(database: str) -> Iterator[Desk]:
    """A log whose kind demands an approved application; and a world of its own."""
    with make_desk(make_world(engine.load(), b"strict", [make_kind(applications="required")]), database) as desk:
        yield desk


@pytest.fixture
def single(database: str) -> Iterator[Desk]:
    """A log whose documents are of single use."""
    with make_desk(make_world(engine.load(), b"single", [make_kind(use="single", restores=["released"])]), database) as desk:
        yield desk


def test_the_whole_financing(desk: Desk, world: World) -> None:
    paper = desk.register(1_000)[0]
    application, _ = approved(desk, paper)
    paper, loan = desk.finance(draw_of(desk, paper, application, 700))[0]
    assert desk.verifier.storage.applications([loan.state.draw])[loan.state.draw].stage == RESERVED
    paper, loan = desk.disburse(paper, loan, rest=100)
    assert (paper.headroom, loan.outstanding.amount) == (400, 600)
    for amount, reason in ((200, REPAID_OWN_FUNDS), (300, REPAID_PROCEEDS), (100, WRITTEN_OFF)):
        paper, loan = desk.reduce(make_reduce(world, paper, loan, amount, reason), paper, loan)
    assert paper.headroom == 600
    assert residual(desk, paper)
    accepted(desk.send_close(make_close(world, paper, loan)), StepsAnswer)
    assert desk.verifier.storage.draws([loan.state.draw])[loan.state.draw].stage == "written-off"


def test_a_draw_waits_for_its_approval(strict: Desk) -> None:
    paper = strict.register(1_000)[0]
    with unchanged(strict):
        refused(strict.send_draws([make_draw(strict.world, paper, 5)]), problems.APPLICATION_REFUSED)
    application, state = apply(strict, paper)
    draw = draw_of(strict, paper, application, 5)
    with unchanged(strict):
        refused(strict.send_draws([draw]), problems.APPLICATION_REFUSED)
    for decision in (ACCEPTED, APPROVED):
        state = decide(strict, paper, application, state, decision)
    other_key = make_draw(strict.world, paper, 5, draw=application.operation.draw)
    with unchanged(strict):
        refused(strict.send_draws([other_key]), problems.APPLICATION_REFUSED)
    strict.finance(draw)


def test_a_rejected_application_is_at_its_end(desk: Desk, world: World) -> None:
    paper = desk.register(1_000)[0]
    application, state = apply(desk, paper)
    state = decide(desk, paper, application, state, REJECTED)
    with unchanged(desk):
        refused(desk.send_draws([draw_of(desk, paper, application, 5)]), problems.APPLICATION_REFUSED)
        for decision in (ACCEPTED, APPROVED, REJECTED):
            refused(desk.send_steps(make_decide(world, paper, state, application.key, decision)), problems.WRONG_STAGE)


def test_an_application_is_the_owners_and_the_banks(desk: Desk, world: World) -> None:
    """Neither puts one on the log alone."""
    paper, other = desk.register(1_000, 1_000)
    good = make_apply(world, paper).operation
    stranger = make_apply(world, other).operation
    attempts = [
        (make_apply(world, paper, consent=stranger.consent).operation, problems.CONSENT_INVALID),
        (replace(good, consent=stranger.consent), problems.PROOF_INVALID),
        (replace(good, proof=stranger.proof), problems.PROOF_INVALID),
        (replace(good, expires=good.expires + 1), problems.PROOF_INVALID),
        (replace(good, memos=stranger.memos), problems.PROOF_INVALID),
        (replace(good, document=world.identifier()), problems.DOCUMENT_UNKNOWN),
        (replace(good, expires=NOW - 1), problems.EXPIRED),
    ]
    for attempt, expected in attempts:
        with unchanged(desk):
            refused(desk.send_steps(attempt), expected)
    accepted(desk.send_steps(good), StepsAnswer)
    with unchanged(desk):
        refused(desk.send_steps(good), problems.ALREADY_EXISTS)


def test_an_id_is_a_draws_or_an_applications(desk: Desk, world: World) -> None:
    paper = desk.register(1_000)[0]
    paper, loan = desk.draw(paper, 5)
    with unchanged(desk):
        refused(desk.send_steps(make_apply(world, paper, draw=loan.state.draw).operation), problems.ALREADY_EXISTS)


def test_a_decision_is_its_banks(desk: Desk, world: World) -> None:
    paper = desk.register(1_000)[0]
    application, state = apply(desk, paper)
    stranger = SigningSecret.generate(world.suite, world.randomness)
    forged = make_decide(world, paper, replace(state, key=stranger.public(world.suite)), stranger, ACCEPTED)
    good = make_decide(world, paper, state, application.key, ACCEPTED)
    with unchanged(desk):
        refused(desk.send_steps(forged), problems.PROOF_INVALID)
        refused(desk.send_steps(replace(good, decision=REJECTED)), problems.PROOF_INVALID)
        refused(desk.send_steps(replace(good, draw=world.identifier())), problems.DRAW_UNKNOWN)


def test_steps_of_a_financing_over_several_documents_are_whole(desk: Desk, world: World) -> None:
    papers = desk.register(500, 500, 500)
    lines = [desk.draw(paper, 100) for paper in papers]
    steps = [make_disburse(world, paper, loan, rest) for (paper, loan), rest in zip(lines, (0, 30, 99), strict=True)]
    broken = replace(steps[2].operation, memos=world.memos())
    with unchanged(desk):
        problem = refused(desk.send_steps(steps[0].operation, steps[1].operation, broken), problems.PROOF_INVALID)
    assert {line.line for line in problem.lines} == {2}
    answer = accepted(desk.send_steps(*(step.operation for step in steps)), StepsAnswer)
    assert [step.draw for step in answer.steps] == [loan.state.draw for _, loan in lines]
    for step, (paper, loan), line in zip(steps, lines, answer.steps, strict=True):
        after, lent = step.committed(paper, loan, line.receipt.leaf)
        assert residual(desk, after)
        assert lent.state.head == line.head


def test_one_step_a_document(desk: Desk, world: World) -> None:
    paper, first = desk.draw(desk.register(500)[0], 100)
    paper, second = desk.draw(paper, 100)
    steps = [make_disburse(world, paper, loan).operation for loan in (first, second)]
    with unchanged(desk):
        refused(desk.send_steps(*steps), problems.DOCUMENT_REPEATED)
        refused(desk.send_steps(steps[0], steps[0]), problems.DOCUMENT_REPEATED)


def test_repayment_follows_disbursement_and_release_does_not(desk: Desk, world: World) -> None:
    paper, loan = desk.draw(desk.register(500)[0], 100)
    for reason in (REPAID_OWN_FUNDS, REPAID_PROCEEDS, WRITTEN_OFF):
        with unchanged(desk):
            refused(desk.send_reduction(make_reduce(world, paper, loan, 5, reason)), problems.WRONG_STAGE)
    paper, loan = desk.disburse(paper, loan)
    with unchanged(desk):
        refused(desk.send_reduction(make_reduce(world, paper, loan, 5, RELEASED)), problems.WRONG_STAGE)
        refused(desk.send_steps(make_disburse(world, paper, loan).operation), problems.WRONG_STAGE)


def test_a_disbursement_pays_something_out(desk: Desk, world: World) -> None:
    """A rest of everything, proven for a draw of one unit more, is refused."""
    paper, loan = desk.draw(desk.register(500)[0], 100)
    with pytest.raises(Exception, match="nothing would be paid out"):
        make_disburse(world, paper, loan, 100)
    more = replace(loan.outstanding, amount=101)
    pretended = replace(
        loan,
        outstanding=more,
        state=replace(loan.state, outstanding=replace(loan.state.outstanding, commitment=more.commit(world.suite))),
    )
    with unchanged(desk):
        refused(desk.send_steps(make_disburse(world, paper, pretended, 100).operation), problems.PROOF_INVALID)
        whole = make_disburse(world, paper, loan).operation
        part = make_disburse(world, paper, loan, 40).operation
        refused(desk.send_steps(replace(whole, rest=part.rest)), problems.PROOF_INVALID)
        refused(desk.send_steps(replace(whole, range_proof=part.range_proof)), problems.MALFORMED)
        refused(desk.send_steps(replace(part, rest=None, range_proof=b"")), problems.PROOF_INVALID)


# --- expiry ---------------------------------------------------------------------------------------------------------------


def test_a_reservation_frees_itself(desk: Desk, world: World) -> None:
    paper, loan = desk.draw(desk.register(500)[0], 400)
    desk.now = loan.state.expires
    with unchanged(desk):
        assert free_expired(desk.verifier) == 0
    desk.now += 1
    assert free_expired(desk.verifier) == 1
    entry = desk.verifier.storage.history(paper.state.document)[1][-1]
    paper, loan = expire(paper, loan, leaf_hash(entry))
    assert (paper.headroom, loan.state.stage) == (500, EXPIRED)
    assert residual(desk, paper)
    with unchanged(desk):
        assert free_expired(desk.verifier) == 0
        refused(desk.send_reduction(make_reduce(world, paper, loan, 5, RELEASED)), problems.WRONG_STAGE)


def test_a_disbursed_draw_does_not_expire(desk: Desk) -> None:
    _, loan = desk.lend(desk.register(500)[0], 400)
    desk.now = loan.state.expires + 1
    with unchanged(desk):
        assert free_expired(desk.verifier) == 0


def test_no_disbursement_after_the_expiry(desk: Desk, world: World) -> None:
    """Whether the service has looked or not."""
    paper, loan = desk.draw(desk.register(500)[0], 400)
    disbursement = make_disburse(world, paper, loan)
    desk.now = loan.state.expires + 1
    with unchanged(desk):
        refused(desk.send_steps(disbursement.operation), problems.EXPIRED)
    free_expired(desk.verifier)
    with unchanged(desk):
        refused(desk.send_steps(disbursement.operation), problems.EXPIRED)


def test_no_reservation_is_longer_than_its_kind_allows(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    longest = NOW + 90 * 86_400
    with unchanged(desk):
        refused(desk.send_draws([make_draw(world, paper, 5, expires=longest + 1)]), problems.RESERVATION_TOO_LONG)
    desk.finance(make_draw(world, paper, 5, expires=longest))


def test_many_reservations_expire_at_once(desk: Desk, world: World) -> None:
    """Each once, though three look at the same time."""
    papers = desk.register(*[500] * 12)
    committed = desk.finance(*(make_draw(world, paper, 100) for paper in papers))
    desk.now = NOW + DRAFT_LIFE + 1
    with ThreadPoolExecutor(3) as pool:
        freed = [future.result() for future in [pool.submit(free_expired, desk.verifier) for _ in range(3)]]
    assert sum(freed) >= len(papers)
    entries = desk.dump()["entries"]
    assert sum(b'"type":"expire"' in row[2] for row in entries) == len(papers)
    for paper, _ in committed:
        state = desk.verifier.storage.documents([paper.state.document])[paper.state.document]
        assert opens_to(world, state.residual, 500)


# --- single use -----------------------------------------------------------------------------------------------------------


def test_a_document_of_single_use(single: Desk) -> None:
    """One draw at a time, whatever is left; and a refusal that looks like any other."""
    world = single.world
    paper = single.register(500)[0]
    paper, loan = single.draw(paper, 100)
    with unchanged(single):
        taken = single.send_draws([make_draw(world, paper, 5)])
        refused(taken, problems.HEADROOM_NOT_PROVEN)
        assert taken.content == single.send_draws([make_overdraw(world, paper, 401)]).content
    paper, loan = release(single, paper, loan)
    paper, loan = single.lend(paper, 300)
    paper, loan = single.reduce(make_reduce(world, paper, loan, 300), paper, loan)
    accepted(single.send_close(make_close(world, paper, loan)), StepsAnswer)
    with unchanged(single):
        refused(single.send_draws([make_draw(world, paper, 5)]), problems.HEADROOM_NOT_PROVEN)


def test_an_expired_reservation_gives_a_document_of_single_use_back(single: Desk) -> None:
    paper, loan = single.draw(single.register(500)[0], 100)
    single.now = loan.state.expires + 1
    assert free_expired(single.verifier) == 1
    paper, _ = expire(paper, loan, leaf_hash(single.verifier.storage.history(paper.state.document)[1][-1]))
    draw = make_draw(single.world, paper, 500, expires=single.now + 60)
    accepted(single.send_draws([draw]), FinancingAnswer)


def release(desk: Desk, paper: Paper, loan: Loan) -> tuple[Paper, Loan]:
    """Give a reservation back and close it."""
    paper, loan = desk.reduce(make_reduce(desk.world, paper, loan, loan.outstanding.amount, RELEASED), paper, loan)
    answer: httpx.Response = desk.send_close(make_close(desk.world, paper, loan))
    leaf = accepted(answer, StepsAnswer).steps[0].receipt.leaf
    document, draw = ledger.closed(desk.world.parameters, paper.state, loan.state, leaf)
    return replace(paper, state=document), replace(loan, state=draw)
