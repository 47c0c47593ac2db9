"""Batches: many financings in one request, each a request of its own, whatever becomes of the service meanwhile.

Must hold: every line gets the answer that it would have got alone; nothing is done twice, however often a batch is sent, worked
on or broken off; what is decided is kept and its request deleted; nobody learns of a batch that is not its own. A failure would
be a line without an answer, two draws for one line, a line refused because of another, or a request body that stays.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from starlette.types import Message

from schemas import problems
from schemas.answers import MAXIMUM_BATCH, BatchAccepted, BatchLine, BatchPage, BatchProgress, RegistrationAnswer
from schemas.canonical import canonical
from schemas.wire import encode_base64url
from service.batches import reading, storage, worker
from service.batches.storage import BatchStorage, Outcome
from service.batches.worker import BatchWorker
from service.idempotency import RequestKey
from service.institutions.registry import Caller
from service.planning import financing
from service.problems import Refusal
from service.storage import open_storage
from service.verifier import Verifier
from tests.builders import (
    NewDraw,
    Paper,
    World,
    financing_request,
    make_draw,
    make_overdraw,
    make_register,
    registration_request,
)
from tests.service.harness import (
    BANK,
    BANK_KEY,
    Desk,
    begin_anew,
    free_port,
    make_desk,
    make_directory,
    process,
    refused,
    unchanged,
)
from tests.service.test_kills import PATIENCE as KILL_PATIENCE
from tests.service.test_kills import SIGNED, persist
from zkcore.operations import Draw
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, verify

PATIENCE = 60
KEY = "the-key-of-one-batch"
NDJSON = {"Content-Type": "application/x-ndjson"}
KILLS = int(os.environ.get("TRADEVEIL_KILLS", "3"))


def body(financings: Sequence[Sequence[NewDraw] | bytes]) -> bytes:
    """The lines of a batch; bytes stand as they are."""
    lines = [item if isinstance(item, bytes) else canonical(financing_request(item)) for item in financings]
    return b"\n".join(lines) + b"\n"


def send(desk: Desk, data: bytes, key: str = KEY, **headers: str) -> httpx.Response:
    response: httpx.Response = desk.client.post(
        "/v1/batches", content=data, headers={**NDJSON, "Idempotency-Key": key, **headers}
    )
    return response


def accepted(response: httpx.Response) -> BatchAccepted:
    assert response.status_code == 202, response.text
    return BatchAccepted.model_validate_json(response.content)


def page(desk: Desk, batch: bytes, query: str = "") -> BatchPage:
    response = desk.get(f"/v1/batches/{encode_base64url(batch)}{query}")
    assert response.status_code == 200, response.text
    return BatchPage.model_validate_json(response.content)


def finished(desk: Desk, batch: bytes) -> BatchPage:
    """The first page, once all is decided."""
    last = time.monotonic() + PATIENCE
    while (found := page(desk, batch, "?limit=500")).done < found.total:
        assert time.monotonic() < last, "the batch does not end"
        time.sleep(0.01)
    return found


def kinds(found: BatchPage) -> list[str]:
    """Of each line `ok`, or the problem's name."""
    return ["ok" if line.problem is None else line.problem.type.rpartition(":")[2] for line in found.lines]


def test_every_line_gets_the_answer_that_it_would_have_got_alone(desk: Desk, world: World) -> None:
    first, second, third, fourth, drawn = desk.register(*[500] * 5)
    used = make_draw(world, drawn, 5)
    desk.finance(used)
    draw, other = make_draw(world, first, 500), make_draw(world, third, 5)
    lines: list[Sequence[NewDraw] | bytes] = [
        [draw],
        [make_overdraw(world, second, 501)],
        b"{not JSON",
        [make_draw(world, second, 100), make_draw(world, fourth, 100)],
        b'{"lines":[{"draft":1}]}',
        [used],
        [make_draw(world, unregistered(desk, other), 5)],
        [make_draw(world, drawn, 5, expires=desk.now - 1)],
    ]
    found = finished(desk, accepted(send(desk, body(lines))).batch)
    assert (found.total, found.done, found.failed, found.next) == (8, 8, 6, None)
    assert [line.line for line in found.lines] == list(range(8))
    assert kinds(found) == [
        "ok",
        "headroom-not-proven",
        "malformed-request",
        "ok",
        "malformed-request",
        "already-exists",
        "document-unknown",
        "expired",
    ]
    answer = found.lines[0].answer
    assert answer is not None
    assert answer.draws[0].draw == draw.operation.draft.draw
    assert len(desk.dump()["draws"]) == 1 + 1 + 2
    named = found.lines[4].problem
    assert named is not None
    assert named.detail == problems.MALFORMED.advice
    assert named.fields[0].path.startswith("/lines/0/draft")
    positions = sorted(row[0] for row in desk.dump()["entries"])
    assert positions == list(range(len(positions)))


