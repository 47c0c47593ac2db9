"""Bytes in JSON: one value has one spelling.

A lenient decoder would skip what is not of the alphabet, so that two different texts carry one value: two requests with other
digests, two entries with other leaves. Must hold: what was encoded is decoded, and every other spelling of it is refused.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.wire import Identifier, Message, decode_base64url, encode_base64url


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
