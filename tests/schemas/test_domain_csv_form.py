"""The Customs form, and the samples that ship with it.

Must hold: what the file says is what the declarations say; a mistake leaves out its whole declaration, and nothing else, and is
reported with row and column; no content makes the reader raise. A failure: a declaration with a limit made of some of its rows;
a sample that the demonstration relies on missing or ambiguous. Not a failure: wording, or more mistakes reported than made.
"""

from __future__ import annotations

import csv
import io
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.domain.csv_form import COLUMNS, MAXIMUM_BYTES, Reading, read_declarations, read_papers
from schemas.domain.currency import Currency, currencies, format_amount, parse_amount
from schemas.domain.declaration import Declaration, Status
from schemas.domain.errors import DomainError, ErrorCode
from schemas.domain.supervision import SupervisionMode, SupervisionModes
from schemas.kinds import load_kinds
from zkcore.amounts import MAXIMUM

SAMPLES = files("schemas.domain") / "samples"
USD, JPY = Currency.parse("USD"), Currency.parse("JPY")
SHARES = load_kinds()[0].shares
CHINESE = {column: names[0] for column, names in COLUMNS.items()}
ROW = {
    "declaration_number": "310420260083605699",
    "consignor_name": "宁波虚构电器有限公司",
    "consignor_credit_code": "91330206MA2AF8CXX8",
    "owner_name": "宁波虚构电器有限公司",
    "owner_credit_code": "91330206MA2AF8CXX8",
    "declared_on": "2026-03-05",
    "exported_on": "2026-03-06",
    "supervision_mode": "0110",
    "terms_of_delivery": "3",
    "contract": "XG-1",
    "bill_of_lading": "BL-1",
    "item_number": "1",
    "hs_code": "8516500000",
    "item_name": "微波炉, 台式",
    "quantity": "1216.5",
    "unit": "台",
    "total": "500,000.00",
    "currency": "502",
    "status": "结关",
}
OTHER = {**ROW, "declaration_number": "800320260025945192"}


def table(*rows: dict[str, str], header: dict[str, str] | None = None) -> str:
    names = header or {column: column for column in COLUMNS}
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names.values())
    writer.writerows([row[column] for column in names] for row in rows)
    return text.getvalue()


def read(*rows: dict[str, str]) -> Reading:
    return read_declarations(table(*rows).encode())


def single_error(reading: Reading) -> tuple[int, str, ErrorCode]:
    assert len(reading.errors) == 1
    found = reading.errors[0]
    return found.row, found.column, found.error.code


def test_a_row_becomes_a_declaration() -> None:
    reading = read(ROW)
    assert not reading.errors
    assert not reading.refused_rows
    (declaration,) = reading.declarations
    assert declaration.number.text == "310420260083605699"
    assert declaration.terms_of_delivery == "FOB"
    assert declaration.status is Status.CLEARED
    assert declaration.items[0].name == "微波炉, 台式"
    assert str(declaration.items[0].quantity) == "1216.5"
    assert declaration.limits(SHARES) == {USD: 50_000_000}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("header", [None, CHINESE, {**CHINESE, "declaration_number": "报关单号", "total": " Total "}])
def test_encodings_and_languages_of_the_header(encoding: str, header: dict[str, str] | None) -> None:
    reading = read_declarations(table(ROW, header=header).encode(encoding))
    assert reading == read(ROW)


def test_columns_may_stand_in_any_order_among_others() -> None:
    names = {"gross_weight": "毛重", **dict(reversed(CHINESE.items()))}
    content = table({**ROW, "gross_weight": "17"}, header=names).encode()
    assert read_declarations(content).declarations == read(ROW).declarations


def test_items_are_gathered_in_their_order_wherever_their_rows_stand() -> None:
    second = {**ROW, "item_number": "2", "total": "1,000", "currency": "JPY"}
    reading = read(second, OTHER, ROW)
    assert not reading.errors
    gathered, other = reading.declarations
    assert [item.number for item in gathered.items] == [1, 2]
    assert gathered.limits(SHARES) == {USD: 50_000_000, JPY: 1_000}
    assert other.limits(SHARES) == {USD: 50_000_000}


def test_a_tax_refund_number_and_the_plain_one_are_one_declaration() -> None:
    first = {**ROW, "declaration_number": ROW["declaration_number"] + "001"}
    second = {**ROW, "declaration_number": ROW["declaration_number"] + "002", "item_number": "2"}
    (declaration,) = read(first, second).declarations
    assert declaration.limits(SHARES) == {USD: 100_000_000}


