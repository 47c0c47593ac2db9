"""Batches: accepted exactly when every claim holds, and otherwise the bad ones are named, all of them and no other.

A failure would be: a false claim that hides behind others, a true one that is named, a verdict made of an engine's failure,
and weights that a prover knows while it can still choose its responses. The last is shown by forgers: against a fold whose
weights are drawn before the responses are absorbed they close a draw on which money is outstanding, and two wrong proofs
cancel each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest

from schemas.vectors.dishonest import Secret, prove_range
from tests.builders import flip
from zkcore import engine, statements
from zkcore.context import ABSENT, NO_CURRENCY, Context
from zkcore.errors import (
    BatchRejected,
    EngineError,
    IdentityError,
    LengthError,
    PointError,
    RangeRejected,
    SigmaRejected,
    ZkError,
)
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element
from zkcore.randomness import SeededRandomness, random_nonzero_scalar, random_scalar
from zkcore.relations import LinearRelation
from zkcore.secret.sigma import linear_map, prove_batchable
from zkcore.suite import Suite
from zkcore.transcript import LABEL_BATCH, DuplexSponge, derive_session_id
from zkcore.verifying import batch
from zkcore.verifying.batch import Claim, RangeClaim, SigmaClaim, verify
from zkcore.verifying.sigma import derive_challenge, encode_scalars

SUITE = engine.load()
GROUP = SUITE.group
RANDOMNESS = SeededRandomness(b"batches")


def context_of(payload: bytes = b"p" * 32) -> Context:
    name = statements.SIGNING_KEY_POSSESSION.name
    return Context("log.example", name, ABSENT, ABSENT, ABSENT, NO_CURRENCY, 0, payload)


def key_claim(suite: Suite, label: str) -> SigmaClaim:
    """Knowledge of a signing key."""
    secret = random_nonzero_scalar(RANDOMNESS, suite.group)
    relation = statements.SIGNING_KEY_POSSESSION.instance(suite, {"K": suite.group.mul(secret, suite.G)})
    context = context_of(RANDOMNESS.read(32))
    return SigmaClaim(
        label, context.session_id(suite), relation, prove_batchable(context.tag(suite), relation, [secret], RANDOMNESS)
    )


def draw_claim(suite: Suite, label: str) -> SigmaClaim:
    """A statement of four equations."""
    mul, g, h = suite.group.mul, suite.G, suite.H
    a, r, k, p, q = (random_nonzero_scalar(RANDOMNESS, suite.group) for _ in range(5))
    owner, regulator = mul(p, h), mul(q, h)
    elements = {"C": mul(a, g) + mul(r, h), "D_owner": mul(r, owner), "D_regulator": mul(r, regulator)}
    elements |= {"P_owner": owner, "P_regulator": regulator, "K": mul(k, g)}
    relation, context = statements.DRAW.instance(suite, elements), context_of(RANDOMNESS.read(32))
    return SigmaClaim(
        label, context.session_id(suite), relation, prove_batchable(context.tag(suite), relation, [a, r, k], RANDOMNESS)
    )


def range_claim(suite: Suite, label: str, values: Sequence[int] = (3, 250), bits: int = 8) -> RangeClaim:
    secrets = [Secret(value, random_scalar(RANDOMNESS, suite.group)) for value in values]
    session = RANDOMNESS.read(32)
    proof = prove_range(suite, session, secrets, bits, RANDOMNESS)
    return RangeClaim(label, session, tuple(secret.commit(suite) for secret in secrets), bits, proof)


@pytest.fixture(scope="module", params=engine.available())
def suite(request: pytest.FixtureRequest) -> Suite:
    return engine.load(request.param)


@pytest.fixture(scope="module")
def claims(suite: Suite) -> list[Claim]:
    """Claims of every kind and several widths."""
    made: list[Claim] = []
    for index in range(4):
        made += [key_claim(suite, f"key {index}"), draw_claim(suite, f"draw {index}")]
    made += [range_claim(suite, f"range {index}") for index in range(3)]
    return [*made, range_claim(suite, "wider", (65_535,), 16), range_claim(suite, "narrower", (0,), 8)]


# --- verdicts -------------------------------------------------------------------------------------------------------------


def spoiled(suite: Suite, claim: Claim, how: int) -> tuple[Claim, type[ZkError]]:
    """The claim made false in one of several ways, with the error it then raises alone."""
    rejected = SigmaRejected if isinstance(claim, SigmaClaim) else RangeRejected
    if how == 0:
        return replace(claim, session_id=flip(claim.session_id, 0)), rejected
    if how == 1:
        return replace(claim, proof=flip(claim.proof, 8 * (len(claim.proof) - 1))), rejected
    if how == 2:
        return replace(claim, proof=claim.proof[:-1]), LengthError
    start = 0 if isinstance(claim, SigmaClaim) else 1
    return replace(claim, proof=claim.proof[:start] + b"\4" + claim.proof[start + 1 :]), PointError


def test_a_mixed_batch_of_truths_is_accepted(suite: Suite, claims: list[Claim]) -> None:
    verify(suite, claims)
    verify(suite, claims[::-1])
    for claim in claims:
        verify(suite, [claim])
    verify(suite, claims[:1] * 3)  # one claim may stand more than once


def test_exactly_the_bad_claims_are_named(suite: Suite, claims: list[Claim]) -> None:
    random = Random("subsets")
    for size in (1, 1, 2, 3, 5, len(claims)):
        bad = set(random.sample(range(len(claims)), size))
        mixed, expected = [], []
        for index, claim in enumerate(claims):
            changed, error = spoiled(suite, claim, random.randrange(4)) if index in bad else (claim, None)
            mixed.append(changed)
            expected += [] if error is None else [(changed.label, error)]
        with pytest.raises(BatchRejected) as refused:
            verify(suite, mixed)
        assert [(label, type(error)) for label, error in refused.value.failures] == expected
        assert refused.value.code == "batch"


def test_a_false_claim_alone_is_named(suite: Suite, claims: list[Claim]) -> None:
    for claim in (claims[0], claims[1], claims[-1]):
        for how in range(4):
            changed, error = spoiled(suite, claim, how)
            with pytest.raises(BatchRejected) as refused:
                verify(suite, [changed])
            assert [(label, type(failure)) for label, failure in refused.value.failures] == [(claim.label, error)]


def test_an_empty_batch_is_refused(suite: Suite) -> None:
    with pytest.raises(BatchRejected) as refused:
        verify(suite, [])
    assert refused.value.failures == ()


def test_two_claims_of_one_label_do_not_hide_each_other(suite: Suite, claims: list[Claim]) -> None:
    """Results are not kept by label, where the later would replace the earlier."""
    good = replace(claims[0], label="same")
    bad, error = spoiled(suite, replace(claims[1], label="same"), 1)
    for mixed, count in (([good, bad], 1), ([bad, good], 1), ([bad, good, bad], 2)):
        with pytest.raises(BatchRejected) as refused:
            verify(suite, mixed)
        assert [(label, type(failure)) for label, failure in refused.value.failures] == [("same", error)] * count


def test_a_value_that_is_the_identity_is_named(suite: Suite) -> None:
    claim = range_claim(suite, "range")
    changed = replace(claim, values=(claim.values[0], suite.group.identity()))
    with pytest.raises(BatchRejected) as refused:
        verify(suite, [claim, changed])
    assert [type(error) for _, error in refused.value.failures] == [IdentityError]


def test_a_failing_engine_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = engine.load("openssl")  # whose verdicts come from the Python code
    claim = key_claim(suite, "key")

    def fail(self: LinearRelation) -> None:
        raise EngineError("no memory")

    monkeypatch.setattr(LinearRelation, "validate", fail)
    with pytest.raises(EngineError):
        verify(suite, [claim])


# --- weights --------------------------------------------------------------------------------------------------------------


def test_every_byte_moves_every_weight() -> None:
    claim, bound = key_claim(SUITE, "key"), range_claim(SUITE, "range")

    def weights(*of: Claim) -> list[int]:
        return batch._weights([batch._Prepared(item, (), item.absorbed()) for item in of], 8)

    right = weights(claim, bound)
    other = key_claim(SUITE, "key")
    changes: list[tuple[Claim, Claim]] = [
        (replace(claim, session_id=other.session_id), bound),
        (replace(claim, relation=other.relation), bound),
        (claim, replace(bound, session_id=other.session_id)),
        (claim, replace(bound, values=bound.values[::-1])),
        (claim, replace(bound, bits=16)),
        (bound, claim),
    ]
    changes += [(replace(claim, proof=flip(claim.proof, 8 * i)), bound) for i in range(len(claim.proof))]
    changes += [(claim, replace(bound, proof=flip(bound.proof, 8 * i))) for i in range(len(bound.proof))]
    for changed in changes:
        assert not set(weights(*changed)) & set(right)
    assert all(0 < weight < 1 << 128 for weight in right)


Weights = Callable[[Sequence[SigmaClaim], int], list[int]]


def weights_before_responses(claims: Sequence[SigmaClaim], count: int) -> list[int]:
    """The weakness: everything is absorbed but the responses."""
    sponge = DuplexSponge(derive_session_id(LABEL_BATCH))
    for claim in claims:
        commitments = claim.proof[: ELEMENT_SIZE * len(claim.relation.equations)]
        sponge.absorb(b"S" + claim.session_id + claim.relation.serialized + commitments)
    stream = sponge.squeeze(16 * count)
    return [int.from_bytes(stream[i : i + 16], "little") for i in range(0, len(stream), 16)]


def weights_of_ones(claims: Sequence[SigmaClaim], count: int) -> list[int]:
    """The weakness of no weights at all."""
    return [1] * count


def weakened(claims: Sequence[SigmaClaim], draw: Weights) -> None:
    """The fold of zkcore.verifying.batch with other weights. Raises SigmaRejected."""
    rows = [equation.terms for claim in claims for equation in claim.equations(SUITE)]
    total = GROUP.identity()
    for weight, terms in zip(draw(claims, len(rows)), rows, strict=True):
        total = total + GROUP.msm([weight * scalar % GROUP.order for scalar, _ in terms], [element for _, element in terms])
    if not total.is_identity:
        raise SigmaRejected("the weakened fold is not the identity")


@dataclass(frozen=True)
class Attempt:
    """A proof before its responses: what the forger knows when it learns the weights."""

    relation: LinearRelation
    session_id: bytes
    witness: list[int]
    nonces: list[int]

    @classmethod
    def begin(cls, relation: LinearRelation, witness: list[int]) -> Attempt:
        nonces = [random_nonzero_scalar(RANDOMNESS, GROUP) for _ in witness]
        return cls(relation, RANDOMNESS.read(32), witness, nonces)

    @property
    def commitments(self) -> bytes:
        return b"".join(element.encode() for element in linear_map(self.relation, self.nonces))

    @property
    def challenge(self) -> int:
        return derive_challenge(GROUP, self.session_id, self.relation.serialized, self.commitments)

    def finish(self, errors: Sequence[int]) -> SigmaClaim:
        """The claim with honest responses plus these errors."""
        honest = zip(self.nonces, self.witness, errors, strict=True)
        responses = [(nonce + self.challenge * scalar + error) % GROUP.order for nonce, scalar, error in honest]
        return SigmaClaim("forgery", self.session_id, self.relation, self.commitments + encode_scalars(GROUP, responses))


def close_relation(outstanding: Element, key: Element) -> LinearRelation:
    return statements.CLOSE.instance(SUITE, {"O": outstanding, "K": key})


def forge_closure(draw: Weights) -> SigmaClaim:
    """A closure while 1,000,000 are outstanding: the error on G of the first equation is paid by the second's response."""
    outstanding, q, k = 1_000_000, random_scalar(RANDOMNESS, GROUP), random_nonzero_scalar(RANDOMNESS, GROUP)
    relation = close_relation(GROUP.mul(outstanding, SUITE.G) + GROUP.mul(q, SUITE.H), GROUP.mul(k, SUITE.G))
    attempt = Attempt.begin(relation, [q, k])
    first, second = draw([attempt.finish([0, 0])], 2)
    error = first * attempt.challenge * outstanding * pow(second, -1, GROUP.order)
    return attempt.finish([0, error])


