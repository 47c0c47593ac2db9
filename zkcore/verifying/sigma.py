"""Verification of sigma proofs for linear relations (draft-irtf-cfrg-sigma-protocols-03), batchable and compact.

Tradeveil uses the batchable form alone; the compact form is here so that the same code replays the draft's official vectors.
Everything raises on refusal: LengthError, PointError, ScalarError, InstanceError, IdentityError, SigmaRejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkcore.errors import IdentityError, LengthError, SigmaRejected
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element, Group, decode_scalar, encode_scalar
from zkcore.relations import LinearRelation
from zkcore.transcript import EXTRA, DuplexSponge, decode_uint, derive_session_id


def derive_challenge(group: Group, session_id: bytes, statement: bytes, commitment: bytes) -> int:
    """DeriveChallenge of the draft: absorb the serialized relation, then the commitment; decode 48 squeezed bytes."""
    sponge = DuplexSponge(session_id)
    sponge.absorb(statement)
    sponge.absorb(commitment)
    return decode_uint(sponge.squeeze(SCALAR_SIZE + EXTRA), group.order)


@dataclass(frozen=True, repr=False)
class SigmaProof:
    """A decoded batchable proof: one commitment element an equation, one response scalar a witness scalar."""

    commitment: tuple[Element, ...]
    response: tuple[int, ...]

    @classmethod
    def decode(cls, relation: LinearRelation, data: bytes) -> SigmaProof:
        """Exact length, canonical points (never the identity), canonical scalars; nothing is computed before all hold."""
        if len(data) != relation.proof_size:
            raise LengthError(f"this sigma proof is {relation.proof_size} bytes, got {len(data)}")
        split = ELEMENT_SIZE * len(relation.equations)
        commitment = [relation.group.decode(data[i : i + ELEMENT_SIZE]) for i in range(0, split, ELEMENT_SIZE)]
        response = [decode_scalar(relation.group, data[i : i + SCALAR_SIZE]) for i in range(split, len(data), SCALAR_SIZE)]
        return cls(tuple(commitment), tuple(response))

    def __repr__(self) -> str:
        return f"SigmaProof({ELEMENT_SIZE * len(self.commitment) + SCALAR_SIZE * len(self.response)} bytes)"


Row = list[tuple[int, Element]]


def rows(relation: LinearRelation, session_id: bytes, data: bytes) -> list[Row]:
    """Decode a batchable proof and return, an equation a row, the (scalar, element) pairs that must sum to the identity.

    The row of equation j is  T_j + c * image_j - sum(coefficient * response * element).
    """
    relation.validate()
    proof = SigmaProof.decode(relation, data)
    commitments = data[: ELEMENT_SIZE * len(relation.equations)]
    challenge = derive_challenge(relation.group, session_id, relation.serialized, commitments)
    order, elements = relation.group.order, relation.elements
    result = []
    for commitment, equation in zip(proof.commitment, relation.equations, strict=True):
        row: Row = [(1, commitment)]
        row += [(challenge * coefficient % order, elements[e]) for e, coefficient in equation.image]
        row += [(-proof.response[s] * coefficient % order, elements[e]) for s, e, coefficient in equation.terms]
        result.append(row)
    return result


def verify_batchable(tag: bytes, relation: LinearRelation, data: bytes) -> None:
    """VerifyBatchable of the draft, one proof. Raises SigmaRejected when the equations do not hold."""
    for row in rows(relation, derive_session_id(tag), data):
        if not relation.group.msm([scalar for scalar, _ in row], [element for _, element in row]).is_identity:
            raise SigmaRejected("the proof does not satisfy its verification equation")


def verify_compact(tag: bytes, relation: LinearRelation, data: bytes) -> None:
    """VerifyCompact of the draft: recompute the commitment with the simulator, then compare challenges."""
    relation.validate()
    group = relation.group
    size = SCALAR_SIZE * (1 + relation.scalar_count)
    if len(data) != size:
        raise LengthError(f"this compact sigma proof is {size} bytes, got {len(data)}")
    challenge, *response = [decode_scalar(group, data[i : i + SCALAR_SIZE]) for i in range(0, size, SCALAR_SIZE)]
    commitment = simulate_commitment(relation, challenge, response)
    if any(element.is_identity for element in commitment):
        raise IdentityError("the simulated commitment contains the identity")
    encoded = b"".join(element.encode() for element in commitment)
    if derive_challenge(group, derive_session_id(tag), relation.serialized, encoded) != challenge:
        raise SigmaRejected("the proof does not satisfy its verification equation")


def simulate_commitment(relation: LinearRelation, challenge: int, response: Sequence[int]) -> list[Element]:
    """The honest-verifier simulator: map(response) - challenge * image, an element an equation."""
    group, elements = relation.group, relation.elements
    result = []
    for equation in relation.equations:
        scalars = [response[s] * coefficient % group.order for s, _, coefficient in equation.terms]
        bases = [elements[e] for _, e, _ in equation.terms]
        scalars += [-challenge * coefficient % group.order for _, coefficient in equation.image]
        bases += [elements[e] for e, _ in equation.image]
        result.append(group.msm(scalars, bases))
    return result


def encode_scalars(group: Group, scalars: Sequence[int]) -> bytes:
    """32 bytes each, big-endian, concatenated."""
    return b"".join(encode_scalar(group, scalar) for scalar in scalars)
