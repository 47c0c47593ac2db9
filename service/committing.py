"""Verify and commit: the four writes of the service.

Each one runs the same way. What was sent is decoded; then, until nothing moved under it: rows are read; a stored answer is
replayed; statements built from them and verified, all outside any transaction (service.planning); one transaction writes the
entries and the states that follow, conditional on the heads that were read. A lost race is no case of its own: the same path
runs again and finds out what is true now.
"""

from __future__ import annotations

from collections.abc import Callable

from schemas import problems
from schemas.messages import CloseMessage, FinancingRequest, ReduceMessage, RegistrationRequest
from service.idempotency import Answer, RequestKey
from service.metrics import count_overtaken
from service.planning import plan_closure, plan_financing, plan_reduction, plan_registration, rests_on
from service.problems import RETRY_AFTER, Refusal, decoding
from service.storage import Moved, Plan, Seen, Wanted
from service.verifier import Verifier

_ATTEMPTS = 8
NOTHING = Wanted()


def register(verifier: Verifier, key: RequestKey, request: RegistrationRequest) -> Answer:
    """Register documents, all or none."""
    documents = []
    for line, message in enumerate(request.documents):
        with decoding(f"/documents/{line}"):
            documents.append(message.decode(verifier.suite.group))
    return _commit_once(verifier, key, lambda now, _: plan_registration(verifier, documents))


def verify_and_commit(verifier: Verifier, key: RequestKey, request: FinancingRequest) -> Answer:
    """Commit the draws of one financing, all or none."""
    draws = []
    for line, message in enumerate(request.lines):
        with decoding(f"/lines/{line}"):
            draws.append(message.decode(verifier.suite.group))
    return _commit_once(verifier, key, lambda now, seen: plan_financing(verifier, draws, now, seen), rests_on(draws))


def reduce(verifier: Verifier, key: RequestKey, message: ReduceMessage) -> Answer:
    """Reduce what is outstanding on a draw, and give headroom back where the document's kind says so."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda now, _: plan_reduction(verifier, operation))


def close(verifier: Verifier, key: RequestKey, message: CloseMessage) -> Answer:
    """Close a draw on which nothing is outstanding."""
    operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda now, _: plan_closure(verifier, operation))


def _commit_once(verifier: Verifier, key: RequestKey, prepare: Callable[[int, Seen], Plan], wanted: Wanted = NOTHING) -> Answer:
    """Replay the answer; or prepare (read and verify) and commit, again as often as something moved in between.

    Every round but the last that is lost means that another request was committed, so a bound is reached only under a storm of
    writes to one document; the caller is then told to come back.
    """
    with verifier.in_flight.held(key):
        for _ in range(_ATTEMPTS):
            seen = verifier.storage.look(key, wanted)
            if seen.answer is not None:
                return seen.answer
            now = verifier.clock()
            plan = prepare(now, seen)
            try:
                return verifier.storage.commit(key, now, plan)
            except Moved:
                count_overtaken()
    raise Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)
