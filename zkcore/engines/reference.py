"""Engine `reference`: secp256k1 in pure Python over py_ecc 8.0.0. The only file that knows py_ecc.

It shares no code with the fast engines, so an auditor may re-check their verdicts with it. It is variable-time everywhere,
`mul` included: never use it with secrets where somebody can measure.

Elements hold affine coordinates (None for the identity), so equality is equality of values. Sums run in py_ecc's Jacobian
triples, where y = 0 marks the identity whatever x and z are: the curve has no point with y = 0, since its order is odd.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import final

from zkcore.errors import EngineError, IdentityError, LengthError, PointError
from zkcore.group import ELEMENT_SIZE, Element, Group

# Importing py_ecc raises the interpreter's recursion limit to 100,000 for the whole process, which would turn deeply nested
# input elsewhere from an exception into a crash. Nothing used here needs that, so the limit is put back.
_recursion_limit = sys.getrecursionlimit()
try:
    from py_ecc.secp256k1 import secp256k1 as curve
finally:
    sys.setrecursionlimit(_recursion_limit)

_Affine = tuple[int, int] | None
_Jacobian = tuple[int, int, int]

_INFINITY: _Jacobian = (0, 0, 1)
_SCALAR_BITS = 256


@final
class ReferenceElement:
    """A point in affine coordinates. Its `repr` names the group only, since an element may be secret."""

    __slots__ = ("_affine",)

    def __init__(self, affine: _Affine) -> None:
        self._affine = affine

    def __add__(self, other: ReferenceElement) -> ReferenceElement:
        return _from_jacobian(curve.jacobian_add(_to_jacobian(self), _to_jacobian(other)))

    def __sub__(self, other: ReferenceElement) -> ReferenceElement:
        return self + -other

    def __neg__(self) -> ReferenceElement:
        if self._affine is None:
            return self
        x, y = self._affine
        return ReferenceElement((x, curve.P - y))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReferenceElement):
            return NotImplemented
        return self._affine == other._affine

    def __hash__(self) -> int:
        return hash(self._affine)

    def __repr__(self) -> str:
        return "ReferenceElement(secp256k1)"

    @property
    def is_identity(self) -> bool:
        return self._affine is None

    def encode(self) -> bytes:
        """33 bytes, compressed SEC1. Raises IdentityError for the identity."""
        if self._affine is None:
            raise IdentityError("the identity has no encoding")
        x, y = self._affine
        return bytes([2 + y % 2]) + x.to_bytes(32, "big")


@final
class ReferenceGroup(Group):
    """secp256k1 (SEC 2). All instances are alike and their elements mix."""

    name = "secp256k1"
    order = curve.N
    p = curve.P
    a = curve.A
    b = curve.B

    def __repr__(self) -> str:
        return "ReferenceGroup(secp256k1)"

    def generator(self) -> ReferenceElement:
        return ReferenceElement(curve.G)

    def identity(self) -> ReferenceElement:
        return ReferenceElement(None)

    def from_affine(self, x: int, y: int) -> ReferenceElement:
        if not (0 <= x < self.p and 0 <= y < self.p):
            raise PointError("a coordinate is not in [0, p)")
        if (y * y - _cubic(x)) % self.p:
            raise PointError("not a point of the curve")
        return ReferenceElement((x, y))

    def decode(self, data: bytes) -> ReferenceElement:
        if len(data) != ELEMENT_SIZE:
            raise LengthError(f"an element is {ELEMENT_SIZE} bytes, got {len(data)}")
        if data[0] not in (2, 3):
            raise PointError("an element starts with the byte 02 or 03")
        x = int.from_bytes(data[1:], "big")
        if x >= self.p:
            raise PointError("the x coordinate is not below the field prime")
        y = pow(_cubic(x), (self.p + 1) // 4, self.p)  # a square root if there is one, because p = 3 mod 4
        return self.from_affine(x, y if y % 2 == data[0] % 2 else self.p - y)

    def mul(self, scalar: int, element: Element) -> ReferenceElement:
        return _from_jacobian(curve.jacobian_multiply(_to_jacobian(element), scalar % self.order))

    def msm(self, scalars: Sequence[int], elements: Sequence[Element]) -> ReferenceElement:
        """The bucket method (Pippenger), not constant-time: from the most significant window of the scalars to the least."""
        if len(scalars) != len(elements):
            raise LengthError(f"{len(scalars)} scalars for {len(elements)} elements")
        reduced = [scalar % self.order for scalar in scalars]
        points = [_to_jacobian(element) for element in elements]
        width = _window_width(len(points))
        total = _INFINITY
        for shift in reversed(range(0, _SCALAR_BITS, width)):
            for _ in range(width):
                total = curve.jacobian_double(total)
            total = curve.jacobian_add(total, _sum_of_window(reduced, points, shift, width))
        return _from_jacobian(total)


def _window_width(count: int) -> int:
    """Bits of a window for so many points: the fewest additions, one a point and two a bucket in every window."""
    return min(range(1, 17), key=lambda width: -(-_SCALAR_BITS // width) * (count + 2 * 2**width))


def _sum_of_window(scalars: Sequence[int], points: Sequence[_Jacobian], shift: int, width: int) -> _Jacobian:
    """Sum of digit * point, the digit being `width` bits of the point's scalar from bit `shift` up."""
    buckets = [_INFINITY] * 2**width
    mask = 2**width - 1
    for scalar, point in zip(scalars, points, strict=True):
        if digit := scalar >> shift & mask:
            buckets[digit] = curve.jacobian_add(buckets[digit], point)
    # Bucket d is counted d times: the suffix sums from the highest bucket down to bucket 1, added up. Bucket 0 stays empty.
    suffix = total = _INFINITY
    for bucket in reversed(buckets[1:]):
        suffix = curve.jacobian_add(suffix, bucket)
        total = curve.jacobian_add(total, suffix)
    return total


def _cubic(x: int) -> int:
    return (x * x * x + curve.A * x + curve.B) % curve.P


def _to_jacobian(element: Element) -> _Jacobian:
    if not isinstance(element, ReferenceElement):
        raise EngineError("an element of another engine; decode its encoding with this group first")
    return _INFINITY if element._affine is None else (*element._affine, 1)


def _from_jacobian(triple: _Jacobian) -> ReferenceElement:
    return ReferenceElement(None if triple[1] == 0 else curve.from_jacobian(triple))
