"""Reads declarations from the Customs form: a CSV file with one row per item of goods.

The header names its columns in Chinese or in English, in any order; other columns are ignored. A declaration with a mistake in
any of its rows is left out as a whole, since a limit made of the rest would be wrong. Every mistake comes with its row and
column, so that a person can mend all of them at once. Nothing here raises for what a file contains.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from schemas.domain.currency import Currency, parse_amount
from schemas.domain.declaration import Company, Declaration, Item, Status
from schemas.domain.errors import DomainError, ErrorCode, quote
from schemas.domain.identifiers import CreditCode, DeclarationNumber, Flow, PaperNumber
from schemas.domain.supervision import SupervisionModes, default_modes
from schemas.domain.tables import table

MAXIMUM_BYTES = 32 * 1024 * 1024
"""A larger file is refused: some 100,000 rows, two hundred times the largest burst that is planned for."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "declaration_number": ("海关编号", "报关单号"),
    "consignor_name": ("境内收发货人",),
    "consignor_credit_code": ("境内收发货人统一社会信用代码",),
    "owner_name": ("生产销售单位", "消费使用单位"),
    "owner_credit_code": ("生产销售单位统一社会信用代码", "消费使用单位统一社会信用代码"),
    "declared_on": ("申报日期",),
    "exported_on": ("出口日期", "进口日期"),
    "supervision_mode": ("监管方式",),
    "terms_of_delivery": ("成交方式",),
    "contract": ("合同协议号",),
    "bill_of_lading": ("提运单号",),
    "item_number": ("项号",),
    "hs_code": ("商品编号",),
    "item_name": ("商品名称",),
    "quantity": ("数量",),
    "unit": ("单位",),
    "total": ("总价",),
    "currency": ("币制",),
    "status": ("状态",),
}
"""Each column's English name, and the Chinese ones that mean the same."""

