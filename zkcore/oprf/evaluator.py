"""Who holds the key evaluates blinded inputs and proves it (RFC 9497, sections 2.2.1, 3.2 and 3.3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkcore.errors import IdentityError, LengthError, ScalarError
from zkcore.group import SCALAR_SIZE, Element, decode_scalar, encode_scalar
from zkcore.oprf import suite
from zkcore.randomness import Randomness, random_nonzero_scalar

SEED_SIZE = 32
"""Bytes that a key is derived from."""
_DERIVATIONS = 256


@dataclass(frozen=True, repr=False)
class EvaluationKey:
    """A scalar of P-256 in [1, order). Does not print."""

    scalar: int

    @classmethod
    def generate(cls, randomness: Randomness) -> EvaluationKey:
        return cls(random_nonzero_scalar(randomness, suite.group()))

    @classmethod
    def derive(cls, seed: bytes, info: bytes) -> EvaluationKey:
        """The key of a 32-byte seed and public information (DeriveKeyPair): the same on every machine. Raises LengthError."""
        if len(seed) != SEED_SIZE:
            raise LengthError(f"an evaluation key is derived from {SEED_SIZE} bytes, got {len(seed)}")
        if len(info) > suite.MAXIMUM_INPUT:
            raise LengthError(f"the information of a key has at most {suite.MAXIMUM_INPUT:,} bytes, got {len(info):,}")
        for counter in range(_DERIVATIONS):
            scalar = suite.hash_to_scalar(seed + suite.prefixed(info) + bytes([counter]), b"DeriveKeyPair")
            if scalar:
                return cls(scalar)
        raise ScalarError("no key can be derived from this seed; take another")

    @classmethod
    def decode(cls, data: bytes) -> EvaluationKey:
        """From 32 bytes. Raises LengthError, or ScalarError for zero or a value not below the order."""
        scalar = decode_scalar(suite.group(), data)
        if scalar == 0:
            raise ScalarError("an evaluation key is not zero")
        return cls(scalar)

    def encode(self) -> bytes:
        """32 bytes, secret."""
        return encode_scalar(suite.group(), self.scalar)

    def public(self) -> Element:
        """key·G, which clients check proofs against."""
        group = suite.group()
        return group.mul(self.scalar, group.generator())

    def __repr__(self) -> str:
        return f"EvaluationKey({SCALAR_SIZE} bytes)"


def evaluate(key: EvaluationKey, blinded: Sequence[Element], randomness: Randomness) -> tuple[list[Element], bytes]:
    """key·B for each blinded element B, and one proof of 64 bytes for all of them.

    Raises LengthError for an empty or too large batch, IdentityError for a blinded element that is the identity.
    """
    suite.check_batch(blinded)
    evaluated = suite.group().products([key.scalar] * len(blinded), blinded)
    return evaluated, _prove(key, blinded, evaluated, random_nonzero_scalar(randomness, suite.group()))


def _prove(key: EvaluationKey, blinded: Sequence[Element], evaluated: Sequence[Element], nonce: int) -> bytes:
    group, public = suite.group(), key.public()
    m = group.msm(suite.composite_weights(public, blinded, evaluated), blinded)
    if m.is_identity:
        raise IdentityError("the composite of the blinded elements is the identity; blind them anew")
    composites = m, group.mul(key.scalar, m)
    commitments = group.mul(nonce, group.generator()), group.mul(nonce, m)
    challenge = suite.challenge(public, composites, commitments)
    response = (nonce - challenge * key.scalar) % group.order
    return encode_scalar(group, challenge) + encode_scalar(group, response)
