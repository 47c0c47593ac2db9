"""What an operator can set of institutions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Rules:
    """What holds for every institution.

    overlap: how long an old request key is good beside the one that follows it
    refusals: after how many headroom refusals within a day an institution is blocked on a document for a day
    """

    overlap: timedelta = timedelta(hours=24)
    refusals: int = 3
