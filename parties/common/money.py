"""Amounts with their currency as people write and read them: "USD 600,000.00"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.domain.currency import Currency, format_amount, parse_amount
from schemas.domain.errors import DomainError, ErrorCode, quote

_MONEY = re.compile(r"\s*([A-Za-z]{3}|[0-9]{3})\s+([^\s]+)\s*")


@dataclass(frozen=True, repr=False)
class Money:
    """`minor` minor units of a currency, 1 to 2**48 - 1 as parsed. Secret: it does not print by accident."""

    minor: int
    currency: Currency

    @classmethod
    def parse(cls, text: str) -> Money:
        """From "USD 600000.00" (ISO letters or the Customs number, then the amount). Raises DomainError."""
        match = _MONEY.fullmatch(text)
        if match is None:
            raise DomainError(
                ErrorCode.AMOUNT,
                f'{quote(text)} is not an amount with its currency; write it like "USD 600000.00"',
                f"{quote(text)} 不是带币种的金额；请按“USD 600000.00”的格式填写",
            )
        currency = Currency.parse(match[1])
        return cls(parse_amount(match[2], currency), currency)

    def text(self) -> str:
        """ "USD 600,000.00"."""
        return f"{self.currency} {format_amount(self.minor, self.currency)}"

    def __repr__(self) -> str:
        return "Money(hidden)"


def money_text(minor: int, alpha: str) -> str:
    """Minor units of a currency by its ISO letters, as people read them: "USD 600,000.00". Zero is written too, and less."""
    currency = Currency.parse(alpha)
    return f"{currency} {'-' if minor < 0 else ''}{format_amount(abs(minor), currency)}"
