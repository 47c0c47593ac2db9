"""A service that is killed (SIGKILL) at random moments under load and started again: nothing is lost, nothing is half there.

Banks commit financings of two draws each and send a request again, as it was, until it is answered. Must hold: every
acknowledged draw is there, once; no financing is there by half; what was answered before a kill is answered the same after it.
A failure would be a draw acknowledged and gone, two draws where one was asked for, or a database that a kill leaves unusable.

Three kills in every run; TRADEVEIL_KILLS=100 for more.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

import httpx

from schemas.answers import FinancingAnswer, RegistrationAnswer
from schemas.canonical import canonical
from service.storage import open_storage
from tests.builders import Paper, World, financing_request, make_draw, make_register, opens_to, registration_request
from tests.service.harness import JSON, SignedByRole, begin_anew, free_port, make_directory, process

KILLS = int(os.environ.get("TRADEVEIL_KILLS", "3"))
BANKS = 3
LIMIT = 1_000_000
SIGNED = SignedByRole(lambda: int(time.time()))
LONGEST_LIFE = 0.6
"""Seconds that a service lives, at most: every other one from when it is ready, the others from when a bank was answered."""
PATIENCE = 300
"""Seconds that a request is sent again before the test fails: through all the lives that may end before it is answered."""


@dataclass
class Bank:
    """A bank with two documents to draw on, and what it was answered: (key, request, answer) each."""

    name: str
    papers: list[Paper]
    answers: list[tuple[str, bytes, bytes]]
    draws: list[bytes]


def test_what_was_acknowledged_survives_kills(world: World, database: str, tmp_path: Path) -> None:
    begin_anew(world, database)
    make_directory(tmp_path)
    port = free_port()  # which it keeps from life to life
    life = partial(process, tmp_path, "--port", str(port), database=database, patience=10 * PATIENCE, quiet=True)
    with ExitStack() as last, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, auth=SIGNED) as http:
        with life() as (_, ready):
            assert "is served at" in ready
            banks = open_banks(http, world)
        with lending(http, world, banks) as work:
            for kill in range(KILLS):
                with life() as (service, ready):
                    assert "is served at" in ready
                    if kill % 2:
                        wait_for_an_answer(banks, work)
                    time.sleep(random.uniform(0, LONGEST_LIFE))
                    service.kill()
            service, ready = last.enter_context(life())
            assert "is served at" in ready
            time.sleep(LONGEST_LIFE)
        for bank in banks:
            assert bank.answers, "no bank was served at all"
            for key, request, said in bank.answers:
                assert persist(http, "/v1/financings", key, request, replayed=True) == said
        service.terminate()
        assert service.wait(PATIENCE) == 0
    check_database(world, database, banks)


def open_banks(http: httpx.Client, world: World) -> list[Bank]:
    """Banks with two documents each."""
    documents = [make_register(world, LIMIT) for _ in range(2 * BANKS)]
    answer = persist(http, "/v1/documents", "registration-of-all", canonical(registration_request(documents)))
    receipts = RegistrationAnswer.model_validate_json(answer).receipts
    papers = [document.committed(receipt.leaf) for document, receipt in zip(documents, receipts, strict=True)]
    return [Bank(f"bank-{i}", papers[2 * i : 2 * i + 2], [], []) for i in range(BANKS)]


def wait_for_an_answer(banks: list[Bank], work: list[Future[None]]) -> None:
    """So that a machine of any speed is at work when the service is killed. Raises what a bank met with."""
    before, last = sum(len(bank.answers) for bank in banks), time.monotonic() + PATIENCE
    while sum(len(bank.answers) for bank in banks) == before:
        assert time.monotonic() < last, "no bank is answered"
        for ended in work:
            if ended.done():
                ended.result()
        time.sleep(0.01)


@contextmanager
def lending(http: httpx.Client, world: World, banks: list[Bank]) -> Iterator[list[Future[None]]]:
    """Every bank finances, one financing after the other, meanwhile. What it began it ends."""
    over = Event()

    def lend(bank: Bank) -> None:
        while not over.is_set():
            key, expires = f"{bank.name}-request-{len(bank.answers):06}", int(time.time()) + 3_600
            alone = world.alone(key)
            draws = [make_draw(alone, paper, 1 + len(bank.answers), expires=expires) for paper in bank.papers]
            request = canonical(financing_request(draws))
            said = persist(http, "/v1/financings", key, request)
            bank.answers.append((key, request, said))
            receipts = FinancingAnswer.model_validate_json(said).draws
            bank.papers = [draw.committed(own.receipt.leaf)[0] for draw, own in zip(draws, receipts, strict=True)]
            bank.draws += [draw.operation.draft.draw for draw in draws]

    with ThreadPoolExecutor(len(banks)) as pool:
        work = [pool.submit(lend, bank) for bank in banks]
        try:
            yield work
        finally:
            over.set()
        for done in work:
            done.result()


def persist(http: httpx.Client, path: str, key: str, request: bytes, replayed: bool | None = None) -> bytes:
    """Send a request until it is accepted. Anything but silence and `come again` on the way fails the test."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        try:
            response = http.post(path, content=request, headers={**JSON, "Idempotency-Key": key})
        except httpx.TransportError:
            time.sleep(0.02)
            continue
        if response.status_code == 201:
            assert replayed is None or ("Idempotency-Replayed" in response.headers) == replayed
            return response.content
        # 409 only while the service still works on the first sending of this very request.
        assert response.status_code == 503 or "request-in-flight" in response.text, response.text
        time.sleep(0.02)
    raise AssertionError("the service does not come back")


def check_database(world: World, database: str, banks: list[Bank]) -> None:
    """Documents, draws and entries are what the banks were told, and nothing else."""
    storage = open_storage(database, world.suite.group, workers=1)
    for bank in banks:
        for paper in bank.papers:
            state = storage.documents([paper.state.document])[paper.state.document]
            assert state == paper.state
            assert opens_to(world, state.residual, paper.headroom)
    drawn = [draw for bank in banks for draw in bank.draws]
    assert storage.draws(drawn).keys() == set(drawn)
    assert storage.size() == 1 + 2 * BANKS + len(drawn)
    size, entries = storage.entries(0, storage.size() + 1)
    assert [index for index, _ in entries] == list(range(size))
    storage.close()
