"""Attacks on what becomes of documents and draws. Each is run against a verifier with one hole left open, and against ours.

Must hold: the weakened verifier accepts the forgery, so that the test can fail, and ours refuses the same bytes. The holes: a
missing row or range, a key or handle taken from the request. Attacks on draws themselves are in test_forgeries.py; what
outlives a freeze or is replayed is in test_state_machines.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from schemas.vectors import dishonest
from schemas.vectors.dishonest import Secret
from tests.builders import (
    NOW,
    Loan,
    Paper,
    World,
    make_amend,
    make_apply,
    make_draw,
    make_register,
    make_world,
)
from zkcore import engine, ledger, statements
from zkcore.context import Context
from zkcore.errors import BatchRejected, EncodingError, StateError
from zkcore.group import Element
from zkcore.operations import APPROVED, OWNER, Disburse, Draft, Draw, Headroom
from zkcore.randomness import random_nonzero_scalar
from zkcore.secret.opening import check_amount
from zkcore.secret.sigma import prove_batchable
from zkcore.statements import Statement
from zkcore.verifying.batch import Claim, RangeClaim, SigmaClaim, verify

SUITE = engine.load()
GROUP = SUITE.group
MUL = GROUP.mul


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SUITE, b"forgeries of lives")


@pytest.fixture(scope="module")
def paper(world: World) -> Paper:
    return make_register(world, 1000).committed()


@pytest.fixture(scope="module")
def reservation(world: World, paper: Paper) -> tuple[Paper, Loan]:
    """A draw of 600 on 1,000."""
    return make_draw(world, paper, 600).committed()


def failing(claims: Sequence[Claim]) -> dict[str, str]:
    """What our verifier says: the failing claims with their codes."""
    with pytest.raises(BatchRejected) as rejected:
        verify(SUITE, claims)
    return {label: error.code for label, error in rejected.value.failures}


def without_ranges(claims: Sequence[Claim]) -> None:
    """The weakness: sums modulo the order are taken for sums of integers."""
    verify(SUITE, [claim for claim in claims if isinstance(claim, SigmaClaim)])


def prove_weak(weak: Statement, context: Context, elements: Mapping[str, Element], world: World, **witness: int) -> bytes:
    """A proof of a statement with a row missing, which the weakened verifier (this same function) accepts."""
    relation, chosen = weak.instance(SUITE, elements), weak.witness(**witness)
    proof = prove_batchable(context.tag(SUITE), relation, chosen, world.randomness)
    verify(SUITE, [SigmaClaim("weak", context.session_id(SUITE), relation, proof)])
    return proof


# --- overdrawn ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headroom", [1000, 1, 0])
def test_overdrawn_though_something_is_left(world: World, headroom: int) -> None:
    """Without the range a key holder blocks any document: the excess of -1,000 is an excess modulo the order."""
    paper = make_register(world, 1000).committed()
    if headroom < 1000:
        paper, _ = make_draw(world, paper, 1000 - headroom).committed()
    forged = dishonest.overdrawn(
        SUITE, world.parameters, paper.state, secret=world.regulator, over=-headroom, randomness=world.randomness
    )
    claims = ledger.check_overdrawn(SUITE, world.parameters, paper.state, forged)
    without_ranges(claims)
    assert failing(claims) == {"overdrawn.range": "range"}
    said = dishonest.overdrawn(
        SUITE, world.parameters, paper.state, secret=world.regulator, over=1, randomness=world.randomness
    )
    assert failing(ledger.check_overdrawn(SUITE, world.parameters, paper.state, said)) == {"overdrawn.proof": "sigma"}


def test_overdrawn_by_anybody_needs_two_holes(world: World, paper: Paper) -> None:
    """Without the key's row, and with the handle from the request: E = R + m*G and s = 1 show any excess m."""
    weak = replace(statements.OVERDRAWN, equations=statements.OVERDRAWN.equations[1:])
    excess, residual = Secret(77, random_nonzero_scalar(world.randomness, GROUP)), paper.state.residual.commitment
    made_up = residual + MUL(77, SUITE.G)
    forged = dishonest.overdrawn(SUITE, world.parameters, paper.state, secret=world.owner, over=77, randomness=world.randomness)
    context = ledger.overdrawn_context(world.parameters, paper.state, forged, weak.name)
    elements = {"R": residual, "E_R": made_up, "C_over": excess.commit(SUITE)}
    prove_weak(weak, context, elements, world, s=1, m=77, b=excess.blinding)

    # Ours has the regulator's key in the first row, and the handle from its own state.
    for secret in (world.owner, paper.secret):
        forged = dishonest.overdrawn(SUITE, world.parameters, paper.state, secret=secret, over=77, randomness=world.randomness)
        assert failing(ledger.check_overdrawn(SUITE, world.parameters, paper.state, forged)) == {"overdrawn.proof": "sigma"}


