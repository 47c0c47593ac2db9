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
from contextlib import closing, contextmanager
from dataclasses import replace
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
from tests.service.harness import JSON, Desk, SignedByRole, refused, unchanged
from tests.service.test_crashes import Broken, breaking, breaking_at_commit
from zkcore import ledger
from zkcore.errors import BatchRejected, EngineError
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, verify

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
    storage, waiting, held, groups = desk.verifier.storage, desk.app.state.desk._groups._waiting, Event(), list[int]()
    commit_all = storage.commit_all

    def holding(writes: Sequence[Write]) -> object:
        groups.append(len(writes))
        if len(groups) == 1:
            held.set()
            until(lambda: len(waiting) == len(sends))
        return commit_all(writes)

    with monkeypatch.context() as patched:
        patched.setattr(storage, "commit_all", holding)
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

    storage = desk.verifier.storage
    commit_all = storage.commit_all

    def outrun(writes: Sequence[Write]) -> object:
        if len(writes) == 3:
            with TestClient(elsewhere) as client:
                client.auth = SignedByRole(lambda: NOW)
                key = {"Idempotency-Key": "of-another-process"}
                assert client.post("/v1/financings", content=taken, headers={**JSON, **key}).status_code == 201
        return commit_all(writes)

    monkeypatch.setattr(storage, "commit_all", outrun)
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
    storage, at = desk.verifier.storage, 0
    commit_all = storage.commit_all
    while True:
        before: list[object] = []

        def broken(items: Sequence[Write], at: int = at, before: list[object] = before) -> object:
            if len(items) != 3:
                return commit_all(items)
            before.append(desk.dump())
            with breaking(desk, at, Broken("a secret")) as seen:
                try:
                    return commit_all(items)
                finally:
                    before += [desk.dump(), len(seen)]

        with monkeypatch.context() as patched:
            patched.setattr(storage, "commit_all", broken)
            answers = together(desk, monkeypatch, writes)
        if before[2] <= at:  # type: ignore[operator]
            break
        assert before[0] == before[1], "nothing of any member"
        for answer in answers:
            refused(answer, problems.INTERNAL)
        at += 1
    assert at >= 7
    assert [answer.status_code for answer in answers] == [201] * 3


@pytest.mark.parametrize("unsaid", ["documents", "draws"])
def test_a_plan_that_changes_what_its_request_did_not_say_is_not_written(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, unsaid: str
) -> None:
    """Its head was not read: it might have moved, or be there already."""
    paper = desk.register(500)[0]
    storage = desk.verifier.storage
    commit_all = storage.commit_all
    monkeypatch.setattr(storage, "commit_all", lambda writes: commit_all([replace(write, **{unsaid: ()}) for write in writes]))
    with unchanged(desk):
        refused(desk.send_draws([make_draw(world, paper, 5)]), problems.INTERNAL)