def unregistered(desk: Desk, draw: NewDraw) -> Paper:
    """The document of a draw under an id that nobody registered."""
    return replace(draw.paper, state=replace(draw.paper.state, document=desk.world.identifier()))


def test_a_batch_that_is_sent_again_is_one_batch(desk: Desk, world: World) -> None:
    draws = [[make_draw(world, paper, 5)] for paper in desk.register(*[500] * 3)]
    first = send(desk, body(draws))
    found = finished(desk, accepted(first).batch)
    assert kinds(found) == ["ok"] * 3
    with unchanged(desk):
        again = send(desk, body(draws))
        assert (again.status_code, again.content) == (202, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        refused(send(desk, body(draws[:2])), problems.KEY_REUSED)
        refused(desk.send_draws(draws[0], key=KEY), problems.KEY_REUSED)
        assert page(desk, found.batch, "?limit=500") == found
    assert desk.send_draws([make_draw(world, desk.register(5)[0], 5)], key="the-key-of-a-financing").status_code == 201
    with unchanged(desk):
        refused(send(desk, body(draws), key="the-key-of-a-financing"), problems.KEY_REUSED)


def test_requests_are_deleted_when_they_are_decided_and_answers_stay(desk: Desk, world: World) -> None:
    draw = make_draw(world, desk.register(500)[0], 5)
    finished(desk, accepted(send(desk, body([[draw], b"a malformed line that must not stay"]))).batch)
    dump = desk.dump()
    assert "must not stay" not in repr(dump)
    assert all(row[2] is None and row[3] in (201, 400) and row[4] for row in dump["batch_lines"])
    assert dump["batches"][0][7] in (0, False)


def test_two_batches_do_not_show_that_they_are_of_one_institution(desk: Desk) -> None:
    for number in range(2):
        finished(desk, accepted(send(desk, body([b"{}"]), key=f"batch-of-one-bank-{number}")).batch)
    dump = desk.dump()
    assert len({row[1] for row in dump["batches"]}) == 2
    assert not {row[1] for row in dump["batches"]} & {row[0] for row in dump["institutions"]}
    assert {row[2] for row in dump["batches"]} == {bytes(32)}, "the key that signed them is forgotten"


def test_pages_follow_each_other(desk: Desk) -> None:
    found = accepted(send(desk, body([b"{}"] * 5)))
    finished(desk, found.batch)
    lines, following = [], 0
    for expected in (2, 4, None):
        part = page(desk, found.batch, f"?from={following}&limit=2")
        lines += [line.line for line in part.lines]
        assert part.next == expected
        following = part.next or 0
    assert lines == list(range(5))
    for query in ("?from=-1", "?limit=0", "?limit=1001", "?from=x"):
        refused(desk.get(f"/v1/batches/{encode_base64url(found.batch)}{query}"), problems.MALFORMED)


def test_a_page_ends_at_the_first_line_that_is_not_decided(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchWorker, "wake", lambda self: None)
    monkeypatch.setattr(BatchStorage, "claim", lambda *arguments: None)
    batch = accepted(send(desk, body([b"{}"] * 3))).batch
    kept = BatchStorage(desk.verifier.storage)
    problem = problems.Problem(type="t", title="t", status=400, detail="d")
    kept.decide(batch, [Outcome(0, 400, problem.model_dump_json().encode()), Outcome(2, 400, b"{}")], 0)
    found = page(desk, batch)
    assert ([line.line for line in found.lines], found.next, found.done, found.failed) == ([0], 1, 2, 2)
    kept.decide(batch, [Outcome(2, 403, b"another answer")], 0)
    assert kept.outcomes(batch, 2, 1)[0].status == 400, "what is decided stays"


def test_a_batch_that_is_not_there_or_not_the_callers_is_unknown(desk: Desk) -> None:
    batch = accepted(send(desk, body([b"{}"]))).batch
    finished(desk, batch)
    for path in ("", "/events"):
        refused(desk.get(f"/v1/batches/{encode_base64url(desk.world.identifier())}{path}"), problems.BATCH_UNKNOWN)
    with desk.database.begin() as connection:
        connection.execute(text("UPDATE batches SET owner = :owner"), {"owner": b"somebody else".ljust(32)})
    for path in ("", "/events"):
        refused(desk.get(f"/v1/batches/{encode_base64url(batch)}{path}"), problems.BATCH_UNKNOWN)


# --- the body -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, pointer",
    [
        (b"", ""),
        (b"\n", "/0"),
        (b"{}\n\n{}\n", "/1"),
        (b"{}\n \t\n", "/1"),
        (b"{}\n" * MAXIMUM_BATCH + b"{}", f"/{MAXIMUM_BATCH}"),
    ],
    ids=["empty", "an empty line", "one in the middle", "white space", "too many"],
)
def test_a_body_that_is_no_batch_is_refused_whole(desk: Desk, data: bytes, pointer: str) -> None:
    with unchanged(desk):
        problem = refused(send(desk, data), problems.MALFORMED)
    assert [field.path for field in problem.fields] == [pointer]


