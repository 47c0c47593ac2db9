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
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.answers import ExportedEntry
from schemas.canonical import canonical, canonical_value, parse_strict

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


numbers = st.integers() | st.floats() | st.sampled_from([2**53 - 1, 2**53, -(2**53), 1e16, 1e-7, -0.0, 5e-324, 1e21, 10**15])
texts = st.text(
    st.characters(codec=None) | st.sampled_from('\x00\x08\x0c\x1f\x7f"\\/:,[\u2028\ud7ff\ud800\udfff\ufb33\U0001f600')
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.from_regex(r"[:,\[]-?[0-9]{14,18}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=2_000)
@given(anything)
def test_the_bytes_are_those_of_the_library_of_the_standard(value: Any) -> None:
    """canonical_value takes a shorter way where the bytes cannot differ: here is whether they do."""
    try:
        expected = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the library says
            canonical_value(value)
    else:
        assert canonical_value(value) == expected


@pytest.mark.parametrize("value", [{1: 2}, {"a": b"x"}, {"a": {1, 2}}, object()])
def test_what_is_no_json_has_no_bytes(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        canonical_value(value)


def test_names_are_sorted_as_the_standard_says() -> None:
    """The example of RFC 8785, section 3.2.3: by UTF-16 code units, so an emoji stands before a Hebrew presentation form."""
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = canonical_value(dict.fromkeys(names, 0))
    assert list(parse_strict(written)) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert written.startswith(b'{"\\r":0,"1":0,')


@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_a_message_is_written_as_the_value_it_is(value: dict[str, Any]) -> None:
    assert canonical(ExportedEntry(index=5, entry=value)) == canonical_value({"entry": value, "index": 5})


WITHOUT_ENCODING = {
    "2**53": b"[9007199254740993]",
    "minus 2**53": b"[-9007199254740993]",
    "a number past a double": b"[1e400]",
    "half a character": b'["\\ud800"]',
    "half a character in a name": b'{"\\udfff": 1}',
}


@pytest.mark.parametrize("data", WITHOUT_ENCODING.values(), ids=WITHOUT_ENCODING.keys())
def test_what_has_no_encoding_is_refused_where_it_is_written(data: bytes) -> None:
    """It is JSON, and is read; the field that it stands in refuses it by name. Nothing hashes or logs it."""
    value = parse_strict(data)
    with pytest.raises(ValueError):  # noqa: PT011 - the library raises several kinds of it
        canonical_value(value)


def test_nesting_ends_in_an_error_of_values() -> None:
    value: Any = 1
    for _ in range(20_000):
        value = [value]
    with pytest.raises(ValueError, match="deep"):
        canonical_value(value)
