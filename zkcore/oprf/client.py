"""Who wants an output blinds its inputs, checks the evaluator's proof, and finishes (RFC 9497, section 3.3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkcore.errors import EvaluationRejected, KeyRejected, LengthError
from zkcore.group import SCALAR_SIZE, Element, decode_scalar
from zkcore.hash_to_curve import inverses
from zkcore.oprf import suite
from zkcore.randomness import Randomness, random_nonzero_scalar


@dataclass(frozen=True, repr=False)
class Blinding:
    """Inputs with the scalars that hide them, kept until the evaluation comes back. Secret; does not print."""

    inputs: tuple[bytes, ...]
    scalars: tuple[int, ...]
    elements: tuple[Element, ...]
    """What is sent: uniform and independent of the inputs."""

    def __repr__(self) -> str:
        return f"Blinding({len(self.inputs)} inputs)"


def blind(inputs: Sequence[bytes], randomness: Randomness) -> Blinding:
    """Hide each input under a scalar of its own.

    Raises LengthError for an empty or too large batch or too long an input, IdentityError for an input that hashes to the
    identity (nobody knows one).
    """
    group = suite.group()
    hashed = suite.hash_all_to_group(inputs)
    suite.check_batch(hashed)
    scalars = tuple(random_nonzero_scalar(randomness, group) for _ in inputs)
    return Blinding(tuple(inputs), scalars, tuple(group.products(scalars, hashed)))


def finalize(blinding: Blinding, public: Element, evaluated: Sequence[Element], proof: bytes) -> list[bytes]:
    """The output of each input, 32 bytes, once the proof shows that the key of `public` evaluated all of them.

    Raises KeyRejected for the identity as the key, LengthError for another number of elements or length of the proof,
    ScalarError for a scalar of it not below the order, IdentityError for an evaluated element that is the identity,
    EvaluationRejected for a proof that does not hold.
    """
    if public.is_identity:
        raise KeyRejected("the evaluator's public key is the identity")
    suite.check_batch(evaluated)
    _verify(public, blinding.elements, evaluated, proof)
    group = suite.group()
    unblinded = group.products(inverses(blinding.scalars, group.order), evaluated)
    return [suite.output(data, element) for data, element in zip(blinding.inputs, unblinded, strict=True)]


def _verify(public: Element, blinded: Sequence[Element], evaluated: Sequence[Element], proof: bytes) -> None:
    """That log_G(public) = log_B(evaluated B) for every blinded element B."""
    if len(proof) != suite.PROOF_SIZE:
        raise LengthError(f"an evaluation's proof is {suite.PROOF_SIZE} bytes, got {len(proof)}")
    group = suite.group()
    challenge, response = decode_scalar(group, proof[:SCALAR_SIZE]), decode_scalar(group, proof[SCALAR_SIZE:])
    weights = suite.composite_weights(public, blinded, evaluated)
    m, z = group.msm(weights, blinded), group.msm(weights, evaluated)
    first = group.msm([response, challenge], [group.generator(), public])
    second = group.msm([response, challenge], [m, z])
    # None of them has an encoding then, and no honest evaluator makes one but with probability 2^-256.
    if any(point.is_identity for point in (m, z, first, second)):
        raise EvaluationRejected("the evaluation's proof does not hold")
    if suite.challenge(public, (m, z), (first, second)) != challenge:
        raise EvaluationRejected("the evaluation's proof does not hold")