@pytest.mark.parametrize(
    "column,text,code",
    [
        ("declaration_number", "2.2332E+17", ErrorCode.DECLARATION_NUMBER),
        ("consignor_name", "", ErrorCode.TEXT),
        ("consignor_name", "名" * 201, ErrorCode.TEXT),
        ("owner_name", "a\nb", ErrorCode.TEXT),
        ("owner_credit_code", "91330206MA2AF8CXX9", ErrorCode.CREDIT_CODE),
        ("declared_on", "2026/03/05", ErrorCode.DATE),
        ("declared_on", "20260305", ErrorCode.DATE),
        ("declared_on", "2026-02-30", ErrorCode.DATE),
        ("exported_on", "", ErrorCode.DATE),
        ("supervision_mode", "0119", ErrorCode.SUPERVISION_MODE),
        ("terms_of_delivery", "9", ErrorCode.TERMS_OF_DELIVERY),
        ("item_number", "0", ErrorCode.ITEM_NUMBER),
        ("item_number", "1.0", ErrorCode.ITEM_NUMBER),
        ("item_number", "2", ErrorCode.ITEM_NUMBER),
        ("hs_code", "902109000", ErrorCode.HS_CODE),
        ("quantity", "0", ErrorCode.QUANTITY),
        ("quantity", "1,000", ErrorCode.QUANTITY),
        ("quantity", "-1", ErrorCode.QUANTITY),
        ("total", "1.234", ErrorCode.AMOUNT),
        ("total", "1e6", ErrorCode.AMOUNT),
        ("currency", "999", ErrorCode.CURRENCY),
        ("status", "好", ErrorCode.STATUS),
    ],
)
def test_a_mistake_is_reported_where_it_is_and_spares_other_declarations(column: str, text: str, code: ErrorCode) -> None:
    reading = read(OTHER, {**ROW, column: text})
    assert single_error(reading) == (3, column, code)
    assert [declaration.number.text for declaration in reading.declarations] == [OTHER["declaration_number"]]
    assert reading.refused_rows == (3,)


def test_several_mistakes_in_a_row_are_all_reported() -> None:
    reading = read({**ROW, "currency": "999", "hs_code": "1", "owner_name": ""})
    assert {found.column for found in reading.errors} == {"currency", "hs_code", "owner_name"}


def test_a_mistake_in_one_item_leaves_out_the_whole_declaration() -> None:
    reading = read(ROW, {**ROW, "item_number": "2", "total": "x"}, OTHER)
    assert [declaration.number.text for declaration in reading.declarations] == [OTHER["declaration_number"]]
    assert reading.refused_rows == (2, 3)


def test_a_row_split_by_its_own_amount_leaves_out_its_declaration() -> None:
    split = table({**ROW, "item_number": "2"}).splitlines()[1].replace('"500,000.00"', "500,000.00")
    reading = read_declarations((table(ROW, OTHER) + split + "\r\n").encode())
    assert single_error(reading) == (4, "", ErrorCode.FORM)
    assert "quotation marks" in reading.errors[0].error.message_en
    assert reading.refused_rows == (2, 4)


@pytest.mark.parametrize(
    "column", [column for column in COLUMNS if column in {"owner_name", "status", "exported_on", "contract"}]
)
def test_rows_of_one_declaration_may_not_contradict_each_other(column: str) -> None:
    other = {"owner_name": "别的公司", "status": "改单", "exported_on": "2026-03-07", "contract": "XG-2"}[column]
    reading = read(ROW, {**ROW, "item_number": "2", column: other})
    assert single_error(reading) == (3, column, ErrorCode.CONTRADICTION)
    assert reading.declarations == ()
    assert reading.refused_rows == (2, 3)


@pytest.mark.parametrize("numbers", [("1", "1"), ("1", "3")])
def test_repeated_and_missing_items_leave_the_declaration_out(numbers: tuple[str, str]) -> None:
    reading = read(*({**ROW, "item_number": number} for number in numbers))
    assert single_error(reading)[2] is ErrorCode.ITEM_NUMBER
    assert reading.declarations == ()


def test_a_sum_beyond_the_largest_amount_leaves_the_declaration_out() -> None:
    largest = format_amount(MAXIMUM, USD)
    reading = read({**ROW, "total": largest}, {**ROW, "item_number": "2", "total": "0.01"})
    assert single_error(reading) == (2, "total", ErrorCode.AMOUNT)


def test_a_declaration_that_has_not_left_needs_no_export_date() -> None:
    (declaration,) = read({**ROW, "status": "申报", "exported_on": ""}).declarations
    assert declaration.exported_on is None
    assert declaration.limits(SHARES) == {}


