"""Verify and commit: the writes of the service.

Each one runs the same way. What was sent is decoded; then, until nothing moved under it: rows are read; a stored answer is
replayed; statements built from them and verified, all outside any transaction (service.planning); one transaction writes the
entries and the states that follow, conditional on the heads that were read. A lost race is no case of its own: the same path
runs again and finds out what is true now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
from service.institutions.counting import DRAWS, Use, count_or_refuse
from service.institutions.registry import Caller
from service.metrics import count_overtaken
from service.planning.documents import plan_amendment, plan_overdrawn, plan_registration, plan_status
from service.planning.financing import draws_rest_on, plan_financing
from service.planning.steps import plan_expiry, plan_steps, steps_rest_on
from service.problems import RETRY_AFTER, Refusal, decoding
from service.storage import Changes, Moved, Plan, Seen, Wanted
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


def verify_and_commit(verifier: Verifier, caller: Caller, key: RequestKey, request: FinancingRequest) -> Answer:
    """Commit the draws of one financing, all or none. A refusal for want of headroom is remembered: it may be one of many."""
    draws = []
    for line, message in enumerate(request.lines):
        with decoding(f"/lines/{line}"):
            draws.append(message.decode(verifier.suite.group))

    def prepare(now: int, seen: Seen) -> Plan:
        return _counted(caller, plan_financing(verifier, caller, draws, now, seen), len(draws))

    try:
        return _commit_once(verifier, key, prepare, draws_rest_on(draws))
    except Refusal as refusal:
        if refusal.problem is problems.HEADROOM_NOT_PROVEN:
            documents = [draws[line.line].draft.document for line in refusal.lines]
            verifier.institutions.note_refusals(caller, key, documents, verifier.clock())
        raise


def _counted(caller: Caller, plan: Plan, draws: int) -> Plan:
    """The plan, which also counts its draws for the day, in its own transaction: what is refused or replayed counts nothing."""

    def counted(time: int) -> Changes:
        changes = plan(time)
        return replace(changes, within=[*changes.within, (count_or_refuse, Use(caller, DRAWS, draws, time))])

    return counted


def take_steps(verifier: Verifier, caller: Caller, key: RequestKey, request: StepsRequest) -> Answer:
    """Commit the steps of one financing, all or none."""
    steps = []
    for line, step in enumerate(request.steps):
        with decoding(f"/steps/{line}/body"):
            steps.append(step.body.decode(verifier.suite.group))
    return _commit_once(verifier, key, lambda now, seen: plan_steps(verifier, caller, steps, now, seen), steps_rest_on(steps))


def change_status(verifier: Verifier, key: RequestKey, message: ChangeStatusMessage) -> Answer:
    """What became of a document, in its attester's words."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda _, seen: plan_status(verifier, operation, seen), Wanted([operation.document]))


def amend(verifier: Verifier, key: RequestKey, message: AmendMessage) -> Answer:
    """Another limit."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda _, seen: plan_amendment(verifier, operation, seen), Wanted([operation.document]))


def show_overdrawn(verifier: Verifier, key: RequestKey, message: OverdrawnMessage) -> Answer:
    """More is drawn on a document than its limit."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return _commit_once(verifier, key, lambda _, seen: plan_overdrawn(verifier, operation, seen), Wanted([operation.document]))


def expire(verifier: Verifier, key: RequestKey, draw: bytes) -> Answer:
    """A reservation whose time is over frees itself."""
    return _commit_once(verifier, key, lambda now, seen: plan_expiry(verifier, draw, now, seen), Wanted(draws=[draw]))


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
