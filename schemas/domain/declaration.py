"""The export declaration (出口报关单) as Customs holds it, and the limits it gives."""

from __future__ import annotations

from collections import defaultdict
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
    """One export declaration. `items` are numbered 1, 2, 3 … without a gap, so that a missing one cannot lower a limit unseen.

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

    def limits(self) -> dict[Currency, int]:
        """Financeable value per currency, in minor units: the mode's share of the total, rounded down.

        Empty where nothing is financeable: not cleared, or a mode under which nobody pays. Raises like `totals`.
        """
        if self.status is not Status.CLEARED:
            return {}
        shares = {currency: share_of(total, self.supervision_mode.share) for currency, total in self.totals().items()}
        return {currency: limit for currency, limit in shares.items() if limit > 0}

    def require_financeable(self) -> None:
        """Raises DomainError (not-financeable) with the reason, exactly where `limits` is empty."""
        if self.status is not Status.CLEARED:
            raise DomainError(
                ErrorCode.NOT_FINANCEABLE,
                f'the declaration is "{self.status.value}"; only a cleared one is financeable',
                f"报关单状态为“{self.status.name_zh}”；只有已结关的报关单可以融资",
            )
        if not self.limits():
            mode = self.supervision_mode
            raise DomainError(
                ErrorCode.NOT_FINANCEABLE,
                f"nothing of a declaration under supervision mode {mode.code} ({mode.name_en}) is financeable",
                f"监管方式 {mode.code}（{mode.name_zh}）的报关单不可融资",
            )

    def __repr__(self) -> str:
        return f"Declaration(hidden, {len(self.items)} items)"