def test_row_numbers_are_those_of_a_spreadsheet() -> None:
    lines = table(ROW, {**OTHER, "hs_code": "x"}).splitlines()
    content = "\r\n".join([lines[0], "", lines[1], ",,,", lines[2], ""]).encode()
    assert single_error(read_declarations(content)) == (5, "hs_code", ErrorCode.HS_CODE)


def test_empty_cells_beyond_the_header_are_not_a_mistake() -> None:
    lines = table(ROW).splitlines()
    assert read_declarations(f"{lines[0]}\n{lines[1]},,\n".encode()) == read(ROW)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\xff\xfe\x00\x00",
        "海关编号,总价\n".encode(),
        table(ROW).replace(",", "\t").encode(),
        table(ROW).replace("total", "currency").encode(),
        b"x" * (MAXIMUM_BYTES + 1),
    ],
)
def test_a_file_of_another_form_is_one_error_of_the_whole_file(content: bytes) -> None:
    reading = read_declarations(content)
    assert single_error(reading) == (0, "", ErrorCode.FORM)
    assert reading.declarations == ()


def test_missing_columns_are_all_named() -> None:
    header = {column: name for column, name in CHINESE.items() if column not in {"total", "status"}}
    (found,) = read_declarations(table(ROW, header=header).encode()).errors
    assert "total, status" in found.error.message_en
    assert "总价、状态" in found.error.message_zh


def test_a_broken_quotation_ends_the_reading_without_half_a_declaration() -> None:
    reading = read_declarations((table(ROW) + '"broken"x,1\r\n').encode())
    assert single_error(reading) == (0, "", ErrorCode.FORM)
    assert reading.declarations == ()
    assert reading.refused_rows == (2,)


def test_the_table_of_modes_may_be_the_authority_s_own() -> None:
    modes = SupervisionModes([SupervisionMode("0110", "another name", "另一名称")])
    (declaration,) = read_declarations(table(ROW).encode(), modes).declarations
    assert declaration.supervision_mode.name_zh == "另一名称"


def test_imports_are_read_when_asked_for() -> None:
    number = ROW["declaration_number"]
    imported = {**ROW, "declaration_number": number[:8] + "1" + number[9:]}
    content = table(imported).replace("exported_on", "进口日期").replace("owner_name", "消费使用单位").encode()
    (declaration,) = read_declarations(content, flow="import").declarations
    assert declaration.number.text == imported["declaration_number"]
    assert read_declarations(content).declarations == ()
    assert single_error(read_declarations(table(ROW).encode(), flow="import"))[2] is ErrorCode.DECLARATION_NUMBER


PAPER = "单证编号,企业名称,统一社会信用代码,日期,金额,币制,状态"
FILING = 'SW-2026-0001,宁波虚构电器有限公司,91330206MA2AF8CXX8,2026-03-05,"65,000.00",USD,结关'


def test_papers_of_other_kinds_are_read_one_a_row() -> None:
    reading = read_papers(f"{PAPER}\n{FILING}\n{FILING.replace('USD', 'EUR')}\n".encode())
    assert [(paper.number.text, paper.total, paper.currency.alpha) for paper in reading.papers] == [
        ("SW-2026-0001", 65_000_00, "USD"),
        ("SW-2026-0001", 65_000_00, "EUR"),
    ]
    assert (reading.errors, reading.refused_rows) == ((), ())


@pytest.mark.parametrize(
    "rows,refused",
    [
        ([FILING, FILING], (2, 3)),
        ([FILING.replace("2026-03-05", "5.3.2026"), FILING.replace("0001", "0002")], (2,)),
        ([FILING + ",more"], (2,)),
        ([FILING.replace("结关", "完成")], (2,)),
        ([FILING.replace('"65,000.00"', "0")], (2,)),
        ([FILING.replace("SW-2026-0001", "2.2332E+17")], (2,)),
    ],
)
def test_faulty_papers_are_refused_by_row(rows: list[str], refused: tuple[int, ...]) -> None:
    reading = read_papers("\n".join([PAPER, *rows]).encode())
    assert reading.refused_rows == refused
    assert {error.row for error in reading.errors} == set(refused)
    assert len(reading.papers) == len(rows) - len(refused)


@given(st.binary(max_size=400))
def test_no_file_of_papers_makes_it_fail(content: bytes) -> None:
    assert read_papers(content).papers == ()


@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise(content: bytes) -> None:
    read_declarations(content)


