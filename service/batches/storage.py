"""Batches in the database: accepted whole, worked off line by line, and kept as answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, case, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from schemas import problems
from service.batches.tables import BATCH_LINES, BATCHES
from service.idempotency import Answer, RequestKey
from service.problems import RETRY_AFTER, Refusal
from service.storage import Moved, Storage
from service.tables import ANSWERS

MAXIMUM_UNFINISHED = 20
"""Batches that wait to be worked off, at most: 20 of the largest are less than a gigabyte on disk."""
_FIRST_FAILURE = 400
_INSERTED_AT_ONCE = 500
_FORGOTTEN = bytes(32)


@dataclass(frozen=True)
class Progress:
    """How far a batch is: of `total` lines `done` are decided, and `failed` of these were refused."""

    total: int
    done: int
    failed: int


@dataclass(frozen=True)
class Outcome:
    """What was answered to a line: HTTP status, and the body that a request of its own would have got, in English."""

    line: int
    status: int
    body: bytes

    @property
    def accepted(self) -> bool:
        return self.status < _FIRST_FAILURE


class BatchStorage:
    """The batches of one database."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def accept(
        self, key: RequestKey, batch: bytes, owner: bytes, signed_by: bytes, requests: Sequence[bytes], now: int, body: bytes
    ) -> Answer:
        """Keep a batch with all its lines and the answer `body` to its request, or nothing.

        Raises Moved when the key is used by now, Refusal when too many batches wait.
        """
        row = {
            "id": batch,
            "owner": owner,
            "request_key": signed_by,
            "received": now,
            "total": len(requests),
            "done": 0,
            "failed": 0,
        }
        lines = [{"batch": batch, "line": line, "request": request} for line, request in enumerate(requests)]
        waiting = select(func.count()).select_from(BATCHES).where(BATCHES.c.unfinished)
        try:
            with self._storage.writing("accept_batch") as connection:
                if (connection.scalar(waiting) or 0) >= MAXIMUM_UNFINISHED:
                    raise Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)
                connection.execute(insert(ANSWERS).values(id=key.digest, fingerprint=key.fingerprint, body=body))
                connection.execute(insert(BATCHES).values(**row, unfinished=True, leased=0))
                for first in range(0, len(lines), _INSERTED_AT_ONCE):
                    connection.execute(insert(BATCH_LINES), lines[first : first + _INSERTED_AT_ONCE])
        except IntegrityError as error:
            raise Moved from error
        return Answer(body)

    def claim(self, now: int, until: int) -> bytes | None:
        """An unfinished batch that is in nobody's hands at `now`, in ours until `until` (milliseconds); or None.

        The one that was last in hand longest ago, so that a small batch does not wait for all of a large one.
        """
        free = select(BATCHES.c.id, BATCHES.c.leased).where(BATCHES.c.unfinished, BATCHES.c.leased <= now)
        with self._storage.asking("free_batch") as connection:
            found = connection.execute(free.order_by(BATCHES.c.leased, BATCHES.c.received).limit(1)).one_or_none()
        if found is None:
            return None
        unchanged = (BATCHES.c.id == found.id, BATCHES.c.leased == found.leased)
        with self._storage.writing("claim_batch") as connection:
            taken = connection.execute(update(BATCHES).where(*unchanged).values(leased=until)).rowcount == 1
        return found.id if taken else None

    def signed_by(self, batch: bytes) -> bytes:
        """The request key that the batch was signed with."""
        with self._storage.asking("batch_signed_by") as connection:
            return bytes(connection.execute(select(BATCHES.c.request_key).where(BATCHES.c.id == batch)).scalar_one())

    def undecided(self, batch: bytes, limit: int) -> list[tuple[int, bytes]]:
        """The first lines that are still to be done, at most `limit`, with their requests (JSON, bytes as they were sent)."""
        wanted = select(BATCH_LINES.c.line, BATCH_LINES.c.request).where(
            BATCH_LINES.c.batch == batch, BATCH_LINES.c.request.is_not(None)
        )
        with self._storage.asking("undecided_lines") as connection:
            rows = connection.execute(wanted.order_by(BATCH_LINES.c.line).limit(limit)).all()
        return [(row.line, row.request) for row in rows]

    def decide(self, batch: bytes, outcomes: Sequence[Outcome], until: int) -> None:
        """Keep these answers in the place of the requests, which are deleted; the batch is in nobody's hands from `until` on.

        A line that another process decided meanwhile is left as it is, since the answers are the same. But what was committed
        was so before anybody could refuse it: that is the answer, whoever of two processes notes it first.
        """
        undecided = BATCH_LINES.c.request.is_not(None)
        with self._storage.writing("decide_lines") as connection:
            for accepted, those in ((True, undecided | (BATCH_LINES.c.status >= _FIRST_FAILURE)), (False, undecided)):
                decided = [
                    {"of_line": item.line, "request": None, "status": item.status, "answer": item.body}
                    for item in outcomes
                    if item.accepted == accepted
                ]
                if decided:
                    of_line = (BATCH_LINES.c.batch == batch, BATCH_LINES.c.line == bindparam("of_line"))
                    connection.execute(update(BATCH_LINES).where(*of_line, those), decided)
            failed = func.coalesce(func.sum(case((BATCH_LINES.c.status >= _FIRST_FAILURE, 1), else_=0)), 0)
            counted = select(func.count(BATCH_LINES.c.status).label("done"), failed.label("failed"))
            count = connection.execute(counted.where(BATCH_LINES.c.batch == batch)).one()
            of_batch = update(BATCHES).where(BATCHES.c.id == batch)
            connection.execute(
                of_batch.values(done=count.done, failed=count.failed, unfinished=BATCHES.c.total > count.done, leased=until)
            )
            # Whoever reads the database later need not learn whose all these draws are.
            connection.execute(of_batch.where(BATCHES.c.total <= count.done).values(request_key=_FORGOTTEN))

    def progress(self, batch: bytes, owner: bytes) -> Progress | None:
        """How far a batch is; None for one that is not there or not this owner's."""
        wanted = select(BATCHES.c.total, BATCHES.c.done, BATCHES.c.failed).where(
            BATCHES.c.id == batch, BATCHES.c.owner == owner
        )
        with self._storage.asking("batch_progress") as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else Progress(row.total, row.done, row.failed)

    def outcomes(self, batch: bytes, start: int, limit: int) -> list[Outcome]:
        """The answers from line `start` on, at most `limit`, up to the first line that is not decided."""
        wanted = select(BATCH_LINES).where(BATCH_LINES.c.batch == batch, BATCH_LINES.c.line >= start)
        with self._storage.asking("batch_answers") as connection:
            rows = connection.execute(wanted.order_by(BATCH_LINES.c.line).limit(limit)).all()
        found = []
        for row in rows:
            if row.answer is None:
                break
            found.append(Outcome(row.line, row.status, row.answer))
        return found
