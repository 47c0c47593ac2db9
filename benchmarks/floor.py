"""What the processor itself needs for a range proof in a large batch: the least that any verifier over this curve could take.

The unit is a multiplication in the field of secp256k1, eight at a time where the processor can; a squaring counts as one. Only
what each of a proof's own points costs is counted, by the best method known: nothing for scalars, hashes, memory or Python.
"""

from __future__ import annotations

from zkcore import engine

POINTS = 17
"""Points of a proof of one 64-bit value, its commitment among them: V, A, S, T_1, T_2, and L and R of six rounds."""

# Bucket method (Pippenger) with the curve's endomorphism (Gallant, Lambert, Vanstone, CRYPTO 2001) over the 17,000 points of
# 1,000 proofs: each point is two with scalars of 128 bits, each scalar 11 signed digits of 12 bits, each digit one addition.
_BATCH_POINTS = 17_000
_WINDOWS = 11
_DIGITS = 2 * _WINDOWS
# Adding up the buckets of each window afterwards takes two additions a bucket.
_BUCKETS = 1 << 11
_ADDITIONS = _DIGITS + 2 * _WINDOWS * _BUCKETS / _BATCH_POINTS
# Affine addition with the inversion shared among many: 2 multiplications and 1 squaring, and 3 multiplications for its share
# of the inversion (Montgomery's trick).
_ADDITION = 6
# Decompression: x**3, the power (p + 1) / 4 by an addition chain of 253 squarings and 13 multiplications, the squaring that
# checks it. The endomorphism takes one multiplication.
_DECOMPRESSION = 2 + 253 + 13 + 1
_ENDOMORPHISM = 1


def floor_per_proof(nanoseconds_per_multiplication: float) -> float:
    """Microseconds a proof of one 64-bit value: points × (additions of the bucket method + one square root)."""
    multiplications = POINTS * (_ADDITIONS * _ADDITION + _DECOMPRESSION + _ENDOMORPHISM)
    return multiplications * nanoseconds_per_multiplication / 1000


def nanoseconds_per_multiplication() -> float | None:
    """As the native module measures it on this machine, now; None where there is no native module."""
    if "native" not in engine.available():
        return None
    from zkcore.engines import native

    return native.field_costs()["multiplication"]
