"""The client repeats what is safe to repeat, in the very same bytes, and turns every answer into a message or one error.

Must hold: a write is repeated under one Idempotency-Key with one body; a view is repeated only when it cannot have arrived; the
number of attempts is bounded; whatever comes back that is not of the protocol is an error, never a crash. A failure would be a
second registration, an endless loop, or an exception of another family. Not a failure: that it gives up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from parties.common.client import Backoff, ServiceClient, idempotency_key
from parties.common.errors import (
    EXIT_UNREACHABLE,
    Refused,
    ServiceMisbehaved,
    ServiceRefused,
    ServiceUnreachable,
)
from schemas import problems
from schemas.canonical import canonical
from schemas.messages import CloseMessage, CloseStep, StepsRequest, ViewMessage
from schemas.problems import Problem, ProblemType
from tests.builders import ORIGIN, World, make_world
from zkcore import engine
from zkcore.randomness import SeededRandomness

CLOSE = StepsRequest(steps=[CloseStep(body=CloseMessage(draw=b"d" * 32, proof=b"p"))])
VIEW = ViewMessage(document=b"d" * 32, reader="owner", nonce=b"n" * 16, issued=1, proof=b"p")
RECEIPT = {
    "draw": "ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ",
    "head": "A" * 43,
    "receipt": {"index": 1, "time": 2, "leaf": "A" * 43},
    "caller": "A" * 576,
}
STATUS = {
    "document": "A" * 43,
    "kind": "export-declaration",
    "counter": "financing",
    "currency": "USD",
    "status": "cleared",
    "financeable": True,
    "overdrawn": False,
    "replacement": None,
    "revision": "A" * 43,
}
READY = {"status": "ready", "entries": 1}

Answer = httpx.Response | Exception


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(engine.load())


class Line:
    """A connection that answers from a list, and notes what was asked and how long it was waited."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self._answers: Iterator[Answer] = iter(answers)

    def client(self, pauses: tuple[float, ...] = (1.0, 2.0)) -> ServiceClient:
        http = httpx.Client(base_url="http://service.test", transport=httpx.MockTransport(self._handle))
        return ServiceClient(http, Backoff(pauses, self.waits.append))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def good(content: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=content)


def problem(kind: ProblemType) -> httpx.Response:
    body = Problem.of(kind)
    return httpx.Response(kind.status, content=canonical(body), headers={"Content-Type": problems.CONTENT_TYPE})


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("lost"),
        httpx.RemoteProtocolError("cut"),
        problem(problems.UNAVAILABLE),
        problem(problems.IN_FLIGHT),
        httpx.Response(502, content=b"<html>"),
    ],
)
def test_a_write_is_repeated_in_the_same_bytes(trouble: Answer) -> None:
    line = Line(trouble, trouble, good({"steps": [RECEIPT]}, 201))
    assert line.client().take_steps(CLOSE, "k" * 32).steps[0].receipt.index == 1
    assert line.waits == [1.0, 2.0]
    assert {(r.method, r.url.path, r.content, r.headers["Idempotency-Key"]) for r in line.requests} == {
        ("POST", "/v1/steps", canonical(CLOSE), "k" * 32)
    }


def test_attempts_are_bounded() -> None:
    line = Line(*[httpx.ReadTimeout("lost")] * 3)
    with pytest.raises(ServiceUnreachable) as caught:
        line.client().take_steps(CLOSE, "k" * 32)
    assert caught.value.exit_code == EXIT_UNREACHABLE
    assert len(line.requests) == 3


def test_a_service_that_stays_busy_counts_as_unreachable() -> None:
    line = Line(*[problem(problems.UNAVAILABLE)] * 3)
    with pytest.raises(ServiceRefused) as caught:
        line.client().take_steps(CLOSE, "k" * 32)
    assert (caught.value.slug, caught.value.exit_code) == ("unavailable", EXIT_UNREACHABLE)


@pytest.mark.parametrize("kind", [kind for kind in problems.ALL if kind not in (problems.UNAVAILABLE, problems.IN_FLIGHT)])
def test_every_refusal_is_final_and_carries_its_problem(kind: ProblemType) -> None:
    line = Line(problem(kind))
    with pytest.raises(ServiceRefused) as caught:
        line.client().take_steps(CLOSE, "k" * 32)
    assert (caught.value.slug, caught.value.problem.status, line.waits) == (kind.slug, kind.status, [])
    assert kind.title_zh in str(caught.value)


