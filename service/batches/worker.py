"""Batches are worked off in the background, by the very calls that single requests make.

Every line is a financing under an Idempotency-Key of its own, derived from batch and line. So a batch that a killed service
left half done is simply gone on with: lines that were committed and not yet noted are answered as before, and nothing is done
twice, even should two processes work on one batch. Lines go through many threads at once, so that they are verified and
committed in groups, with each other and with whatever else comes; between groups, other requests get their turn.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

from schemas import problems
from schemas.messages import FinancingRequest
from service.batches.storage import BatchStorage, Outcome
from service.bodies import read_message
from service.committing import verify_and_commit
from service.idempotency import RequestKey
from service.institutions.registry import Caller
from service.logs import describe, log_event
from service.problems import not_permitted, problem_of, refusal_of
from service.verifier import Verifier
from zkcore.transcript import frame

LEASE = 5
"""Seconds for which a process has a batch in hand; after a kill another goes on when they are over."""
_AT_ONCE = 200
"""Lines that are read, worked on and noted together: some 1.3 MB where each is one draw."""
_THREADS = 64
_PAUSE = 0.5
"""Seconds between looks for what other processes accepted or left, and before what failed is tried again."""
_ATTEMPTS = 5
"""How often a line is tried when the service itself fails on it. Not being able to work right now does not count."""
_CREATED = 201
_LATER = (problems.UNAVAILABLE, problems.IN_FLIGHT)


class BatchWorker:
    """Works batches off, some lines of each in turn. `clock`: of leases, unix seconds with a fraction."""

    def __init__(self, verifier: Verifier, clock: Callable[[], float] = time.time) -> None:
        self._verifier, self._clock = verifier, clock
        self._storage = BatchStorage(verifier.storage)
        self._news, self._stopping = Event(), Event()
        self._failures: Counter[tuple[bytes, int]] = Counter()
        self._thread = Thread(target=self._run, name="batches", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """A batch was accepted."""
        self._news.set()

    def stop(self) -> None:
        """Finish what is in hand: of a batch, the lines that are being worked on. The rest is for the next start."""
        self._stopping.set()
        self._news.set()
        self._thread.join()

    def _run(self) -> None:
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="batch-line") as pool:
            while not self._stopping.is_set():
                self._news.clear()
                try:
                    idle = not self._work(pool)
                except Exception as error:  # noqa: BLE001 - the database is away, or we are wrong: either way, try again
                    log_event(logging.ERROR, "batch failed", **describe(error))
                    idle = True
                if idle:
                    self._news.wait(_PAUSE)

    def _work(self, pool: ThreadPoolExecutor) -> bool:
        """Some lines of one batch. Whether anything was decided."""
        now = self._milliseconds()
        batch = self._storage.claim(now, now + 1000 * LEASE)
        if batch is None:
            return False
        lines = self._storage.undecided(batch, _AT_ONCE)
        caller = self._verifier.institutions.registry.caller(self._storage.signed_by(batch), self._verifier.clock())
        found = pool.map(lambda line: self._line(caller, batch, *line), lines)
        outcomes = [outcome for outcome in found if outcome is not None]
        self._storage.decide(batch, outcomes, self._milliseconds())
        return len(outcomes) == len(lines)

    def _milliseconds(self) -> int:
        return int(1000 * self._clock())

    def _line(self, caller: Caller | None, batch: bytes, line: int, request: bytes) -> Outcome | None:
        """What is answered to a line; None when it has to be tried again. Whoever was revoked meanwhile commits no more."""
        if self._stopping.is_set():
            return None
        try:
            if caller is None:
                raise not_permitted("the key that signed this batch is not active any more, or revoked")
            key, message = key_of_line(batch, line, request), read_message(FinancingRequest, request)
            return Outcome(line, _CREATED, verify_and_commit(self._verifier, caller, key, message).body)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, the line gets an answer and the log the place
            refusal = refusal_of(error)
            if refusal.problem in _LATER:
                return None
            if refusal.problem is problems.INTERNAL:
                log_event(logging.ERROR, "failed", **describe(error))
                self._failures[batch, line] += 1
                if self._failures[batch, line] < _ATTEMPTS:
                    return None
            return Outcome(line, refusal.problem.status, problem_of(refusal).model_dump_json().encode("utf-8"))


def key_of_line(batch: bytes, line: int, request: bytes) -> RequestKey:
    """The key under which a line is committed, wherever and however often it is worked on.

    batch: 32 bytes; line: from 0; request: the line as it was sent, so that another line under one key would be refused
    """
    digest = hashlib.sha256(frame([b"batch-line", batch, line.to_bytes(4, "big")])).digest()
    return RequestKey(digest, hashlib.sha256(frame([b"batch-line", request])).digest())
