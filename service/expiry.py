"""Reservations that were not disbursed by their expiry free themselves: the service looks for them again and again.

Each becomes an entry of its own, by the same path as any write and conditional on the same heads, so that several processes
that look at the same time free each once. SPEC.md, section 10.3, `expire`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import suppress
from functools import partial

from anyio import to_thread

from service.committing import Submission, commit_all, expiry
from service.idempotency import Answer, RequestKey
from service.joint import JointVerification
from service.logs import describe, log_event
from service.problems import Refusal
from service.verifier import Verifier
from zkcore.errors import ZkError

_AT_A_TIME = 100
"""Reservations of one round, at most."""


def free_expired(verifier: Verifier) -> int:
    """Free the reservations whose time is over. Returns how many; one that cannot be freed is left and told to the log."""
    freed, verify = 0, JointVerification(verifier.suite).verify
    for draw in verifier.storage.expired_draws(verifier.clock(), _AT_A_TIME):
        submission = Submission(_key(draw), 0, partial(expiry, verifier, draw))
        (outcome,) = commit_all(verifier, [submission], verify)
        if isinstance(outcome, Answer):
            freed += 1
        elif isinstance(outcome.error, Refusal | ZkError):  # disbursed or freed meanwhile; or its balance would stand unblinded
            log_event(logging.INFO, "not-freed", **describe(outcome.error))
        else:
            raise outcome.error
    return freed


def _key(draw: bytes) -> RequestKey:
    """A reservation is freed once, whoever asks."""
    digest = hashlib.sha256(b"expire" + draw).digest()
    return RequestKey(digest, digest)


async def keep_freeing(verifier: Verifier, seconds: float, ended: asyncio.Event) -> None:
    """Free what has expired, now and every so many seconds, until `ended`; what was begun is finished first.

    What fails is told to the log and tried again.
    """
    while not ended.is_set():
        try:
            await to_thread.run_sync(free_expired, verifier)
        except Exception as error:  # noqa: BLE001 - whatever it is, as a database that is away, the next round may succeed
            log_event(logging.ERROR, "expiry-failed", **describe(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), seconds)
