"""Amounts and limits: whole minor units of a currency, from 1 to 2**48 - 1.

The bound keeps every commitment openable by a bounded discrete logarithm. A number that is none of these types has no business
near a commitment.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkcore.errors import AmountError

MAXIMUM = (1 << 48) - 1
"""The largest amount or limit, in minor units (2,814,749,767,106.55 of a currency with two decimals)."""


def _check(value: int) -> None:
    if type(value) is not int:
        raise AmountError("an amount is a whole number of minor units")
    if not 1 <= value <= MAXIMUM:
        raise AmountError(f"an amount is from 1 to {MAXIMUM} minor units (2**48 - 1); split a larger one")


@dataclass(frozen=True, repr=False)
class Amount:
    """What a bank draws or repays, in minor units. Raises AmountError outside 1 … 2**48 - 1. Secret: it does not print."""

    minor_units: int

    def __post_init__(self) -> None:
        _check(self.minor_units)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"


@dataclass(frozen=True, repr=False)
class Limit:
    """The financeable value of a document, in minor units. Raises AmountError outside 1 … 2**48 - 1. Secret: does not print."""

    minor_units: int

    def __post_init__(self) -> None:
        _check(self.minor_units)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"
