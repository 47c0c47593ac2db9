"""P256-SHA256 in VOPRF mode (RFC 9497, sections 2.2, 3.1 and 4.3): hashing, composites and the challenge. Public data alone.

The group is OpenSSL's P-256 whatever engine the Tradeveil suite runs on. Encodings are 33 bytes for elements, 32 for scalars.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from zkcore.errors import EngineError, IdentityError, LengthError
from zkcore.group import Element, Group
from zkcore.hash_to_curve import hash_all_to_curve, hash_to_field

OUTPUT_SIZE = 32
"""Bytes of an output."""
PROOF_SIZE = 64
"""Bytes of a proof: the challenge and the response."""
MAXIMUM_BATCH = 10_000
"""Most inputs in one evaluation. The RFC's composites could number 65,536."""
MAXIMUM_INPUT = (1 << 16) - 1
"""Most bytes of an input, whose length is hashed in two bytes."""

_CONTEXT = b"OPRFV1-\x01-P256-SHA256"


def group() -> Group:
    """P-256. Raises EngineError when petlib is not installed."""
    try:
        from zkcore.engines import openssl
    except ImportError as error:
        raise EngineError("evaluations need petlib (with a C compiler and the OpenSSL headers): run `make setup`") from error
    return openssl.p256()


def hash_to_group(data: bytes) -> Element:
    """The point of an input. Raises LengthError when it is longer than 65,535 bytes."""
    return hash_all_to_group([data])[0]


def hash_all_to_group(inputs: Sequence[bytes]) -> list[Element]:
    """The point of each input. Raises LengthError when one is longer than 65,535 bytes."""
    for data in inputs:
        if len(data) > MAXIMUM_INPUT:
            raise LengthError(f"an input has at most {MAXIMUM_INPUT:,} bytes, got {len(data):,}")
    return hash_all_to_curve(group(), inputs, b"HashToGroup-" + _CONTEXT)


def hash_to_scalar(data: bytes, label: bytes = b"HashToScalar-") -> int:
    """A scalar in [0, order)."""
    return hash_to_field(data, label + _CONTEXT, group().order, 1)[0]


def output(data: bytes, element: Element) -> bytes:
    """F of the input, 32 bytes, from key·HashToGroup(input)."""
    return hashlib.sha256(prefixed(data) + prefixed(element.encode()) + b"Finalize").digest()


def check_batch(elements: Sequence[Element]) -> None:
    """Raises LengthError unless there are 1 to 10,000 elements, IdentityError when one is the identity."""
    if not 1 <= len(elements) <= MAXIMUM_BATCH:
        raise LengthError(f"a batch is 1 to {MAXIMUM_BATCH:,} inputs, got {len(elements):,}")
    if any(element.is_identity for element in elements):
        raise IdentityError("an element of the batch is the identity")


def composite_weights(public: Element, blinded: Sequence[Element], evaluated: Sequence[Element]) -> list[int]:
    """One weight for each pair: all depend on the key, and each on its pair. Raises LengthError when the numbers differ."""
    if len(blinded) != len(evaluated):
        raise LengthError(f"{len(evaluated):,} evaluated elements for {len(blinded):,} blinded ones")
    seed = hashlib.sha256(prefixed(public.encode()) + prefixed(b"Seed-" + _CONTEXT)).digest()
    return [
        hash_to_scalar(
            prefixed(seed) + index.to_bytes(2, "big") + prefixed(own.encode()) + prefixed(other.encode()) + b"Composite"
        )
        for index, (own, other) in enumerate(zip(blinded, evaluated, strict=True))
    ]


def challenge(public: Element, composites: tuple[Element, Element], commitments: tuple[Element, Element]) -> int:
    """Of the proof that log_G(public) = log_M(Z), the composites being (M, Z)."""
    points = (public, *composites, *commitments)
    return hash_to_scalar(b"".join(prefixed(point.encode()) for point in points) + b"Challenge")


def prefixed(data: bytes) -> bytes:
    """The data after its length in two bytes."""
    return len(data).to_bytes(2, "big") + data
