"""A refusal is in the language that its request asks for, wherever in the service it is made.

Must hold: title, advice, and the details of lines and fields are all in that language, Content-Language names it, and caches
are told. A failure would be a mixture. Not a failure: English for a request that asks for neither language.
"""

from __future__ import annotations

import re

import httpx
import pytest

from schemas import problems
from schemas.problems import Problem, ProblemType
from service import reading
from tests.builders import World, make_draw
from tests.service.harness import JSON, Desk, refused

HAN = re.compile(r"[\u4e00-\u9fff]")
CHINESE = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}


def in_chinese(response: httpx.Response, expected: ProblemType) -> Problem:
    """The problem, after checking that it is this one in Chinese."""
    assert response.status_code == expected.status, response.text
    assert response.headers["Content-Language"] == "zh-Hans"
    assert "Accept-Language" in response.headers["Vary"]
    problem = Problem.model_validate(response.json())
    assert (problem.type, problem.title, problem.detail) == (expected.uri, expected.title_zh, expected.advice_zh)
    assert all(HAN.search(item.detail) for item in (*problem.lines, *problem.fields))
    return problem


def test_fields(desk: Desk) -> None:
    problem = in_chinese(desk.post("/v1/financings", b'{"lines": [], "x": 1}', **CHINESE), problems.MALFORMED)
    assert {field.path for field in problem.fields} == {"/lines", "/x"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"lines": 1}', b'{"lines": [{"draft": {"document": "A"}}]}'])
def test_what_cannot_be_read(desk: Desk, body: bytes) -> None:
    assert in_chinese(desk.post("/v1/financings", body, **CHINESE), problems.MALFORMED).fields


def test_lines(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    stale = make_draw(world, paper, 20)
    desk.draw(paper, 10)
    body = desk.send_draws([stale])
    assert not HAN.search(refused(body, problems.HEADROOM_NOT_PROVEN).lines[0].detail)
    problem = in_chinese(
        desk.client.post("/v1/financings", content=body.request.content, headers={**dict(body.request.headers), **CHINESE}),
        problems.HEADROOM_NOT_PROVEN,
    )
    assert problem.lines[0].detail == problems.HEADROOM_NOT_PROVEN.title_zh


def test_the_framework_and_the_limits(desk: Desk) -> None:
    in_chinese(desk.get("/nowhere", **CHINESE), problems.NOT_FOUND)
    in_chinese(desk.client.delete("/v1/health", headers=CHINESE), problems.METHOD_NOT_ALLOWED)
    in_chinese(desk.get("/v1/entries", **CHINESE), problems.UNAUTHORISED)
    in_chinese(desk.get("/v1/documents/short", **CHINESE), problems.MALFORMED)
    in_chinese(desk.client.post("/v1/financings", content=b"{}", headers={**JSON, **CHINESE}), problems.KEY_MISSING)
    in_chinese(desk.post("/v1/financings", b" " * 2_000_000, **CHINESE), problems.TOO_LARGE)


def test_what_nothing_foresaw(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise KeyError

    monkeypatch.setattr(reading, "status", broken)
    in_chinese(desk.get("/v1/documents/" + "A" * 43, **CHINESE), problems.INTERNAL)


def test_several_headers_are_one_list(desk: Desk) -> None:
    response = desk.client.get("/nowhere", headers=[("Accept-Language", "en;q=0.5"), ("Accept-Language", "zh")])
    in_chinese(response, problems.NOT_FOUND)
