"""Memos on the log: a message sealed for one reader, always of one size."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from schemas.canonical import canonical, parse_strict
from zkcore.errors import MemoError
from zkcore.secret.memos import SealSecret, seal_memo

T = TypeVar("T", bound=BaseModel)


def memo_for(seal_key: bytes, message: BaseModel) -> bytes:
    """The memo (MEMO_SIZE bytes). Raises LengthError when the message is too long for one, KeyRejected for an unusable key."""
    return seal_memo(seal_key, canonical(message))


def open_box(secret: SealSecret, sealed: bytes, form: type[T]) -> T:
    """The message of this form in a box that the service sealed, of whatever size. Raises MemoError."""
    content, mark, padding = secret.open(sealed).rpartition(b"\x80")
    if not mark or any(padding):
        raise MemoError("the padding of the box is malformed")
    return _read(content, form)


def open_memo(secret: SealSecret, sealed: bytes, form: type[T]) -> T:
    """The message of this form that a memo holds. Raises MemoError; compare it with the commitment it travels with."""
    return _read(secret.open_memo(sealed), form)


def _read(content: bytes, form: type[T]) -> T:
    try:
        return form.model_validate(parse_strict(content))
    except (ValidationError, ValueError):
        # Not chained: what the cause quotes may be a secret.
        raise MemoError("the memo does not hold a message of the expected form") from None