@pytest.mark.parametrize("amount", [1, -101, -100])
def test_a_draw_on_an_overdrawn_document(world: World, reservation: tuple[Paper, Loan], amount: int) -> None:
    """The residual is -100. More than nothing wraps, and so does a negative amount that would mend it."""
    drawn, _ = reservation
    lowered = make_amend(world, drawn, 1000, 500).committed(drawn)
    secret = Secret(amount, random_nonzero_scalar(world.randomness, GROUP))
    draft = forged_draft(world, lowered, secret)
    operation = Draw(draft, forged_headroom(world, lowered, draft, secret, -100 - amount))
    claims = ledger.check_draw(SUITE, world.parameters, lowered.state, operation)
    without_ranges(claims)
    assert failing(claims) == {"draw.range": "range"}


def forged_draft(world: World, paper: Paper, amount: Secret) -> Draft:
    return dishonest.draft(
        SUITE,
        world.parameters,
        paper.facts,
        draw=world.identifier(),
        key=world.bank,
        amount=amount,
        expires=NOW,
        memos=world.memos(),
        randomness=world.randomness,
    )


def forged_headroom(world: World, paper: Paper, draft: Draft, amount: Secret, left: int) -> Headroom:
    return dishonest.headroom(
        SUITE,
        world.parameters,
        paper.state,
        draft,
        prover=OWNER,
        secret=paper.secret,
        amount=amount,
        left=left,
        randomness=world.randomness,
    )


# --- a draw that moves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, 599, 601])
def test_a_moved_draw_of_another_amount(world: World, paper: Paper, reservation: tuple[Paper, Loan], amount: int) -> None:
    """Without the row C - O = d*H a debt of 600 becomes one of 1 on its way to the replacement, or one of 601."""
    _, loan = reservation
    target = make_register(world, 1000).committed()
    taken = Secret(amount, random_nonzero_scalar(world.randomness, GROUP))
    its = Secret(600, loan.outstanding.blinding)
    draft = dishonest.draft(
        SUITE,
        world.parameters,
        target.facts,
        draw=world.identifier(),
        key=loan.key,
        amount=taken,
        expires=loan.state.expires,
        memos=world.memos(),
        randomness=world.randomness,
        moved=(loan.state, its),
    )
    weak = replace(statements.MOVED_DRAW, equations=statements.DRAW.equations, scalars=statements.DRAW.scalars)
    context = ledger.draft_context(world.parameters, target.facts, draft, weak.name)
    elements = ledger.draft_elements(world.parameters, target.facts, draft)
    prove_weak(weak, context, elements, world, a=amount, r=taken.blinding, k=loan.key.scalar)

    operation = Draw(draft, forged_headroom(world, target, draft, taken, 1000 - amount))
    claims = ledger.check_draw(SUITE, world.parameters, target.state, operation, moved=loan.state)
    assert failing(claims) == {"draw.commitment": "sigma"}


def test_a_move_of_what_is_told_by_the_request(world: World, reservation: tuple[Paper, Loan]) -> None:
    """With the state of the draw from the request, one that was moved already is moved again, to be owed twice."""
    _, loan = reservation
    first, second = make_register(world, 1000).committed(), make_register(world, 1000).committed()
    opening = world.opening(600)
    for target in (first, second):
        draft = dishonest.draft(
            SUITE,
            world.parameters,
            target.facts,
            draw=world.identifier(),
            key=loan.key,
            amount=Secret(600, opening.blinding),
            expires=loan.state.expires,
            memos=world.memos(),
            randomness=world.randomness,
            moved=(loan.state, Secret(600, loan.outstanding.blinding)),
        )
        headroom = forged_headroom(world, target, draft, Secret(600, opening.blinding), 400)
        operation = Draw(draft, headroom)
        verify(SUITE, ledger.check_draw(SUITE, world.parameters, target.state, operation, moved=loan.state))
        gone = ledger.moved_away(loan.state, b"\1" * 32)
        with pytest.raises(StateError):
            ledger.check_draw(SUITE, world.parameters, target.state, operation, moved=gone)


# --- a disbursement -------------------------------------------------------------------------------------------------------


def forged_disbursement(world: World, paper: Paper, loan: Loan, rest: int) -> Disburse:
    return dishonest.disburse(
        SUITE,
        world.parameters,
        paper.facts,
        loan.state,
        key=loan.key,
        outstanding=Secret(loan.outstanding.amount, loan.outstanding.blinding),
        rest=Secret(rest, random_nonzero_scalar(world.randomness, GROUP)),
        memos=world.memos(),
        randomness=world.randomness,
    )


@pytest.mark.parametrize("rest", [-1, -400, 0, 601])
def test_a_disbursement_of_more_than_is_reserved(world: World, reservation: tuple[Paper, Loan], rest: int) -> None:
    """Without the range a rest of -400 pays out 1,000 where 600 were reserved, and takes the headroom without a key holder."""
    paper, loan = reservation
    forged = forged_disbursement(world, paper, loan, rest)
    claims = ledger.check_disburse(SUITE, world.parameters, paper.facts, loan.state, forged)
    without_ranges(claims)
    document, draw = ledger.disbursed(paper.state, loan.state, forged, b"\1" * 32)
    if 400 + rest > 0 and 600 - rest > 0:
        check_amount(SUITE, paper.secret, document.residual.commitment, document.residual.owner, 400 + rest)
        check_amount(SUITE, world.regulator, draw.outstanding.commitment, draw.outstanding.regulator, 600 - rest)
    assert failing(claims) == {"disburse.range": "range"}


