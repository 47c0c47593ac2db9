"""Proving of sigma proofs for linear relations (draft-irtf-cfrg-sigma-protocols-03), batchable and compact."""

from __future__ import annotations

from collections.abc import Sequence

from zkcore.errors import WitnessError
from zkcore.group import Element
from zkcore.randomness import Randomness, random_scalar, random_scalar_size
from zkcore.relations import LinearRelation
from zkcore.transcript import derive_session_id
from zkcore.verifying.sigma import derive_challenge, encode_scalars


def linear_map(relation: LinearRelation, scalars: Sequence[int]) -> list[Element]:
    """map(instance, scalars) of the draft, over secret scalars: every product through the engine's constant-time `mul`."""
    group, elements = relation.group, relation.elements
    result = []
    for equation in relation.equations:
        total: Element | None = None
        for s, e, coefficient in equation.terms:
            product = group.mul(scalars[s] * coefficient % group.order, elements[e])
            total = product if total is None else total + product
        result.append(group.identity() if total is None else total)
    return result


def check_witness(relation: LinearRelation, witness: Sequence[int]) -> None:
    """Raises WitnessError unless the witness satisfies every equation: an unprovable statement never leaves the prover."""
    if len(witness) != relation.scalar_count:
        raise WitnessError("the witness has not as many scalars as the statement")
    for equation, value in zip(relation.equations, linear_map(relation, witness), strict=True):
        if relation.image(equation) != value:
            raise WitnessError("the witness does not satisfy the statement")


def _transcript(
    session_id: bytes, relation: LinearRelation, witness: Sequence[int], randomness: Randomness
) -> tuple[bytes, int, list[int]]:
    """(encoded commitment, challenge, response). Nonces are drawn in the order of the scalars."""
    relation.validate()
    check_witness(relation, witness)
    group = relation.group
    nonces = [random_scalar(randomness, group) for _ in range(relation.scalar_count)]
    commitment = b"".join(element.encode() for element in linear_map(relation, nonces))
    challenge = derive_challenge(group, session_id, relation.serialized, commitment)
    response = [(nonce + scalar * challenge) % group.order for nonce, scalar in zip(nonces, witness, strict=True)]
    return commitment, challenge, response


def prove_batchable(tag: bytes, relation: LinearRelation, witness: Sequence[int], randomness: Randomness) -> bytes:
    """ProveBatchable of the draft: 33 bytes an equation, 32 a scalar. Raises WitnessError, InstanceError, IdentityError."""
    if relation.group.sigma_prover is not None:
        nonces = randomness.read(random_scalar_size(relation.group) * len(witness))
        return relation.group.sigma_prover(derive_session_id(tag), relation, witness, nonces)
    commitment, _, response = _transcript(derive_session_id(tag), relation, witness, randomness)
    return commitment + encode_scalars(relation.group, response)


def prove_compact(tag: bytes, relation: LinearRelation, witness: Sequence[int], randomness: Randomness) -> bytes:
    """ProveCompact of the draft: the challenge and the response, 32 bytes a scalar."""
    _, challenge, response = _transcript(derive_session_id(tag), relation, witness, randomness)
    return encode_scalars(relation.group, [challenge, *response])