_ITEM_COLUMNS = ("item_number", "hs_code", "item_name", "quantity", "unit", "total", "currency")
_SHARED_COLUMNS = tuple(column for column in COLUMNS if column not in _ITEM_COLUMNS)
_LONGEST_TEXT = 200
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ITEM_NUMBER = re.compile(r"[1-9][0-9]{0,3}")
_HS_CODE = re.compile(r"[0-9]{10}")
_QUANTITY = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class RowError:
    """One mistake.

    row: as a spreadsheet counts, the header being row 1; 0 where the mistake is the whole file's
    column: as the file's header names it; empty where the mistake is the whole row's
    """

    row: int
    column: str
    error: DomainError

    def __str__(self) -> str:
        place_en = f"row {self.row}" if self.row else "file"
        place_zh = f"第 {self.row} 行" if self.row else "文件"
        column = f" [{self.column}]" if self.column else ""
        return f"{place_en} / {place_zh}{column}: {self.error}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file gave.

    declarations: the faultless ones, in the order of the file
    errors: every mistake found, in the order of the rows
    refused_rows: every row that no declaration came from, faulty itself or belonging to a declaration that is
    """

    declarations: tuple[Declaration, ...]
    errors: tuple[RowError, ...]
    refused_rows: tuple[int, ...] = ()


@dataclass(slots=True)
class Row:
    """One row, its cells by English column name, and their values as far as they could be parsed."""

    number: int
    cells: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)


def read_declarations(content: bytes, modes: SupervisionModes | None = None, flow: Flow = "export") -> Reading:
    """Reads a whole file: UTF-8 with or without a byte order mark, else GB18030. `modes` is the table of supervision modes.

    Declarations of goods that go the other way than `flow` are refused.
    """
    try:
        records = numbered_rows(decode_text(content))
        header = Header.of(next(records, (1, []))[1])
    except DomainError as error:
        return Reading((), (RowError(0, "", error),))
    rows: list[Row] = []
    errors: list[RowError] = []
    parsers = _parsers(modes or default_modes(), flow)
    try:
        for number, cells in records:
            row = header.row(number, cells, errors)
            _parse_cells(row, header, parsers, errors)
            rows.append(row)
    except DomainError as error:
        # From here on the file's structure is lost, and any declaration read so far might have further rows.
        return Reading((), (*errors, RowError(0, "", error)), tuple(row.number for row in rows))
    return _assemble(rows, header, errors)


# --- the file -------------------------------------------------------------------------------------------------------------


def decode_text(content: bytes) -> str:
    if len(content) > MAXIMUM_BYTES:
        raise _form_error(
            f"the file is larger than {MAXIMUM_BYTES >> 20} MiB; split it", f"文件超过 {MAXIMUM_BYTES >> 20} MiB；请拆分"
        )
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _form_error(
        "the file is neither UTF-8 nor GB18030 text; save it from the spreadsheet as CSV (UTF-8)",
        "文件既不是 UTF-8 也不是 GB18030 文本；请在电子表格中另存为 CSV（UTF-8）",
    )


def numbered_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows with anything in them. Raises DomainError (form) where quoting breaks the file's structure."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _form_error(
                f"row {number} is not well-formed CSV, so the file cannot be read on; look for a stray quotation mark",
                f"第 {number} 行不是有效的 CSV，无法继续读取；请检查多余的引号",
            ) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield number, cells


@dataclass(frozen=True, slots=True)
class Header:
    """Where each column is: its index in a row, and its name as this file writes it."""

    width: int
    places: dict[str, tuple[int, str]]

    @classmethod
    def of(cls, cells: list[str], columns: Mapping[str, tuple[str, ...]] = COLUMNS) -> Header:
        """`columns`: those there must be, with their Chinese names.

        Raises DomainError (form) naming every column that is missing, or one that stands twice.
        """
        meaning = {name: column for column, chinese in columns.items() for name in (column, *chinese)}
        places: dict[str, tuple[int, str]] = {}
        for index, cell in enumerate(cells):
            written = cell.strip()
            column = meaning.get(written) or meaning.get(written.lower().replace(" ", "_"))
            if column in places:
                raise _form_error(f"the column {quote(written)} stands twice in the header", f"表头中 {quote(written)} 列重复")
            if column:
                places[column] = (index, written)
        missing = [column for column in columns if column not in places]
        if missing:
            english, chinese = ", ".join(missing), "、".join(columns[column][0] for column in missing)
            raise _form_error(
                f"the first row must name the columns, separated by commas; missing: {english}",
                f"首行应为以逗号分隔的列名；缺少：{chinese}",
            )
        return cls(len(cells), places)

    def row(self, number: int, cells: list[str], errors: list[RowError]) -> Row:
        """The row's cells by column. Of a row of another width none can be trusted; but the number it seems to have is kept, so
        that the declaration it belongs to is left out too."""
        while len(cells) > self.width and not cells[-1].strip():
            cells.pop()
        if len(cells) == self.width:
            return Row(number, {column: cells[index].strip() for column, (index, _) in self.places.items()})
        error = _form_error(
            f"the row has {len(cells)} cells and the header has {self.width}; "
            'an amount with commas must stand in quotation marks, like "1,000,000.00"',
            f'本行有 {len(cells)} 个单元格，表头有 {self.width} 个；带千分位逗号的金额须加引号，例如 "1,000,000.00"',
        )
        errors.append(RowError(number, "", error))
        named = next(column for column in ("declaration_number", "number") if column in self.places)
        place, _ = self.places[named]
        return Row(number, {named: cells[place].strip()} if place < len(cells) else {})

    def name(self, column: str) -> str:
        return self.places[column][1]


# --- the cells ------------------------------------------------------------------------------------------------------------


def _parsers(modes: SupervisionModes, flow: Flow) -> dict[str, Callable[[str], Any]]:
    """How each column's text becomes a value. `total` waits for its row's currency and is not here."""
    return {
        "declaration_number": lambda text: DeclarationNumber.parse(text, flow),
        "consignor_name": _text,
        "consignor_credit_code": CreditCode.parse,
        "owner_name": _text,
        "owner_credit_code": CreditCode.parse,
        "declared_on": parse_date,
        "exported_on": lambda text: parse_date(text) if text else None,
        "supervision_mode": modes.find,
        "terms_of_delivery": _terms_of_delivery,
        "contract": _text,
        "bill_of_lading": _text,
        "item_number": _item_number,
        "hs_code": _hs_code,
        "item_name": _text,
        "quantity": _quantity,
        "unit": _text,
        "currency": Currency.parse,
        "status": Status.parse,
    }


def _parse_cells(row: Row, header: Header, parsers: dict[str, Callable[[str], Any]], errors: list[RowError]) -> None:
    for column, parse in parsers.items():
        parse_cell(row, column, parse, header, errors)
    currency = row.values.get("currency")
    if currency is not None:
        parse_cell(row, "total", lambda text: parse_amount(text, currency), header, errors)


def parse_cell(row: Row, column: str, parse: Callable[[str], Any], header: Header, errors: list[RowError]) -> None:
    if column not in row.cells:
        return
    try:
        row.values[column] = parse(row.cells[column])
    except DomainError as error:
        errors.append(RowError(row.number, header.name(column), error))


def _text(text: str) -> str:
    if not text:
        raise DomainError(ErrorCode.TEXT, "the cell is empty; fill it in", "单元格为空；请填写")
    if len(text) > _LONGEST_TEXT or not text.isprintable():
        raise DomainError(
            ErrorCode.TEXT,
            f"write at most {_LONGEST_TEXT} characters on one line",
            f"请在一行内填写，不超过 {_LONGEST_TEXT} 个字符",
        )
    return text


def parse_date(text: str) -> date:
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # Well-formed, but no day of the calendar: the same answer helps.
    raise DomainError(
        ErrorCode.DATE,
        f"{quote(text)} is not a date; write year-month-day, like 2026-03-05",
        f"{quote(text)} 不是有效日期；请按 年-月-日 填写，例如 2026-03-05",
    )


def _terms_of_delivery(text: str) -> str:
    terms: dict[str, str] = table("customs_codes.toml", "terms_of_delivery")
    sought = text.upper()
    for code, name in terms.items():
        if sought in (code, name):
            return name
    accepted = ", ".join(f"{code} {name}" for code, name in terms.items())
    raise DomainError(
        ErrorCode.TERMS_OF_DELIVERY,
        f"terms of delivery {quote(text)} are not known; write one of: {accepted}",
        f"成交方式 {quote(text)} 无法识别；可用：{accepted}",
    )


def _item_number(text: str) -> int:
    if not _ITEM_NUMBER.fullmatch(text):
        raise DomainError(
            ErrorCode.ITEM_NUMBER,
            f"{quote(text)} is not an item number; write 1, 2, 3 …",
            f"{quote(text)} 不是有效项号；请填写 1、2、3……",
        )
    return int(text)


def _hs_code(text: str) -> str:
    if not _HS_CODE.fullmatch(text):
        raise DomainError(
            ErrorCode.HS_CODE,
            f"{quote(text)} is not a commodity code: 10 digits (a spreadsheet drops leading zeros unless the column is text)",
            f"{quote(text)} 不是有效的商品编号；应为 10 位数字，若列不是文本格式，电子表格会丢掉开头的零",
        )
    return text


def _quantity(text: str) -> Decimal:
    quantity = Decimal(text) if _QUANTITY.fullmatch(text) else Decimal(0)
    if not quantity:
        raise DomainError(
            ErrorCode.QUANTITY,
            f"{quote(text)} is not a quantity; write digits without commas, more than zero, with at most 5 decimals",
            f"{quote(text)} 不是有效数量；请填写大于零的数字，不带逗号，最多 5 位小数",
        )
    return quantity


# --- the declarations -----------------------------------------------------------------------------------------------------


def _assemble(rows: list[Row], header: Header, errors: list[RowError]) -> Reading:
    """Groups the rows by declaration number and keeps the declarations without a mistake."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        number = row.values.get("declaration_number")
        # Rows whose number is itself refused stay alone; the errors list has them already.
        groups.setdefault(number.text if number else f"row {row.number}", []).append(row)
    faulty = {error.row for error in errors}
    declarations: list[Declaration] = []
    refused: list[int] = []
    for group in groups.values():
        found = _contradictions(group, header)
        declaration = None
        if not found and not any(row.number in faulty for row in group):
            declaration = _declaration(group, header, found)
        errors.extend(found)
        if declaration is None:
            refused.extend(row.number for row in group)
        else:
            declarations.append(declaration)
    errors.sort(key=lambda error: error.row)
    return Reading(tuple(declarations), tuple(errors), tuple(sorted(refused)))


