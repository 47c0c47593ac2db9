"""A bank alone cannot draw, and cannot find out what is left: it holds a draft of its own and nothing else.

What must hold: whatever a bank sends without the answer of the owner's or the regulator's key is refused, by a problem that
says no more than that the headroom is not proven (or the consent missing), and nothing at all is written. What the bank holds:
its signing key, its draft with its opening, everything public, and the proofs of draws that were committed before.

Then the same for the most that a dishonest owner can do, who has the key but not the headroom: sums that wrap the order.
After each refusal the honest draw is committed on the same document, so that no refusal is for another reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from schemas import problems
from schemas.problems import ProblemType
from tests.builders import NewDraw, Paper, World, make_consent, make_draft, make_draw, make_headroom, make_overdraw, make_world
from tests.service.harness import Desk, make_desk, refused, unchanged
from zkcore import engine, ledger, statements
from zkcore.amounts import MAXIMUM
from zkcore.errors import BatchRejected
from zkcore.group import Element, decode_scalar, encode_scalar
from zkcore.operations import OWNER, REGULATOR, Draft, Draw, Headroom
from zkcore.randomness import random_nonzero_scalar, random_scalar
from zkcore.secret.keys import SigningSecret, ViewSecret
from zkcore.secret.opening import Opening
from zkcore.secret.operations import handled_commitment
from zkcore.secret.range_proof import prove_range
from zkcore.secret.sigma import prove_batchable
from zkcore.statements import Statement
from zkcore.verifying.batch import verify
from zkcore.verifying.sigma import derive_challenge, encode_scalars

LIMIT, DRAWN, ASKED = 1_000_000_00, 400_000_00, 80_000_00
LEFT = LIMIT - DRAWN - ASKED


@dataclass(frozen=True)
class Position:
    """What a bank stands before: a document on which another draw was committed, and its own honest draft.

    honest: the draw with the owner's true answer, which the bank is not given; earlier: a committed draw, as the log shows it
    """

    desk: Desk
    paper: Paper
    draft: Draft
    opening: Opening
    honest: NewDraw
    earlier: Draw

    @property
    def world(self) -> World:
        return self.desk.world

    def random_point(self) -> Element:
        world = self.world
        return world.suite.group.mul(random_nonzero_scalar(world.randomness, world.suite.group), world.suite.H)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(engine.load(), b"a bank alone")


@pytest.fixture
def position(world: World, tmp_path: Path) -> Iterator[Position]:
    with make_desk(world, f"sqlite:///{tmp_path / 'service.db'}") as desk:
        first = desk.register(LIMIT)[0]
        earlier = make_draw(world, first, DRAWN)
        paper, _ = desk.finance(earlier)[0]
        honest = make_draw(world, paper, ASKED)
        yield Position(desk, paper, honest.operation.draft, honest.opening, honest, earlier.operation)


def expect_refused(position: Position, headroom: Headroom, expected: ProblemType, draft: Draft | None = None) -> None:
    """The service refuses this draw, in words that tell nothing, and its database is as before: the honest one is accepted."""
    operation = Draw(position.draft if draft is None else draft, headroom)
    with unchanged(position.desk):
        problem = refused(position.desk.send_draws([replace(position.honest, operation=operation)]), expected)
    if expected is problems.HEADROOM_NOT_PROVEN:
        assert {line.detail for line in problem.lines} == {expected.title}
    position.desk.finance(position.honest)


# --- a bank that makes something up ---------------------------------------------------------------------------------------


def _random_bytes(position: Position) -> Headroom:
    """Proofs of the right length, of noise: they do not even decode."""
    true, read = position.honest.operation.headroom, position.world.randomness.read
    return Headroom(OWNER, position.random_point(), read(len(true.proof)), read(len(true.range_proof)))


def _random_encodings(position: Position) -> Headroom:
    """Proofs that decode: every point a point, every scalar a scalar, none of them meaning anything."""
    suite, read = position.world.suite, position.world.randomness
    points = b"".join(position.random_point().encode() for _ in range(3))
    scalars = encode_scalars(suite.group, [random_scalar(read, suite.group) for _ in range(3)])
    rounds = len(position.honest.operation.headroom.range_proof) - 1 - 4 * 33 - 5 * 32
    folded = b"".join(position.random_point().encode() for _ in range(4 + rounds // 33))
    numbers = [encode_scalar(suite.group, random_scalar(read, suite.group)) for _ in range(5)]
    range_proof = b"\x01" + folded[: 4 * 33] + b"".join(numbers[:3]) + folded[4 * 33 :] + b"".join(numbers[3:])
    return Headroom(OWNER, position.random_point(), points + scalars, range_proof)


def _earlier_answer(position: Position) -> Headroom:
    """The true answer to another draw, as it stands on the log."""
    return position.earlier.headroom


def _own_key_for_the_owners(position: Position) -> Headroom:
    """The statement is proven with the bank's key in place of the owner's, over elements that fit the bank's key."""
    world, paper = position.world, position.paper
    own = ViewSecret(world.bank.scalar)
    mine = replace(paper.state, owner=own.public(world.suite))
    residual = handled_commitment(world.suite, world.opening(LIMIT), mine.owner, world.parameters.regulator)
    mine = replace(mine, residual=residual)
    draft = make_draft(world, replace(paper, state=mine), position.opening, world.bank)
    return make_headroom(world, Paper(mine, own, LIMIT), draft, position.opening)


