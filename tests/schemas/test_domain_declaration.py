"""Identifiers, supervision modes, and the limits of a declaration.

Must hold: a number or code is accepted only in its one form, and normalised; only a cleared declaration under a mode that pays
has limits, one per currency, never above what was declared. A failure: an import, a spreadsheet's number or a mistyped code
accepted; a number or amount in a `repr`. Not a failure: a credit code that no register knows.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.domain.currency import Currency
from schemas.domain.declaration import Company, Declaration, Item, Status
from schemas.domain.errors import DomainError, ErrorCode
from schemas.domain.identifiers import CreditCode, DeclarationNumber, PaperNumber
from schemas.domain.supervision import SupervisionMode, SupervisionModes, default_modes
from schemas.domain.tables import table
from schemas.kinds import load_kinds
from zkcore.amounts import MAXIMUM

USD, JPY, EUR = Currency.parse("USD"), Currency.parse("JPY"), Currency.parse("EUR")
SHARES = load_kinds()[0].shares
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
SYNTHETIC_CODES = (
    "91320581MA1P3K7L9H",
    "91330206MA2AF8CXX8",
    "91500106MA5U7RGD35",
    "91350211MA31QW5E9P",
    "91370212MA3NBH6U31",
)


def item(number: int, total: int, currency: Currency = USD) -> Item:
    return Item(number, "8516500000", "微波炉", Decimal(100), "台", total, currency)


def declaration(*items: Item, status: Status = Status.CLEARED, mode: str = "0110") -> Declaration:
    company = Company("宁波虚构电器有限公司", CreditCode.parse("91330206MA2AF8CXX8"))
    return Declaration(
        number=DeclarationNumber.parse("310420260083605699"),
        consignor=company,
        owner=company,
        declared_on=date(2026, 3, 5),
        exported_on=date(2026, 3, 6),
        supervision_mode=default_modes().find(mode),
        terms_of_delivery="FOB",
        contract="XG-1",
        bill_of_lading="BL-1",
        status=status,
        items=items,
    )


# --- declaration number ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["310420260083605699", " 310420260083605699\t", "'310420260083605699", "310420260083605699001"]
)
def test_a_declaration_number_is_normalised(text: str) -> None:
    number = DeclarationNumber.parse(text)
    assert str(number) == "310420260083605699"
    assert (number.customs_office, number.year) == ("3104", 2026)


@pytest.mark.parametrize(
    "text,helpful",
    [
        ("2.2332E+17", "what a spreadsheet made of"),
        ("3.10420260083605E+17", "what a spreadsheet made of"),
        ("310420260083605699.0", "what a spreadsheet made of"),
        ("310420261083605699", "import declaration"),
        ("31042026I083605699", "consolidated list"),
        ("31042026E083605699", "consolidated list"),
        ("310420262083605699", "9th digit"),
        ("310419960083605699", "the year"),
        ("31042026008360569", "17 characters"),
        ("3104202600836056990", "19 characters"),
        ("31042026008360569900", "20 characters"),
        ("", "0 characters"),
        ("31042026008360569O", "18 digits"),
        ("３１０４20260083605699", "18 digits"),
        ("3104 2026 0083605699", "18 digits"),
    ],
)
def test_a_refused_declaration_number_is_explained(text: str, helpful: str) -> None:
    with pytest.raises(DomainError, match=helpful) as refusal:
        DeclarationNumber.parse(text)
    assert refusal.value.code is ErrorCode.DECLARATION_NUMBER
    assert refusal.value.message_zh


@given(office=st.integers(0, 9999), year=st.integers(2000, 2099), serial=st.integers(0, 10**9 - 1), suffix=st.integers(0, 999))
def test_declaration_numbers_round_trip(office: int, year: int, serial: int, suffix: int) -> None:
    text = f"{office:04d}{year}0{serial:09d}"
    assert DeclarationNumber.parse(text).text == text
    assert DeclarationNumber.parse(f"{text}{suffix:03d}").text == text


def test_an_import_is_asked_for_as_such() -> None:
    assert DeclarationNumber.parse("310420261083605699", "import").text == "310420261083605699"
    with pytest.raises(DomainError, match="export declaration"):
        DeclarationNumber.parse("310420260083605699", "import")


@pytest.mark.parametrize("text", ["SW-2026-0001", "sw-2026-0001 ", "'SW-2026-0001"])
def test_the_number_of_another_paper_is_normalised(text: str) -> None:
    assert PaperNumber.parse(text).text == "SW-2026-0001"


def test_a_declaration_is_a_paper_too() -> None:
    assert PaperNumber.parse("310420260083605699001").text == "310420260083605699"


@pytest.mark.parametrize("text", ["", "-1", "A/B", "A B", "X" * 33, "2.2332E+17", "发票一", "A=1"])
def test_what_is_no_number_of_a_paper(text: str) -> None:
    with pytest.raises(DomainError) as refusal:
        PaperNumber.parse(text)
    assert refusal.value.code is ErrorCode.DECLARATION_NUMBER


# --- credit code ----------------------------------------------------------------------------------------------------------


def test_the_worked_check_character() -> None:
    assert CreditCode.parse("91350100M000100Y43").text == "91350100M000100Y43"


@pytest.mark.parametrize("code", SYNTHETIC_CODES)
def test_known_codes_are_accepted_in_either_case(code: str) -> None:
    assert CreditCode.parse(f" {code.lower()} ").text == code


def test_letters_in_the_first_places_are_accepted() -> None:
    """GB 32100 has lettered registration departments; the library's own whole check would refuse them."""
    accepted = [f"N2330206MA2AF8CXX{check}" for check in ALPHABET if _is_accepted(f"N2330206MA2AF8CXX{check}")]
    assert len(accepted) == 1


