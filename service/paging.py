"""The form of every list that has pages: `from` says where a page starts, `limit` how long it may be, and its answer's `next`
where the following one starts, or null at the end.

What `from` and `next` count is the list's own; a caller passes `next` on as it is. A list whose end moves answers null at its
present end, and the caller asks again from where it stopped.
"""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field

LONGEST_PAGE = 1_000
USUAL_PAGE = 500


def _digits(value: object) -> object:
    """Digits and nothing else: int() would also take signs, spaces and underscores."""
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,16}", value, re.ASCII):
        raise ValueError("write digits only")
    return value


digits_only = BeforeValidator(_digits)

_Index = Annotated[int, Field(ge=0, lt=1 << 53), digits_only]
_Length = Annotated[int, Field(ge=1, le=LONGEST_PAGE), digits_only]

PageStart = Annotated[_Index, Query(alias="from", description="where the page starts: 0, or the `next` of the page before")]
PageLength = Annotated[_Length, Query(alias="limit", description="at most so many on the page")]