def _simulated(position: Position) -> Headroom:
    """The sigma proof is simulated for a challenge that the bank chose; the range proof is true for values it invented."""
    world, state = position.world, position.paper.state
    left = world.opening(LEFT)
    remaining = left.commit(world.suite)
    statement = statements.HEADROOM_BY_OWNER
    elements = ledger.headroom_elements(world.parameters, state, position.draft, OWNER, remaining)
    proof, _ = _simulate(world, statement, elements)
    return Headroom(OWNER, remaining, proof, _range_proof(position, left))


def _simulate(world: World, statement: Statement, elements: dict[str, Element]) -> tuple[bytes, int]:
    """A proof that satisfies the verification equation for a challenge that is not the hash's; and that challenge."""
    group = world.suite.group
    relation = statement.instance(world.suite, elements)
    challenge = random_nonzero_scalar(world.randomness, group)
    response = [random_nonzero_scalar(world.randomness, group) for _ in range(relation.scalar_count)]
    commitment = b""
    for row in relation.equations:
        terms = [(response[scalar] * sign % group.order, relation.elements[element]) for scalar, element, sign in row.terms]
        moved = group.msm([number for number, _ in terms], [element for _, element in terms])
        commitment += (moved - group.msm([challenge], [relation.image(row)])).encode()
    return commitment + encode_scalars(group, response), challenge


def _range_proof(position: Position, left: Opening) -> bytes:
    """A range proof, true for the draft's amount and for this opening, in the right context (head and all)."""
    world, bound = position.world, statements.HEADROOM_RANGE
    context = ledger.headroom_context(world.parameters, position.paper.state, position.draft, bound.name)
    opening = position.opening
    ranges = [(opening.amount - 1, opening.blinding), (left.amount, left.blinding)]
    return prove_range(world.suite, context.session_id(world.suite), ranges, bound.bits, world.randomness)


def _true_answer_but(**changes: bytes | str) -> Callable[[Position], Headroom]:
    def change(position: Position) -> Headroom:
        return replace(position.honest.operation.headroom, **changes)  # type: ignore[arg-type]  # fields by name

    return change


MADE_UP = {
    "random encodings": _random_encodings,
    "the answer to an earlier draw": _earlier_answer,
    "the bank's own key for the owner's": _own_key_for_the_owners,
    "a simulated proof": _simulated,
}


@pytest.mark.parametrize("forge", MADE_UP.values(), ids=MADE_UP.keys())
def test_what_a_bank_makes_up_is_refused(position: Position, forge: Callable[[Position], Headroom]) -> None:
    expect_refused(position, forge(position), problems.HEADROOM_NOT_PROVEN)


def test_noise_is_refused(position: Position) -> None:
    expect_refused(position, _random_bytes(position), problems.HEADROOM_NOT_PROVEN)