@given(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=3), st.text(max_size=30))
def test_no_cell_makes_it_raise(columns: list[str], text: str) -> None:
    content = table(ROW, {**ROW, "item_number": "2", **dict.fromkeys(columns, text)}, OTHER)
    reading = read_declarations(content.encode("utf-8", "surrogatepass"))
    accepted = sum(len(declaration.items) for declaration in reading.declarations)
    assert reading.errors or accepted == 3


@given(
    st.lists(st.tuples(st.integers(1, 10**12), st.sampled_from(currencies()), st.booleans()), min_size=1, max_size=5),
)
def test_what_was_written_is_read(items: list[tuple[int, Currency, bool]]) -> None:
    rows = [
        {
            **ROW,
            "item_number": str(number),
            "total": format_amount(total, currency),
            "currency": currency.alpha if letters else currency.customs_code,
        }
        for number, (total, currency, letters) in enumerate(items, start=1)
    ]
    (declaration,) = read(*rows).declarations
    assert [(item.total, item.currency) for item in declaration.items] == [(total, currency) for total, currency, _ in items]


# --- the samples ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def samples() -> tuple[Declaration, ...]:
    reading = read_declarations((SAMPLES / "declarations.csv").read_bytes())
    assert [str(error) for error in reading.errors] == []
    assert reading.refused_rows == ()
    return reading.declarations


def test_the_sample_is_large_and_varied(samples: tuple[Declaration, ...]) -> None:
    assert len(samples) >= 44
    assert len({declaration.number for declaration in samples}) == len(samples)
    assert sum(bool(declaration.limits(SHARES)) for declaration in samples) >= 40
    assert {currency for declaration in samples for currency in declaration.limits(SHARES)} == set(currencies())
    assert len({declaration.supervision_mode for declaration in samples}) >= 5
    assert {declaration.status for declaration in samples} == set(Status)
    assert sum(len(declaration.items) > 1 for declaration in samples) >= 8
    assert sum(len(declaration.limits(SHARES)) > 1 for declaration in samples) == 1
    assert all("虚构" in company.name for declaration in samples for company in (declaration.consignor, declaration.owner))


@pytest.mark.parametrize(
    "amount,currency,credit_code",
    [
        ("1,000,000.00", USD, "91320581MA1P3K7L9H"),
        ("500,000.00", USD, "91330206MA2AF8CXX8"),
        ("300,000.00", USD, "91500106MA5U7RGD35"),
        ("18,500,000", JPY, "91370212MA3NBH6U31"),
        ("48,200.00", USD, "91350211MA31QW5E9P"),
        ("36,750.00", USD, "91350211MA31QW5E9P"),
        ("52,040.00", USD, "91350211MA31QW5E9P"),
        ("61,300.50", USD, "91350211MA31QW5E9P"),
        ("27,999.50", USD, "91350211MA31QW5E9P"),
        ("23,710.00", USD, "91350211MA31QW5E9P"),
        ("250,000.00", USD, "91330206MA2AF8CXX8"),
        ("120,000.00", USD, "91320581MA1P3K7L9H"),
    ],
)
def test_each_story_has_its_declaration(
    samples: tuple[Declaration, ...], amount: str, currency: Currency, credit_code: str
) -> None:
    limits = {currency: parse_amount(amount, currency)}
    (declaration,) = [declaration for declaration in samples if declaration.totals() == limits]
    assert declaration.owner.credit_code.text == credit_code
    assert declaration.owner == declaration.consignor
    assert declaration.status is Status.CLEARED
    assert declaration.supervision_mode.code == "0110"
    assert declaration.limits(SHARES) == limits
    assert declaration.number.text in (SAMPLES / "README.md").read_text(encoding="utf-8")


def test_the_sample_with_errors_shows_the_typical_mistakes() -> None:
    reading = read_declarations((SAMPLES / "declarations_with_errors.csv").read_bytes())
    assert len(reading.declarations) == 1
    assert len(reading.errors) == 17
    assert {found.error.code for found in reading.errors} >= {
        ErrorCode.AMOUNT,
        ErrorCode.CONTRADICTION,
        ErrorCode.CREDIT_CODE,
        ErrorCode.CURRENCY,
        ErrorCode.DATE,
        ErrorCode.DECLARATION_NUMBER,
        ErrorCode.FORM,
        ErrorCode.HS_CODE,
        ErrorCode.ITEM_NUMBER,
        ErrorCode.SUPERVISION_MODE,
        ErrorCode.TEXT,
    }
    for found in reading.errors:
        assert found.row >= 3
        assert isinstance(found.error, DomainError)
        assert found.error.message_en in str(found)
        assert found.error.message_zh in str(found)
