"""A write that is sent again is answered again and done once; a key stands for one request.

A failure would be a second draw, another answer to the same bytes, or an answer to other bytes under the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import httpx
import pytest

from schemas import problems
from schemas.canonical import canonical
from service.gathering import Failed
from service.idempotency import Answer
from service.storage import Storage
from tests.builders import (
    World,
    financing_request,
    make_close,
    make_disburse,
    make_draw,
    make_overdraw,
    make_reduce,
    make_register,
    make_status,
)
from tests.service.harness import BANK, JSON, Desk, refused, unchanged

KEY = "the-key-of-one-request"


def answered_twice(desk: Desk, send: Callable[[], httpx.Response]) -> None:
    """The first answer is repeated, and nothing is done again."""
    first = send()
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    for _ in range(4):
        with unchanged(desk):
            again = send()
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"


def test_every_write_is_replayed(desk: Desk, world: World) -> None:
    """Also when the state has moved on, and when the draft has expired since."""
    document = make_register(world, 500)
    answered_twice(desk, lambda: desk.send_documents([document], key=f"{KEY}-1"))
    paper = document.committed()
    paper = replace(paper, state=desk.verifier.storage.documents([paper.state.document])[paper.state.document])
    draw = make_draw(world, paper, 5)
    answered_twice(desk, lambda: desk.send_draws([draw], key=f"{KEY}-2"))
    paper, loan = draw.committed()
    id_ = loan.state.draw
    loan = replace(loan, state=desk.verifier.storage.draws([id_])[id_])
    disbursement = make_disburse(world, paper, loan)
    answered_twice(desk, lambda: desk.send_steps(disbursement.operation, key=f"{KEY}-5"))
    loan = replace(loan, state=desk.verifier.storage.draws([id_])[id_])
    reduction = make_reduce(world, paper, loan, 5)
    answered_twice(desk, lambda: desk.send_reduction(reduction, key=f"{KEY}-3"))
    state = desk.verifier.storage.draws([id_])[id_]
    close = make_close(world, paper, replace(loan, state=state, outstanding=reduction.rest))
    answered_twice(desk, lambda: desk.send_close(close, key=f"{KEY}-4"))
    change = make_status(world, paper, "frozen")
    answered_twice(desk, lambda: desk.send_status(change, key=f"{KEY}-6"))
    desk.now = draw.operation.draft.expires + 1
    with unchanged(desk):
        assert desk.send_draws([draw], key=f"{KEY}-2").headers["Idempotency-Replayed"] == "true"


def test_a_key_stands_for_one_request(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 5)
    assert desk.send_draws([draw], key=KEY).status_code == 201
    body = canonical(financing_request([draw]))
    others: list[Callable[[], httpx.Response]] = [
        lambda: desk.send_draws([make_draw(world, draw.committed()[0], 5)], key=KEY),
        lambda: desk.post("/v1/financings", body.replace(b",", b", "), key=KEY),  # The same message in other bytes.
    ]
    for send in others:
        with unchanged(desk):
            refused(send(), problems.KEY_REUSED)


def test_a_key_is_its_institutions_own(desk: Desk, world: World) -> None:
    """Another institution that uses the same key gets neither the answer that was given to the first nor a conflict."""
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 5)
    assert desk.send_draws([draw], key=KEY).status_code == 201
    other = desk.admit("another-bank", "bank")
    refused(desk.send_draws([make_draw(world, paper, 6)], key=KEY, signed_by=other), problems.HEADROOM_NOT_PROVEN)
    refused(desk.send_draws([draw], key=KEY, signed_by=other), problems.ALREADY_EXISTS)
    outlet = desk.admit("an-outlet", "bank", parent=BANK)
    assert desk.send_draws([draw], key=KEY, signed_by=outlet).headers["Idempotency-Replayed"] == "true"


def test_a_refused_request_leaves_its_key_free(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    with unchanged(desk):
        refused(desk.send_draws([make_overdraw(world, paper, 501)], key=KEY), problems.HEADROOM_NOT_PROVEN)
    assert desk.send_draws([make_draw(world, paper, 500)], key=KEY).status_code == 201


@pytest.mark.parametrize(
    "key", [None, "", "short", "x" * 65, "spaces are not allowed", "umlauts-are-not-ä", "nul-\x00-is-not-either"]
)
def test_a_write_needs_a_key(desk: Desk, key: str | None) -> None:
    """A key that cannot even stand in a signature is refused with the signature."""
    headers: list[tuple[bytes, bytes]] = [(name.encode(), value.encode()) for name, value in JSON.items()]
    if key is not None:
        headers.append((b"Idempotency-Key", key.encode("utf-8")))
    of_document = [f"/v1/documents/{'A' * 43}/{change}" for change in ("status", "amendments", "overdrawn")]
    for path in ("/v1/documents", "/v1/financings", "/v1/steps", *of_document):
        with unchanged(desk):
            signable = key is None or (key.isascii() and key.isprintable())
            auth = desk.client.auth if signable else None
            expected = problems.KEY_MISSING if signable else problems.SIGNATURE_INVALID
            refused(desk.client.post(path, content=b"{}", headers=headers, auth=auth), expected)


def test_while_a_request_is_worked_on(desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes under its key is told to wait, and the key is free again when the work is done, well or badly."""
    paper = desk.register(500)[0]
    draw, started, go_on, commit = make_draw(world, paper, 5), Event(), Event(), Storage.commit_all

    def slow(*arguments: object) -> object:
        started.set()
        assert go_on.wait(30)
        return commit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Storage, "commit_all", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(desk.send_draws, [draw], KEY)
        assert started.wait(30)
        response = desk.send_draws([draw], key=KEY)
        refused(response, problems.IN_FLIGHT)
        assert response.headers["Retry-After"] == "1"
        go_on.set()
        assert first.result().status_code == 201
    assert desk.send_draws([draw], key=KEY).headers["Idempotency-Replayed"] == "true"
    assert len(desk.dump()["draws"]) == 1


def test_a_crowd_of_resends_is_one_draw(desk: Desk, world: World) -> None:
    """Story 2: the same request five times at once; each is answered or told to wait, and there is one draw."""
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 5)
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: desk.send_draws([draw], key=KEY), range(5)))
    done = [answer for answer in answers if answer.status_code == 201]
    assert done
    assert len({answer.content for answer in done}) == 1
    for answer in answers:
        if answer.status_code != 201:
            refused(answer, problems.IN_FLIGHT)
    assert len(desk.dump()["draws"]) == 1


def test_two_processes_that_get_the_same_request(desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process committed it between our reading and our writing: we find its answer and give it."""
    paper = desk.register(500)[0]
    draw, commit = make_draw(world, paper, 5), Storage.commit_all
    answer: list[Answer | Failed] = []

    def outrun(*arguments: object) -> object:
        """The other process commits the same plan under the same key, then we try."""
        if not answer:
            answer.extend(commit(*arguments))  # type: ignore[arg-type]
        return commit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Storage, "commit_all", outrun)
    response = desk.send_draws([draw], key=KEY)
    assert response.status_code == 201
    assert response.headers["Idempotency-Replayed"] == "true"
    assert isinstance(answer[0], Answer)
    assert response.content == answer[0].body
    assert len(desk.dump()["draws"]) == 1


def test_the_key_itself_is_not_kept(desk: Desk, world: World) -> None:
    """A caller may have put a reference of its own into it."""
    desk.send_documents([make_register(world, 500)], key="LOAN-2026-000123-ACME")
    assert "LOAN-2026" not in repr(desk.dump())