def test_the_simulated_proof_fails_by_its_challenge_alone(position: Position) -> None:
    """It satisfies every equation for the challenge that it was made for, and the hash gives another."""
    world, statement, state = position.world, statements.HEADROOM_BY_OWNER, position.paper.state
    group, remaining = world.suite.group, world.opening(LEFT).commit(world.suite)
    elements = ledger.headroom_elements(world.parameters, state, position.draft, OWNER, remaining)
    relation = statement.instance(world.suite, elements)
    proof, challenge = _simulate(world, statement, elements)
    points = [group.decode(proof[start : start + 33]) for start in range(0, 3 * 33, 33)]
    response = [decode_scalar(group, proof[start : start + 32]) for start in range(3 * 33, len(proof), 32)]
    for row, point in zip(relation.equations, points, strict=True):
        terms = [(response[scalar] * sign % group.order, relation.elements[element]) for scalar, element, sign in row.terms]
        left = group.msm([number for number, _ in terms], [element for _, element in terms])
        assert left == point + group.msm([challenge], [relation.image(row)])
    context = ledger.headroom_context(world.parameters, state, position.draft, statement.name)
    hashed = derive_challenge(group, context.session_id(world.suite), relation.serialized, proof[: 3 * 33])
    assert hashed != challenge


# --- a bank that misuses a true answer ------------------------------------------------------------------------------------


def test_an_answer_to_a_smaller_draft_is_refused(position: Position) -> None:
    """The owner answered 80,000.00; the bank puts its answer under a draft of 80,000.01 with the same id and key."""
    world = position.world
    draft, opening = position.draft, world.opening(ASKED + 1)
    bigger = make_draft(world, position.paper, opening, position.honest.key, draw=draft.draw, expires=draft.expires)
    expect_refused(position, position.honest.operation.headroom, problems.HEADROOM_NOT_PROVEN, bigger)


def test_an_answer_to_another_bank_is_refused(position: Position) -> None:
    """Another bank's key under the same amount and the same opening."""
    world = position.world
    other = SigningSecret.generate(world.suite, world.randomness)
    draft = make_draft(world, position.paper, position.opening, other)
    expect_refused(position, position.honest.operation.headroom, problems.HEADROOM_NOT_PROVEN, draft)


def test_a_draft_changed_after_the_answer_is_refused(position: Position) -> None:
    """A later expiry, without a new proof of the draft."""
    later = replace(position.draft, expires=position.draft.expires + 1)
    expect_refused(position, position.honest.operation.headroom, problems.PROOF_INVALID, later)


def test_an_answer_of_an_earlier_head_is_refused(position: Position) -> None:
    """Another bank was faster. The answer is true and too old, and its bank cannot tell that from a false one."""
    position.desk.draw(position.paper, ASKED)
    with unchanged(position.desk):
        problem = refused(position.desk.send_draws([position.honest]), problems.HEADROOM_NOT_PROVEN)
    assert [line.detail for line in problem.lines] == [problems.HEADROOM_NOT_PROVEN.title]


@pytest.mark.parametrize("prover", [OWNER, REGULATOR])
def test_who_proved_cannot_be_exchanged(position: Position, prover: str) -> None:
    """An owner's answer said to be the regulator's, and a consented draft with an owner's answer."""
    world = position.world
    if prover == OWNER:
        key = world.bank.shifted(world.suite, random_nonzero_scalar(world.randomness, world.suite.group))
        consent = make_consent(world, position.paper, ASKED, key)
        draft = make_draft(world, position.paper, position.opening, key, consent=consent)
        headroom = replace(make_headroom(world, position.paper, draft, position.opening), prover=OWNER)
        expect_refused(position, headroom, problems.CONSENT_INVALID, draft)
    else:
        expect_refused(position, replace(position.honest.operation.headroom, prover=REGULATOR), problems.CONSENT_INVALID)


# --- an owner that has the key and not the headroom -----------------------------------------------------------------------


def check_that_only_the_range_fails(position: Position, draft: Draft, headroom: Headroom) -> None:
    """Everything else that the service asks for holds, so a service without the range proof would accept."""
    suite, parameters, state = position.world.suite, position.world.parameters, position.paper.state
    *others, bound = ledger.check_draw(suite, parameters, state, Draw(draft, headroom))
    verify(suite, others)
    with pytest.raises(BatchRejected):
        verify(suite, [bound])


def test_an_owner_cannot_prove_for_a_balance_it_invents(position: Position) -> None:
    overdraw = make_overdraw(position.world, position.paper, LIMIT)
    expect_refused(position, overdraw.operation.headroom, problems.HEADROOM_NOT_PROVEN, overdraw.operation.draft)


