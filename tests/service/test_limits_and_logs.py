"""How much callers can make the service hold, and what it writes down about them.

A failure would be a request beyond the bound that is worked on, or a log line with an id, a header or a piece of a body in it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from schemas import problems
from schemas.wire import encode_base64url
from service import reading
from service.logs import JsonFormatter
from tests.builders import World, make_draw, make_overdraw, make_view
from tests.service.harness import TOKEN, Desk, make_desk, refused
from zkcore.operations import REGULATOR


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """What the service logged, as it would be written."""
    formatter = JsonFormatter()
    return [json.loads(formatter.format(record)) for record in caplog.records if record.name.startswith("tradeveil")]


def test_requests_beyond_the_bound_are_told_to_come_back(world: World, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_desk(world, database, maximum_requests=2) as desk:
        ready, entered, go_on = reading.ready, [Event(), Event()], Event()

        def slow(verifier: object) -> object:
            next(event for event in entered if not event.is_set()).set()
            assert go_on.wait(30)
            return ready(verifier)  # type: ignore[arg-type]

        monkeypatch.setattr(reading, "ready", slow)
        with ThreadPoolExecutor(2) as pool:
            first = [pool.submit(desk.get, "/v1/ready")]
            assert entered[0].wait(30)
            first.append(pool.submit(desk.get, "/v1/ready"))
            assert entered[1].wait(30)
            response = desk.get("/v1/parameters")
            refused(response, problems.UNAVAILABLE)
            assert response.headers["Retry-After"] == "1"
            assert desk.get("/v1/health").status_code == 200, "busy, and alive"
            go_on.set()
            assert [future.result().status_code for future in first] == [200, 200]
        assert desk.get("/v1/parameters").status_code == 200


def test_places_are_given_back_after_refusals(world: World, database: str) -> None:
    with make_desk(world, database, maximum_requests=1) as desk:
        for _ in range(3):
            refused(desk.get("/nowhere"), problems.NOT_FOUND)
            refused(desk.post("/v1/financings", b" " * 2_000_000), problems.TOO_LARGE)
        assert desk.get("/v1/health").status_code == 200


def test_a_caller_that_hangs_up_is_no_failure_of_ours(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/financings",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"idempotency-key", b"x" * 16)],
    }
    arriving: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, Any]:
        return next(arriving)

    async def send(message: MutableMapping[str, Any]) -> None:
        pass

    asyncio.run(desk.app(scope, receive, send))
    (line,) = lines(caplog)
    assert (line["event"], line["level"], line["problem"]) == ("request", "info", "malformed-request")


def test_a_log_line_has_the_route_and_the_problem(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    desk.get("/v1/documents/" + encode_base64url(bytes(range(32))))
    desk.get("/nowhere/secret-name")
    found, nowhere = lines(caplog)
    assert set(found) == {"time", "level", "logger", "worker", "event", "method", "route", "status", "problem", "milliseconds"}
    assert (found["route"], found["status"], found["problem"]) == ("/v1/documents/{id}", 404, "document-unknown")
    assert (nowhere["route"], nowhere["status"], nowhere["problem"]) == (None, 404, "not-found")


def test_logs_hold_no_id_key_token_or_body(desk: Desk, world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Over accepted, refused and failing requests."""
    caplog.set_level(logging.DEBUG)
    paper, loan = desk.draw(desk.register(500)[0], 100)
    desk.send_draws([make_overdraw(world, paper, 401)], key="KEY-OF-THE-CALLER-0001")
    desk.send_view(make_view(world, paper))
    desk.send_view(make_view(world, paper, reader=REGULATOR, issued=desk.now + 1_000))
    desk.post("/v1/financings", b'{"lines": ["DO-NOT-LOG-ME"], "DO-NOT-LOG-ME": NaN}')
    desk.export()
    with desk.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM log")
    refused(desk.send_draws([make_draw(world, paper, 5)]), problems.INTERNAL)
    formatter = JsonFormatter()
    records = [record for record in caplog.records if not record.name.startswith("http")]  # The client's own logs are not ours.
    written = "\n".join(formatter.format(record) for record in records)
    assert '"event": "failed"' in written
    for id_ in (paper.state.document, loan.state.draw, loan.state.head):
        assert encode_base64url(id_) not in written
        assert id_.hex() not in written
        assert repr(id_) not in written
    for text in ("DO-NOT-LOG-ME", "KEY-OF-THE-CALLER", TOKEN, "testclient"):
        assert text not in written


def test_an_exception_is_logged_by_type_and_place(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    try:
        raise ValueError("amount 600,000.00")
    except ValueError:
        logging.getLogger("tradeveil.test").exception("failed")
    (line,) = lines(caplog)
    assert line["error"] == "ValueError"
    assert "600,000" not in json.dumps(line)
    assert "test_an_exception_is_logged" in json.dumps(line["at"])


def test_what_the_database_said_is_not_logged_by_its_driver() -> None:
    """psycopg logs errors that it drops, with the rows that they are about."""
    code = (
        "import logging; from service.logs import configure_logs; configure_logs();"
        "logging.getLogger('psycopg').critical('Key (id)=(secret) already exists');"
        "logging.getLogger('uvicorn.error').error('something else')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [json.loads(line)["event"] for line in ran.stderr.splitlines()] == ["something else"]


def test_nothing_secret_prints(desk: Desk) -> None:
    shown = repr(desk.app.state.settings)
    assert TOKEN not in shown
    assert "sqlite" not in shown