def _contradictions(group: list[Row], header: Header) -> list[RowError]:
    """Where a later row of one declaration says something else than its first row in a field they share."""
    first, found = group[0], []
    for row in group[1:]:
        for column in _SHARED_COLUMNS:
            parsed_in_both = column in row.values and column in first.values
            if parsed_in_both and row.values[column] != first.values[column]:
                here, there = quote(row.cells[column]), quote(first.cells[column])
                error = DomainError(
                    ErrorCode.CONTRADICTION,
                    f"{here} contradicts {there} in row {first.number} of the same declaration",
                    f"{here} 与同一报关单第 {first.number} 行的 {there} 不一致",
                )
                found.append(RowError(row.number, header.name(column), error))
    return found


def _declaration(group: list[Row], header: Header, found: list[RowError]) -> Declaration | None:
    values = group[0].values
    items = sorted((_item(row.values) for row in group), key=lambda item: item.number)
    try:
        declaration = Declaration(
            number=values["declaration_number"],
            consignor=Company(values["consignor_name"], values["consignor_credit_code"]),
            owner=Company(values["owner_name"], values["owner_credit_code"]),
            declared_on=values["declared_on"],
            exported_on=values["exported_on"],
            supervision_mode=values["supervision_mode"],
            terms_of_delivery=values["terms_of_delivery"],
            contract=values["contract"],
            bill_of_lading=values["bill_of_lading"],
            status=values["status"],
            items=tuple(items),
        )
        declaration.totals()
    except DomainError as error:
        columns = {ErrorCode.ITEM_NUMBER: "item_number", ErrorCode.DATE: "exported_on", ErrorCode.AMOUNT: "total"}
        found.append(RowError(group[0].number, header.name(columns[error.code]), error))
        return None
    return declaration


