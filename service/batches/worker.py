"""Batches are worked off in the background, by the same steps as single requests.

Every line is a financing under an Idempotency-Key of its own, derived from batch and line. So a batch that a killed service
left half done is simply gone on with: lines that were committed and not yet noted are answered as before, and nothing is done
twice, even should two processes work on one batch. Some hundred lines at a time are verified in one multi-scalar multiplication
and committed in few transactions (service.committing); between these, other requests get their turn.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from threading import Event, Thread

from schemas import problems
from schemas.messages import FinancingRequest
from service.batches.storage import BatchStorage, Outcome
from service.bodies import read_message
from service.committing import Decoded, Submission, commit_all, financing
from service.gathering import Failed
from service.idempotency import Answer, RequestKey
from service.institutions.registry import Caller
from service.joint import JointVerification
from service.logs import describe, log_event
from service.problems import not_permitted, problem_of, refusal_of
from service.storage import Wanted
from service.verifier import Verifier
from zkcore.transcript import frame

LEASE = 5
"""Seconds for which a process has a batch in hand; after a kill another goes on when they are over."""
_AT_ONCE = 500
"""Lines that are read, verified, committed and noted together: some 3.3 MB where each is one draw. With more of them a line
hardly costs less, and whoever watches would wait longer for the first answers."""
_BYTES_AT_ONCE = 8 << 20
"""Of these lines: a line may have a hundred draws, and a query takes only so many parameters."""
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
        self._storage, self._joint = BatchStorage(verifier.storage), JointVerification(verifier.suite)
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
        while not self._stopping.is_set():
            self._news.clear()
            try:
                idle = not self._work()
            except Exception as error:  # noqa: BLE001 - the database is away, or we are wrong: either way, try again
                log_event(logging.ERROR, "batch failed", **describe(error))
                idle = True
            if idle:
                self._news.wait(_PAUSE)

    def _work(self) -> bool:
        """Some lines of one batch. Whether anything was decided."""
        now = self._milliseconds()
        batch = self._storage.claim(now, now + 1000 * LEASE)
        if batch is None:
            return False
        lines = _first(self._storage.undecided(batch, _AT_ONCE))
        caller = self._verifier.institutions.registry.caller(self._storage.signed_by(batch), self._verifier.clock())
        found = zip(lines, self._outcomes(caller, batch, lines), strict=True)
        outcomes = [outcome for (line, _), answer in found if (outcome := self._outcome(batch, line, answer)) is not None]
        self._storage.decide(batch, outcomes, self._milliseconds())
        return len(outcomes) == len(lines)

    def _milliseconds(self) -> int:
        return int(1000 * self._clock())

    def _outcomes(self, caller: Caller | None, batch: bytes, lines: Sequence[tuple[int, bytes]]) -> list[Answer | Failed]:
        """What becomes of these lines. Whoever was revoked meanwhile commits no more; what was committed before is answered."""
        keys = [key_of_line(batch, *line) for line in lines]
        if caller is None:
            revoked = Failed(not_permitted("the key that signed this batch is not active any more, or revoked"))
            seen = self._verifier.storage.look_all([(key, Wanted()) for key in keys])
            return [revoked if isinstance(item, Failed) else item.answer or revoked for item in seen]
        submissions = [self._submission(caller, key, request) for key, (_, request) in zip(keys, lines, strict=True)]
        return commit_all(self._verifier, submissions, self._joint.verify_as_one)

    def _submission(self, caller: Caller, key: RequestKey, request: bytes) -> Submission:
        def read() -> Decoded:
            return financing(self._verifier, caller, key, read_message(FinancingRequest, request))

        return Submission(key, len(request), read)

    def _outcome(self, batch: bytes, line: int, answer: Answer | Failed) -> Outcome | None:
        """What is answered to a line; None when it has to be tried again."""
        if isinstance(answer, Answer):
            return Outcome(line, _CREATED, answer.body)
        refusal = refusal_of(answer.error)
        if refusal.problem in _LATER:
            return None
        if refusal.problem is problems.INTERNAL:
            log_event(logging.ERROR, "failed", **describe(answer.error))
            self._failures[batch, line] += 1
            if self._failures[batch, line] < _ATTEMPTS:
                return None
        return Outcome(line, refusal.problem.status, problem_of(refusal).model_dump_json().encode("utf-8"))


def _first(lines: Sequence[tuple[int, bytes]]) -> Sequence[tuple[int, bytes]]:
    """As many of the first lines as are worked on at once; one at least, where there is any."""
    ends = accumulate(len(request) for _, request in lines)
    return lines[: max(1, sum(end <= _BYTES_AT_ONCE for end in ends))]


def key_of_line(batch: bytes, line: int, request: bytes) -> RequestKey:
    """The key under which a line is committed, wherever and however often it is worked on.

    batch: 32 bytes; line: from 0; request: the line as it was sent, so that another line under one key would be refused
    """
    digest = hashlib.sha256(frame([b"batch-line", batch, line.to_bytes(4, "big")])).digest()
    return RequestKey(digest, hashlib.sha256(frame([b"batch-line", request])).digest())
