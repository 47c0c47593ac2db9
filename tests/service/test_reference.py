"""A refusal can be looked up at the service that refused, and its description is shown to people without internet.

Must hold: every type is served in both languages with the operations that may answer it; the page refers to nothing that this
service does not serve, and forbids the browser to load anything else. A failure would be a page that is blank in a bank's
network, or one that tells somebody else who reads it.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from schemas import problems
from schemas.problems import ProblemDescription, ProblemList, ProblemType
from service.app import openapi_document
from service.openapi import occurrences
from tests.service.harness import Desk, refused

PAGE = "http://testserver/docs"


class References(HTMLParser):
    """Every address in a page, and every element or attribute that could run something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self._script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.found += [value for name, value in named.items() if name in ("src", "href", "action") and value]
        self.inline += [name for name in named if name.startswith("on") or name == "style"]
        self._script = tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._script = False


@pytest.mark.parametrize("kind", problems.ALL, ids=lambda kind: kind.slug)
def test_every_type_can_be_looked_up(desk: Desk, kind: ProblemType) -> None:
    english = ProblemDescription.model_validate(desk.get(f"/v1/problems/{kind.slug}").json())
    assert (english.type, english.status, english.title, english.detail) == (kind.uri, kind.status, kind.title, kind.advice)
    assert english.repeat == kind.repeat
    assert english.operations == occurrences(openapi_document()).get(kind.slug, [])
    response = desk.get(f"/v1/problems/{kind.slug}", **{"Accept-Language": "zh"})
    chinese = ProblemDescription.model_validate(response.json())
    assert (chinese.title, chinese.detail, response.headers["Content-Language"]) == (kind.title_zh, kind.advice_zh, "zh-Hans")


def test_the_list_is_whole(desk: Desk) -> None:
    listed = ProblemList.model_validate(desk.get("/v1/problems").json())
    assert [item.slug for item in listed.problems] == [kind.slug for kind in problems.ALL]


def test_what_is_no_type(desk: Desk) -> None:
    refused(desk.get("/v1/problems/no-such-thing"), problems.NOT_FOUND)
    refused(desk.get("/v1/problems/NO"), problems.MALFORMED)


def test_what_may_be_sent_again_as_it_is() -> None:
    same = {kind for kind in problems.ALL if kind.repeat == "same"}
    assert same == {problems.UNAVAILABLE, problems.IN_FLIGHT, problems.INTERNAL}


def test_the_page_refers_to_this_service_alone(desk: Desk) -> None:
    response = desk.get("/docs")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    page = References(response.text)
    assert page.inline == []
    assert len(page.found) == 4
    for reference in page.found:
        address = urljoin(PAGE, reference)
        assert address.startswith("http://testserver/docs/")
        piece = desk.get(address.removeprefix("http://testserver"))
        assert piece.status_code == 200
        assert piece.headers["X-Content-Type-Options"] == "nosniff"
        assert len(piece.content) > 50
    start = desk.get("/docs/start.js").text
    (description,) = re.findall(r'url: "([^"]+)"', start)
    assert desk.get(urljoin(PAGE, description).removeprefix("http://testserver")).json() == openapi_document()


def test_the_browser_is_told_to_load_nothing_else(desk: Desk) -> None:
    policy = dict(item.strip().split(" ", 1) for item in desk.get("/docs").headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    sources = {source for sources in policy.values() for source in sources.split()}
    assert sources <= {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert [name for name, sources in policy.items() if "'unsafe-inline'" in sources] == ["style-src"]


def test_styles_load_nothing_else(desk: Desk) -> None:
    styles = desk.get("/docs/swagger-ui.css").text
    assert all(target.strip("\"'").startswith("data:") for target in re.findall(r"url\(([^)]{1,40})", styles))
    assert "@import" not in styles


@pytest.mark.parametrize("piece", ["redoc.standalone.js", "..%2f__init__.py", "../__init__.py", "start.js/", ""])
def test_nothing_else_is_served_there(desk: Desk, piece: str) -> None:
    refused(desk.get(f"/docs/{piece}"), problems.NOT_FOUND)