@pytest.mark.parametrize(
    "text,helpful",
    [
        ("91330206MA2AF8CXX", "17 characters"),
        ("91330206MA2AF8CXX88", "19 characters"),
        ("", "0 characters"),
        ("9133O206MA2AF8CXX8", "at position 5"),
        ("91330206MA2AF8CXXZ", "at position 18"),
        ("9133A206MA2AF8CXX8", "digits at positions 3 to 8"),
        ("91330206-A2AF8CXX8", "at position 9"),
        ("91330206MA2AF8CXX9", "check character"),
        ("91330206AM2AF8CXX8", "check character"),
    ],
)
def test_a_refused_credit_code_is_explained(text: str, helpful: str) -> None:
    with pytest.raises(DomainError, match=helpful) as refusal:
        CreditCode.parse(text)
    assert refusal.value.code is ErrorCode.CREDIT_CODE


@given(code=st.sampled_from(SYNTHETIC_CODES), position=st.integers(0, 17), character=st.sampled_from(ALPHABET))
def test_every_single_mistyped_character_is_noticed(code: str, position: int, character: str) -> None:
    assert _is_accepted(code[:position] + character + code[position + 1 :]) == (character == code[position])


def _is_accepted(code: str) -> bool:
    try:
        CreditCode.parse(code)
    except DomainError:
        return False
    return True


# --- supervision mode and status ------------------------------------------------------------------------------------------


def test_the_shipped_modes() -> None:
    modes = default_modes()
    assert modes.find(" 0110 ").name_zh == "一般贸易"
    # Whoever adds a mode decides how far it is financeable, and the other way round.
    assert set(SHARES) == set(table("supervision_modes.toml", "modes"))
    assert (SHARES["0110"], SHARES["3100"]) == (100, 0)
    assert 0 < SHARES["0214"] < 100


@pytest.mark.parametrize("code", ["", "110", "0119", "01100", "general trade"])
def test_an_unknown_mode_is_never_financed_by_accident(code: str) -> None:
    with pytest.raises(DomainError, match="one of: 0110, ") as refusal:
        default_modes().find(code)
    assert refusal.value.code is ErrorCode.SUPERVISION_MODE


def test_an_authority_may_have_its_own_table() -> None:
    modes = SupervisionModes([SupervisionMode("0111", "another trade", "另一贸易")])
    cleared = replace(declaration(item(1, 1001)), supervision_mode=modes.find("0111"))
    assert cleared.limits({"0111": 90}) == {USD: 900}


def test_a_mode_that_the_kind_does_not_list_is_refused() -> None:
    with pytest.raises(DomainError, match="do not list") as refusal:
        declaration(item(1, 1001)).limits({"0214": 90})
    assert refusal.value.code is ErrorCode.SUPERVISION_MODE


