"""Openings, and how a reader's key opens a commitment: directly when a memo told the opening, else by bounded logarithm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

from zkcore.amounts import MAXIMUM
from zkcore.errors import AmountError, OpeningError
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


def amount_point(suite: Suite, secret: ViewSecret, commitment: Element, handle: Element) -> Element:
    """C - s*D = a*G. Never publish it: from a*G a small amount can be searched."""
    return commitment - suite.group.mul(secret.scalar, handle)


def check_amount(suite: Suite, secret: ViewSecret, commitment: Element, handle: Element, amount: int) -> None:
    """Raises OpeningError unless the key opens the commitment to this amount."""
    share, expected = suite.group.products([secret.scalar, amount], [handle, suite.G])
    if commitment - share != expected:
        raise OpeningError("the claimed amount does not match the commitment")


class LogarithmTable:
    """Baby-step giant-step for a*G with 0 <= a <= bound: `baby_steps` multiples of G by truncated x, with the sign for free.

    A table of 2**16 entries takes a fraction of a second to build with OpenSSL and about 10 MB; a search takes
    bound / 2**17 additions, so amounts up to 2**34 are quick and 2**48 is possible but slow in Python.
    """

    def __init__(self, suite: Suite, baby_steps: int = DEFAULT_BABY_STEPS) -> None:
        if baby_steps < 1:
            raise OpeningError("a logarithm table has at least one entry")
        self._suite = suite
        self._steps = baby_steps
        self._table: dict[bytes, int] = {}
        point = suite.G
        for exponent in range(1, baby_steps + 1):
            self._table.setdefault(point.encode()[1 : 1 + _KEY_SIZE], exponent)
            point += suite.G

    @classmethod
    def for_bound(cls, suite: Suite, bound: int, most: int = DEFAULT_BABY_STEPS) -> LogarithmTable:
        """A table balanced for one search up to `bound`."""
        return cls(suite, min(most, isqrt(max(1, bound) // 2) + 1))

    def find(self, point: Element, bound: int, progress: Callable[[int, int], None] | None = None) -> int:
        """The a in [0, bound] with a*G = point. Raises OpeningError when there is none: the search always ends.

        `progress` is called with (steps done, steps at most) every 1,024 giant steps.
        """
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