def test_a_view_that_may_have_arrived_is_not_repeated() -> None:
    line = Line(httpx.ReadTimeout("lost"))
    with pytest.raises(ServiceUnreachable):
        line.client().view(VIEW)
    assert len(line.requests) == 1


def test_a_view_that_cannot_have_arrived_is_repeated() -> None:
    line = Line(httpx.ConnectError("refused"), problem(problems.DOCUMENT_UNKNOWN))
    with pytest.raises(ServiceRefused, match="No such document"):
        line.client().view(VIEW)
    assert len(line.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b'{"status": "ok", "status": "ok"}'),
        httpx.Response(200, content=b""),
        good({}),
        good([1]),
        good({**STATUS, "extra": 1}),
        good({**STATUS, "document": "short"}),
        good({**STATUS, "financeable": 1}),
        httpx.Response(404, content=b"Not Found"),
        httpx.Response(404, json={"detail": "Not Found"}),
        httpx.Response(302, headers={"Location": "http://elsewhere.test/"}),
        httpx.Response(200, content=b"[" * 200_000),
    ],
)
def test_what_is_no_answer_of_the_protocol_is_said_to_be_none(answer: httpx.Response) -> None:
    with pytest.raises(ServiceMisbehaved):
        Line(answer).client().status(b"d" * 32)


def test_readiness_and_status() -> None:
    client = Line(good(READY), good(STATUS)).client()
    assert client.ready().entries == 1
    assert client.status(bytes(32)).financeable


def test_keys_are_fresh_and_of_the_right_form() -> None:
    randomness = SeededRandomness(b"keys")
    first, second = idempotency_key(randomness), idempotency_key(randomness)
    assert first != second
    assert 16 <= len(first) <= 64


# --- the genesis ----------------------------------------------------------------------------------------------------------


def test_parameters_are_checked(world: World) -> None:
    content = json.loads(canonical(world.genesis))
    log = Line(good(content)).client().parameters(world.suite, ORIGIN)
    assert log.parameters == world.parameters


def test_another_log_is_not_ours(world: World) -> None:
    with pytest.raises(Refused, match="check --service"):
        Line(good(json.loads(canonical(world.genesis)))).client().parameters(world.suite, "another.example/log")


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": 2},
        {"suite": "another"},
        {"generators": "A" * 43},
        {"epoch": 2, "attesters": []},
    ],
)
def test_a_genesis_that_fails_its_checks(world: World, change: dict[str, Any]) -> None:
    with pytest.raises(ServiceMisbehaved):
        Line(good({**json.loads(canonical(world.genesis)), **change})).client().parameters(world.suite, ORIGIN)


def test_a_genesis_with_an_exchanged_key(world: World) -> None:
    content = json.loads(canonical(world.genesis))
    content["regulator"]["key"] = content["attesters"][0]["key"]
    with pytest.raises(ServiceMisbehaved, match="do not use it"):
        Line(good(content)).client().parameters(world.suite, ORIGIN)


# --- pages of entries -----------------------------------------------------------------------------------------------------


def page(indices: list[int], following: int | None, size: int) -> httpx.Response:
    return good({"entries": [{"index": index, "entry": {}} for index in indices], "next": following, "size": size})


def test_pages_join() -> None:
    line = Line(page([0, 1], 2, 3), page([2], None, 3))
    seen: list[tuple[int, int]] = []
    entries = list(line.client().all_entries("token", progress=lambda done, size: seen.append((done, size))))
    assert [entry.index for entry in entries] == [0, 1, 2]
    assert seen == [(2, 3), (3, 3)]
    assert [dict(request.url.params) for request in line.requests] == [
        {"from": "0", "limit": "500"},
        {"from": "2", "limit": "500"},
    ]
    assert line.requests[0].headers["Authorization"] == "Bearer token"


@pytest.mark.parametrize(
    "pages",
    [
        [page([0, 2], None, 3)],
        [page([1], None, 3)],
        [page([], 0, 3)],
        [page([0], 5, 9)],
        [page([0], 0, 9)],
    ],
)
def test_pages_that_do_not_join_are_refused(pages: list[httpx.Response]) -> None:
    with pytest.raises(ServiceMisbehaved):
        list(Line(*pages).client().all_entries("token"))
