"""Canonical JSON (RFC 8785): one message has one encoding, which is what is hashed, logged and compared."""

from __future__ import annotations

import json
from typing import Any

import rfc8785
from pydantic import BaseModel


def canonical(message: BaseModel) -> bytes:
    """The canonical UTF-8 bytes of a message."""
    return rfc8785.dumps(message.model_dump(mode="json"))


def parse_strict(data: bytes) -> Any:
    """JSON of any shape. Raises ValueError for duplicate names, NaN, infinities, bad UTF-8 or too deep nesting."""
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
