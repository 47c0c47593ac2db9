"""Verify and commit: the writes of the service.

Each one runs the same way. What was sent is decoded; then, until nothing moved under it: rows are read; a stored answer is
replayed; statements built from them and verified, all outside any transaction (service.planning); one transaction writes the
entries and the states that follow, conditional on the heads that were read. A lost race is no case of its own: the same path
runs again and finds out what is true now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from schemas import problems
from schemas.messages import (
    AmendMessage,
    ChangeStatusMessage,
    FinancingRequest,
    OverdrawnMessage,
    RegistrationRequest,
    StepsRequest,
)
from service.gathering import Failed
from service.idempotency import Answer, RequestKey
from service.institutions.counting import DRAWS, Use, count_or_refuse
from service.institutions.registry import Caller
from service.joint import rejection_of
from service.metrics import count_overtaken
from service.planning.documents import plan_amendment, plan_overdrawn, plan_registration, plan_status
from service.planning.financing import Unproven, check_financing, draws_rest_on, plan_financing
from service.planning.steps import plan_expiry, plan_steps, steps_rest_on
from service.problems import RETRY_AFTER, Refusal, decoding
from service.storage import Changes, Moved, Plan, Seen, Wanted, Write
from service.verifier import Verifier
from zkcore.operations import Draw

T = TypeVar("T")

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
    """Commit the draws of one financing, all or none."""
    draws = _draws(verifier, request)
    pairs = verifier.institutions.pairs(caller, _documents(draws))

    def prepare(now: int, seen: Seen) -> Plan:
        unproven = check_financing(verifier, draws, now, seen, _blocked(pairs, seen, now))
        plan = plan_financing(verifier, caller, unproven, verifier.joint.rejection(unproven.claims))
        return _counted(caller, plan, len(draws))

    with _noting_refusals(verifier, caller, key, draws):
        return _commit_once(verifier, key, prepare, draws_rest_on(draws, pairs))


def verify_and_commit_all(
    verifier: Verifier, caller: Caller, requests: Sequence[tuple[RequestKey, FinancingRequest]]
) -> list[Answer | Failed]:
    """Many financings that are there at once, each all or none and by itself: looked up together, verified in one multi-scalar
    multiplication, and committed in few transactions. One that is overtaken meanwhile goes the way of a single one."""
    keys, outcomes = [key for key, _ in requests], _Outcomes(len(requests))
    draws = outcomes.each(lambda place: _draws(verifier, requests[place][1]))
    pairs = {place: verifier.institutions.pairs(caller, _documents(own)) for place, own in draws.items()}
    looked = verifier.storage.look_all([(keys[place], draws_rest_on(own, pairs[place])) for place, own in draws.items()])
    seen = outcomes.take(dict(zip(draws, looked, strict=True)))
    outcomes.take({place: item.answer for place, item in seen.items() if item.answer is not None})

    now = verifier.clock()

    def check(place: int) -> Unproven:
        return check_financing(verifier, draws[place], now, seen[place], _blocked(pairs[place], seen[place], now))

    unproven = outcomes.each(check)
    verdicts = verifier.joint.verify_all([own.claims for own in unproven.values()])
    verified = dict(zip(unproven, verdicts, strict=True))

    def plan(place: int) -> Plan:
        with _noting_refusals(verifier, caller, keys[place], draws[place]):
            rejected = rejection_of(verified[place])
            return _counted(caller, plan_financing(verifier, caller, unproven[place], rejected), len(draws[place]))

    plans = outcomes.each(plan)
    committed = verifier.storage.commit_all([Write(keys[place], now, own) for place, own in plans.items()])
    answered = dict(zip(plans, committed, strict=True))
    overtaken = [place for place, item in answered.items() if isinstance(item, Failed) and isinstance(item.error, Moved)]
    outcomes.take({place: item for place, item in answered.items() if place not in overtaken})
    outcomes.take(outcomes.each(lambda place: verify_and_commit(verifier, caller, *requests[place])))
    return outcomes.all()


class _Outcomes:
    """What becomes of each of many requests, by its place. Whoever has an outcome is out of what follows."""

    def __init__(self, count: int) -> None:
        self._count, self._found = count, dict[int, Answer | Failed]()

    def each(self, step: Callable[[int], T]) -> dict[int, T]:
        """What the step gives for each that is still in; what it raises for one is the outcome of that one."""
        given: dict[int, T] = {}
        for place in range(self._count):
            if place not in self._found:
                try:
                    given[place] = step(place)
                except Exception as error:  # noqa: BLE001 - of this request alone
                    self._found[place] = Failed(error)
        return given

    def take(self, given: Mapping[int, T | Answer | Failed]) -> dict[int, T]:
        """Answers and failures are outcomes; the rest is given back."""
        self._found |= {place: item for place, item in given.items() if isinstance(item, Answer | Failed)}
        return {place: item for place, item in given.items() if not isinstance(item, Answer | Failed)}

    def all(self) -> list[Answer | Failed]:
        """Of every request."""
        return [self._found[place] for place in range(self._count)]


def _draws(verifier: Verifier, request: FinancingRequest) -> list[Draw]:
    draws = []
    for line, message in enumerate(request.lines):
        with decoding(f"/lines/{line}"):
            draws.append(message.decode(verifier.suite.group))
    return draws


def _blocked(pairs: Mapping[bytes, bytes], seen: Seen, now: int) -> set[bytes]:
    """The documents on which the caller is blocked now."""
    return {pairs[pair] for pair, until in seen.blocks.items() if until > now}


def _documents(draws: Sequence[Draw]) -> list[bytes]:
    return [draw.draft.document for draw in draws]


@contextmanager
def _noting_refusals(verifier: Verifier, caller: Caller, key: RequestKey, draws: Sequence[Draw]) -> Iterator[None]:
    """A refusal for want of headroom is remembered: it may be one of many."""
    try:
        yield
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
