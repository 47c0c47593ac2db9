"""Verify and commit: the four writes of the service.

Each one runs the same way. What was sent is decoded; then, until nothing moved under it: a stored answer is replayed; rows are
read, statements built from them and verified, all outside any transaction (service.planning); one transaction writes the
entries and the states that follow, conditional on the heads that were read. A lost race is no case of its own: the same path
runs again and finds out what is true now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from schemas import problems
from schemas.messages import CloseMessage, FinancingRequest, ReduceMessage, RegistrationRequest
from service.idempotency import Answer, RequestKey
from service.institutions.counting import DRAWS, count
from service.institutions.registry import Caller
from service.metrics import count_overtaken
from service.planning import plan_closure, plan_financing, plan_reduction, plan_registration
from service.problems import RETRY_AFTER, Refusal, decoding
from service.storage import Changes, Moved, Plan
from service.verifier import Verifier

_ATTEMPTS = 8


def register(verifier: Verifier, key: RequestKey, request: RegistrationRequest) -> Answer:
    """Register documents, all or none."""
    documents = []
    for line, message in enumerate(request.documents):
        with decoding(f"/documents/{line}"):
            documents.append(message.decode(verifier.suite.group))
    return _commit_once(verifier, key, lambda now: plan_registration(verifier, documents))


def verify_and_commit(verifier: Verifier, caller: Caller, key: RequestKey, request: FinancingRequest) -> Answer:
    """Commit the draws of one financing, all or none. A refusal for want of headroom is remembered: it may be one of many."""
    draws = []
    for line, message in enumerate(request.lines):
        with decoding(f"/lines/{line}"):
            draws.append(message.decode(verifier.suite.group))

    def prepare(now: int) -> Plan:
        return _counted(caller, plan_financing(verifier, caller, draws, now), len(draws))

    try:
        return _commit_once(verifier, key, prepare)
    except Refusal as refusal:
        if refusal.problem is problems.HEADROOM_NOT_PROVEN:
            documents = [draws[line.line].draft.document for line in refusal.lines]
            verifier.institutions.note_refusals(caller, key, documents, verifier.clock())
        raise


def _counted(caller: Caller, plan: Plan, draws: int) -> Plan:
    """The plan, which also counts its draws for the day, in its own transaction: what is refused or replayed counts nothing."""

    def counted(time: int) -> Changes:
        changes = plan(time)
        return replace(changes, within=[*changes.within, lambda connection: count(connection, caller, DRAWS, draws, time)])

    return counted


def reduce(verifier: Verifier, caller: Caller, key: RequestKey, message: ReduceMessage) -> Answer:
    """Reduce what is outstanding on a draw, and give headroom back where the document's kind says so."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda now: plan_reduction(verifier, caller, operation))


def close(verifier: Verifier, caller: Caller, key: RequestKey, message: CloseMessage) -> Answer:
    """Close a draw on which nothing is outstanding."""
    operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda now: plan_closure(verifier, caller, operation))


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
