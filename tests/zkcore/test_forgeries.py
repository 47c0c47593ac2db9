"""Attacks on statements and states. Each is run against a verifier with one hole left open, and against ours.

Must hold: the weakened verifier accepts the forgery, so that the test can fail, and ours refuses the same bytes. The holes
are those of published systems: a challenge that does not cover the statement, the commitments or the context; a pre-summed
residual; state taken from the request; handles or ranges that nobody proves; s*D published. Attacks on range proofs are in
test_range_proof_forgeries.py, on the weights of a batch in test_batch.py, mutations of every input in the vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from schemas.messages import DrawMessage
from schemas.vectors import dishonest
from schemas.vectors.dishonest import Secret
from tests.builders import (
    NOW,
    NewDocument,
    NewDraw,
    Paper,
    World,
    make_draft,
    make_draw,
    make_headroom,
    make_reduce,
    make_register,
    make_world,
)
from zkcore import engine, ledger, statements
from zkcore.commitments import HandledCommitment
from zkcore.context import Context
from zkcore.errors import BatchRejected, OpeningError, SigmaRejected, StateError, WitnessError, ZkError
from zkcore.group import ELEMENT_SIZE, Element
from zkcore.ledger import DocumentState
from zkcore.operations import OWNER, RELEASED, Draft, Draw, Headroom
from zkcore.randomness import random_nonzero_scalar, random_scalar
from zkcore.relations import LinearRelation
from zkcore.secret.keys import ViewSecret
from zkcore.secret.opening import LogarithmTable, Opening, amount_point, check_amount, open_by_logarithm
from zkcore.secret.sigma import prove_batchable, prove_compact
from zkcore.statements import Statement
from zkcore.transcript import DuplexSponge, decode_uint, derive_session_id
from zkcore.verifying.batch import SigmaClaim, verify
from zkcore.verifying.sigma import SigmaProof, derive_challenge, encode_scalars, simulate_commitment, verify_compact

SUITE = engine.load()
GROUP = SUITE.group
MUL = GROUP.mul


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SUITE, b"forgeries")


@pytest.fixture(scope="module")
def registered(world: World) -> NewDocument:
    return make_register(world, 1000)


@pytest.fixture(scope="module")
def paper(registered: NewDocument) -> Paper:
    return registered.committed(bytes(32))


def refused(world: World, document: DocumentState, operation: Draw) -> dict[str, str]:
    """What our verifier says of a draw: the failing claims with their codes."""
    with pytest.raises(BatchRejected) as rejected:
        verify(SUITE, ledger.check_draw(SUITE, world.parameters, document, operation))
    return {label: error.code for label, error in rejected.value.failures}


# --- weak Fiat–Shamir -----------------------------------------------------------------------------------------------------

Challenge = Callable[[Context, LinearRelation, bytes], int]


def _hash(context: bytes, *parts: bytes) -> int:
    sponge = DuplexSponge(derive_session_id(context))
    for part in parts:
        sponge.absorb(part)
    return decode_uint(sponge.squeeze(48), GROUP.order)


def honest_challenge(context: Context, relation: LinearRelation, commitment: bytes) -> int:
    return derive_challenge(GROUP, context.session_id(SUITE), relation.serialized, commitment)


def without_statement(context: Context, relation: LinearRelation, commitment: bytes) -> int:
    """The weakness of CVE-2022-29566: the challenge covers what the prover sends, but not what it is about."""
    return _hash(context.tag(SUITE), commitment)


def without_commitment(context: Context, relation: LinearRelation, commitment: bytes) -> int:
    """The challenge covers the statement alone: the prover knows it before it commits."""
    return _hash(context.tag(SUITE), relation.serialized)


def without_context(context: Context, relation: LinearRelation, commitment: bytes) -> int:
    """The challenge covers statement and commitment, but not what they are for."""
    return _hash(b"no context", relation.serialized, commitment)


def accept(context: Context, relation: LinearRelation, proof: bytes, challenge: Challenge) -> None:
    """The verifier of sigma proofs with its challenge as an argument. Raises what the real one raises."""
    relation.validate()
    parts = SigmaProof.decode(relation, proof)
    value = challenge(context, relation, proof[: ELEMENT_SIZE * len(relation.equations)])
    if tuple(simulate_commitment(relation, value, parts.response)) != parts.commitment:
        raise SigmaRejected("the proof does not satisfy its verification equation")


def only_weakened_accepts(context: Context, relation: LinearRelation, proof: bytes, challenge: Challenge) -> None:
    accept(context, relation, proof, challenge)
    with pytest.raises(SigmaRejected):
        accept(context, relation, proof, honest_challenge)
    with pytest.raises(BatchRejected):
        verify(SUITE, [SigmaClaim("forgery", context.session_id(SUITE), relation, proof)])


def test_the_weakened_verifier_with_the_right_challenge_is_ours(world: World, paper: Paper) -> None:
    new = make_draw(world, paper, 5).operation.draft
    context = ledger.draft_context(world.parameters, paper.facts, new, statements.DRAW.name)
    relation = statements.DRAW.instance(SUITE, ledger.draft_elements(world.parameters, paper.facts, new))
    accept(context, relation, new.proof, honest_challenge)
    for weak in (without_statement, without_commitment, without_context):
        with pytest.raises(SigmaRejected):
            accept(context, relation, new.proof, weak)


def any_context(statement: Statement, document: bytes = b"d" * 32) -> Context:
    return Context("log.example", statement.name, document, b"h" * 32, b"w" * 32, "USD", 1, b"p" * 32)


def test_a_commitment_solved_from_the_challenge(world: World, paper: Paper) -> None:
    """A draw whose commitment nobody can open, on a base of unknown logarithm, is proven well-formed if C is not hashed."""
    statement, context = statements.DRAW, any_context(statements.DRAW)
    vector = SUITE.vectors(1)[0][0]
    owner, regulator = paper.state.owner, world.parameters.regulator
    announced = [MUL(random_scalar(world.randomness, GROUP), vector) for _ in range(4)]
    commitment = b"".join(element.encode() for element in announced)
    inverse = pow(_hash(context.tag(SUITE), commitment), -1, GROUP.order)
    a, r, k = (random_scalar(world.randomness, GROUP) for _ in range(3))
    maps = [MUL(a, SUITE.G) + MUL(r, SUITE.H), MUL(r, owner), MUL(r, regulator), MUL(k, SUITE.G)]
    images = [MUL(inverse, value - point) for value, point in zip(maps, announced, strict=True)]
    elements = dict(zip(("C", "D_owner", "D_regulator", "K"), images, strict=True))
    relation = statement.instance(SUITE, elements | {"P_owner": owner, "P_regulator": regulator})
    only_weakened_accepts(context, relation, commitment + encode_scalars(GROUP, [a, r, k]), without_statement)
    with pytest.raises(OpeningError):
        open_by_logarithm(SUITE, world.regulator, elements["C"], elements["D_regulator"], 100_000)


def test_a_base_solved_from_the_challenge(world: World) -> None:
    """Possession of a key that nobody has is proven if the base is not hashed: P is solved from T + c*H = z*P."""
    statement, holder, seal = statements.VIEW_KEY_POSSESSION, "91330206MA2AF8CXX8", bytes(32)
    context = ledger.possession_context("log.example", statement, holder, seal)
    announced, response = SUITE.vectors(1)[0][0], random_nonzero_scalar(world.randomness, GROUP)
    challenge = _hash(context.tag(SUITE), announced.encode())
    key = MUL(pow(response, -1, GROUP.order), announced + MUL(challenge, SUITE.H))
    proof = announced.encode() + encode_scalars(GROUP, [response])
    only_weakened_accepts(context, statement.instance(SUITE, {"P": key}), proof, without_statement)
    with pytest.raises(BatchRejected):
        verify(SUITE, [ledger.view_key_claim(SUITE, "log.example", holder, seal, key, proof)])


@pytest.mark.parametrize("statement", statements.ALL, ids=lambda statement: statement.name)
def test_the_challenge_covers_every_element(statement: Statement) -> None:
    """Images and bases alike: another element anywhere, H included, is another challenge."""
    names = statement.elements[1:]
    usual = {name: MUL(index + 2, SUITE.vectors(1)[0][0]) for index, name in enumerate(names)}
    changed = [usual, *({**usual, name: usual[name] + SUITE.G} for name in names)]
    relations = [LinearRelation(GROUP, (SUITE.G, *elements.values()), statement.rows) for elements in changed]
    challenges = {derive_challenge(GROUP, bytes(32), relation.serialized, b"the same commitment") for relation in relations}
    assert len(challenges) == 1 + len(names)


def test_a_closure_simulated_from_the_challenge(world: World) -> None:
    """With the challenge known first, the simulator is a prover: here of a closure while 600 are outstanding."""
    statement, context = statements.CLOSE, any_context(statements.CLOSE)
    outstanding, key = Secret(600, 5).commit(SUITE), world.bank.public(SUITE)
    relation = statement.instance(SUITE, {"O": outstanding, "K": key})
    response = [random_scalar(world.randomness, GROUP) for _ in range(2)]
    challenge = without_commitment(context, relation, b"")
    commitment = b"".join(element.encode() for element in simulate_commitment(relation, challenge, response))
    only_weakened_accepts(context, relation, commitment + encode_scalars(GROUP, response), without_commitment)


def test_a_consent_moved_to_another_document(world: World, paper: Paper) -> None:
    """Two documents, if one owner used one key for both: only the context keeps a consent where it was given."""
    statement = statements.CONSENT
    here, there = (
        replace(any_context(statement, document), head=bytes(32), draw=bytes(32)) for document in (b"a" * 32, b"b" * 32)
    )
    relation = statement.instance(SUITE, {"P_owner": paper.state.owner})
    nonce = random_scalar(world.randomness, GROUP)
    commitment = MUL(nonce, paper.state.owner).encode()
    response = nonce + paper.secret.scalar * without_context(here, relation, commitment)
    proof = commitment + encode_scalars(GROUP, [response % GROUP.order])
    accept(here, relation, proof, without_context)
    only_weakened_accepts(there, relation, proof, without_context)


# --- one proof in two encodings -------------------------------------------------------------------------------------------


def test_a_proof_encoded_anew_as_compact(world: World, paper: Paper) -> None:
    """The same proof as challenge and responses, which a verifier of both forms would take for a second one."""
    good = make_draw(world, paper, 5).operation
    context = ledger.draft_context(world.parameters, paper.facts, good.draft, statements.DRAW.name)
    relation = statements.DRAW.instance(SUITE, ledger.draft_elements(world.parameters, paper.facts, good.draft))
    split = ELEMENT_SIZE * len(relation.equations)
    compact = encode_scalars(GROUP, [honest_challenge(context, relation, good.draft.proof[:split])]) + good.draft.proof[split:]
    verify_compact(context.tag(SUITE), relation, compact)
    changed = Draw(replace(good.draft, proof=compact), good.headroom)
    assert refused(world, paper.state, changed) == {"draw.commitment": "length"}


def test_a_compact_proof_encoded_anew_as_batchable(world: World, paper: Paper) -> None:
    """Whoever has a compact proof can compute its commitments. The flavour in the tag is what keeps the two apart."""
    statement, context = statements.CONSENT, any_context(statements.CONSENT)
    relation = statement.instance(SUITE, {"P_owner": paper.state.owner})
    tag = context.tag(SUITE).replace(b"-DSFS-", b"-CMPT-")
    compact = prove_compact(tag, relation, statement.witness(s=paper.secret.scalar), world.randomness)
    verify_compact(tag, relation, compact)
    challenge, response = (int.from_bytes(compact[at : at + 32], "big") for at in (0, 32))
    proof = simulate_commitment(relation, challenge, [response])[0].encode() + compact[32:]
    verify(SUITE, [SigmaClaim("without the flavour", derive_session_id(tag), relation, proof)])
    with pytest.raises(BatchRejected) as rejected:
        verify(SUITE, [SigmaClaim("forgery", context.session_id(SUITE), relation, proof)])
    assert [error.code for _, error in rejected.value.failures] == ["sigma"]


# --- the residual, pre-summed ---------------------------------------------------------------------------------------------

PRE_SUMMED = Statement(
    "headroom-pre-summed",
    ("s", "m", "b"),
    ("H = s*P", "R_after = m*G + s*E_after", "C_left = m*G + b*H"),
    statements.HEADROOM_BY_OWNER.requires - {"head", "payload"},
)
"""The weakness: the statement has only the difference of residual and draw, and the context neither head nor payload."""


def pre_summed(draw: bytes, after: HandledCommitment, left: Element, owner: Element) -> tuple[Context, LinearRelation]:
    context = Context("log.example", PRE_SUMMED.name, b"d" * 32, bytes(32), draw, "USD", 1, bytes(32))
    PRE_SUMMED.check_context(context)
    elements = {"P": owner, "R_after": after.commitment, "E_after": after.owner, "C_left": left}
    return context, PRE_SUMMED.instance(SUITE, elements)


def test_an_authorisation_moved_to_a_larger_draw(world: World) -> None:
    """The owner authorises 600. The bank gives 500 of an older draw back and takes 1,100: the difference is the same."""
    first = make_draw(world, make_register(world, 2000).committed(bytes(32)), 1000)
    paper, loan = first.committed(b"\1" * 32)
    asked = make_draw(world, paper, 600)
    returned = make_reduce(world, paper, loan, 500, RELEASED)
    richer, _ = returned.committed(world, paper, loan, b"\2" * 32)
    taken = asked.operation.draft.amount + returned.operation.amount  # 1,100, and the bank knows its opening

    left = Opening(400, random_nonzero_scalar(world.randomness, GROUP))
    draw, owner = asked.operation.draft.draw, paper.state.owner
    context, relation = pre_summed(draw, paper.state.residual - asked.operation.draft.amount, left.commit(SUITE), owner)
    witness = PRE_SUMMED.witness(s=paper.secret.scalar, m=400, b=left.blinding)
    proof = prove_batchable(context.tag(SUITE), relation, witness, world.randomness)
    moved_context, moved = pre_summed(draw, richer.state.residual - taken, left.commit(SUITE), owner)
    accept(moved_context, moved, proof, honest_challenge)

    # Ours has R and C apart, the draw in the payload and the history in the head. Each of them refuses by itself.
    honest = asked.operation
    for state, amount in ((richer.state, taken), (richer.state, honest.draft.amount), (paper.state, taken)):
        changed = Draw(replace(honest.draft, amount=amount), honest.headroom)
        assert refused(world, state, changed)["draw.headroom"] == "sigma"
    same_head = replace(richer.state, head=paper.state.head)
    assert refused(world, same_head, Draw(replace(honest.draft, amount=taken), honest.headroom))["draw.headroom"] == "sigma"
    assert refused(world, same_head, honest)["draw.headroom"] == "sigma"
    elements = ledger.headroom_elements(
        world.parameters, richer.state, replace(honest.draft, amount=taken), OWNER, honest.headroom.left
    )
    apart = statements.HEADROOM_BY_OWNER.instance(SUITE, elements)
    there = ledger.headroom_context(world.parameters, paper.state, honest.draft, statements.HEADROOM_BY_OWNER.name)
    with pytest.raises(SigmaRejected):
        accept(there, apart, honest.headroom.proof, honest_challenge)


# --- state from the request -----------------------------------------------------------------------------------------------


def test_state_taken_from_the_request(world: World, paper: Paper) -> None:
    """Two draws of 600 on 1,000, both proven against the untouched document."""
    first, second = make_draw(world, paper, 600), make_draw(world, paper, 600)
    after, _ = first.committed(b"\1" * 32)
    verify(SUITE, ledger.check_draw(SUITE, world.parameters, second.paper.state, second.operation))  # the state it carries
    overdrawn, _ = ledger.drawn(world.parameters, after.state, second.operation, b"\2" * 32)
    with pytest.raises(OpeningError):
        open_by_logarithm(SUITE, paper.secret, overdrawn.residual.commitment, overdrawn.residual.owner, 1000)
    check_wrapped(world, paper, overdrawn, -200)
    assert refused(world, after.state, second.operation) == {"draw.headroom": "sigma", "draw.range": "range"}


def check_wrapped(world: World, paper: Paper, document: DocumentState, amount: int) -> None:
    """The residual holds this integer, which is below zero."""
    residual = document.residual
    assert amount_point(SUITE, paper.secret, residual.commitment, residual.owner) == MUL(amount, SUITE.G)
    assert amount_point(SUITE, world.regulator, residual.commitment, residual.regulator) == MUL(amount, SUITE.G)


@pytest.mark.parametrize("amount", [1, 100, 400])
def test_a_stale_head(world: World, paper: Paper, amount: int) -> None:
    """Also when the headroom would have sufficed, and for a head that changed without the residual."""
    first, second = make_draw(world, paper, 600), make_draw(world, paper, amount)
    after, _ = first.committed(b"\1" * 32)
    assert refused(world, after.state, second.operation) == {"draw.headroom": "sigma", "draw.range": "range"}
    touched = replace(paper.state, head=after.state.head)
    assert refused(world, touched, second.operation) == {"draw.headroom": "sigma", "draw.range": "range"}
    verify(SUITE, ledger.check_draw(SUITE, world.parameters, paper.state, second.operation))


# --- ranges that nobody proves --------------------------------------------------------------------------------------------


def without_ranges(world: World, document: DocumentState, operation: Draw) -> None:
    """The weakness: sums modulo the order are taken for sums of integers."""
    claims = ledger.check_draw(SUITE, world.parameters, document, operation)
    verify(SUITE, [claim for claim in claims if isinstance(claim, SigmaClaim)])


@pytest.mark.parametrize("amount", [1001, 2**47, -1, -(2**40), 0])
def test_sums_that_wrap_need_missing_range_proofs(world: World, paper: Paper, amount: int) -> None:
    """More than there is (what is left wraps to the order less the excess), less than nothing, and nothing."""
    drawn = Secret(amount, random_nonzero_scalar(world.randomness, GROUP))
    draft = dishonest_draft(world, paper, drawn)
    operation = Draw(draft, dishonest_headroom(world, paper, draft, drawn, 1000 - amount, paper.secret))
    without_ranges(world, paper.state, operation)
    check_wrapped(world, paper, ledger.drawn(world.parameters, paper.state, operation, bytes(32))[0], 1000 - amount)
    assert refused(world, paper.state, operation) == {"draw.range": "range"}


def dishonest_draft(world: World, paper: Paper, amount: Secret, committed: HandledCommitment | None = None) -> Draft:
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
        committed=committed,
    )


def dishonest_headroom(world: World, paper: Paper, draft: Draft, amount: Secret, left: int, secret: ViewSecret) -> Headroom:
    return dishonest.headroom(
        SUITE,
        world.parameters,
        paper.state,
        draft,
        prover=OWNER,
        secret=secret,
        amount=amount,
        left=left,
        randomness=world.randomness,
    )


# --- a bank alone ---------------------------------------------------------------------------------------------------------


def test_a_bank_alone_makes_no_headroom_proof(world: World, paper: Paper) -> None:
    """It knows its own draw, its own keys, an older proof for the same document, and may guess what is left."""
    bank_key = ViewSecret(world.bank.scalar)
    opening = world.opening(100)
    draft = make_draft(world, paper, opening, world.bank)
    with pytest.raises(OpeningError):
        make_headroom(world, replace(paper, secret=bank_key), draft, opening)
    amount = Secret(opening.amount, opening.blinding)
    for left in (900, 0, 1000):
        forged = dishonest_headroom(world, paper, draft, amount, left, bank_key)
        assert refused(world, paper.state, Draw(draft, forged)) == {"draw.headroom": "sigma"}
    older = make_draw(world, paper, 100).operation.headroom
    assert refused(world, paper.state, Draw(draft, older)) == {"draw.headroom": "sigma", "draw.range": "range"}
    with pytest.raises(StateError):
        ledger.check_draw(SUITE, world.parameters, paper.state, Draw(draft, replace(older, prover="regulator")))


def test_a_bank_alone_needs_two_holes(world: World, paper: Paper) -> None:
    """Without H = s*P and without the draft's proof, the bank chooses C and its handle so that it knows all that is asked."""
    residual = paper.state.residual
    s, m, b = 1234, 77, random_nonzero_scalar(world.randomness, GROUP)
    free = MUL(random_nonzero_scalar(world.randomness, GROUP), SUITE.H)
    commitment = residual.commitment - MUL(m, SUITE.G) - MUL(s, free)
    handles = HandledCommitment(commitment, residual.owner - free, residual.regulator - free)
    weak = Statement(
        "headroom-without-key",
        ("m", "s", "b"),
        statements.HEADROOM_BY_OWNER.equations[1:],
        statements.HEADROOM_BY_OWNER.requires,
    )
    elements = {"R": residual.commitment, "C": commitment, "E_R": residual.owner, "E_C": handles.owner}
    elements["C_left"] = Secret(m, b).commit(SUITE)
    relation, context = weak.instance(SUITE, elements), any_context(weak)
    accept(context, relation, prove_batchable(context.tag(SUITE), relation, (m, s, b), world.randomness), honest_challenge)

    # With the key's equation there is no witness, with the draft's proof no such commitment.
    whole = statements.HEADROOM_BY_OWNER.instance(SUITE, elements | {"P": paper.state.owner})
    with pytest.raises(WitnessError):
        prove_batchable(context.tag(SUITE), whole, (s, m, b), world.randomness)
    amount = Secret(923, 5)
    draft = dishonest_draft(world, paper, amount, handles)
    headroom = dishonest_headroom(world, paper, draft, amount, m, ViewSecret(s))
    assert refused(world, paper.state, Draw(draft, headroom)) == {
        "draw.commitment": "sigma",
        "draw.headroom": "sigma",
        "draw.range": "range",
    }


