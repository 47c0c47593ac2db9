"""Limits: how much of what an institution, with all below it, may use in a window of time.

Counters hold ids, windows and sums, and nothing of what was done. A use counts for its caller and for everybody above it, in
one transaction, or for nobody: what passes a limit is refused and leaves the counters as they were. A refusal is 429 with
Retry-After (RFC 9110, section 10.2.3; RFC 6585, section 4), the seconds until the next window.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite

from schemas import problems
from schemas.problems import ProblemType
from service.institutions.registry import Caller
from service.institutions.tables import COUNTERS
from service.problems import Refusal

_MINUTE, _DAY = 60, 86_400


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


def count(connection: Connection, caller: Caller, budget: Budget, amount: int, now: int) -> None:
    """Use `amount` of a budget within this transaction, up the whole hierarchy. Raises Refusal, on which the caller of this
    function must let the transaction fail."""
    window = now - now % budget.seconds
    for member in caller.path:  # from the top down, always: so two transactions cannot wait for each other
        used = _add(connection, member.id, budget.what, window, amount)
        most = member.limits.get(budget.what, budget.most)
        if most is not None and used > most:
            raise Refusal(budget.problem, headers={"Retry-After": str(window + budget.seconds - now)})
        if used == amount:  # the first use in this window: those of earlier ones are of no use any more
            earlier = (COUNTERS.c.institution == member.id, COUNTERS.c.what == budget.what, COUNTERS.c.window_start < window)
            connection.execute(delete(COUNTERS).where(*earlier))


def _add(connection: Connection, institution: bytes, what: str, window: int, amount: int) -> int:
    """Add to a counter, and return what it is then. One statement, so that no two can lose one another's."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    values = {"institution": institution, "what": what, "window_start": window, "used": amount}
    keys = ("institution", "what", "window_start")
    added = insert(COUNTERS).values(values).on_conflict_do_update(index_elements=keys, set_={"used": COUNTERS.c.used + amount})
    return int(connection.execute(added.returning(COUNTERS.c.used)).scalar_one())
