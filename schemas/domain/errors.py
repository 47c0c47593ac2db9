"""The one error of the business domain, worded for the person who holds the paper.

Its messages quote what was refused, so that the person can mend it. They are for the party whose input it was, and never for a
log of the service.
"""

from __future__ import annotations

from enum import StrEnum

_QUOTED_AT_MOST = 40


class ErrorCode(StrEnum):
    """What kind of thing is wrong. Stable: programs may rely on it, unlike on the wording."""

    AMOUNT = "amount"
    CURRENCY = "currency"
    RATE = "rate"
    SHARE = "share"
    DECLARATION_NUMBER = "declaration-number"
    CREDIT_CODE = "credit-code"
    SUPERVISION_MODE = "supervision-mode"
    TERMS_OF_DELIVERY = "terms-of-delivery"
    STATUS = "status"
    DATE = "date"
    QUANTITY = "quantity"
    HS_CODE = "hs-code"
    ITEM_NUMBER = "item-number"
    TEXT = "text"
    NOT_FINANCEABLE = "not-financeable"
    NOT_CONFIRMED = "not-confirmed"
    REPEATED = "repeated"
    CONTRADICTION = "contradiction"
    FORM = "form"


class DomainError(Exception):
    """Something a person wrote or sent is not what the business allows. Both messages say what to mend."""

    def __init__(self, code: ErrorCode, message_en: str, message_zh: str) -> None:
        super().__init__(code, message_en, message_zh)
        self.code = code
        self.message_en = message_en
        self.message_zh = message_zh

    def __str__(self) -> str:
        return f"{self.message_en} / {self.message_zh}"


def quote(text: object) -> str:
    """The refused text as a message shows it: printable characters only, and not longer than a person needs to find it."""
    shown = "".join(character if character.isprintable() else "�" for character in str(text))
    if len(shown) > _QUOTED_AT_MOST:
        shown = shown[: _QUOTED_AT_MOST - 1] + "…"
    return f'"{shown}"'