def test_a_line_is_at_most_as_long_as_a_request(desk: Desk) -> None:
    with unchanged(desk):
        problem = refused(send(desk, b"{}\n" + b" " * (reading.LARGEST_LINE + 1) + b"\n"), problems.MALFORMED)
    assert [field.path for field in problem.fields] == ["/1"]


def test_the_last_line_needs_no_end_and_chunks_may_end_anywhere(desk: Desk) -> None:
    data = b'{"a":1}\n{"b":2}\n{"c":3}'

    def chunks() -> Iterator[bytes]:
        yield from (data[i : i + 1] for i in range(len(data)))

    response = desk.client.post("/v1/batches", content=chunks(), headers={**NDJSON, "Idempotency-Key": KEY})
    first = accepted(response)
    assert first.total == 3
    again = send(desk, data + b"\n")
    assert accepted(again) == first
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_body_of_another_kind_or_without_a_key_or_too_large_is_refused(world: World, database: str) -> None:
    with make_desk(world, database, maximum_batch=1_000) as desk, unchanged(desk):
        refused(send(desk, b"{}", **{"Content-Type": "application/json"}), problems.UNSUPPORTED_MEDIA)
        refused(desk.client.post("/v1/batches", content=b"{}", headers=NDJSON), problems.KEY_MISSING)
        refused(send(desk, b"{}", key="short"), problems.KEY_MISSING)
        refused(send(desk, b"{}\n" * 400), problems.TOO_LARGE)


def test_a_batch_may_be_larger_than_a_request(world: World, database: str) -> None:
    with make_desk(world, database, maximum_body=1_000) as desk:
        assert finished(desk, accepted(send(desk, b"{}\n" * 400)).batch).failed == 400
        refused(desk.post("/v1/financings", b" " * 1_001), problems.TOO_LARGE)


def test_batches_that_wait_are_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchStorage, "claim", lambda *arguments: None)
    monkeypatch.setattr(storage, "MAXIMUM_UNFINISHED", 2)
    for i in range(2):
        accepted(send(desk, b"{}", key=f"batch-that-waits-{i}"))
    with unchanged(desk):
        response = send(desk, b"{}", key="batch-that-waits-2")
        refused(response, problems.UNAVAILABLE)
        assert response.headers["Retry-After"] == "1"


