"""Limits: how much of what an institution, with all below it, may use in a window of time.

Counters hold ids, windows and sums, and nothing of what was done. A use counts for its caller and for everybody above it, in
one transaction, or for nobody: what passes a limit is refused and leaves the counters as they were. A refusal is 429 with
Retry-After (RFC 9110, section 10.2.3; RFC 6585, section 4), the seconds until the next window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete
from sqlalchemy.sql import ClauseElement

from schemas import problems
from schemas.problems import ProblemType
from service.institutions.registry import Caller
from service.institutions.tables import COUNTERS
from service.problems import Refusal
from service.statements import RowStatement, Statement, adding

_MINUTE, _DAY = 60, 86_400
Counter = tuple[bytes, str, int]
"""The key of a counter: an institution's id, the budget's name, and when the window began."""


@dataclass(frozen=True)
class Budget:
    """Something that is limited. `what` is its name in tables and commands; `seconds` the length of its windows, which start at
    multiples of it (a day is a day of UTC); `problem` the refusal of what is too much; `most` what holds for an institution
    that was given no limit of its own (None: nothing does)."""

    what: str
    seconds: int
    problem: ProblemType
    most: int | None = None


REQUESTS = Budget("requests-per-minute", _MINUTE, problems.RATE_LIMITED)
DRAWS = Budget("draws-per-day", _DAY, problems.LIMIT_REACHED)
EVALUATIONS = Budget("evaluations-per-day", _DAY, problems.BUDGET_SPENT, most=300_000)
"""Elements that a bank has evaluated or looked up: three for each paper it checks."""
BUDGETS = (REQUESTS, DRAWS, EVALUATIONS)


def _adding(dialect: str) -> ClauseElement:
    new = adding(dialect, COUNTERS)
    total = {"used": COUNTERS.c.used + new.excluded.used}
    return new.on_conflict_do_update(index_elements=list(COUNTERS.primary_key), set_=total).returning(*COUNTERS.c)


def _forgetting(dialect: str) -> ClauseElement:
    own = (COUNTERS.c.institution == bindparam("of"), COUNTERS.c.what == bindparam("which"))
    return delete(COUNTERS).where(*own, COUNTERS.c.window_start < bindparam("now"))


_ADDED = RowStatement("count", _adding, COUNTERS.c.keys())
_FORGOTTEN = Statement("forget counters", _forgetting)


@dataclass(frozen=True)
class Use:
    """`amount` of a budget, used by a caller at a time in unix seconds."""

    caller: Caller
    budget: Budget
    amount: int
    now: int

    @property
    def window(self) -> int:
        """When the window began that it falls into."""
        return self.now - self.now % self.budget.seconds

    def counters(self) -> Iterator[Counter]:
        """The caller's counter and that of everybody above it."""
        return ((member.id, self.budget.what, self.window) for member in self.caller.path)


def count(connection: Connection, uses: Sequence[Use]) -> list[Refusal | None]:
    """Count these uses, each for its caller's whole path or not at all. What refuses each, if anything.

    Each counter is written once, whatever the number of uses, and in the order of their keys, so that two processes cannot wait
    for each other. In a transaction all of them are locked by then, and nobody sees what is refused before it is taken back;
    where every statement stands for itself, others see it for that moment.
    """
    added: dict[Counter, int] = defaultdict(int)
    for use in uses:
        for counter in use.counters():
            added[counter] += use.amount
    used = {counter: after - added[counter] for counter, after in _add(connection, added).items()}
    begun = [counter for counter, before in used.items() if before == 0]
    outcomes = [_fit(use, used) for use in uses]
    refunded: dict[Counter, int] = defaultdict(int)
    for use in (use for use, refusal in zip(uses, outcomes, strict=True) if refusal is not None):
        for counter in use.counters():
            refunded[counter] -= use.amount
    _add(connection, refunded)
    for institution, what, window in begun:  # counters of earlier windows are of no use any more
        _FORGOTTEN.do(connection, {"of": institution, "which": what, "now": window})
    return outcomes


def _fit(use: Use, used: dict[Counter, int]) -> Refusal | None:
    """Add one use to what is used, or say why it is too much."""
    after = {counter: used[counter] + use.amount for counter in use.counters()}
    for member, amount in zip(use.caller.path, after.values(), strict=True):
        most = member.limits.get(use.budget.what, use.budget.most)
        if most is not None and amount > most:
            return Refusal(use.budget.problem, headers={"Retry-After": str(use.window + use.budget.seconds - use.now)})
    used.update(after)
    return None


def count_or_refuse(connection: Connection, uses: Sequence[Use]) -> None:
    """Count them all, or raise the first Refusal, on which the caller of this function must let the transaction fail."""
    for refusal in count(connection, uses):
        if refusal is not None:
            raise refusal


def _add(connection: Connection, amounts: Mapping[Counter, int]) -> dict[Counter, int]:
    """Add to counters, and return what they are then. One statement, so that no two can lose one another's."""
    rows = [
        {"institution": institution, "what": what, "window_start": window, "used": amount}
        for (institution, what, window), amount in sorted(amounts.items())
    ]
    found = _ADDED.change_and_return(connection, rows)
    return {(institution, what, window): used for institution, what, window, used in found}