# --- handles that nobody proves -------------------------------------------------------------------------------------------


def without_draft(world: World, document: DocumentState, operation: Draw) -> None:
    """The weakness: the bank's AND proof of commitment and handles is not checked."""
    verify(SUITE, ledger.check_headroom(SUITE, world.parameters, document, operation.draft, operation.headroom))


def test_a_handle_for_another_key(world: World, paper: Paper) -> None:
    """The regulator would see an accepted draw that it cannot open."""
    amount = Secret(600, random_nonzero_scalar(world.randomness, GROUP))
    honest = amount.handled(SUITE, paper.state.owner, world.parameters.regulator)
    committed = replace(honest, regulator=MUL(amount.blinding, world.bank.public(SUITE)))
    draft = dishonest_draft(world, paper, amount, committed)
    operation = Draw(draft, dishonest_headroom(world, paper, draft, amount, 400, paper.secret))
    without_draft(world, paper.state, operation)
    with pytest.raises(OpeningError):
        check_amount(SUITE, world.regulator, committed.commitment, committed.regulator, 600)
    with pytest.raises(OpeningError):
        open_by_logarithm(SUITE, world.regulator, committed.commitment, committed.regulator, 100_000)
    assert refused(world, paper.state, operation) == {"draw.commitment": "sigma"}


