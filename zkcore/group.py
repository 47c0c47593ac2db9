"""The group interface that every engine implements, and the scalar codec that all share.

A scalar is a Python int in [0, order). An element is an engine's own immutable object; nothing outside an engine looks inside.
Encodings are the same bytes in all engines: elements 33 bytes (compressed SEC1, never the identity), scalars 32 bytes
(big-endian, below the order).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self

from zkcore.errors import LengthError, ScalarError

if TYPE_CHECKING:
    from zkcore.suite import Suite
    from zkcore.twin import SigmaProver, Twin

ELEMENT_SIZE = 33
SCALAR_SIZE = 32


class Element(Protocol):
    """A group element. Immutable; equality and hashing are by value."""

    def __add__(self, other: Self, /) -> Self: ...

    def __sub__(self, other: Self, /) -> Self: ...

    def __neg__(self) -> Self: ...

    @property
    def is_identity(self) -> bool: ...

    def encode(self) -> bytes:
        """33 bytes, compressed SEC1. Raises IdentityError for the identity, which has no encoding."""
        ...


class Group(ABC):
    """A prime-order elliptic-curve group y^2 = x^3 + a*x + b over GF(p), without cofactor."""

    name: str
    order: int
    p: int
    a: int
    b: int
    sigma_prover: SigmaProver | None = None
    """The engine's own, if it has one."""

    @abstractmethod
    def generator(self) -> Element:
        """The curve's standard generator."""

    @abstractmethod
    def identity(self) -> Element:
        """The neutral element."""

    @abstractmethod
    def from_affine(self, x: int, y: int) -> Element:
        """The element with these coordinates. Raises PointError when it is not on the curve."""

    @abstractmethod
    def decode(self, data: bytes) -> Element:
        """Decode 33 bytes. Raises LengthError, or PointError (prefix other than 02/03, x >= p, not on the curve)."""

    @abstractmethod
    def mul(self, scalar: int, element: Element) -> Element:
        """scalar * element for a secret scalar: constant-time where the engine allows it. Any int; reduced mod order."""

    @abstractmethod
    def msm(self, scalars: Sequence[int], elements: Sequence[Element]) -> Element:
        """Sum of scalars[i] * elements[i] over public data: variable time. Empty input gives the identity.

        Equal, inverse and identity elements and zero scalars are allowed. Raises LengthError when the lengths differ.
        """

    def decode_many(self, encodings: Sequence[bytes]) -> list[Element]:
        """Decode each. Raises what `decode` raises for the first that is refused."""
        return [self.decode(encoding) for encoding in encodings]

    def products(self, scalars: Sequence[int], elements: Sequence[Element]) -> list[Element]:
        """scalars[i] * elements[i] for each i, like `mul`. Raises LengthError when the lengths differ."""
        if len(scalars) != len(elements):
            raise LengthError(f"{len(scalars)} scalars for {len(elements)} elements")
        return [self.mul(scalar, element) for scalar, element in zip(scalars, elements, strict=True)]

    def twin(self, suite: Suite) -> Twin | None:
        """The protocol over this suite in the engine's own code, if it has any."""
        return None


def encode_scalar(group: Group, scalar: int) -> bytes:
    """32 bytes, big-endian. Raises ScalarError unless 0 <= scalar < order."""
    if not 0 <= scalar < group.order:
        raise ScalarError("the scalar is not in [0, order)")
    return scalar.to_bytes(SCALAR_SIZE, "big")


def decode_scalar(group: Group, data: bytes) -> int:
    """Inverse of encode_scalar. Raises LengthError, or ScalarError when the value is not below the order."""
    if len(data) != SCALAR_SIZE:
        raise LengthError(f"a scalar is {SCALAR_SIZE} bytes, got {len(data)}")
    scalar = int.from_bytes(data, "big")
    if scalar >= group.order:
        raise ScalarError("the scalar is not below the group order")
    return scalar