@pytest.mark.parametrize("missing", [1, ASKED, MAXIMUM - LIMIT])
def test_headroom_below_zero_does_not_wrap(position: Position, missing: int) -> None:
    """What is left is -x, which is order - x: the sigma statement is then true, and only the range proof stands against it."""
    world, group = position.world, position.world.suite.group
    opening = world.opening(position.paper.headroom + missing)
    draft = make_draft(world, position.paper, opening, position.honest.key)
    blinding = random_nonzero_scalar(world.randomness, group)
    wrapped = -missing % group.order
    remaining = group.mul(wrapped, world.suite.G) + group.mul(blinding, world.suite.H)
    statement, bound = statements.HEADROOM_BY_OWNER, statements.HEADROOM_RANGE
    state, parameters = position.paper.state, world.parameters
    instance = statement.instance(world.suite, ledger.headroom_elements(parameters, state, draft, OWNER, remaining))
    witness = statement.witness(s=position.paper.secret.scalar, m=wrapped, b=blinding)
    tag = ledger.headroom_context(parameters, state, draft, statement.name).tag(world.suite)
    proof = prove_batchable(tag, instance, witness, world.randomness)
    session_id = ledger.headroom_context(parameters, state, draft, bound.name).session_id(world.suite)
    ranges = [(opening.amount - 1, opening.blinding), (wrapped % (1 << 64), blinding)]
    range_proof = prove_range(world.suite, session_id, ranges, bound.bits, world.randomness)
    headroom = Headroom(OWNER, remaining, proof, range_proof)
    check_that_only_the_range_fails(position, draft, headroom)
    expect_refused(position, headroom, problems.HEADROOM_NOT_PROVEN, draft)


@pytest.mark.parametrize("amount", [0, -1, -DRAWN])
def test_a_draw_of_nothing_or_less_is_refused(position: Position, amount: int) -> None:
    """A negative draw would raise the headroom. Bank and owner together, with every sigma statement true."""
    world, group = position.world, position.world.suite.group
    value, blinding = amount % group.order, random_nonzero_scalar(world.randomness, group)
    draft = _draft_of(position, value, blinding)
    left, fresh = position.paper.headroom - amount, random_nonzero_scalar(world.randomness, group)
    remaining = group.mul(left, world.suite.G) + group.mul(fresh, world.suite.H)
    statement, bound = statements.HEADROOM_BY_OWNER, statements.HEADROOM_RANGE
    state, parameters = position.paper.state, world.parameters
    instance = statement.instance(world.suite, ledger.headroom_elements(parameters, state, draft, OWNER, remaining))
    tag = ledger.headroom_context(parameters, state, draft, statement.name).tag(world.suite)
    witness = statement.witness(s=position.paper.secret.scalar, m=left, b=fresh)
    proof = prove_batchable(tag, instance, witness, world.randomness)
    session_id = ledger.headroom_context(parameters, state, draft, bound.name).session_id(world.suite)
    ranges = [((value - 1) % (1 << 64), blinding), (left, fresh)]
    range_proof = prove_range(world.suite, session_id, ranges, bound.bits, world.randomness)
    headroom = Headroom(OWNER, remaining, proof, range_proof)
    check_that_only_the_range_fails(position, draft, headroom)
    expect_refused(position, headroom, problems.HEADROOM_NOT_PROVEN, draft)


def _draft_of(position: Position, value: int, blinding: int) -> Draft:
    """A draft whose own proof is true and whose amount is any number modulo the order."""
    world, facts = position.world, position.paper.facts
    mul, suite, parameters = world.suite.group.mul, world.suite, world.parameters
    committed = replace(
        position.draft.amount,
        commitment=mul(value, suite.G) + mul(blinding, suite.H),
        owner=mul(blinding, facts.owner),
        regulator=mul(blinding, parameters.regulator),
    )
    draft = replace(position.draft, amount=committed, proof=b"")
    statement = ledger.draft_statement(draft)
    instance = statement.instance(suite, ledger.draft_elements(parameters, facts, draft))
    tag = ledger.draft_context(parameters, facts, draft, statement.name).tag(suite)
    witness = statement.witness(a=value, r=blinding, k=position.honest.key.scalar)
    return replace(draft, proof=prove_batchable(tag, instance, witness, world.randomness))