def test_a_handle_that_shifts_what_is_left(world: World, paper: Paper) -> None:
    """Owner and bank draw 1,500 on 1,000: the component s**-1 * 500 * G of the handle adds 500 to what the owner proves."""
    amount = Secret(1500, random_nonzero_scalar(world.randomness, GROUP))
    honest = amount.handled(SUITE, paper.state.owner, world.parameters.regulator)
    component = MUL(500 * pow(paper.secret.scalar, -1, GROUP.order), SUITE.G)
    draft = dishonest_draft(world, paper, amount, replace(honest, owner=honest.owner + component))
    operation = Draw(draft, dishonest_headroom(world, paper, draft, amount, 0, paper.secret))
    without_draft(world, paper.state, operation)
    assert refused(world, paper.state, operation) == {"draw.commitment": "sigma"}


@pytest.mark.parametrize("base", ["G_vector", "H_vector", "P_owner", "P_regulator", "residual", "handle"])
def test_a_commitment_with_a_component_on_another_base(world: World, paper: Paper, base: str) -> None:
    """C = a*G + r*H + 5*X for any X that the bank might know."""
    bases: Mapping[str, Element] = {
        "G_vector": SUITE.vectors(1)[0][0],
        "H_vector": SUITE.vectors(1)[1][0],
        "P_owner": paper.state.owner,
        "P_regulator": world.parameters.regulator,
        "residual": paper.state.residual.commitment,
        "handle": paper.state.residual.owner,
    }
    amount = Secret(600, random_nonzero_scalar(world.randomness, GROUP))
    honest = amount.handled(SUITE, paper.state.owner, world.parameters.regulator)
    shifted = replace(honest, commitment=honest.commitment + MUL(5, bases[base]))
    draft = dishonest_draft(world, paper, amount, shifted)
    operation = Draw(draft, dishonest_headroom(world, paper, draft, amount, 400, paper.secret))
    assert refused(world, paper.state, operation)["draw.commitment"] == "sigma"


