"""A database that goes away under load and comes back: callers are told to come again, then go on, and nothing is lost.

The server is crashed, not asked to stop, while banks draw. Must hold: whoever is not answered 201 is answered 503 with
Retry-After; the same request sent again is committed, once; every acknowledged draw is there when all is over, and nothing else
is. A failure would be a 500, a draw acknowledged and gone, one committed twice, or a service that must be restarted with its
database.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

import pytest

from schemas import problems
from schemas.answers import FinancingAnswer
from schemas.messages import FinancingRequest
from service import storage
from tests.builders import World, financing_request, make_draw
from tests.postgres import Server, own_server, where_there_is_postgresql
from tests.service.harness import Desk, accepted, make_desk, refused

BANKS = 4
CRASHES = 3
PATIENCE = 60
"""Seconds that a bank sends a request again before the test fails."""

pytestmark = where_there_is_postgresql


@pytest.fixture
def server() -> Iterator[Server]:
    with own_server() as server:
        yield server


def test_draws_go_on_after_crashes_and_none_is_lost(world: World, server: Server) -> None:
    with make_desk(world, server.url) as desk:
        papers = desk.register(*[1_000_000] * BANKS)
        over = Event()

        def draw_on(number: int) -> tuple[list[bytes], int]:
            """Draw until it is over. Returns the draws acknowledged, and how often the bank was told to come again."""
            paper, made, waited = papers[number], [], 0
            while not over.is_set():
                key = f"bank-{number}-request-{len(made):06}"
                draw = make_draw(world.alone(key), paper, 1 + len(made))
                answer, again = persist(desk, key, financing_request([draw]))
                made.append(draw.operation.draft.draw)
                waited += again
                paper = draw.committed(answer.draws[0].receipt.leaf)[0]
            return made, waited

        with ThreadPoolExecutor(BANKS) as pool:
            banks = [pool.submit(draw_on, number) for number in range(BANKS)]
            try:
                for _ in range(CRASHES):
                    time.sleep(1)
                    server.crash()
                    time.sleep(0.5)
                    server.start()
                time.sleep(1)
            finally:
                over.set()
            results = [bank.result() for bank in banks]

        acknowledged = [draw for made, _ in results for draw in made]
        assert sum(waited for _, waited in results) >= CRASHES
        desk.database.dispose()
        rows = desk.dump()
        assert sorted(row[0] for row in rows["draws"]) == sorted(acknowledged)
        assert len(rows["entries"]) == 1 + BANKS + len(acknowledged)
        assert sorted(row[0] for row in rows["entries"]) == list(range(len(rows["entries"])))


def test_a_connection_that_died_while_it_was_idle_is_replaced(world: World, server: Server) -> None:
    """Nobody is told of an outage that was over before anybody asked for anything."""
    with closing(storage.open_storage(server.url, world.suite.group, workers=1)) as kept:
        assert not kept.holds_log()
        server.crash()
        server.start()
        time.sleep(storage._IDLE_SECONDS + 0.1)
        assert not kept.holds_log()


def persist(desk: Desk, key: str, request: FinancingRequest) -> tuple[FinancingAnswer, int]:
    """Send one request until it is committed, as a bank does. Returns the answer and how often it was told to come again."""
    again, last = 0, time.monotonic() + PATIENCE
    while True:
        response = desk.post("/v1/financings", request, key=key)
        if response.status_code == 201:
            return accepted(response, FinancingAnswer), again
        refused(response, problems.UNAVAILABLE)
        assert int(response.headers["Retry-After"]) >= 1
        assert time.monotonic() < last, "the service does not come back"
        again += 1
        time.sleep(0.1)
