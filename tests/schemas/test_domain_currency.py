"""Currencies and amounts.

Must hold: a text that is accepted means exactly one number of minor units, and writing that number gives a text that is read
back as the same; exponents are those of ISO 4217. A failure: a sign, exponent, misplaced comma or surplus decimal accepted. Not
a failure: wording.
"""

from __future__ import annotations

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.domain.currency import Currency, currencies, format_amount, parse_amount
from schemas.domain.errors import DomainError, ErrorCode
from zkcore.amounts import MAXIMUM

USD, JPY, CNY = Currency.parse("USD"), Currency.parse("JPY"), Currency.parse("CNY")

any_currency = st.sampled_from(currencies())
any_amount = st.integers(min_value=1, max_value=MAXIMUM)


@pytest.mark.parametrize(
    "code,alpha",
    [
        ("110", "HKD"),
        ("116", "JPY"),
        ("132", "SGD"),
        ("142", "CNY"),
        ("300", "EUR"),
        ("303", "GBP"),
        ("331", "CHF"),
        ("501", "CAD"),
        ("502", "USD"),
        ("601", "AUD"),
    ],
)
def test_customs_code_and_iso_letters_name_the_same_currency(code: str, alpha: str) -> None:
    assert Currency.parse(code) is Currency.parse(f" {alpha.lower()} ")
    assert str(Currency.parse(code)) == alpha


def test_exponents_are_those_of_the_standard() -> None:
    assert {currency.alpha: currency.exponent for currency in currencies()} == {
        currency.alpha: iso4217.Currency(currency.alpha).exponent for currency in currencies()
    }
    assert (USD.exponent, JPY.exponent) == (2, 0)


@pytest.mark.parametrize("text", ["999", "", "840", "US", "USDT", "5O2", "502.0", "５０２"])
def test_unknown_currency_is_refused_and_the_message_lists_what_is_accepted(text: str) -> None:
    with pytest.raises(DomainError) as refusal:
        Currency.parse(text)
    assert refusal.value.code is ErrorCode.CURRENCY
    for message in (refusal.value.message_en, refusal.value.message_zh):
        assert "USD 502" in message
        assert "JPY 116" in message
    assert str(refusal.value) == f"{refusal.value.message_en} / {refusal.value.message_zh}"


@pytest.mark.parametrize(
    "text,currency,minor",
    [
        ("1,000,000.00", USD, 100_000_000),
        ("1000000", USD, 100_000_000),
        ("1,000,000.5", USD, 100_000_050),
        (" 0.01 ", USD, 1),
        ("50,000.01", USD, 5_000_001),
        ("18,500,000", JPY, 18_500_000),
        ("1", JPY, 1),
        ("2,814,749,767,106.55", USD, MAXIMUM),
        ("281,474,976,710,655", JPY, MAXIMUM),
    ],
)
def test_amounts_that_people_write(text: str, currency: Currency, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "-1.00", "+1.00", "1e6", "1E+06", "0x10", "inf", "nan", "USD 1.00", "$1.00", "1.00 USD", "1_000"],
        *["1,00.00", "1,0000.00", ",100.00", "1000,000.00", "1,000,.00", "1,000.0,0", "1.000,00", "1 000.00", "100.", ".50"],
        *["1.234", "1.000", "１００", "１,０００.００", "१००", "1\x00", "1\n2", "9" * 41, "0", "0.00", "000"],
        *["2,814,749,767,106.56", "99999999999999999999"],
    ],
)
def test_whatever_could_mean_another_amount_is_refused(text: str) -> None:
    with pytest.raises(DomainError) as refusal:
        parse_amount(text, USD)
    assert refusal.value.code is ErrorCode.AMOUNT


@pytest.mark.parametrize("text", ["100.5", "100.0", "100.00"])
def test_yen_have_no_decimals(text: str) -> None:
    with pytest.raises(DomainError, match="has none; write whole units") as refusal:
        parse_amount(text, JPY)
    assert "没有小数单位" in refusal.value.message_zh


def test_too_large_says_how_much_is_possible() -> None:
    with pytest.raises(DomainError, match=r"at most USD 2,814,749,767,106\.55"):
        parse_amount("3,000,000,000,000.00", USD)


def test_zero_and_overdrawn_are_written_though_never_read() -> None:
    assert format_amount(0, USD) == "0.00"
    assert format_amount(0, JPY) == "0"
    assert format_amount(-123_456, USD) == "-1,234.56"
    assert format_amount(-5, USD) == "-0.05"


@given(minor=any_amount, currency=any_currency)
def test_written_amounts_are_read_back(minor: int, currency: Currency) -> None:
    written = format_amount(minor, currency)
    assert parse_amount(written, currency) == minor
    assert parse_amount(written.replace(",", ""), currency) == minor


@given(text=st.text(alphabet="0123456789.,-+eE ", max_size=24), currency=any_currency)
def test_what_is_accepted_is_what_plain_arithmetic_reads(text: str, currency: Currency) -> None:
    try:
        minor = parse_amount(text, currency)
    except DomainError:
        return
    assert 1 <= minor <= MAXIMUM
    assert parse_amount(format_amount(minor, currency), currency) == minor
    whole, _, decimals = text.strip().replace(",", "").partition(".")
    assert minor == int(whole) * 10**currency.exponent + int(decimals.ljust(currency.exponent, "0") or "0")