# --- what must never be published -----------------------------------------------------------------------------------------


def test_s_times_a_handle_opens_the_amount(world: World, paper: Paper) -> None:
    """Whoever gets s*D searches a*G without any key. Nothing that is published serves instead of it."""
    new = make_draw(world, paper, 600)
    after, _ = new.committed(b"\1" * 32)
    residual, table = after.state.residual, LogarithmTable(SUITE, 64)
    leaked = MUL(paper.secret.scalar, residual.owner)
    assert table.find(residual.commitment - leaked, 1000) == 400

    published = public_points(world, after, new)
    targets = [residual.commitment, paper.state.residual.commitment, new.operation.draft.amount.commitment]
    for commitment in targets:
        for point in published:
            for difference in (commitment - point, commitment + point):
                with pytest.raises(OpeningError):
                    table.find(difference, 1000)


def public_points(world: World, after: Paper, new: NewDraw) -> Sequence[Element]:
    """Every point of a draw's message, of its state, and of the log's parameters."""
    draft, headroom = new.operation.draft, new.operation.headroom
    DrawMessage.of(new.operation)  # the message has nothing that the operation has not
    points = [draft.key, draft.amount.owner, draft.amount.regulator, headroom.left, world.parameters.regulator]
    points += [after.state.owner, after.state.residual.owner, after.state.residual.regulator, *world.parameters.attesters]
    for proof, rows in ((draft.proof, 4), (headroom.proof, 3)):
        points += [GROUP.decode(proof[i : i + ELEMENT_SIZE]) for i in range(0, rows * ELEMENT_SIZE, ELEMENT_SIZE)]
    places = [1 + i * ELEMENT_SIZE for i in range(4)] + [229 + i * ELEMENT_SIZE for i in range(14)]
    points += [GROUP.decode(headroom.range_proof[at : at + ELEMENT_SIZE]) for at in places]
    return [*points, SUITE.H]


def test_no_refusal_says_more_than_its_code(world: World, paper: Paper) -> None:
    """Short by one and short by all are refused in the same words."""
    messages = set()
    for amount in (1001, 5000, 2**47):
        drawn = Secret(amount, random_nonzero_scalar(world.randomness, GROUP))
        draft = dishonest_draft(world, paper, drawn)
        operation = Draw(draft, dishonest_headroom(world, paper, draft, drawn, 1000 - amount, paper.secret))
        with pytest.raises(ZkError) as rejected:
            verify(SUITE, ledger.check_draw(SUITE, world.parameters, paper.state, operation))
        messages.add(str(rejected.value))
    assert len(messages) == 1
