"""One message has one encoding, and nothing ambiguous is read.

Must hold: canonical bytes are RFC 8785 and read back to the same value; JSON that two readers could understand differently is
refused: duplicate names, NaN, infinities, bad UTF-8, endless nesting. A failure would be an entry with two hashes, or a request
that the service and an auditor read differently.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import parse_strict

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_canonical_bytes_read_back_to_the_same_value(value: Any) -> None:
    data = rfc8785.dumps(value)
    assert parse_strict(data) == value
    assert rfc8785.dumps(parse_strict(data)) == data


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 9), min_size=2, max_size=5), st.randoms())
def test_the_order_of_names_does_not_matter(value: dict[str, int], random: Any) -> None:
    names = list(value)
    random.shuffle(names)
    assert rfc8785.dumps({name: value[name] for name in names}) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'[{"a": 1, "\\u0061": 2}]',
        b"NaN",
        b"[Infinity]",
        b'{"a": -Infinity}',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"",
        b"{",
        b'{"a": 1} {"a": 1}',
        b"{'a': 1}",
        b'"\x00"',
        b"01",
        b"[1,]",
    ],
)
def test_what_could_be_read_differently_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSONDecodeError and UnicodeDecodeError are both ValueErrors
        parse_strict(data)


def test_endless_nesting_is_refused_and_does_not_crash() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_strict(b"[" * 200_000 + b"]" * 200_000)


def test_numbers_are_read_as_they_stand() -> None:
    assert parse_strict(b"[1, 1.5, 9007199254740993]") == json.loads("[1, 1.5, 9007199254740993]")
