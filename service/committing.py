"""Verify and commit: the writes of the service.

Each one runs the same way. What was sent is decoded; then, until nothing moved under it: a stored answer is replayed; rows are
read, statements built from them and verified, all outside any transaction (service.planning); one transaction writes the
entries and the states that follow, conditional on the heads that were read. A lost race is no case of its own: the same path
runs again and finds out what is true now.
"""

from __future__ import annotations

from collections.abc import Callable

from schemas import problems
from schemas.messages import (
    AmendMessage,
    ChangeStatusMessage,
    FinancingRequest,
    OverdrawnMessage,
    RegistrationRequest,
    StepsRequest,
)
from service.idempotency import Answer, RequestKey
from service.metrics import count_overtaken
from service.planning.documents import plan_amendment, plan_overdrawn, plan_registration, plan_status
from service.planning.financing import plan_financing
from service.planning.steps import plan_expiry, plan_steps
from service.problems import RETRY_AFTER, Refusal, decoding
from service.storage import Moved, Plan
from service.verifier import Verifier

_ATTEMPTS = 8


def register(verifier: Verifier, key: RequestKey, request: RegistrationRequest) -> Answer:
    """Register documents, all or none."""
    documents = []
    for line, message in enumerate(request.documents):
        with decoding(f"/documents/{line}"):
            documents.append(message.decode(verifier.suite.group))
    return _commit_once(verifier, key, lambda now: plan_registration(verifier, documents))


def verify_and_commit(verifier: Verifier, key: RequestKey, request: FinancingRequest) -> Answer:
    """Commit the draws of one financing, all or none."""
    draws = []
    for line, message in enumerate(request.lines):
        with decoding(f"/lines/{line}"):
            draws.append(message.decode(verifier.suite.group))
    return _commit_once(verifier, key, lambda now: plan_financing(verifier, draws, now))


def take_steps(verifier: Verifier, key: RequestKey, request: StepsRequest) -> Answer:
    """Commit the steps of one financing, all or none."""
    steps = []
    for line, step in enumerate(request.steps):
        with decoding(f"/steps/{line}/body"):
            steps.append(step.body.decode(verifier.suite.group))
    return _commit_once(verifier, key, lambda now: plan_steps(verifier, steps, now))


def change_status(verifier: Verifier, key: RequestKey, message: ChangeStatusMessage) -> Answer:
    """What became of a document, in its attester's words."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda now: plan_status(verifier, operation))


def amend(verifier: Verifier, key: RequestKey, message: AmendMessage) -> Answer:
    """Another limit."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda now: plan_amendment(verifier, operation))


def show_overdrawn(verifier: Verifier, key: RequestKey, message: OverdrawnMessage) -> Answer:
    """More is drawn on a document than its limit."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda now: plan_overdrawn(verifier, operation))


def expire(verifier: Verifier, key: RequestKey, draw: bytes) -> Answer:
    """A reservation whose time is over frees itself."""
    return _commit_once(verifier, key, lambda now: plan_expiry(verifier, draw, now))


def _commit_once(verifier: Verifier, key: RequestKey, prepare: Callable[[int], Plan]) -> Answer:
    """Replay the answer; or prepare (read and verify) and commit, again as often as something moved in between.

    Every round but the last that is lost means that another request was committed, so a bound is reached only under a storm of
    writes to one document; the caller is then told to come back.
    """
    with verifier.in_flight.held(key):
        for _ in range(_ATTEMPTS):
            answer = verifier.storage.answer(key)
            if answer is not None:
                return answer
            now = verifier.clock()
            plan = prepare(now)
            try:
                return verifier.storage.commit(key, now, plan)
            except Moved:
                count_overtaken()
    raise Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)
