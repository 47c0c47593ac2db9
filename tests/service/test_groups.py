"""Requests that come together are verified and committed together, and each stays a request of its own.

Groups are made on purpose: a first write is held in its transaction until all others wait behind it. Must hold: what one member
fails concerns that member alone; what breaks a transaction leaves nothing of any member; entries are in order and without gaps;
who comes alone waits for nobody. A failure would be a member that is refused, lost or half written because of another, a member
that waits for ever, or false proofs by which one caller slows all others for good.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event, Lock

import httpx
import pytest
from fastapi.testclient import TestClient

from schemas import problems
from schemas.canonical import canonical
from service.app import create_app
from service.gathering import Failed, Gathering
from service.joint import LARGEST, JointVerification
from service.storage import Write
from tests.builders import NOW, NewDraw, World, financing_request, make_draw, make_overdraw
from tests.service.harness import JSON, Desk, SignedByRole, refused
from tests.service.test_crashes import Broken, breaking, breaking_at_commit
from zkcore import ledger
from zkcore.errors import BatchRejected
from zkcore.verifying.batch import Claim

Send = Callable[[], httpx.Response]
PATIENCE = 30


def until(holds: Callable[[], bool]) -> None:
    last = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < last, "what was waited for does not come"
        time.sleep(0.002)


@contextmanager
def one_group(desk: Desk, monkeypatch: pytest.MonkeyPatch, sends: Sequence[Send]) -> Iterator[tuple[Event, list[int]]]:
    """Hold the first write that comes until `sends` wait behind it. Yields when it is held, and how large the groups were."""
    commits, held, groups = desk.verifier.storage._commits, Event(), list[int]()
    work = commits._work

    def holding(writes: Sequence[Write]) -> object:
        groups.append(len(writes))
        if len(groups) == 1:
            held.set()
            until(lambda: len(commits._waiting) == len(sends))
        return work(writes)

    with monkeypatch.context() as patched:
        patched.setattr(commits, "_work", holding)
        yield held, groups


def together(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, sends: Sequence[Send], before: Callable[[], None] = lambda: None
) -> list[httpx.Response]:
    """The answers to these requests, whose writes are one group; `before` is done when the first write is held."""
    paper = desk.register(500)[0]
    first = make_draw(desk.world, paper, 5)
    with ThreadPoolExecutor(len(sends) + 1) as pool, one_group(desk, monkeypatch, sends) as (held, groups):
        leading = pool.submit(desk.send_draws, [first])
        assert held.wait(PATIENCE)
        before()
        answers = [future.result() for future in [pool.submit(send) for send in sends]]
        assert leading.result().status_code == 201
    assert groups[:2] == [1, len(sends)]
    return answers


def sender(desk: Desk, *draws: NewDraw, key: str | None = None) -> Send:
    return lambda: desk.send_draws(draws, key=key)


def indices(answers: Sequence[httpx.Response]) -> list[int]:
    return [draw["receipt"]["index"] for answer in answers for draw in answer.json()["draws"]]


# --- commit ---------------------------------------------------------------------------------------------------------------


def test_a_group_has_indices_without_gaps_and_every_answer_is_stored(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = desk.register(*[500] * 6)
    draws = [[make_draw(world, paper, 5) for paper in papers[i : i + 2]] for i in (0, 2, 4)]
    sends = [sender(desk, *lines, key=f"one-of-a-group-{i}") for i, lines in enumerate(draws)]
    answers = together(desk, monkeypatch, sends)
    assert [answer.status_code for answer in answers] == [201] * 3
    assert sorted(indices(answers)) == list(range(9, 15))
    for answer in answers:
        first, second = indices([answer])
        assert second == first + 1, "the lines of one financing stand together"
    positions = sorted(row[0] for row in desk.dump()["entries"])
    assert positions == list(range(15))
    for send, answer in zip(sends, answers, strict=True):
        again = send()
        assert (again.content, again.headers["Idempotency-Replayed"]) == (answer.content, "true")


def test_what_one_member_fails_concerns_that_member_alone(desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two want one head, two one draw id, one has expired meanwhile, one touches two documents of which one is contested."""
    quiet, contested, one, other, late, side = desk.register(*[500] * 6)
    id_ = world.identifier()
    sends = [
        sender(desk, make_draw(world, quiet, 5)),
        sender(desk, make_draw(world, contested, 300)),
        sender(desk, make_draw(world, contested, 400)),
        sender(desk, make_draw(world, one, 5, draw=id_)),
        sender(desk, make_draw(world, other, 5, draw=id_)),
        sender(desk, make_draw(world, late, 5, expires=NOW + 10)),
        sender(desk, make_draw(world, side, 5), make_draw(world, contested, 200)),
    ]
    desk.now = NOW + 100  # the write that is held is of this time, and the log never goes back

    def go_back() -> None:
        desk.now = NOW

    answers = together(desk, monkeypatch, sends, go_back)
    assert answers[0].status_code == 201
    assert sorted(answers[i].status_code for i in (1, 2, 6)) == [201, 409, 409]
    assert sorted(answers[i].status_code for i in (3, 4)) == [201, 409]
    refused(answers[5], problems.EXPIRED)
    for i in (1, 2, 6):
        if answers[i].status_code == 409:
            refused(answers[i], problems.HEADROOM_NOT_PROVEN)
    positions = sorted(row[0] for row in desk.dump()["entries"])
    assert positions == list(range(len(positions)))


