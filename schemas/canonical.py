"""Canonical JSON (RFC 8785): one message has one encoding, which is what is hashed, logged and compared."""

from __future__ import annotations

import json
from typing import Any

import rfc8785
from pydantic import BaseModel

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_LARGEST = 2**53 - 1


def canonical(message: BaseModel) -> bytes:
    """The canonical UTF-8 bytes of a message."""
    return canonical_value(message.model_dump(mode="json"))


def canonical_value(value: Any) -> bytes:
    """The canonical UTF-8 bytes of JSON of any shape.

    Raises ValueError for what has none: a whole number from 2**53 on, an infinity, half a character, too deep nesting.
    """
    try:
        if _is_plain(value) and (text := _ENCODER.encode(value)).isascii():
            return text.encode("ascii")
        return rfc8785.dumps(value)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def _is_plain(value: Any) -> bool:
    """Whether the standard library, which is faster, writes what RFC 8785 has, as long as all of it is ASCII.

    There are no numbers that doubles write otherwise (section 3.2.2.3), and no names that UTF-16 sorts otherwise (3.2.3).
    """
    kind = type(value)
    if kind is dict:
        return all(type(name) is str for name in value) and all(map(_is_plain, value.values()))
    if kind is list:
        return all(map(_is_plain, value))
    return kind is str or kind is bool or value is None or (kind is int and -_LARGEST <= value <= _LARGEST)


def parse_strict(data: bytes) -> Any:
    """JSON of any shape. Raises ValueError for duplicate names, NaN, Infinity, bad UTF-8 or too deep nesting.

    What is too large for a double, or half a character, is read as it stands: the form that is expected there refuses it.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice in one JSON object")
    return result


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
