"""Currencies, and amounts as people write them.

An amount is a whole number of the currency's minor units: cents of a dollar, and whole yen. How many decimals a currency has is
read from the ISO 4217 table and written nowhere here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import iso4217

from schemas.domain.errors import DomainError, ErrorCode, quote
from schemas.domain.tables import table
from zkcore.amounts import MAXIMUM

_LONGEST_AMOUNT = 40
_AMOUNT = re.compile(r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.(?P<decimals>[0-9]+))?")


@dataclass(frozen=True, order=True, slots=True)
class Currency:
    """A currency that declarations may be in.

    alpha: ISO 4217 letters ("USD"); this is its identity on the wire
    customs_code: three digits of the Customs currency table ("502"), which are not the ISO digits
    exponent: decimals of the minor unit (USD 2, JPY 0)
    """

    alpha: str
    customs_code: str
    exponent: int
    name_en: str
    name_zh: str

    @classmethod
    def parse(cls, text: str) -> Currency:
        """From ISO letters or the Customs number, with spaces around and in any case. Raises DomainError (currency)."""
        sought = text.strip().upper()
        for currency in currencies():
            if sought in (currency.alpha, currency.customs_code):
                return currency
        accepted = ", ".join(f"{currency.alpha} {currency.customs_code}" for currency in currencies())
        raise DomainError(
            ErrorCode.CURRENCY,
            f"currency {quote(text)} is not known; write ISO 4217 letters or the Customs code, one of: {accepted}",
            f"币制 {quote(text)} 无法识别；请填写 ISO 4217 字母代码或海关币制代码，可用：{accepted}",
        )

    def __str__(self) -> str:
        return self.alpha


@cache
def currencies() -> tuple[Currency, ...]:
    """Every currency that is accepted, in the order of the Customs codes."""
    found = [_from_tables(alpha, row["code"], row["zh"]) for alpha, row in table("customs_codes.toml", "currencies").items()]
    return tuple(sorted(found, key=lambda currency: currency.customs_code))


def _from_tables(alpha: str, customs_code: str, name_zh: str) -> Currency:
    entry = iso4217.Currency(alpha)
    if entry.exponent is None:
        raise ValueError(f"{alpha} has no minor unit and cannot be an amount's currency")
    return Currency(alpha, customs_code, entry.exponent, entry.currency_name, name_zh)


def parse_amount(text: str, currency: Currency) -> int:
    """Minor units, 1 to 2**48 - 1, from an amount as a person writes it: "1000000", "1,000,000.5", "1,000,000.50".

    Raises DomainError (amount) for anything that could mean another amount than the writer's: signs, letters, exponents, commas
    that do not separate thousands, more decimals than the currency has (even if they are zeros), zero, and too large.
    """
    match = _AMOUNT.fullmatch(text.strip()) if len(text) <= _LONGEST_AMOUNT else None
    if match is None:
        raise _not_an_amount(text, currency)
    decimals = match["decimals"] or ""
    if len(decimals) > currency.exponent:
        raise _too_many_decimals(text, currency)
    minor = int(match["whole"].replace(",", "") + decimals.ljust(currency.exponent, "0"))
    return check_minor_units(minor, currency)


def check_minor_units(minor: int, currency: Currency) -> int:
    """The same number, if it is an amount: 1 to 2**48 - 1 minor units. Raises DomainError (amount)."""
    if minor < 1:
        raise DomainError(
            ErrorCode.AMOUNT,
            f"an amount is more than zero; the smallest is {currency} {format_amount(1, currency)}",
            f"金额必须大于零；最小为 {currency} {format_amount(1, currency)}",
        )
    if minor > MAXIMUM:
        most = format_amount(MAXIMUM, currency)
        raise DomainError(
            ErrorCode.AMOUNT,
            f"an amount is at most {currency} {most} (2^48 - 1 minor units); split a larger one",
            f"金额最大为 {currency} {most}（2^48 - 1 个最小货币单位）；更大的金额请拆分",
        )
    return minor


def format_amount(minor: int, currency: Currency) -> str:
    """Minor units as a person reads them: "1,000,000.00", "18,500,000". Zero and negative ones (overdrawn) are written too."""
    whole, decimals = divmod(abs(minor), 10**currency.exponent)
    sign = "-" if minor < 0 else ""
    return f"{sign}{whole:,}" + (f".{decimals:0{currency.exponent}d}" if currency.exponent else "")


def _not_an_amount(text: str, currency: Currency) -> DomainError:
    example = format_amount(123456700, currency)
    return DomainError(
        ErrorCode.AMOUNT,
        f"{quote(text)} is not an amount; write digits only, with or without commas at the thousands, like {example}",
        f"{quote(text)} 不是有效金额；只填写数字，千分位逗号可有可无，例如 {example}",
    )


def _too_many_decimals(text: str, currency: Currency) -> DomainError:
    if currency.exponent == 0:
        return DomainError(
            ErrorCode.AMOUNT,
            f"{quote(text)} has decimals, and {currency} ({currency.name_en}) has none; write whole units, like 18,500,000",
            f"{quote(text)} 带有小数，而 {currency}（{currency.name_zh}）没有小数单位；请填写整数，例如 18,500,000",
        )
    return DomainError(
        ErrorCode.AMOUNT,
        f"{quote(text)} has more decimals than {currency} ({currency.name_en}) has; write at most {currency.exponent}",
        f"{quote(text)} 的小数位数过多；{currency}（{currency.name_zh}）最多 {currency.exponent} 位小数",
    )
