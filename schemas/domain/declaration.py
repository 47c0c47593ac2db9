"""The declaration (报关单) as Customs holds it, of an export or an import, and the limits it gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from schemas.domain.conversion import share_of
from schemas.domain.currency import Currency, check_minor_units
from schemas.domain.errors import DomainError, ErrorCode, quote
from schemas.domain.identifiers import CreditCode, DeclarationNumber
from schemas.domain.supervision import SupervisionMode


class Status(StrEnum):
    """Where a declaration stands with Customs. Only a cleared one is financeable."""

    DECLARED = "declared"
    RELEASED = "released"
    CLEARED = "cleared"
    AMENDED = "amended"
    DELETED = "deleted"
    RETURNED = "returned"

    @property
    def name_zh(self) -> str:
        return _STATUS_NAMES_ZH[self]

    @classmethod
    def parse(cls, text: str) -> Status:
        """From the English or the Chinese word. Raises DomainError (status)."""
        word = text.strip()
        for status in cls:
            if word.lower() == status.value or word == status.name_zh:
                return status
        accepted = ", ".join(f"{status.name_zh} {status.value}" for status in cls)
        raise DomainError(
            ErrorCode.STATUS,
            f"status {quote(text)} is not known; write one of: {accepted}",
            f"状态 {quote(text)} 无法识别；可用：{accepted}",
        )


_STATUS_NAMES_ZH = {
    Status.DECLARED: "申报",
    Status.RELEASED: "放行",
    Status.CLEARED: "结关",
    Status.AMENDED: "改单",
    Status.DELETED: "删单",
    Status.RETURNED: "退关",
}


@dataclass(frozen=True, slots=True)
class Company:
    """A company as a declaration names it."""

    name: str
    credit_code: CreditCode

    def __repr__(self) -> str:
        return "Company(hidden)"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of goods. hs_code: ten digits. quantity: in `unit`. total: minor units of `currency`, 1 to 2**48 - 1."""

    number: int
    hs_code: str
    name: str
    quantity: Decimal
    unit: str
    total: int
    currency: Currency

    def __post_init__(self) -> None:
        check_minor_units(self.total, self.currency)

    def __repr__(self) -> str:
        return "Item(hidden)"


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declaration. `exported_on` is the day on which the goods crossed the border, either way.

    `items` are numbered 1, 2, 3 … without a gap, so that a missing one cannot lower a limit unseen.

    Raises DomainError: item-number for a gap or a repetition, date where a cleared declaration lacks its export date.
    """

    number: DeclarationNumber
    consignor: Company
    owner: Company
    declared_on: date
    exported_on: date | None
    supervision_mode: SupervisionMode
    terms_of_delivery: str
    contract: str
    bill_of_lading: str
    status: Status
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        numbers = [item.number for item in self.items]
        if not numbers or numbers != list(range(1, len(numbers) + 1)):
            found = ", ".join(map(str, numbers)) or "—"
            raise DomainError(
                ErrorCode.ITEM_NUMBER,
                f"items are numbered 1, 2, 3 … once each; this declaration has {found}",
                f"项号应从 1 起连续且不重复；本报关单现有：{found}",
            )
        if self.status is Status.CLEARED and self.exported_on is None:
            raise DomainError(
                ErrorCode.DATE,
                "a cleared declaration has an export date; fill it in",
                "已结关的报关单必须填写出口日期",
            )

    def totals(self) -> dict[Currency, int]:
        """Declared value per currency, in minor units. Raises DomainError (amount) where one passes 2**48 - 1."""
        sums: defaultdict[Currency, int] = defaultdict(int)
        for item in self.items:
            sums[item.currency] += item.total
        return {currency: check_minor_units(total, currency) for currency, total in sums.items()}

    def shares(self, by_mode: Mapping[str, int]) -> dict[Currency, int]:
        """What is financeable once the declaration is cleared, per currency, in minor units: the mode's share, rounded down.

        by_mode: whole percent by the mode's code; where there are none, modes play no part. Raises DomainError:
        supervision-mode for a mode that is not among them, not-financeable where nothing is left, and what `totals` raises.
        """
        mode, totals = self.supervision_mode, self.totals()
        if by_mode and mode.code not in by_mode:
            raise DomainError(
                ErrorCode.SUPERVISION_MODE,
                f"nobody has decided how far declarations under supervision mode {mode.code} ({mode.name_en}) are financeable; "
                "the kinds of this log do not list it",
                f"本日志的单证种类未列出监管方式 {mode.code}（{mode.name_zh}）的可融资比例",
            )
        percent = by_mode[mode.code] if by_mode else 100
        shares = {currency: share_of(total, percent) for currency, total in totals.items()}
        financeable = {currency: share for currency, share in shares.items() if share > 0}
        if not financeable:
            raise DomainError(
                ErrorCode.NOT_FINANCEABLE,
                f"nothing of a declaration under supervision mode {mode.code} ({mode.name_en}) is financeable",
                f"监管方式 {mode.code}（{mode.name_zh}）的报关单不可融资",
            )
        return financeable

    def limits(self, by_mode: Mapping[str, int]) -> dict[Currency, int]:
        """What is financeable now. Empty where nothing is: not cleared, or nobody pays under its mode. Raises like `shares`."""
        if self.status is not Status.CLEARED:
            return {}
        try:
            return self.shares(by_mode)
        except DomainError as error:
            if error.code is ErrorCode.NOT_FINANCEABLE:
                return {}
            raise

    def __repr__(self) -> str:
        return f"Declaration(hidden, {len(self.items)} items)"
