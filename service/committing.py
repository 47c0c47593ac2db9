"""Verify and commit: the writes of the service.

Each one runs the same way, and those that come together run together. What was sent is decoded; then, until nothing moved under
it: rows are read; a stored answer is replayed; statements are built from the rows (service.planning) and verified, all in one
multi-scalar multiplication (service.joint) and outside any transaction; one transaction writes the entries and the states that
follow, conditional on the heads that were read (service.storage). A lost race is no case of its own: the same path runs again
and finds out what is true now. Whatever becomes of one request concerns none of the others.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from schemas import problems
from schemas.messages import (
    AmendMessage,
    ChangeStatusMessage,
    FinancingRequest,
    OverdrawnMessage,
    RegistrationRequest,
    StepsRequest,
)
from service.gathering import Failed, Gathering, Outcomes
from service.idempotency import Answer, RequestKey
from service.institutions.counting import DRAWS, Use, count_or_refuse
from service.institutions.registry import Caller
from service.joint import JointVerification, Verdict
from service.metrics import count_overtaken
from service.planning.documents import check_amendment, check_overdrawn, check_registration, check_status
from service.planning.financing import check_financing, draws_rest_on
from service.planning.shared import Unproven
from service.planning.steps import check_expiry, check_steps, steps_rest_on
from service.problems import RETRY_AFTER, Failure, Refusal, decoding
from service.storage import Changes, Moved, Plan, Seen, Wanted, Write
from service.verifier import Verifier
from zkcore.operations import Draw
from zkcore.verifying.batch import Claim

_LARGEST_GROUP = 64
"""Requests that are verified and committed together, at most."""
_OF_ONE = 16 << 10
"""Bytes of a request that counts as one of these: a draw has 7 KB. A larger one counts as several."""
LANES = max(1, (os.cpu_count() or 1) // 2)
"""Groups at work at the same time: the engine's part of one runs beside Python's part of others."""
_ATTEMPTS = 8
"""How often a request is begun anew because others were faster, before its caller is told to come back."""


@dataclass(frozen=True)
class Decoded:
    """A write whose message could be read.

    rests_on: what has to be looked up for it
    check: what is checked then, with what was seen, at a time in unix seconds. Raises Refusal
    """

    rests_on: Wanted
    check: Callable[[int, Seen], Unproven]


@dataclass(frozen=True)
class Submission:
    """A write as it was sent, `size` bytes of it. `read` decodes it, and raises Refusal (malformed-request)."""

    key: RequestKey
    size: int
    read: Callable[[], Decoded]


class CommitDesk:
    """Where requests wait until those before them are committed, to be verified and committed with whoever waits, too."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.joint = JointVerification(verifier.suite)
        self._groups = Gathering[Submission, Answer](
            "commits",
            lambda submissions: commit_all(verifier, submissions, self.joint.verify),
            _LARGEST_GROUP,
            lambda submission: 1 + submission.size // _OF_ONE,
            lanes=LANES,
        )

    async def commit(self, submission: Submission) -> Answer:
        """The answer to this write, which is committed by then, once. Raises Refusal, having written nothing."""
        with self._verifier.in_flight.held(submission.key):
            return await asyncio.wrap_future(self._groups.submit(submission))

    def close(self) -> None:
        """Finish what waits, and take nothing more."""
        self._groups.close()


# --- what is asked for ----------------------------------------------------------------------------------------------------


def registration(verifier: Verifier, request: RegistrationRequest) -> Decoded:
    """Register documents, all or none."""
    documents = []
    for line, message in enumerate(request.documents):
        with decoding(f"/documents/{line}"):
            documents.append(message.decode(verifier.suite.group))
    wanted = Wanted([operation.document for operation in documents])
    return Decoded(wanted, lambda _, seen: check_registration(verifier, documents, seen))


def financing(verifier: Verifier, caller: Caller, key: RequestKey, request: FinancingRequest) -> Decoded:
    """Commit the draws of one financing, all or none."""
    draws = _draws(verifier, request)
    pairs = verifier.institutions.pairs(caller, [draw.draft.document for draw in draws])

    def check(now: int, seen: Seen) -> Unproven:
        blocked = {pairs[pair] for pair, until in seen.blocks.items() if until > now}
        unproven = check_financing(verifier, caller, draws, now, seen, blocked)

        def plan(failures: Sequence[Failure]) -> Plan:
            with _noting_refusals(verifier, caller, key, draws):
                return _counted(caller, unproven.plan(failures), len(draws))

        return Unproven(unproven.claims, plan)

    return Decoded(draws_rest_on(draws, pairs), check)