def forge_pair(draw: Weights) -> list[SigmaClaim]:
    """Two proofs with wrong responses whose errors cancel under the weights."""
    keys = [random_nonzero_scalar(RANDOMNESS, GROUP) for _ in range(2)]
    attempts = []
    for key in keys:
        relation = statements.SIGNING_KEY_POSSESSION.instance(SUITE, {"K": GROUP.mul(key, SUITE.G)})
        attempts.append(Attempt.begin(relation, [key]))
    first, second = draw([attempt.finish([0]) for attempt in attempts], 2)
    error = random_nonzero_scalar(RANDOMNESS, GROUP)
    return [attempts[0].finish([error]), attempts[1].finish([-error * first * pow(second, -1, GROUP.order)])]


WEAK = pytest.mark.parametrize("draw", [weights_before_responses, weights_of_ones])


@WEAK
def test_a_false_closure_needs_early_weights(draw: Weights) -> None:
    forgery = forge_closure(draw)
    weakened([forgery], draw)
    with pytest.raises(BatchRejected):
        verify(SUITE, [forgery])


@WEAK
def test_cancelling_proofs_need_early_weights(draw: Weights) -> None:
    pair = forge_pair(draw)
    weakened(pair, draw)
    for claim in pair:
        with pytest.raises(SigmaRejected):
            weakened([claim], draw)
    with pytest.raises(BatchRejected) as refused:
        verify(SUITE, pair)
    assert len(refused.value.failures) == 2


def test_the_forger_meets_the_real_weights() -> None:
    """The same forger that takes the production weights as they are before its last responses."""

    def production(claims: Sequence[SigmaClaim], count: int) -> list[int]:
        return batch._weights([batch._Prepared(claim, (), claim.absorbed()) for claim in claims], count)

    for forgery in ([forge_closure(production)], forge_pair(production)):
        with pytest.raises(SigmaRejected):
            weakened(forgery, production)
        with pytest.raises(BatchRejected):
            verify(SUITE, forgery)


def test_the_weakened_fold_accepts_what_is_true() -> None:
    """It is weak, not broken: honest proofs pass and a single wrong response does not."""
    attempt = Attempt.begin(close_relation(GROUP.mul(5, SUITE.H), GROUP.mul(7, SUITE.G)), [5, 7])
    for draw in (weights_before_responses, weights_of_ones):
        weakened([attempt.finish([0, 0])], draw)
        for errors in ([0, 1], [1, 0]):
            with pytest.raises(SigmaRejected):
                weakened([attempt.finish(errors)], draw)
    assert len(attempt.commitments) == 2 * ELEMENT_SIZE
    assert len(attempt.finish([0, 0]).proof) == 2 * (ELEMENT_SIZE + SCALAR_SIZE)
