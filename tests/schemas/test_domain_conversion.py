"""Rates and shares.

Must hold: a conversion is the least number of minor units that is worth at least as much; a share is the greatest that is at
most the stated part; both exact for every amount. A failure: an answer off by one minor unit, or one from a rate between other
currencies. Not a failure: how a rate is spaced.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.domain.conversion import Rate, convert_up, share_of
from schemas.domain.currency import Currency, currencies, parse_amount
from schemas.domain.errors import DomainError, ErrorCode
from zkcore.amounts import MAXIMUM

USD, JPY, CNY = Currency.parse("USD"), Currency.parse("JPY"), Currency.parse("CNY")
YEN_RATE = Rate.parse("100 JPY = 4.80 CNY")


def test_the_worked_example_is_rounded_up() -> None:
    assert convert_up(parse_amount("800,000.00", CNY), CNY, JPY, YEN_RATE) == 16_666_667


def test_an_exact_conversion_is_not_rounded() -> None:
    assert convert_up(parse_amount("4.80", CNY), CNY, JPY, YEN_RATE) == 100
    assert convert_up(100, JPY, CNY, YEN_RATE) == 480


@pytest.mark.parametrize("text", ["100 JPY = 4.80 CNY", "100JPY=4.80CNY", "  100  116  =  4.80  142 ", "100 jpy = 4.80 cny"])
def test_a_rate_may_be_spaced_and_coded_as_people_do(text: str) -> None:
    rate = Rate.parse(text)
    assert rate == YEN_RATE
    assert str(rate) == "100 JPY = 4.80 CNY"


@pytest.mark.parametrize(
    "text,code",
    [
        ("", ErrorCode.RATE),
        ("4.80", ErrorCode.RATE),
        ("100 JPY", ErrorCode.RATE),
        ("100 JPY = CNY", ErrorCode.RATE),
        ("100 JPY = -4.80 CNY", ErrorCode.RATE),
        ("100 JPY = 4,80 CNY", ErrorCode.RATE),
        ("100 JPY = 4.8e0 CNY", ErrorCode.RATE),
        ("0 JPY = 4.80 CNY", ErrorCode.RATE),
        ("100 JPY = 0.00 CNY", ErrorCode.RATE),
        ("100 CNY = 100 CNY", ErrorCode.RATE),
        ("100 JPY = 4.80 CNY = 0.66 USD", ErrorCode.RATE),
        ("1 JPY = " + "1" * 90 + " CNY", ErrorCode.RATE),
        ("100 JPY = 4.80 999", ErrorCode.CURRENCY),
    ],
)
def test_what_is_not_a_rate_is_refused(text: str, code: ErrorCode) -> None:
    with pytest.raises(DomainError) as refusal:
        Rate.parse(text)
    assert refusal.value.code is code


def test_a_rate_between_other_currencies_is_refused() -> None:
    with pytest.raises(DomainError, match="does not name USD"):
        convert_up(100, USD, JPY, YEN_RATE)
    with pytest.raises(DomainError, match="does not name USD"):
        convert_up(100, CNY, USD, YEN_RATE)
    with pytest.raises(DomainError, match="both currencies are JPY"):
        convert_up(100, JPY, JPY, YEN_RATE)


@pytest.mark.parametrize("minor", [0, -1, MAXIMUM + 1])
def test_only_amounts_are_converted(minor: int) -> None:
    with pytest.raises(DomainError) as refusal:
        convert_up(minor, CNY, JPY, YEN_RATE)
    assert refusal.value.code is ErrorCode.AMOUNT


def test_a_result_that_is_no_amount_is_refused() -> None:
    with pytest.raises(DomainError) as refusal:
        convert_up(MAXIMUM, CNY, USD, Rate.parse("1 CNY = 100 USD"))
    assert refusal.value.code is ErrorCode.AMOUNT


rate_sides = st.tuples(st.integers(1, 999_999), st.integers(1, 999_999))
any_currency = st.sampled_from(currencies())


@given(minor=st.integers(1, 10**9), sides=rate_sides, source=any_currency, target=any_currency)
def test_a_conversion_is_the_least_that_covers(minor: int, sides: tuple[int, int], source: Currency, target: Currency) -> None:
    assume(source != target)
    left, right = sides
    rate = Rate.parse(f"{left / 100:.2f} {source} = {right / 100:.2f} {target}")
    exact = Fraction(minor * right * 10**target.exponent, left * 10**source.exponent)
    assume(exact <= MAXIMUM)
    converted = convert_up(minor, source, target, rate)
    assert converted - 1 < exact <= converted


@pytest.mark.parametrize(
    "amount,financed",
    [
        ("48,200.00", "38,560.00"),
        ("36,750.00", "29,400.00"),
        ("52,040.00", "41,632.00"),
        ("61,300.50", "49,040.40"),
        ("27,999.50", "22,399.60"),
        ("23,710.00", "18,968.00"),
    ],
)
def test_the_six_declarations_at_eighty_percent(amount: str, financed: str) -> None:
    assert share_of(parse_amount(amount, USD), 80) == parse_amount(financed, USD)


@given(minor=st.integers(0, MAXIMUM), percent=st.fractions(0, 100))
def test_a_share_is_the_most_within(minor: int, percent: Fraction) -> None:
    share = share_of(minor, percent)
    assert share <= minor * percent / 100 < share + 1


def test_a_share_of_little_may_be_nothing() -> None:
    assert share_of(1, 99) == 0
    assert share_of(MAXIMUM, 100) == MAXIMUM


@pytest.mark.parametrize("percent", [-1, 101, Fraction(1001, 10)])
def test_a_share_is_within_the_whole(percent: int | Fraction) -> None:
    with pytest.raises(DomainError) as refusal:
        share_of(100, percent)
    assert refusal.value.code is ErrorCode.SHARE