# --- progress -------------------------------------------------------------------------------------------------------------


def events(desk: Desk, batch: bytes, **headers: str) -> list[tuple[int, BatchProgress]]:
    """The events of one stream until it ends: id and content of each."""
    with desk.client.stream("GET", f"/v1/batches/{encode_base64url(batch)}/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        text = "".join(response.iter_text())
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            assert fields["event"] == "progress"
            found.append((int(fields["id"]), BatchProgress.model_validate_json(fields["data"])))
    return found


def test_progress_is_streamed_to_the_end_and_resumed_where_it_was_lost(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_AT_ONCE", 2)
    draws = [[make_draw(world, paper, 5)] for paper in desk.register(*[500] * 5)]
    batch = accepted(send(desk, body([*draws, b"{}"]))).batch
    found = events(desk, batch)
    assert [id_ for id_, _ in found] == sorted({id_ for id_, _ in found})
    assert all(id_ == progress.done for id_, progress in found)
    assert found[-1][1] == BatchProgress(total=6, done=6, failed=1)
    assert events(desk, batch, **{"Last-Event-ID": "2"}) == [found[-1]]
    assert events(desk, batch, **{"Last-Event-ID": "6"}) == [found[-1]], "a stream of what is finished says so"
    refused(desk.get(f"/v1/batches/{encode_base64url(batch)}/events", **{"Last-Event-ID": "x"}), problems.MALFORMED)


def test_a_stream_ends_before_the_service_stops(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.batches.routes.LONGEST_STREAM", 0.0)
    monkeypatch.setattr(BatchStorage, "claim", lambda *arguments: None)
    batch = accepted(send(desk, b"{}")).batch
    assert events(desk, batch) == []


# --- together -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of how many draws the claims were that are verified together, each time."""
    counted: list[int] = []

    def noting(suite: Suite, claims: Sequence[Claim]) -> None:
        counted.append(len({claim.label.rpartition(":")[0] for claim in claims}))
        verify(suite, claims)

    monkeypatch.setattr("service.joint.verify", noting)
    return counted


def test_the_lines_of_a_batch_are_verified_in_one_multi_scalar_multiplication(
    desk: Desk, world: World, verified: list[int]
) -> None:
    """Of those that are worth it: what fails before any proof is looked at is not among them."""
    draws = [[make_draw(world, paper, 5)] for paper in desk.register(*[500] * 9)]
    expired = [make_draw(world, desk.register(500)[0], 5, expires=desk.now - 1)]
    verified.clear()
    found = finished(desk, accepted(send(desk, body([*draws, expired, b"{}"]))).batch)
    assert kinds(found) == ["ok"] * 9 + ["expired", "malformed-request"]
    assert verified == [9]


def test_how_a_batch_went_does_not_bound_the_groups_of_others(desk: Desk, world: World) -> None:
    """Neither does a batch of false lines slow others down, nor one of good lines let groups under attack grow again."""
    first, second = desk.register(500, 500)
    desk.app.state.desk.joint.bound.claims = 7
    found = finished(
        desk, accepted(send(desk, body([[make_overdraw(world, first, 501)], [make_draw(world, second, 5)]]))).batch
    )
    assert kinds(found) == ["headroom-not-proven", "ok"]
    assert desk.app.state.desk.joint.bound.claims == 7


def test_large_lines_are_worked_on_a_few_at_a_time(
    desk: Desk, world: World, verified: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = desk.register(*[500] * 6)
    financings = [[make_draw(world, paper, 5) for paper in papers[first : first + 2]] for first in range(0, 6, 2)]
    data = body(financings)
    monkeypatch.setattr(worker, "_BYTES_AT_ONCE", len(data) * 3 // 4)
    verified.clear()
    assert kinds(finished(desk, accepted(send(desk, data)).batch)) == ["ok"] * 3
    assert verified == [4, 2]
    assert worker._first([]) == []
    assert worker._first([(0, b"x" * (9 << 20)), (1, b"")]) == [(0, b"x" * (9 << 20))]


def test_lines_on_one_document_are_decided_one_after_another(desk: Desk, world: World) -> None:
    """Both rest on one head, so one of them is overtaken; it goes the way of a single request, and is told so."""
    paper = desk.register(500)[0]
    lines = [[make_draw(world, paper, 100)], [make_draw(world, paper, 100)], [make_draw(world, desk.register(500)[0], 5)]]
    found = finished(desk, accepted(send(desk, body(lines))).batch)
    assert kinds(found) == ["ok", "headroom-not-proven", "ok"]
    assert len(desk.dump()["draws"]) == 2
    assert len(desk.dump()["refusals"]) == 1


# --- breaking off ---------------------------------------------------------------------------------------------------------


def dying_before_the_note(
    monkeypatch: pytest.MonkeyPatch, times: int, meanwhile: Callable[[], None] = lambda: None
) -> list[Sequence[Outcome]]:
    """Of the next chunks, two lines each, so many are committed and not noted, and something happens before they are tried
    again. What was to be noted of them."""
    decide, broken = BatchStorage.decide, list[Sequence[Outcome]]()

    def breaking(self: BatchStorage, batch: bytes, outcomes: Sequence[Outcome], until: int) -> None:
        if outcomes and len(broken) < times:
            broken.append(outcomes)
            decide(self, batch, [], until)
            meanwhile()
            raise RuntimeError("the power went")
        decide(self, batch, outcomes, until)

    monkeypatch.setattr(BatchStorage, "decide", breaking)
    monkeypatch.setattr(worker, "_AT_ONCE", 2)
    monkeypatch.setattr(worker, "_PAUSE", 0.01)
    return broken


def test_what_was_committed_and_not_noted_is_answered_as_before(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service dies between a commit and the note of it, at every chunk once: the lines are worked on again."""
    broken = dying_before_the_note(monkeypatch, 3)
    draws = [[make_draw(world, paper, 5)] for paper in desk.register(*[500] * 5)]
    found = finished(desk, accepted(send(desk, body(draws))).batch)
    assert len(broken) == 3
    assert kinds(found) == ["ok"] * 5
    assert [outcome.body for outcome in broken[0]] == [outcome.body for outcome in broken[1]]
    assert len(desk.dump()["draws"]) == 5


def test_what_was_committed_before_the_key_was_revoked_is_answered_so(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service dies between a commit and the note of it, and the key that signed is revoked meanwhile."""
    registry = desk.verifier.institutions.registry
    broken = dying_before_the_note(monkeypatch, 1, lambda: registry.revoke_key(BANK, BANK_KEY.public, desk.now))
    draws = [[make_draw(world, paper, 5)] for paper in desk.register(*[500] * 5)]
    batch = accepted(send(desk, body(draws))).batch
    noted = BatchStorage(desk.verifier.storage)
    last = time.monotonic() + PATIENCE
    while len(found := noted.outcomes(batch, 0, 10)) < 5:
        assert time.monotonic() < last, "the batch does not end"
        time.sleep(0.01)
    assert [outcome.status for outcome in found] == [201, 201, 403, 403, 403]
    assert [outcome.body for outcome in found[:2]] == [outcome.body for outcome in broken[0]]
    assert len(desk.dump()["draws"]) == 2


def test_what_was_committed_is_the_answer_whoever_notes_it_first(desk: Desk) -> None:
    """Two processes had the same lines in hand, and one of them found the key revoked by then."""
    noted = BatchStorage(desk.verifier.storage)
    batch, owner, clock = b"b" * 32, b"o" * 32, desk.now
    noted.accept(RequestKey(b"d" * 32, b"f" * 32), batch, owner, BANK_KEY.public, [b"{}"] * 3, clock, b"{}")
    noted.decide(batch, [Outcome(0, 403, b"revoked"), Outcome(1, 201, b"committed")], clock)
    noted.decide(batch, [Outcome(0, 201, b"committed"), Outcome(1, 403, b"revoked"), Outcome(2, 403, b"revoked")], clock)
    found = noted.outcomes(batch, 0, 10)
    assert [(outcome.status, outcome.body) for outcome in found] == [(201, b"committed")] * 2 + [(403, b"revoked")]
    progress = noted.progress(batch, owner)
    assert progress is not None
    assert (progress.done, progress.failed) == (3, 1)


# --- uploads --------------------------------------------------------------------------------------------------------------


class Upload:
    """A batch that is sent slowly: its head, and then its body, once it is asked for it and allowed to go on."""

    def __init__(self, desk: Desk, data: bytes, key: str = KEY, **fields: str) -> None:
        request = httpx.Request(
            "POST", "http://testserver/v1/batches", content=data, headers={**NDJSON, "Idempotency-Key": key}
        )
        next(desk.client.auth.auth_flow(request))
        request.headers.update(fields)
        self._app, self._data, self._headers = desk.app, data, request.headers
        self.asked, self.allowed, self.status = asyncio.Event(), asyncio.Event(), 0

    async def sent(self, data: bytes | None = None) -> int:
        """The status of the answer. `data`: another body than the one that was signed."""

        async def receive() -> Message:
            self.asked.set()
            await asyncio.wait_for(self.allowed.wait(), PATIENCE)
            return {"type": "http.request", "body": self._data if data is None else data, "more_body": False}

        async def answer(message: Message) -> None:
            self.status = message.get("status", self.status)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/v1/batches",
            "raw_path": b"/v1/batches",
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self._headers.raw],
            "client": ("testclient", 1),
            "server": ("testserver", 80),
        }
        await self._app(scope, receive, answer)
        return self.status


def test_nothing_of_a_body_is_taken_from_whoever_did_not_sign(desk: Desk, world: World) -> None:
    data = body([[make_draw(world, desk.register(500)[0], 5)]])

    async def upload() -> None:
        nobody = Upload(desk, data, Signature="tradeveil=:" + "A" * 86 + "==:")
        assert await nobody.sent() == 401
        assert not nobody.asked.is_set()

    asyncio.run(upload())


def test_the_body_is_the_one_that_was_signed(desk: Desk, world: World) -> None:
    first, second = (body([[make_draw(world, paper, 5)]]) for paper in desk.register(500, 500))

    async def upload() -> int:
        changed = Upload(desk, first)
        changed.allowed.set()
        return await changed.sent(second)

    assert asyncio.run(upload()) == 401
    assert desk.dump()["batches"] == []


def test_few_bodies_are_taken_at_one_time(desk: Desk, world: World) -> None:
    bodies = [body([[make_draw(world, paper, 5)]]) for paper in desk.register(500, 500, 500)]

    async def upload() -> None:
        slow = [Upload(desk, data, f"one-of-the-slow-{i}") for i, data in enumerate(bodies[:2])]
        tasks = [asyncio.create_task(one.sent()) for one in slow]
        for one in slow:
            await asyncio.wait_for(one.asked.wait(), PATIENCE)
        third = Upload(desk, bodies[2], "one-too-many-here")
        assert await third.sent() == 503
        assert not third.asked.is_set()
        for one in slow:
            one.allowed.set()
        assert await asyncio.gather(*tasks) == [202, 202]
        again = Upload(desk, bodies[2], "one-too-many-here")
        again.allowed.set()
        assert await again.sent() == 202

    asyncio.run(upload())


def test_a_line_that_cannot_be_worked_on_now_is_tried_again_and_one_that_breaks_the_service_not_for_ever(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = desk.register(500, 500, 500)
    draws = [make_draw(world, paper, 5) for paper in papers]
    check, tries = financing.check_financing, {draw.operation.draft.draw: 0 for draw in draws}

    def failing(verifier: Verifier, caller: Caller, lines: Sequence[Draw], *arguments: Any) -> object:
        draw = lines[0].draft.draw
        tries[draw] += 1
        if draw == draws[1].operation.draft.draw and tries[draw] < 10:
            raise Refusal(problems.UNAVAILABLE)
        if draw == draws[2].operation.draft.draw:
            raise ValueError("a secret")
        return check(verifier, caller, lines, *arguments)

    monkeypatch.setattr("service.committing.check_financing", failing)
    monkeypatch.setattr(worker, "_PAUSE", 0.01)
    found = finished(desk, accepted(send(desk, body([[draw] for draw in draws]))).batch)
    assert kinds(found) == ["ok", "ok", "internal-error"]
    assert [tries[draw.operation.draft.draw] for draw in draws] == [1, 10, worker._ATTEMPTS]
    assert "a secret" not in repr(found)


def test_a_small_batch_does_not_wait_for_all_of_a_large_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_AT_ONCE", 2)
    order: list[int] = []
    decide = BatchStorage.decide

    def noting(self: BatchStorage, batch: bytes, outcomes: Sequence[Outcome], until: int) -> None:
        order.append(batch[0])
        decide(self, batch, outcomes, until)

    with monkeypatch.context() as waiting:
        waiting.setattr(BatchStorage, "claim", lambda *arguments: None)
        large = accepted(send(desk, b"{}\n" * 20, key="a-large-batch-of-20")).batch
        small = accepted(send(desk, b"{}\n" * 2, key="a-small-batch-of-2")).batch
        monkeypatch.setattr(BatchStorage, "decide", noting)
    finished(desk, large)
    finished(desk, small)
    assert order.index(small[0]) <= 1


def test_a_killed_service_goes_on_with_its_batches(world: World, database: str, tmp_path: Path) -> None:
    """SIGKILL at random moments: in the end every line is answered, and there is one draw for each that was accepted."""
    count, port = 60, free_port()
    begin_anew(world, database)
    make_directory(tmp_path)
    life = partial(process, tmp_path, "--port", str(port), database=database, patience=10 * PATIENCE, quiet=True)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=KILL_PATIENCE, auth=SIGNED) as http:
        with life():
            documents = [make_register(world, 1_000) for _ in range(count)]
            answer = persist(http, "/v1/documents", "registration-of-all", canonical(registration_request(documents)))
            receipts = RegistrationAnswer.model_validate_json(answer).receipts
            papers = [document.committed(receipt.leaf) for document, receipt in zip(documents, receipts, strict=True)]
            expires = int(time.time()) + 3_600
            draws = [make_draw(world, paper, 5, expires=expires) for paper in papers]
            data = body([[draw] for draw in draws])
            batch = BatchAccepted.model_validate_json(post_batch(http, data)).batch
            time.sleep(random.uniform(0, 0.3))
        for _ in range(KILLS - 1):
            with life():
                assert BatchAccepted.model_validate_json(post_batch(http, data)).batch == batch, "sent again, it is one batch"
                time.sleep(random.uniform(0, 0.3))
        lines: list[BatchLine] = []
        with life():
            last = time.monotonic() + PATIENCE
            while len(lines) < count:
                assert time.monotonic() < last
                response = http.get(f"/v1/batches/{encode_base64url(batch)}?from={len(lines)}&limit=500")
                lines += BatchPage.model_validate_json(response.content).lines
                time.sleep(0.05)
    assert all(line.problem is None for line in lines)
    check(world, database, draws)


def post_batch(http: httpx.Client, data: bytes) -> bytes:
    """Until it is accepted."""
    last = time.monotonic() + PATIENCE
    while True:
        try:
            response = http.post("/v1/batches", content=data, headers={**NDJSON, "Idempotency-Key": KEY})
            if response.status_code == 202:
                return response.content
        except httpx.TransportError:
            pass
        assert time.monotonic() < last
        time.sleep(0.02)


def check(world: World, database: str, draws: Sequence[NewDraw]) -> None:
    """Every draw is there once, and the log has no gap."""
    kept = open_storage(database, world.suite.group, workers=1)
    ids = [draw.operation.draft.draw for draw in draws]
    assert kept.draws(ids).keys() == set(ids)
    assert kept.size() == 1 + 2 * len(draws)
    _, entries = kept.entries(0, kept.size() + 1)
    assert [index for index, _ in entries] == list(range(1 + 2 * len(draws)))
    kept.close()