def test_a_disbursement_that_pays_nothing_out(world: World, reservation: tuple[Paper, Loan]) -> None:
    """With the range of a reduction (rest <= outstanding) everything is released, and the draw counts as disbursed."""
    paper, loan = reservation
    rest = Secret(600, random_nonzero_scalar(world.randomness, GROUP))
    committed = rest.handled(SUITE, paper.state.owner, world.parameters.regulator)
    forged = Disburse(loan.state.draw, committed, world.memos(), b"", b"")
    bound = statements.DISBURSE_RANGE
    context = ledger.disburse_context(world.parameters, paper.facts, loan.state, forged, bound.name)
    left = Secret(0, loan.outstanding.blinding - rest.blinding)
    ranges = [Secret(599, rest.blinding), left]
    proof = dishonest.prove_range(SUITE, context.session_id(SUITE), ranges, bound.bits, world.randomness)
    values = tuple(ledger.reduce_values(SUITE, loan.state, committed))
    verify(SUITE, [RangeClaim("weak", context.session_id(SUITE), values, bound.bits, proof)])

    claims = ledger.check_disburse(SUITE, world.parameters, paper.facts, loan.state, replace(forged, range_proof=proof))
    assert failing(claims)["disburse.range"] == "range"
    honest = forged_disbursement(world, paper, loan, 600)
    claims = ledger.check_disburse(SUITE, world.parameters, paper.facts, loan.state, honest)
    without_ranges(claims)
    assert failing(claims) == {"disburse.range": "range"}


# --- whose word it is -----------------------------------------------------------------------------------------------------


def test_a_limit_raised_by_anybody(world: World, paper: Paper) -> None:
    """Without the attester's row an amendment is only a commitment with its handles, which everybody can make."""
    weak = replace(
        statements.AMEND,
        equations=statements.AMEND.equations[:3],
        scalars=tuple(s for s in statements.AMEND.scalars if s != "alpha"),
    )
    attester = world.attester.public(SUITE)
    limit = Secret(10**9, random_nonzero_scalar(world.randomness, GROUP))
    forged = dishonest.amend(
        SUITE,
        world.parameters,
        ledger.attested_facts(paper.state),
        attester=world.bank,
        limit=limit,
        reason="amended",
        memos=world.memos(),
        randomness=world.randomness,
        named=attester,
    )
    context = ledger.revision_context(world.parameters, ledger.attested_facts(paper.state), weak.name, forged.payload())
    elements = ledger.limit_elements(world.parameters, paper.state.owner, attester, forged.limit)
    del elements["A"]
    prove_weak(weak, context, elements, world, v=limit.amount, r=limit.blinding)
    assert failing(ledger.check_amend(SUITE, world.parameters, paper.state, forged)) == {"amend.proof": "sigma"}


def test_a_decision_by_another_key(world: World, paper: Paper) -> None:
    """With the key from the request, anybody approves; ours is the application's own."""
    new = make_apply(world, paper)
    application = replace(new.committed(), stage="accepted")
    thief = replace(application, key=world.bank.public(SUITE))
    forged = dishonest.decide(
        SUITE,
        world.parameters,
        paper.facts,
        thief,
        key=world.bank,
        decision=APPROVED,
        memos=world.memos(),
        randomness=world.randomness,
    )
    verify(SUITE, ledger.check_decide(SUITE, world.parameters, paper.facts, thief, forged))
    claims = ledger.check_decide(SUITE, world.parameters, paper.facts, application, forged)
    assert failing(claims) == {"decide.proof": "sigma"}


def test_an_application_by_the_bank_alone(world: World, paper: Paper) -> None:
    """The owner's part contains the owner's key: a bank that was never asked shows no application."""
    owner = replace(paper, state=replace(paper.state, owner=world.owner.public(SUITE)), secret=world.owner)
    forged = make_apply(world, owner).operation
    verify(SUITE, ledger.check_apply(SUITE, world.parameters, owner.state, forged))
    claims = ledger.check_apply(SUITE, world.parameters, paper.state, forged)
    assert failing(claims) == {"apply.consent": "sigma"}


def test_an_application_is_no_consent_to_a_draw(world: World, paper: Paper) -> None:
    """What the owner signs when it applies names no amount, and must not stand for the consent that does."""
    new, draw = make_apply(world, paper), make_draw(world, paper, 5, consented=True).operation
    assert draw.draft.consent is not None
    swapped = replace(draw.draft.consent, application=new.operation.application, proof=new.operation.consent)
    changed = Draw(replace(draw.draft, consent=swapped), draw.headroom)
    assert failing(ledger.check_draw(SUITE, world.parameters, paper.state, changed))["draw.consent"] == "sigma"
    with pytest.raises(EncodingError):
        ledger.headroom_statement("bank")
