"""Operators see how the service is doing, and nothing of what it is doing it with.

Must hold: every answered request and every transaction is counted under its route or name; labels come from sets that we know,
whatever a caller sends; no id, key, token or address is in any of it. A failure would be a figure that an operator cannot
trust, or a label that a caller can write.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY

from schemas import problems
from tests.builders import World, make_draw, make_reduce
from tests.service.harness import (
    Desk,
    address,
    always_overtaken,
    begin_log,
    free_port,
    make_directory,
    process,
    refused,
)

FINANCINGS = "/v1/financings"


def requests(**labels: str) -> float:
    return REGISTRY.get_sample_value("tradeveil_requests_total", {"problem": "", **labels}) or 0


def test_requests_are_counted_by_route_and_problem(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    labels = {"method": "POST", "route": FINANCINGS}
    accepted, refusals = (
        requests(**labels, status="201"),
        requests(**labels, status="409", problem=problems.HEADROOM_NOT_PROVEN.slug),
    )
    stale = make_draw(world, paper, 20)
    desk.draw(paper, 10)
    refused(desk.send_draws([stale]), problems.HEADROOM_NOT_PROVEN)
    assert requests(**labels, status="201") == accepted + 1
    assert requests(**labels, status="409", problem=problems.HEADROOM_NOT_PROVEN.slug) == refusals + 1
    timed = REGISTRY.get_sample_value("tradeveil_request_seconds_count", labels)
    assert timed is not None
    assert timed >= accepted + refusals + 2


def test_transactions_are_timed_by_name(desk: Desk) -> None:
    def commits() -> float:
        return REGISTRY.get_sample_value("tradeveil_transaction_seconds_count", {"name": "commit"}) or 0

    before = commits()
    desk.register(500)
    assert commits() == before + 1


def test_commits_that_were_overtaken_are_counted(desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken() -> float:
        return REGISTRY.get_sample_value("tradeveil_commits_overtaken_total") or 0

    paper, loan = desk.lend(desk.register(1_000)[0], 400)
    before = overtaken()
    always_overtaken(monkeypatch)
    refused(desk.send_reduction(make_reduce(world, paper, loan, 400)), problems.UNAVAILABLE)
    assert overtaken() > before


def test_callers_write_no_label(desk: Desk) -> None:
    paper = desk.register(500)[0]
    secret = paper.state.document.hex()
    desk.client.request("BREW" + secret[:8].upper(), f"/v1/{secret}")
    desk.client.get(f"/v1/documents/{secret}")
    desk.client.get("/v1/entries", headers={"Authorization": f"Bearer {secret}"})
    labels = {
        (name, value)
        for family in REGISTRY.collect()
        if family.name.startswith("tradeveil_")
        for sample in family.samples
        for name, value in sample.labels.items()
    }
    known = {problem.slug for problem in problems.ALL} | {""}
    for name, value in labels:
        match name:
            case "method":
                assert value in {"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
            case "route":
                assert value == "none" or re.fullmatch(r"/(v1|docs)(/[a-z{}-]+)*", value)
            case "status":
                assert re.fullmatch(r"[1-5]\d\d", value)
            case "problem":
                assert value in known
            case "name":
                assert re.fullmatch(r"[a-z_]+", value)
            case _:
                assert name == "le"


def test_they_are_served_on_a_loopback_port_of_their_own(world: World, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'service.db'}"
    begin_log(world, database)
    make_directory(tmp_path)
    port = free_port()
    with process(tmp_path, "--metrics-port", str(port)) as (_, ready):
        assert httpx.get(f"{address(ready)}/v1/health").status_code == 200
        shown = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        with pytest.raises(httpx.ConnectError):  # an address of this machine that nothing was bound to
            httpx.get(f"http://127.0.0.2:{port}/metrics")
        assert 'tradeveil_requests_total{method="GET",problem="",route="/v1/health",status="200"} 1.0' in shown
        assert httpx.get(f"{address(ready)}/metrics").status_code == 404
        with process(tmp_path, "--metrics-port", str(port)) as (second, _):
            assert second.wait(60) == 2
            assert second.stderr is not None
            assert "--metrics-port" in second.stderr.read()
