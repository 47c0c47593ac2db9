"""Named transactions over the tables of authenticity. Tokens are 32 bytes, records 1,320 (SPEC.md, section 16)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from schemas import problems
from service.authenticity.tables import RECORDS
from service.problems import RETRY_AFTER, Refusal
from service.storage import Storage

_ATTEMPTS = 4


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


def newest_epoch(storage: Storage) -> int:
    """The last epoch that there are records of; 0 without any."""
    with storage.asking("newest_epoch") as connection:
        return int(connection.scalar(select(func.max(RECORDS.c.epoch))) or 0)


def drop_records(storage: Storage, epoch: int) -> int:
    """Forget the records of an epoch that has ended. Returns how many there were."""
    with storage.writing("drop_records") as connection:
        return connection.execute(delete(RECORDS).where(RECORDS.c.epoch == epoch)).rowcount