def test_a_group_whose_commit_fails_leaves_nothing_of_any_member(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = desk.register(*[500] * 3)
    sends = [sender(desk, make_draw(world, paper, 5), key=f"one-that-breaks-{i}") for i, paper in enumerate(papers)]
    storage = desk.verifier.storage
    commit_all = storage.commit_all

    def broken(items: Sequence[Write]) -> object:
        if len(items) != 3:
            return commit_all(items)
        before = desk.dump()
        try:
            with breaking_at_commit(desk, Broken()):
                return commit_all(items)
        finally:
            assert desk.dump() == before

    with monkeypatch.context() as patched:
        patched.setattr(storage, "commit_all", broken)
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
    verdicts = joint.verify([good[0], bad, good[1], good[2]])
    assert [verdict == () or verdict == [] for verdict in verdicts] == [True, False, True, True]
    (alone,) = joint.verify([bad])
    assert not isinstance(verdicts[1], Failed)
    assert not isinstance(alone, Failed)
    assert [(label, error.code) for label, error in verdicts[1]] == [(label, error.code) for label, error in alone]
    assert joint.verify([bad, bad, good[0]])[2] in ((), [])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_request_that_proves_nothing_is_never_taken_to_hold(desk: Desk, world: World, count: int) -> None:
    """Neither alone nor among true ones: whoever has nothing to check has made a mistake."""
    good = claims_of(world, make_draw(world, desk.register(500)[0], 5))
    joint = JointVerification(world.suite)
    for verdicts_on in (joint.verify, joint.verify_as_one):
        verdicts = verdicts_on([*[good] * count, []])
        assert isinstance(verdicts[-1], Failed)
        assert isinstance(verdicts[-1].error, BatchRejected)
        assert list(verdicts[:-1]) == [()] * count


def test_an_engine_that_fails_says_nothing_about_any_claim(desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    good = claims_of(world, make_draw(world, desk.register(500)[0], 5))

    def failing(suite: object, claims: object) -> None:
        raise EngineError("out of order")

    monkeypatch.setattr("service.joint.verify", failing)
    joint = JointVerification(world.suite)
    for verdict in (*joint.verify([good, good]), *joint.verify_as_one([good])):
        assert isinstance(verdict, Failed)
        assert isinstance(verdict.error, EngineError)
    assert joint.bound.claims == LARGEST


def test_false_proofs_make_groups_small_and_true_ones_let_them_grow(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that an attacker's requests are soon verified by themselves, and cost the others no more than without groups."""
    paper = desk.register(500)[0]
    good, bad = claims_of(world, make_draw(world, paper, 5)), claims_of(world, make_overdraw(world, paper, 501))
    joint = JointVerification(world.suite)
    assert joint.bound.claims == LARGEST
    joint.verify([good, bad])
    assert joint.bound.claims == (len(good) + len(bad)) // 2
    for _ in range(5):
        joint.verify([bad])
    assert joint.bound.claims < len(good), "the next request is a group of its own"
    groups: list[int] = []

    def noting(suite: Suite, claims: Sequence[Claim]) -> None:
        groups.append(len(claims))
        verify(suite, claims)

    monkeypatch.setattr("service.joint.verify", noting)
    joint.bound.claims = len(good)
    assert all(verdict == () for verdict in joint.verify([good] * 7))
    assert groups == [len(good) * count for count in (1, 2, 4)], "no group has more claims than the bound allows at that time"
    for _ in range(12):
        joint.verify([good])
    assert joint.bound.claims == LARGEST
    groups.clear()
    joint.bound.claims = 1
    joint.verify_as_one([good] * 5)
    assert groups == [5 * len(good)]
    assert joint.bound.claims == 1


# --- gathering ------------------------------------------------------------------------------------------------------------


def test_who_comes_alone_waits_for_nobody() -> None:
    groups: list[list[int]] = []

    def work(items: Sequence[int]) -> list[int | Failed]:
        groups.append(list(items))
        return list(items)

    with closing(Gathering[int, int]("test", work, 10)) as gathering:
        assert [gathering.submit(i).result(PATIENCE) for i in range(3)] == [0, 1, 2]
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

    start = Barrier(40)

    def caller(gathering: Gathering[int, int], number: int) -> None:
        start.wait(PATIENCE)
        for item in range(number, 4_000, 40):
            if item % 3:
                assert gathering.submit(item).result(PATIENCE) == -item
            else:
                with pytest.raises(KeyError, match=f"^{item}$"):
                    gathering.submit(item).result(PATIENCE)

    with closing(Gathering[int, int]("test", work, 7, weigh, lanes=2)) as gathering:
        with ThreadPoolExecutor(40) as pool:
            for done in [pool.submit(caller, gathering, number) for number in range(40)]:
                done.result(4 * PATIENCE)
        assert most[0] <= 2
        assert gathering.submit(1).result(PATIENCE) == -1


class Panic(BaseException):
    """As a native engine raises it."""


@contextmanager
def held(
    outcome: Callable[[Sequence[int]], list[int | Failed]],
) -> Iterator[tuple[Gathering[int, int], list[list[int]], Event]]:
    """A gathering whose first group, of one, is at work until the event is set. Yields also what groups there were."""
    groups, entered, go_on = list[list[int]](), Event(), Event()

    def work(items: Sequence[int]) -> list[int | Failed]:
        groups.append(list(items))
        entered.set()
        assert go_on.wait(PATIENCE)
        return outcome(items)

    with closing(Gathering[int, int]("test", work, 10)) as gathering:
        first = gathering.submit(0)
        assert entered.wait(PATIENCE)
        yield gathering, groups, go_on
        assert first.done()


@pytest.mark.parametrize("raised, expected", [(ValueError("all"), ValueError), (Panic(), RuntimeError), (None, RuntimeError)])
def test_work_that_fails_fails_for_all_and_nobody_waits_for_ever(
    raised: BaseException | None, expected: type[Exception]
) -> None:
    def failing(items: Sequence[int]) -> list[int | Failed]:
        if raised is None:
            return []
        raise raised

    with held(failing) as (gathering, groups, go_on):
        waiting = [gathering.submit(i) for i in range(1, 5)]
        go_on.set()
        for future in waiting:
            with pytest.raises(expected):
                future.result(PATIENCE)
        assert groups == [[0], [1, 2, 3, 4]]


def test_whoever_gives_up_is_left_out() -> None:
    with held(list) as (gathering, groups, go_on):
        waiting = [gathering.submit(i) for i in range(1, 5)]
        assert waiting[1].cancel()
        go_on.set()
        assert [waiting[i].result(PATIENCE) for i in (0, 2, 3)] == [1, 3, 4]
        assert groups == [[0], [1, 3, 4]]
        assert gathering.submit(5).result(PATIENCE) == 5


def test_what_waits_is_finished_before_the_end() -> None:
    with held(list) as (gathering, _, go_on):
        waiting = [gathering.submit(i) for i in range(1, 5)]
        go_on.set()
        gathering.close()
        assert [future.result(0) for future in waiting] == [1, 2, 3, 4]
