"""Named transactions over the tables of authenticity."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from schemas import problems
from service.authenticity.tables import RECORDS, SPENDING
from service.problems import RETRY_AFTER, Refusal
from service.storage import Storage

_ATTEMPTS = 4
_KEPT_DAYS = 2


def store_records(storage: Storage, epoch: int, records: Sequence[tuple[bytes, bytes]]) -> None:
    """Each (token, record), over one of that token: all, durably, or none. Raises Refusal under a storm of writes."""
    newest = dict(records)
    for _ in range(_ATTEMPTS):
        try:
            with storage.writing("store_records") as connection:
                connection.execute(delete(RECORDS).where(RECORDS.c.token.in_(newest)))
                rows = [{"token": token, "epoch": epoch, "record": record} for token, record in newest.items()]
                connection.execute(insert(RECORDS), rows)
        except IntegrityError:
            continue  # Another publication of the same token was faster: the last one counts, and that is now ours.
        return
    raise Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)


def find_records(storage: Storage, epoch: int, tokens: Sequence[bytes]) -> dict[bytes, bytes]:
    """The records of an epoch that there are, by token."""
    wanted = select(RECORDS.c.token, RECORDS.c.record).where(RECORDS.c.token.in_(tokens), RECORDS.c.epoch == epoch)
    with storage.reading("find_records") as connection:
        return {row.token: row.record for row in connection.execute(wanted)}


def drop_records(storage: Storage, epoch: int) -> int:
    """Forget the records of an epoch that has ended. Returns how many there were."""
    with storage.writing("drop_records") as connection:
        return connection.execute(delete(RECORDS).where(RECORDS.c.epoch == epoch)).rowcount


def spend(storage: Storage, caller: str, day: int, elements: int, limit: int) -> bool:
    """Whether so many elements are still within the caller's limit of the day; they are then spent.

    The sum is compared and moved in one statement, so that no two requests spend the same rest.
    """
    within = update(SPENDING).where(SPENDING.c.caller == caller, SPENDING.c.day == day, SPENDING.c.spent <= limit - elements)
    for _ in range(_ATTEMPTS):
        try:
            with storage.writing("spend") as connection:
                if connection.execute(within.values(spent=SPENDING.c.spent + elements)).rowcount:
                    return True
                found = select(SPENDING.c.spent).where(SPENDING.c.caller == caller, SPENDING.c.day == day)
                if connection.scalar(found) is not None or elements > limit:
                    return False
                connection.execute(delete(SPENDING).where(SPENDING.c.day <= day - _KEPT_DAYS))
                connection.execute(insert(SPENDING).values(caller=caller, day=day, spent=elements))
        except IntegrityError:
            continue  # Another request of this caller was the day's first.
        return True
    raise Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)