def _item(values: dict[str, Any]) -> Item:
    return Item(
        number=values["item_number"],
        hs_code=values["hs_code"],
        name=values["item_name"],
        quantity=values["quantity"],
        unit=values["unit"],
        total=values["total"],
        currency=values["currency"],
    )


def _form_error(message_en: str, message_zh: str) -> DomainError:
    return DomainError(ErrorCode.FORM, message_en, message_zh)


# --- papers of any other kind ---------------------------------------------------------------------------------------------

PAPER_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "number": ("单证编号",),
    "holder_name": ("企业名称",),
    "holder_credit_code": ("统一社会信用代码",),
    "date": ("日期",),
    "total": ("金额",),
    "currency": ("币制",),
    "status": ("状态",),
}
"""The columns of a file of papers that are not declarations: tax filings, invoices, freight bills, policies."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper that somebody attests, other than a declaration. `total`: minor units of `currency`."""

    number: PaperNumber
    holder: Company
    date: date
    total: int
    currency: Currency
    status: Status

    def __repr__(self) -> str:
        return "Paper(hidden)"


@dataclass(frozen=True, slots=True)
class PaperReading:
    """What a file of papers gave, one a row; `errors` and `refused_rows` as in a Reading."""

    papers: tuple[Paper, ...]
    errors: tuple[RowError, ...]
    refused_rows: tuple[int, ...] = ()


def read_papers(content: bytes) -> PaperReading:
    """Reads a file of papers, one a row. Two rows with one number and currency are both refused: which is right is unknown."""
    try:
        records = numbered_rows(decode_text(content))
        header = Header.of(next(records, (1, []))[1], PAPER_COLUMNS)
        read = list(records)
    except DomainError as error:
        return PaperReading((), (RowError(0, "", error),))
    errors: list[RowError] = []
    rows = [header.row(number, cells, errors) for number, cells in read]
    for row in rows:
        _parse_cells(row, header, _PAPER_PARSERS, errors)
    seen: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if {"number", "currency"} <= row.values.keys():
            seen.setdefault((row.values["number"].text, row.values["currency"].alpha), []).append(row)
    errors += [RowError(row.number, header.name("number"), _repeated()) for same in seen.values() if same[1:] for row in same]
    faulty = {error.row for error in errors}
    papers = [_paper(row.values) for row in rows if row.number not in faulty]
    refused = tuple(row.number for row in rows if row.number in faulty)
    return PaperReading(tuple(papers), tuple(sorted(errors, key=lambda error: error.row)), refused)


_PAPER_PARSERS: dict[str, Callable[[str], Any]] = {
    "number": PaperNumber.parse,
    "holder_name": _text,
    "holder_credit_code": CreditCode.parse,
    "date": parse_date,
    "currency": Currency.parse,
    "status": Status.parse,
}


def _repeated() -> DomainError:
    return DomainError(
        ErrorCode.CONTRADICTION,
        "this number stands in several rows with the same currency; leave the right one",
        "同一编号和币制重复出现；请只保留正确的一行",
    )


def _paper(values: dict[str, Any]) -> Paper:
    return Paper(
        number=values["number"],
        holder=Company(values["holder_name"], values["holder_credit_code"]),
        date=values["date"],
        total=values["total"],
        currency=values["currency"],
        status=values["status"],
    )
