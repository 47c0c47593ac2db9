"""Reads what a bank has been shown: a CSV file with one row for each declaration and currency, as the paper says.

The header names five columns in Chinese or in English, in any order; other columns are ignored, so that the Customs form serves
too where each declaration has one item. Every mistake comes with its row and column. Nothing here raises for what a file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from schemas.domain.csv_form import Header, Row, RowError, decode_text, numbered_rows, parse_cell, parse_date
from schemas.domain.currency import Currency, parse_amount
from schemas.domain.errors import DomainError, ErrorCode
from schemas.domain.identifiers import CreditCode, DeclarationNumber, is_import

MAXIMUM_ROWS = 5_000
"""Rows of one check. A larger file is refused whole: split it."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "declaration_number": ("海关编号", "报关单号"),
    "owner_credit_code": ("生产销售单位统一社会信用代码", "统一社会信用代码"),
    "currency": ("币制",),
    "total": ("总价",),
    "declared_on": ("申报日期",),
}
"""Each column's English name, and the Chinese ones that mean the same."""

_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "declaration_number": DeclarationNumber.parse,
    "owner_credit_code": CreditCode.parse,
    "currency": Currency.parse,
    "declared_on": parse_date,
}


@dataclass(frozen=True, repr=False)
class PresentedPaper:
    """A faultless row. `row` as a spreadsheet counts; `total` in minor units."""

    row: int
    number: DeclarationNumber
    holder: CreditCode
    currency: Currency
    total: int
    declared_on: date

    def __repr__(self) -> str:
        return "PresentedPaper(hidden)"


@dataclass(frozen=True)
class Presented:
    """What a file gave.

    papers: the faultless rows, in the order of the file
    errors: every mistake found, in the order of the rows
    imports: rows whose number is a well-formed one of an import declaration; they have an error, too
    """

    papers: tuple[PresentedPaper, ...]
    errors: tuple[RowError, ...]
    imports: frozenset[int] = frozenset()


def read_presented(content: bytes) -> Presented:
    """Reads a whole file: UTF-8 with or without a byte order mark, else GB18030."""
    papers: list[PresentedPaper] = []
    errors: list[RowError] = []
    imports: set[int] = set()
    try:
        records = numbered_rows(decode_text(content))
        header = Header.of(next(records, (1, []))[1], COLUMNS)
        for count, (number, cells) in enumerate(records, start=1):
            if count > MAXIMUM_ROWS:
                raise _too_many()
            before = len(errors)
            row = header.row(number, cells, errors)
            _parse(row, header, errors)
            if is_import(row.cells.get("declaration_number", "")):
                imports.add(number)
            if len(errors) == before:
                papers.append(_paper(row))
    except DomainError as error:
        # From here on the file's structure is lost, or it is too large: nothing of it is checked.
        return Presented((), (*errors, RowError(0, "", error)))
    return Presented(tuple(papers), tuple(errors), frozenset(imports))


def _parse(row: Row, header: Header, errors: list[RowError]) -> None:
    for column, parse in _PARSERS.items():
        parse_cell(row, column, parse, header, errors)
    currency = row.values.get("currency")
    if currency is not None:
        parse_cell(row, "total", lambda text: parse_amount(text, currency), header, errors)


def _paper(row: Row) -> PresentedPaper:
    values = row.values
    return PresentedPaper(
        row.number,
        values["declaration_number"],
        values["owner_credit_code"],
        values["currency"],
        values["total"],
        values["declared_on"],
    )


def _too_many() -> DomainError:
    return DomainError(
        ErrorCode.FORM,
        f"the file has more than {MAXIMUM_ROWS:,} rows; split it",
        f"文件超过 {MAXIMUM_ROWS:,} 行；请拆分",
    )
