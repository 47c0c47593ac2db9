"""More exports than the sample has: what Customs registers for the stories of papers that banks check."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.domain.csv_form import read_declarations
from schemas.domain.currency import format_amount
from schemas.domain.declaration import Declaration
from tradeveil.demo import cast

DECLARED_ON, EXPORTED_ON = "2026-05-11", "2026-05-14"
_PRESENTED = ("海关编号", "生产销售单位统一社会信用代码", "币制", "总价", "申报日期")
_STEP = 618_033_989
"""Odd and no multiple of five, so that its multiples differ in their last nine digits and do not look counted."""


@dataclass(frozen=True, repr=False)
class Export:
    """A declaration to be: its owner's credit code, and its total as people write it."""

    number: str
    owner: str
    total: str
    currency: str = "USD"
    cleared: bool = True

    def presented(self, **other: str) -> dict[str, str]:
        """The row of a bank's file for it; `other` fields instead of the true ones."""
        return _row(self.number, self.owner, self.currency, self.total, DECLARED_ON) | other


def numbers(office: str, count: int, start: int = 1) -> list[str]:
    """Numbers of export declarations of a Customs office (four digits) in 2026, none twice."""
    return [f"{office}20260{place * _STEP % 10**9:09}" for place in range(start, start + count)]


def presented(declaration: Declaration, owner: str) -> dict[str, str]:
    """The row of a bank's file for a declaration of the sample, as if it were this owner's."""
    ((currency, total),) = declaration.totals().items()
    written = format_amount(total, currency)
    return _row(declaration.number.text, owner, currency.alpha, written, declaration.declared_on.isoformat())


def _row(*fields: str) -> dict[str, str]:
    return dict(zip(_PRESENTED, fields, strict=True))


def customs_sheet(exports: Iterable[Export]) -> bytes:
    """The exports in the form that Customs registers."""
    return as_csv([_declared(export) for export in exports])


def _declared(export: Export) -> dict[str, str]:
    name, item = cast.enterprises()[export.owner].name, export.number[-4:]
    return {
        "海关编号": export.number,
        "境内收发货人": name,
        "境内收发货人统一社会信用代码": export.owner,
        "生产销售单位": name,
        "生产销售单位统一社会信用代码": export.owner,
        "申报日期": DECLARED_ON,
        "出口日期": EXPORTED_ON if export.cleared else "",
        "监管方式": "0110",
        "成交方式": "FOB",
        "合同协议号": f"XGXU-2026-{item}",
        "提运单号": f"TVLU902{item}",
        "项号": "1",
        "商品编号": "8714100090",
        "商品名称": "虚构货物",
        "数量": "100",
        "单位": "件",
        "总价": export.total,
        "币制": export.currency,
        "状态": "结关" if export.cleared else "申报",
    }


def as_csv(rows: Sequence[Mapping[str, str]]) -> bytes:
    """A spreadsheet with the columns of its first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(sheet: bytes) -> tuple[Declaration, ...]:
    """The declarations of a sheet of ours. Raises ValueError when it is not faultless."""
    reading = read_declarations(sheet)
    if reading.errors:
        raise ValueError(f"a sheet of declarations has errors: {reading.errors[0]}")
    return reading.declarations