def _draws(verifier: Verifier, request: FinancingRequest) -> list[Draw]:
    draws = []
    for line, message in enumerate(request.lines):
        with decoding(f"/lines/{line}"):
            draws.append(message.decode(verifier.suite.group))
    return draws


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


def steps(verifier: Verifier, caller: Caller, request: StepsRequest) -> Decoded:
    """Commit the steps of one financing, all or none."""
    operations = []
    for line, step in enumerate(request.steps):
        with decoding(f"/steps/{line}/body"):
            operations.append(step.body.decode(verifier.suite.group))
    return Decoded(steps_rest_on(operations), lambda now, seen: check_steps(verifier, caller, operations, now, seen))


def status_change(verifier: Verifier, message: ChangeStatusMessage) -> Decoded:
    """What became of a document, in its attester's words."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return Decoded(Wanted([operation.document]), lambda _, seen: check_status(verifier, operation, seen))


def amendment(verifier: Verifier, message: AmendMessage) -> Decoded:
    """Another limit."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return Decoded(Wanted([operation.document]), lambda _, seen: check_amendment(verifier, operation, seen))


def overdrawn(verifier: Verifier, message: OverdrawnMessage) -> Decoded:
    """More is drawn on a document than its limit."""
    with decoding(""):
        operation = message.decode(verifier.suite.group)
    return Decoded(Wanted([operation.document]), lambda _, seen: check_overdrawn(verifier, operation, seen))


def expiry(verifier: Verifier, draw: bytes) -> Decoded:
    """A reservation whose time is over frees itself."""
    return Decoded(Wanted(draws=[draw]), lambda now, seen: check_expiry(verifier, draw, now, seen))


# --- what becomes of it ---------------------------------------------------------------------------------------------------

Verify = Callable[[Sequence[Sequence[Claim]]], list[Verdict]]
"""The verdict on each request's claims, as service.joint gives it."""


def commit_all(verifier: Verifier, submissions: Sequence[Submission], verify: Verify) -> list[Answer | Failed]:
    """Many writes that are there at once, each all or none and by itself: looked up together, verified together, and committed
    in few transactions. Those that are overtaken meanwhile begin anew."""
    outcomes = Outcomes[Answer](len(submissions))
    decoded = outcomes.each(lambda place: submissions[place].read())
    attempts = _ATTEMPTS
    while outcomes.left() and attempts:
        try:
            committed = _commit_round(verifier, submissions, decoded, outcomes, verify)
        except Exception as error:  # noqa: BLE001 - of all that are left; the database is away, for one
            outcomes.settle({place: Failed(error) for place in outcomes.left()})
        else:
            # Overtaken by one another, they still come to an end; by others, they may not.
            attempts -= not committed
    outcomes.settle({place: Failed(Refusal(problems.UNAVAILABLE, headers=RETRY_AFTER)) for place in outcomes.left()})
    return outcomes.all()


def _commit_round(
    verifier: Verifier,
    submissions: Sequence[Submission],
    decoded: Mapping[int, Decoded],
    outcomes: Outcomes[Answer],
    verify: Verify,
) -> bool:
    """Everything that is left once more, as things stand now. Those that are overtaken stay left. Whether any was committed."""
    left = outcomes.left()
    # Read first: whoever is too late by it finds the answer to an earlier attempt that was not.
    now = verifier.clock()
    looked = verifier.storage.look_all([(submissions[place].key, decoded[place].rests_on) for place in left])
    seen = outcomes.without_failed(dict(zip(left, looked, strict=True)))
    outcomes.settle({place: item.answer for place, item in seen.items() if item.answer is not None})

    unproven = outcomes.each(lambda place: decoded[place].check(now, seen[place]))
    claims = {place: item.claims for place, item in unproven.items() if item.claims is not None}
    verdicts = outcomes.without_failed(dict(zip(claims, verify(list(claims.values())), strict=True)))
    evident = dict.fromkeys((place for place, item in unproven.items() if item.claims is None), ())
    failures: dict[int, Sequence[Failure]] = {**verdicts, **evident}

    plans = outcomes.each(lambda place: unproven[place].plan(failures[place]))
    writes = []
    for place, plan in plans.items():
        wanted, documents = decoded[place].rests_on, seen[place].documents
        writes.append(Write(submissions[place].key, verifier.clock, plan, {*wanted.documents, *documents}, wanted.draws))
    written = verifier.storage.commit_all(writes)
    answers = dict(zip(plans, written, strict=True))
    overtaken = [place for place, item in answers.items() if isinstance(item, Failed) and isinstance(item.error, Moved)]
    count_overtaken(len(overtaken))
    outcomes.settle({place: item for place, item in answers.items() if place not in overtaken})
    return any(isinstance(item, Answer) for item in answers.values())
