"""Linear relations of draft-irtf-cfrg-sigma-protocols-03: representation, the ten instance validations, serialization.

An instance says: there are scalars such that, for every equation, sum(coefficient * element over the image) equals
sum(coefficient * scalar * element over the terms). `elements[0]` is the group's generator and is never serialized.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from zkcore.errors import IdentityError, InstanceError, LengthError, PointError, ScalarError
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element, Group, decode_scalar, encode_scalar

_BOUND = 1 << 32


@dataclass(frozen=True)
class Equation:
    """One row. `image` holds (element index, coefficient); `terms` holds (scalar index, element index, coefficient)."""

    image: tuple[tuple[int, int], ...]
    terms: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class LinearRelation:
    """An instance: a group, its elements (the generator first) and its equations."""

    group: Group
    elements: tuple[Element, ...]
    equations: tuple[Equation, ...]

    @cached_property
    def scalar_count(self) -> int:
        """How many scalars a witness has."""
        return 1 + max((scalar for row in self.equations for scalar, _, _ in row.terms), default=-1)

    @cached_property
    def proof_size(self) -> int:
        """Bytes of a batchable proof: an element an equation, then a scalar a witness scalar."""
        return ELEMENT_SIZE * len(self.equations) + SCALAR_SIZE * self.scalar_count

    def combine(self, pairs: Sequence[tuple[int, int]]) -> Element:
        """Sum of coefficient * elements[index] over public pairs (index, coefficient)."""
        order = self.group.order
        total: Element | None = None
        rest: list[tuple[int, int]] = []
        for index, coefficient in pairs:
            if coefficient % order == 1:
                total = self.elements[index] if total is None else total + self.elements[index]
            elif coefficient % order == order - 1:
                total = -self.elements[index] if total is None else total - self.elements[index]
            else:
                rest.append((coefficient % order, index))
        if rest:
            part = self.group.msm([c for c, _ in rest], [self.elements[i] for _, i in rest])
            total = part if total is None else total + part
        return self.group.identity() if total is None else total

    def image(self, row: Equation) -> Element:
        """The left-hand side of one equation."""
        return self.combine(row.image)

    @cached_property
    def serialized(self) -> bytes:
        """SerializeLinearRelation of the draft. Raises IdentityError when an element is the identity."""
        group = self.group
        out = [_u32(len(self.equations))]
        for row in self.equations:
            out.append(_u32(len(row.image)))
            out += [_u32(element) + encode_scalar(group, c % group.order) for element, c in row.image]
            out.append(_u32(len(row.terms)))
            out += [_u32(s) + _u32(element) + encode_scalar(group, c % group.order) for s, element, c in row.terms]
        out += [element.encode() for element in self.elements[1:]]
        return b"".join(out)

    def validate(self) -> None:
        """The ten validations of the draft, in its order. Raises InstanceError, or IdentityError for the eighth and ninth."""
        self._validate_shape()
        self._validate_references()
        if self.elements[0] != self.group.generator():
            raise InstanceError("element 0 is not the generator")
        if any(element.is_identity for element in self.elements):
            raise IdentityError("an element of the instance is the identity")
        if any(self.image(row).is_identity for row in self.equations):
            raise IdentityError("the image of an equation is the identity")
        for scalar in range(self.scalar_count):
            self._validate_scalar(scalar)

    def _validate_shape(self) -> None:
        if not self.equations:
            raise InstanceError("an instance has at least one equation")
        if any(not row.terms or not row.image for row in self.equations):
            raise InstanceError("every equation has an image and terms")
        sizes = [len(self.equations), *(len(row.terms) for row in self.equations), *(len(row.image) for row in self.equations)]
        indices = [i for row in self.equations for i, _ in row.image]
        indices += [i for row in self.equations for s, e, _ in row.terms for i in (s, e)]
        if any(size >= _BOUND for size in sizes) or any(not 0 <= index < _BOUND for index in indices):
            raise InstanceError("an index or size does not fit 32 bits")

    def _validate_references(self) -> None:
        used = {i for row in self.equations for i, _ in row.image} | {e for row in self.equations for _, e, _ in row.terms}
        if max(used) >= len(self.elements):
            raise InstanceError("an equation names an element that the instance does not have")
        if any(index not in used for index in range(1, len(self.elements))):
            raise InstanceError("an element is in no equation")
        scalars = {s for row in self.equations for s, _, _ in row.terms}
        if len(scalars) != self.scalar_count:
            raise InstanceError("a scalar is in no equation")

    def _validate_scalar(self, scalar: int) -> None:
        """The tenth: some equation must hold the scalar on a base that is not the identity, or anything would satisfy it."""
        for row in self.equations:
            base = [(element, coefficient) for s, element, coefficient in row.terms if s == scalar]
            if base and not self.combine(base).is_identity:
                return
        raise InstanceError("a scalar stands on the identity in every equation")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


class _Reader:
    """Reads a serialized relation from the front; every short read is an InstanceError."""

    def __init__(self, group: Group, data: bytes) -> None:
        self.group, self.data = group, data

    def take(self, size: int) -> bytes:
        if len(self.data) < size:
            raise InstanceError("the serialized relation is shorter than its header says")
        part, self.data = self.data[:size], self.data[size:]
        return part

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def count(self, entry_size: int) -> int:
        """A list's length, refused before anything is allocated when that many entries cannot follow."""
        count = self.u32()
        if count == 0 or count * entry_size > len(self.data):
            raise InstanceError("a list of the serialized relation is empty or longer than the data")
        return count

    def coefficient(self) -> int:
        try:
            return decode_scalar(self.group, self.take(SCALAR_SIZE))
        except (LengthError, ScalarError) as error:
            raise InstanceError("a coefficient is not canonical") from error


def parse_relation(group: Group, data: bytes) -> LinearRelation:
    """Inverse of `LinearRelation.serialized`, for test vectors only: a verifier always builds an instance itself.

    Raises InstanceError for a malformed header, LengthError or PointError for an element.
    """
    reader = _Reader(group, data)
    equations = []
    for _ in range(reader.count(8)):
        image = tuple((reader.u32(), reader.coefficient()) for _ in range(reader.count(4 + SCALAR_SIZE)))
        terms = tuple((reader.u32(), reader.u32(), reader.coefficient()) for _ in range(reader.count(8 + SCALAR_SIZE)))
        equations.append(Equation(image, terms))
    highest = max([e for row in equations for e, _ in row.image] + [e for row in equations for _, e, _ in row.terms])
    if len(reader.data) != highest * ELEMENT_SIZE:
        raise InstanceError("the elements of the serialized relation do not fit its equations")
    try:
        elements = [group.decode(reader.take(ELEMENT_SIZE)) for _ in range(highest)]
    except PointError as error:
        raise InstanceError("an element of the serialized relation is not a canonical point") from error
    return LinearRelation(group, (group.generator(), *elements), tuple(equations))
