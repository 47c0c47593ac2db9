"""Exchange rates and shares, in exact arithmetic: no float ever touches an amount."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from schemas.domain.currency import Currency, check_minor_units
from schemas.domain.errors import DomainError, ErrorCode, quote

_LONGEST_RATE = 80
_SIDE = r"\s*(?P<{0}_units>[0-9]{{1,12}}(?:\.[0-9]{{1,12}})?)\s*(?P<{0}_currency>[A-Za-z]{{3}}|[0-9]{{3}})\s*"
_RATE = re.compile(_SIDE.format("left") + "=" + _SIDE.format("right"))


@dataclass(frozen=True, slots=True)
class Rate:
    """A stated exchange rate, as a bank quotes it: 100 JPY = 4.80 CNY. Usable in both directions.

    text: as it is printed on receipts, with one space between the parts
    """

    text: str
    left_units: Fraction
    left: Currency
    right_units: Fraction
    right: Currency

    @classmethod
    def parse(cls, text: str) -> Rate:
        """From "100 JPY = 4.80 CNY" (ISO letters or Customs numbers). Raises DomainError (rate or currency)."""
        match = _RATE.fullmatch(text) if len(text) <= _LONGEST_RATE else None
        if match is None:
            raise _rate_error(text, "is not a rate", "不是有效汇率")
        left, right = Currency.parse(match["left_currency"]), Currency.parse(match["right_currency"])
        left_units, right_units = Fraction(match["left_units"]), Fraction(match["right_units"])
        if left == right:
            raise _rate_error(text, "names one currency twice", "两边是同一币种")
        if not left_units or not right_units:
            raise _rate_error(text, "has a zero", "含有零")
        printed = f"{match['left_units']} {left} = {match['right_units']} {right}"
        return cls(printed, left_units, left, right_units, right)

    def units_of(self, currency: Currency) -> Fraction:
        """How many units of this currency the rate equates. Raises DomainError (rate) if the rate does not name it."""
        if currency == self.left:
            return self.left_units
        if currency == self.right:
            return self.right_units
        raise DomainError(
            ErrorCode.RATE,
            f"the rate {quote(self.text)} does not name {currency}; state one between the two currencies in question",
            f"汇率 {quote(self.text)} 不含 {currency}；请提供这两个币种之间的汇率",
        )

    def __str__(self) -> str:
        return self.text


def convert_up(minor: int, from_currency: Currency, to_currency: Currency, rate: Rate) -> int:
    """The same value in another currency's minor units, rounded **up**, so that a draw never covers less than it finances.

    CNY 800,000.00 at 100 JPY = 4.80 CNY is JPY 16,666,667. Raises DomainError: rate, where the rate is not between these two
    currencies; amount, where `minor` or the result is not 1 to 2**48 - 1 minor units.
    """
    if from_currency == to_currency:
        raise DomainError(
            ErrorCode.RATE,
            f"both currencies are {from_currency}; an amount in the document's own currency is not converted",
            f"两个币种都是 {from_currency}；与单证币种相同的金额不需折算",
        )
    check_minor_units(minor, from_currency)
    value = Fraction(minor, 10**from_currency.exponent) * rate.units_of(to_currency) / rate.units_of(from_currency)
    exact = value * 10**to_currency.exponent
    return check_minor_units(-(-exact.numerator // exact.denominator), to_currency)


def share_of(minor: int, percent: int | Fraction) -> int:
    """`percent` (0 to 100) of an amount, in minor units, rounded **down**; so it may be 0. Raises DomainError (share)."""
    if not 0 <= percent <= 100:
        raise DomainError(
            ErrorCode.SHARE,
            f"a share is from 0 to 100 percent, and not {quote(percent)}",
            f"比例应在 0% 至 100% 之间，而不是 {quote(percent)}",
        )
    return int(Fraction(minor) * Fraction(percent) // 100)


def _rate_error(text: str, why_en: str, why_zh: str) -> DomainError:
    return DomainError(
        ErrorCode.RATE,
        f'{quote(text)} {why_en}; write it like "100 JPY = 4.80 CNY"',
        f"{quote(text)} {why_zh}；请按“100 JPY = 4.80 CNY”的格式填写",
    )