def test_a_member_that_the_database_refuses_is_alone_with_it(desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process takes a draw's id between our look and our write: the group is committed one by one, without that one."""
    papers, foreign = desk.register(*[500] * 3), desk.register(500)[0]
    id_ = world.identifier()
    sends = [sender(desk, make_draw(world, paper, 5, draw=id_ if paper is papers[1] else None)) for paper in papers]
    settings = desk.app.state.settings
    elsewhere = create_app(settings, world.suite, lambda: NOW)
    taken = canonical(financing_request([make_draw(world, foreign, 5, draw=id_)]))

    commits = desk.verifier.storage._commits
    seen = commits._work

    def outrun(writes: Sequence[Write]) -> object:
        if len(writes) == 3:
            with TestClient(elsewhere) as client:
                client.auth = SignedByRole(lambda: NOW)
                key = {"Idempotency-Key": "of-another-process"}
                assert client.post("/v1/financings", content=taken, headers={**JSON, **key}).status_code == 201
        return seen(writes)

    monkeypatch.setattr(commits, "_work", outrun)
    answers = together(desk, monkeypatch, sends)
    assert [answer.status_code for answer in answers] == [201, 409, 201]
    refused(answers[1], problems.ALREADY_EXISTS)
    assert sorted(row[0] for row in desk.dump()["entries"]) == list(range(10))


def test_a_group_that_breaks_anywhere_leaves_nothing_of_any_member(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = desk.register(*[500] * 3)
    draws = [make_draw(world, paper, 5, consented=paper is papers[0]) for paper in papers]
    writes = [sender(desk, draw, key=f"one-that-breaks-{i}") for i, draw in enumerate(draws)]
    commits, at = desk.verifier.storage._commits, 0
    work = commits._work
    while True:
        before: list[object] = []

        def broken(items: Sequence[Write], at: int = at, before: list[object] = before) -> object:
            if len(items) != 3:
                return work(items)
            before.append(desk.dump())
            with breaking(desk, at, Broken("a secret")) as seen:
                try:
                    return work(items)
                finally:
                    before += [desk.dump(), len(seen)]

        with monkeypatch.context() as patched:
            patched.setattr(commits, "_work", broken)
            answers = together(desk, monkeypatch, writes)
        if before[2] <= at:  # type: ignore[operator]
            break
        assert before[0] == before[1], "nothing of any member"
        for answer in answers:
            refused(answer, problems.INTERNAL)
        at += 1
    assert at >= 7
    assert [answer.status_code for answer in answers] == [201] * 3


def test_a_group_whose_commit_fails_leaves_nothing_of_any_member(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = desk.register(*[500] * 3)
    sends = [sender(desk, make_draw(world, paper, 5), key=f"one-that-breaks-{i}") for i, paper in enumerate(papers)]
    commits = desk.verifier.storage._commits
    work = commits._work

    def broken(items: Sequence[Write]) -> object:
        if len(items) != 3:
            return work(items)
        before = desk.dump()
        try:
            with breaking_at_commit(desk, Broken()):
                return work(items)
        finally:
            assert desk.dump() == before

    with monkeypatch.context() as patched:
        patched.setattr(commits, "_work", broken)
        for answer in together(desk, monkeypatch, sends):
            refused(answer, problems.INTERNAL)
    assert [send().status_code for send in sends] == [201] * 3


def test_two_processes_commit_groups_to_one_log(desk: Desk, world: World) -> None:
    """Entries of both are in one order without gaps, and a document that both draw on is drawn on once."""
    papers = desk.register(*[500] * 12)
    shared = desk.register(500)[0]
    with TestClient(create_app(desk.app.state.settings, world.suite, lambda: NOW)) as client:
        client.auth = SignedByRole(lambda: NOW)

        def elsewhere(draw: NewDraw, key: str) -> httpx.Response:
            body = canonical(financing_request([draw]))
            response: httpx.Response = client.post(
                "/v1/financings", content=body, headers={**JSON, "Idempotency-Key": key + "-elsewhere"}
            )
            return response

        own = [make_draw(world, paper, 5) for paper in papers]
        rivals = [make_draw(world, shared, 300) for _ in range(4)]
        with ThreadPoolExecutor(16) as pool:
            here = [pool.submit(desk.send_draws, [draw]) for draw in [*own[:6], *rivals[:2]]]
            there = [pool.submit(elsewhere, draw, f"request-{i:04}") for i, draw in enumerate([*own[6:], *rivals[2:]])]
            answers = [future.result() for future in [*here, *there]]
    assert [answer.status_code for answer in answers].count(201) == 13
    assert sorted(indices([answer for answer in answers if answer.status_code == 201])) == list(range(14, 27))


# --- verification ---------------------------------------------------------------------------------------------------------


def claims_of(world: World, draw: NewDraw) -> list[Claim]:
    return ledger.check_draw(world.suite, world.parameters, draw.paper.state, draw.operation, "0:draw")


def test_a_false_proof_in_a_group_is_its_makers_alone(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    good = [claims_of(world, make_draw(world, paper, 5)) for _ in range(3)]
    bad = claims_of(world, make_overdraw(world, paper, 501))
    joint = JointVerification(world.suite)
    outcomes = joint._verify([good[0], bad, good[1], good[2]])
    assert [outcome is None for outcome in outcomes] == [True, False, True, True]
    failed = outcomes[1]
    assert isinstance(failed, Failed)
    with pytest.raises(BatchRejected) as alone:
        joint.verify(bad)
    assert isinstance(failed.error, BatchRejected)
    assert [(label, error.code) for label, error in failed.error.failures] == [
        (label, error.code) for label, error in alone.value.failures
    ]


def test_false_proofs_make_groups_small_and_true_ones_let_them_grow(desk: Desk, world: World) -> None:
    """So that an attacker's requests are soon verified by themselves, and cost the others no more than without groups."""
    paper = desk.register(500)[0]
    good, bad = claims_of(world, make_draw(world, paper, 5)), claims_of(world, make_overdraw(world, paper, 501))
    joint = JointVerification(world.suite)
    assert joint.bound.claims == LARGEST
    joint._verify([good, bad])
    assert joint.bound.claims == (len(good) + len(bad)) // 2
    for _ in range(5):
        joint._verify([bad])
    assert joint.bound.claims < len(good), "the next request is a group of its own"
    for _ in range(12):
        joint._verify([good])
    assert joint.bound.claims == LARGEST


# --- gathering ------------------------------------------------------------------------------------------------------------


def test_who_comes_alone_waits_for_nobody() -> None:
    groups: list[list[int]] = []

    def work(items: Sequence[int]) -> list[int | Failed]:
        groups.append(list(items))
        return list(items)

    gathering = Gathering(work, lambda: 10)
    assert [gathering.submit(i) for i in range(3)] == [0, 1, 2]
    assert groups == [[0], [1], [2]]


def test_everybody_gets_its_own_outcome_and_groups_keep_their_bounds() -> None:
    """Forty threads, a hundred items each: every third fails. No group weighs more than it may, at most two are at work."""
    at_work, most, lock = [0], [0], Lock()

    def work(items: Sequence[int]) -> list[int | Failed]:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
        assert len(items) == 1 or sum(map(weigh, items)) <= 7
        time.sleep(0.0005)
        with lock:
            at_work[0] -= 1
        return [Failed(KeyError(item)) if item % 3 == 0 else -item for item in items]

    def weigh(item: int) -> int:
        return 1 + item % 10

    gathering, start = Gathering(work, lambda: 7, weigh, lanes=2), Barrier(40)

    def caller(number: int) -> None:
        start.wait(PATIENCE)
        for item in range(number, 4_000, 40):
            if item % 3:
                assert gathering.submit(item) == -item
            else:
                with pytest.raises(KeyError, match=f"^{item}$"):
                    gathering.submit(item)

    with ThreadPoolExecutor(40) as pool:
        for done in [pool.submit(caller, number) for number in range(40)]:
            done.result(PATIENCE)
    assert most[0] <= 2
    assert gathering.submit(1) == -1


class Panic(BaseException):
    """As a native engine raises it."""


@pytest.mark.parametrize("raised, expected", [(ValueError("all"), ValueError), (Panic(), RuntimeError), (None, RuntimeError)])
def test_work_that_fails_fails_for_all_and_nobody_waits_for_ever(
    raised: BaseException | None, expected: type[Exception]
) -> None:
    entered, go_on = Event(), Event()

    def work(items: Sequence[int]) -> list[int | Failed]:
        entered.set()
        assert go_on.wait(PATIENCE)
        if raised is None:
            return []
        raise raised

    gathering = Gathering(work, lambda: 10)
    with ThreadPoolExecutor(5) as pool:
        waiting = [pool.submit(gathering.submit, 0)]
        assert entered.wait(PATIENCE)
        waiting += [pool.submit(gathering.submit, i) for i in range(1, 5)]
        until(lambda: len(gathering._waiting) == 4)
        go_on.set()
        for future in waiting:
            with pytest.raises(expected):
                future.result(PATIENCE)
