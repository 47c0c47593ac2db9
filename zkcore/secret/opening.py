"""Openings, and how a reader's key opens a commitment: directly when a memo told the opening, else by bounded logarithm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

from zkcore.amounts import MAXIMUM
from zkcore.errors import AmountError, EngineError, OpeningError
from zkcore.group import Element
from zkcore.randomness import Randomness, random_nonzero_scalar
from zkcore.secret.keys import ViewSecret
from zkcore.suite import Suite

DEFAULT_BABY_STEPS = 1 << 16
_KEY_SIZE = 8  # bytes of an x coordinate kept in the table; a false match is found out by recomputing


@dataclass(frozen=True, repr=False)
class Opening:
    """(amount in minor units, blinding scalar) of a commitment. Secret: does not print. The amount may be 0 (nothing left)."""

    amount: int
    blinding: int

    def __post_init__(self) -> None:
        if type(self.amount) is not int or not 0 <= self.amount <= MAXIMUM:
            raise AmountError("an opening holds 0 to 2**48 - 1 minor units")

    def minus(self, suite: Suite, other: Opening) -> Opening:
        """The opening of the difference of two commitments. Raises AmountError below zero."""
        return Opening(self.amount - other.amount, (self.blinding - other.blinding) % suite.group.order)

    def commit(self, suite: Suite) -> Element:
        """amount*G + blinding*H."""
        amount, blinding = suite.group.products([self.amount, self.blinding], [suite.G, suite.H])
        return amount + blinding

    def __repr__(self) -> str:
        return "Opening(hidden)"


def fresh_opening(suite: Suite, amount: int, randomness: Randomness) -> Opening:
    """An opening of this amount with a fresh blinding in [1, order)."""
    return Opening(amount, random_nonzero_scalar(randomness, suite.group))


def check_opening(suite: Suite, commitment: Element, opening: Opening) -> None:
    """Raises OpeningError unless the commitment opens so."""
    if opening.commit(suite) != commitment:
        raise OpeningError("the opening does not match the commitment")


def open_many_by_logarithm(
    suite: Suite, secret: ViewSecret, pairs: Sequence[tuple[Element, Element]], bound: int, table: LogarithmTable
) -> list[int | None]:
    """The amounts in [0, bound] that the key opens each (commitment, handle) to; None where there is none."""
    amounts: list[int | None] = []
    for point in amount_points(suite, secret, pairs):
        try:
            amounts.append(table.find(point, bound))
        except OpeningError:
            amounts.append(None)
    return amounts


def amount_point(suite: Suite, secret: ViewSecret, commitment: Element, handle: Element) -> Element:
    """C - s*D = a*G. Never publish it: from a*G a small amount can be searched."""
    return amount_points(suite, secret, [(commitment, handle)])[0]


def amount_points(suite: Suite, secret: ViewSecret, pairs: Sequence[tuple[Element, Element]]) -> list[Element]:
    """C - s*D = a*G for each (C, D), all products together. Never publish one."""
    shares = suite.group.products([secret.scalar] * len(pairs), [handle for _, handle in pairs])
    return [commitment - share for (commitment, _), share in zip(pairs, shares, strict=True)]


def check_amount(suite: Suite, secret: ViewSecret, commitment: Element, handle: Element, amount: int) -> None:
    """Raises OpeningError unless the key opens the commitment to this amount."""
    share, expected = suite.group.products([secret.scalar, amount], [handle, suite.G])
    if commitment - share != expected:
        raise OpeningError("the claimed amount does not match the commitment")


class LogarithmTable:
    """Baby-step giant-step for a*G with 0 <= a <= bound: `baby_steps` multiples of G by truncated x, with the sign for free.

    In Python, a table of 2**16 entries takes a fraction of a second to build with OpenSSL and about 10 MB; a search takes
    bound / 2**17 additions, so amounts up to 2**34 are quick and 2**48 is possible but slow. An engine may have a table of its
    own, of the next power of two entries: 2**22 take a third of a second and 75 MB, and amounts up to 2**40 some milliseconds.
    """

    def __init__(self, suite: Suite, baby_steps: int = DEFAULT_BABY_STEPS) -> None:
        if baby_steps < 1:
            raise OpeningError("a logarithm table has at least one entry")
        self._suite = suite
        self._steps = baby_steps
        self._own = None if suite.twin is None else suite.twin.logarithm_table(baby_steps)
        self._table: dict[bytes, int] = {}
        if self._own is None:
            self._fill()

    @classmethod
    def for_bound(cls, suite: Suite, bound: int, most: int = DEFAULT_BABY_STEPS) -> LogarithmTable:
        """A table balanced for one search up to `bound`."""
        return cls(suite, min(most, isqrt(max(1, bound) // 2) + 1))

    @classmethod
    def from_bytes(cls, suite: Suite, data: bytes) -> LogarithmTable:
        """Inverse of `to_bytes`. Raises EngineError when the engine keeps no tables, and for anything but a whole table."""
        if suite.twin is None:
            raise EngineError(f"the engine {suite.engine} keeps no tables of logarithms")
        table = cls.__new__(cls)
        table._suite, table._table = suite, {}
        table._own = suite.twin.logarithm_table_from(data)
        table._steps = 1 << table._own.bits
        return table

    def to_bytes(self) -> bytes | None:
        """The table with a checksum, to be kept in a file; None when the engine has no form for that. It holds no secret."""
        return None if self._own is None else self._own.to_bytes()

    def _fill(self) -> None:
        point = self._suite.G
        for exponent in range(1, self._steps + 1):
            self._table.setdefault(point.encode()[1 : 1 + _KEY_SIZE], exponent)
            point += self._suite.G

    def find(self, point: Element, bound: int, progress: Callable[[int, int], None] | None = None) -> int:
        """The a in [0, bound] with a*G = point. Raises OpeningError when there is none: the search always ends.

        `progress` is called with (steps done, steps at most), in Python every 1,024 giant steps.
        """
        if self._own is not None and bound >= 0:
            return self._own.find(point, bound, progress)
        suite, stride = self._suite, 2 * self._steps + 1
        giant_steps = bound // stride + 1
        jump = -suite.group.msm([stride], [suite.G])
        center = point  # point - i*stride*G, which is within ±baby_steps of a multiple of the stride when found
        for i in range(giant_steps + 1):
            found = self._match(center, i * stride)
            if found is not None and found <= bound:
                return found
            center += jump
            if progress is not None and i % 1024 == 0:
                progress(i, giant_steps)
        raise OpeningError("no amount within the bound fits this commitment")

    def _match(self, center: Element, base: int) -> int | None:
        if center.is_identity:
            return base
        exponent = self._table.get(center.encode()[1 : 1 + _KEY_SIZE])
        if exponent is None:
            return None
        multiple = self._suite.group.msm([exponent], [self._suite.G])
        if multiple == center:
            return base + exponent
        if -multiple == center and base >= exponent:
            return base - exponent
        return None


def open_by_logarithm(
    suite: Suite, secret: ViewSecret, commitment: Element, handle: Element, bound: int, table: LogarithmTable | None = None
) -> int:
    """The amount in [0, bound] that the key opens the commitment to. Raises OpeningError when there is none."""
    table = table if table is not None else LogarithmTable.for_bound(suite, bound)
    return table.find(amount_point(suite, secret, commitment, handle), bound)
