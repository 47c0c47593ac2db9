"""Bytes in JSON: one value has one spelling.

A lenient decoder would skip what is not of the alphabet, so that two different texts carry one value: two requests with other
digests, two entries with other leaves. Must hold: what was encoded is decoded, and every other spelling of it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.wire import Base64Url, Currency, Holder, Identifier, Message, Name, Origin, decode_base64url, encode_base64url


class _Holder(Message):
    id: Identifier


DATA = b"\xfb\xff" * 16  # 32 bytes; both characters in which the alphabets differ occur
TEXT = encode_base64url(DATA)

OTHER_SPELLINGS: dict[str, Callable[[str], str]] = {
    "padded": lambda text: text + "=",
    "a line break at the end": lambda text: text + "\n",
    "a space before": lambda text: " " + text,
    "a line break within": lambda text: text[:20] + "\r\n" + text[20:],
    "a character of no alphabet within": lambda text: text[:20] + "!" + text[20:],
    "the other alphabet": lambda text: text.replace("-", "+").replace("_", "/"),
    "stray bits": lambda text: text[:-1] + chr(ord(text[-1]) + 1),
    "full-width letters": lambda text: text[:-1] + chr(ord(text[-1]) + 0xFEE0),
    "NUL at the end": lambda text: text + "\0",
    "a byte order mark": lambda text: "\ufeff" + text,
}


@pytest.mark.parametrize("spell", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS.keys())
def test_another_spelling_is_refused(spell: Callable[[str], str]) -> None:
    assert decode_base64url(TEXT) == DATA
    assert _Holder.model_validate({"id": TEXT}).id == DATA
    assert spell(TEXT) != TEXT
    with pytest.raises(ValueError, match="base64url"):
        decode_base64url(spell(TEXT))
    with pytest.raises(ValidationError):
        _Holder.model_validate({"id": spell(TEXT)})


@given(st.binary(max_size=40))
def test_what_was_encoded_is_decoded(data: bytes) -> None:
    assert decode_base64url(encode_base64url(data)) == data


@given(st.text(max_size=44))
def test_whatever_is_decoded_is_the_only_spelling(text: str) -> None:
    try:
        data = decode_base64url(text)
    except ValueError:
        return
    assert encode_base64url(data) == text


@given(st.data(), st.integers(0, 40), st.integers(0, 20), st.binary(max_size=70))
def test_lengths_are_exact(data: st.DataObject, least: int, more: int, value: bytes) -> None:
    adapter: TypeAdapter[bytes] = TypeAdapter(Annotated[bytes, Base64Url(least, least + more)])
    fitting = data.draw(st.binary(min_size=least, max_size=least + more))
    assert adapter.validate_python(encode_base64url(fitting)) == adapter.validate_python(fitting) == fitting
    assert adapter.dump_python(fitting, mode="json") == encode_base64url(fitting)
    if not least <= len(value) <= least + more:
        for form in (value, encode_base64url(value)):
            with pytest.raises(ValidationError):
                adapter.validate_python(form)


@pytest.mark.parametrize("value", [None, True, 0, 1.0, [], {}, [TEXT], bytearray(32), "A" * 10_000_000])
def test_bytes_are_text(value: Any) -> None:
    with pytest.raises(ValidationError):
        _Holder.model_validate({"id": value})


WORDS: list[tuple[Any, str]] = [
    (Currency, "USD"),
    (Name, "export-declaration"),
    (Holder, "91320581MA1P3K7L9H"),
    (Origin, "log.example/export"),
]


@pytest.mark.parametrize("form,good", WORDS, ids=[good for _, good in WORDS])
def test_a_pattern_is_of_the_whole_word(form: Any, good: str) -> None:
    """Not of its beginning, nor of one line of it; and letters that look alike are other letters."""
    adapter: TypeAdapter[str] = TypeAdapter(form)
    assert adapter.validate_python(good, strict=True) == good
    for wrong in (
        "",
        good + "\n",
        "\n" + good,
        good + "\n" + good,
        " " + good,
        good + "\0",
        good + " ",
        "а" + good[1:],
        good * 100,
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong, strict=True)