def test_without_a_table_modes_play_no_part() -> None:
    assert declaration(item(1, 1001), mode="3100").limits({}) == {USD: 1001}


@pytest.mark.parametrize("text,status", [("结关", Status.CLEARED), (" Cleared ", Status.CLEARED), ("退关", Status.RETURNED)])
def test_status_in_both_languages(text: str, status: Status) -> None:
    assert Status.parse(text) is status


@given(status=st.sampled_from(Status))
def test_status_round_trips(status: Status) -> None:
    assert Status.parse(status.value) is status
    assert Status.parse(status.name_zh) is status


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(DomainError, match="结关 cleared"):
        Status.parse("done")


# --- limits ---------------------------------------------------------------------------------------------------------------


def test_one_limit_per_currency() -> None:
    limits = declaration(item(1, 100_00), item(2, 18_500, JPY), item(3, 23_45)).limits(SHARES)
    assert limits == {USD: 123_45, JPY: 18_500}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.CLEARED])
def test_only_a_cleared_declaration_is_financeable(status: Status) -> None:
    pending = declaration(item(1, 100_00), status=status)
    assert pending.limits(SHARES) == {}
    assert pending.totals() == {USD: 100_00}
    assert pending.shares(SHARES) == {USD: 100_00}


def test_the_mode_decides_how_far() -> None:
    # 20 percent of the sum, rounded down once: 20 percent of 3.33 is 0.666.
    assert declaration(item(1, 111), item(2, 222), mode="0214").limits(SHARES) == {USD: 66}
    assert declaration(item(1, 4), item(2, 500, EUR), mode="0214").limits(SHARES) == {EUR: 100}


def test_a_mode_under_which_nobody_pays_gives_nothing() -> None:
    sample = declaration(item(1, 100_00), mode="3010")
    assert sample.limits(SHARES) == {}
    with pytest.raises(DomainError, match="supervision mode 3010"):
        sample.shares(SHARES)


@given(totals=st.lists(st.tuples(st.integers(1, 10**12), st.sampled_from([USD, JPY, EUR])), min_size=1, max_size=6))
def test_limits_never_pass_what_was_declared(totals: list[tuple[int, Currency]]) -> None:
    items = [item(number, total, currency) for number, (total, currency) in enumerate(totals, start=1)]
    full, part = declaration(*items), declaration(*items, mode="0214")
    assert full.limits(SHARES) == full.totals()
    assert sum(full.limits(SHARES).values()) == sum(total for total, _ in totals)
    assert all(limit * 5 <= full.totals()[currency] for currency, limit in part.limits(SHARES).items())


def test_a_sum_beyond_the_largest_amount_is_refused() -> None:
    with pytest.raises(DomainError) as refusal:
        declaration(item(1, MAXIMUM), item(2, 1)).limits(SHARES)
    assert refusal.value.code is ErrorCode.AMOUNT
    assert declaration(item(1, MAXIMUM), item(2, 1, JPY)).limits(SHARES) == {USD: MAXIMUM, JPY: 1}


@pytest.mark.parametrize("numbers", [[], [2], [1, 3], [1, 1], [2, 1], [0, 1]])
def test_a_missing_or_repeated_item_is_refused(numbers: list[int]) -> None:
    with pytest.raises(DomainError) as refusal:
        declaration(*(item(number, 100) for number in numbers))
    assert refusal.value.code is ErrorCode.ITEM_NUMBER


def test_an_item_is_worth_something() -> None:
    with pytest.raises(DomainError) as refusal:
        item(1, 0)
    assert refusal.value.code is ErrorCode.AMOUNT


def test_a_cleared_declaration_has_left_the_country() -> None:
    with pytest.raises(DomainError, match="export date"):
        replace(declaration(item(1, 100)), exported_on=None)


def test_nothing_confidential_prints() -> None:
    printed = repr([declaration(item(1, 987_654_321)), declaration(item(1, 5)).number, declaration(item(1, 5)).owner])
    for secret in ("987654321", "310420260083605699", "91330206MA2AF8CXX8", "虚构"):
        assert secret not in printed
