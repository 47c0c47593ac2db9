"""Safe repetition: a write that is sent again is answered again, and done once.

The answer to an accepted write is stored in its own transaction under the digest of its Idempotency-Key, with a fingerprint of
the request. Refused requests leave nothing, so their keys stay free.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from schemas import problems
from service.problems import RETRY_AFTER, Refusal
from zkcore.transcript import frame


@dataclass(frozen=True)
class RequestKey:
    """Which request this is. The key itself is not kept: a caller may have put a reference of its own into it."""

    digest: bytes
    fingerprint: bytes

    @classmethod
    def of(cls, institution: bytes, key: str, method: str, path: str, body: bytes) -> RequestKey:
        """Digests of the key and of the whole request, 32 bytes each. A key is one institution's: no other learns by using it
        too what was answered."""
        request = frame([method.encode("ascii"), path.encode("utf-8"), body])
        scoped = frame([institution, key.encode("ascii")])
        return cls(hashlib.sha256(scoped).digest(), hashlib.sha256(request).digest())


@dataclass(frozen=True)
class Answer:
    """The body of the answer to an accepted write. `replayed`: it was given before."""

    body: bytes
    replayed: bool = False


def replay(key: RequestKey, fingerprint: bytes, body: bytes) -> Answer:
    """A stored answer, if the request is the one it was given to. Raises Refusal otherwise."""
    if fingerprint != key.fingerprint:
        raise Refusal(problems.KEY_REUSED)
    return Answer(body, replayed=True)


class InFlight:
    """The requests that this process is working on, so that an impatient repetition does not verify the same proofs twice."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()
        self._lock = Lock()

    @contextmanager
    def held(self, key: RequestKey) -> Iterator[None]:
        """Hold the key while working. Raises Refusal when another thread holds it."""
        with self._lock:
            if key.digest in self._digests:
                raise Refusal(problems.IN_FLIGHT, headers=RETRY_AFTER)
            self._digests.add(key.digest)
        try:
            yield
        finally:
            with self._lock:
                self._digests.discard(key.digest)
