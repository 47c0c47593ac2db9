"""A write happens whole or not at all, wherever it breaks off; and what was acknowledged is on disk.

An exception is raised at every statement of the transaction in turn, and at its commit. A failure would be a row that stays, a
request that cannot be sent again, or an answer that says more than that it failed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from schemas import problems
from schemas.problems import ProblemType
from service import statements
from tests.builders import (
    World,
    make_amend,
    make_apply,
    make_close,
    make_disburse,
    make_draw,
    make_reduce,
    make_register,
    make_view,
)
from tests.service.harness import Desk, refused, unchanged

Send = Callable[[], httpx.Response]


class Broken(Exception):
    """What is raised; its message must not reach anybody."""


def engine_of(desk: Desk) -> Engine:
    engine: Engine = desk.verifier.storage._engine
    return engine


@contextmanager
def breaking(desk: Desk, at: int, error: Exception) -> Iterator[list[str]]:
    """Raise at the `at`-th statement (from 0) of the transactions that write, however many there are."""
    seen: list[str] = []
    run = statements._run

    def statement(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        if connection.get_execution_options().get("tradeveil_writes"):
            seen.append(sql)
            if len(seen) == at + 1:
                raise error

    def run_by_driver(connection: Any, sql: str, parameters: Any) -> Any:
        statement(connection, None, sql)
        return run(connection, sql, parameters)

    event.listen(engine_of(desk), "before_cursor_execute", statement)
    try:
        with patch.object(statements, "_run", run_by_driver):
            yield seen
    finally:
        event.remove(engine_of(desk), "before_cursor_execute", statement)


@contextmanager
def breaking_at_commit(desk: Desk, error: Exception) -> Iterator[None]:
    """Raise when a transaction that has written is about to commit."""
    run = statements._run

    def commit(connection: Any) -> None:
        if connection.get_execution_options().get("tradeveil_writes"):
            raise error

    def run_by_driver(connection: Any, sql: str, parameters: Any) -> Any:
        if sql == "COMMIT":
            raise error
        return run(connection, sql, parameters)

    event.listen(engine_of(desk), "commit", commit)
    try:
        with patch.object(statements, "_run", run_by_driver):
            yield
    finally:
        event.remove(engine_of(desk), "commit", commit)


def registration(desk: Desk) -> Send:
    documents = [make_register(desk.world, 5), make_register(desk.world, 6)]
    return lambda: desk.send_documents(documents, key="registration-that-breaks")


def financing(desk: Desk) -> Send:
    first, second = desk.register(500, 500)
    draws = [make_draw(desk.world, first, 5), make_draw(desk.world, second, 6, consented=True)]
    return lambda: desk.send_draws(draws, key="financing-that-breaks")


def reduction(desk: Desk) -> Send:
    paper, loan = desk.lend(desk.register(500)[0], 100)
    operation = make_reduce(desk.world, paper, loan, 60)
    return lambda: desk.send_reduction(operation, key="reduction-that-breaks")


def disbursements(desk: Desk) -> Send:
    papers = desk.register(500, 500)
    loans = [desk.draw(paper, 100) for paper in papers]
    operations = [
        make_disburse(desk.world, paper, loan, rest).operation for (paper, loan), rest in zip(loans, (0, 40), strict=True)
    ]
    return lambda: desk.send_steps(*operations, key="disbursements-that-break")


def application(desk: Desk) -> Send:
    operation = make_apply(desk.world, desk.register(500)[0]).operation
    return lambda: desk.send_steps(operation, key="application-that-breaks")


def amendment(desk: Desk) -> Send:
    operation = make_amend(desk.world, desk.register(500)[0], 500, 400).operation
    return lambda: desk.send_amendment(operation, key="amendment-that-breaks")


def closure(desk: Desk) -> Send:
    paper, loan = desk.lend(desk.register(500)[0], 100)
    paper, loan = desk.reduce(make_reduce(desk.world, paper, loan, 100), paper, loan)
    operation = make_close(desk.world, paper, loan)
    return lambda: desk.send_close(operation, key="closure-that-breaks")


WRITES: dict[Callable[[Desk], Send], int] = {
    registration: 5,
    financing: 8,
    application: 5,
    disbursements: 8,
    reduction: 6,
    closure: 5,
    amendment: 5,
}
"""Each kind of write, and at how many statements at least it must have been broken off."""


@pytest.mark.parametrize("prepare", WRITES)
def test_a_write_that_breaks_anywhere_leaves_nothing(desk: Desk, prepare: Callable[[Desk], Send]) -> None:
    send, at = prepare(desk), 0
    while True:
        with breaking(desk, at, Broken("a secret")) as seen:
            before = desk.kept()
            response = send()
        if len(seen) <= at:
            break
        refused(response, problems.INTERNAL)
        assert "secret" not in response.text
        assert desk.kept() == before, seen[-1]
        at += 1
    assert at >= WRITES[prepare]
    assert response.status_code == 201
    assert "Idempotency-Replayed" not in response.headers


@pytest.mark.parametrize("prepare", WRITES)
@pytest.mark.parametrize(
    "error, expected",
    [
        (Broken(), problems.INTERNAL),
        (OperationalError("COMMIT", {}, Exception("disk I/O error")), problems.UNAVAILABLE),
        (PoolTimeout(), problems.UNAVAILABLE),
    ],
)
def test_a_commit_that_fails_leaves_nothing(
    desk: Desk, prepare: Callable[[Desk], Send], error: Exception, expected: ProblemType
) -> None:
    send = prepare(desk)
    with unchanged(desk), breaking_at_commit(desk, error):
        response = send()
    refused(response, expected)
    assert response.headers.get("Retry-After") == ("1" if expected is problems.UNAVAILABLE else None)
    assert send().status_code == 201


def test_a_view_whose_nonce_cannot_be_kept_is_not_answered(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    view = make_view(world, paper)
    for at in (0, 1):
        with unchanged(desk), breaking(desk, at, Broken()):
            refused(desk.send_view(view), problems.INTERNAL)
    assert desk.send_view(view).status_code == 200


def sqlite_file(desk: Desk) -> Path:
    """The database's file; these tests are about SQLite."""
    if desk.database.dialect.name != "sqlite":
        pytest.skip("for SQLite alone")
    return Path(str(desk.database.url.database))


def test_a_locked_database_is_a_problem_of_now(desk: Desk, world: World) -> None:
    file = sqlite_file(desk)
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 5)
    for connection in [engine_of(desk).connect() for _ in range(8)]:  # Every connection that the service will use.
        connection.exec_driver_sql("PRAGMA busy_timeout=20")
        connection.close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with unchanged(desk):
        response = desk.send_draws([draw])
    refused(response, problems.UNAVAILABLE)
    assert response.headers["Retry-After"] == "1"
    assert desk.get("/v1/ready").status_code == 200, "readers do not wait for writers"
    other.execute("ROLLBACK")
    other.close()
    assert desk.send_draws([draw]).status_code == 201


def test_every_connection_is_durable_and_checks_references(desk: Desk) -> None:
    sqlite_file(desk)
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    for connection in [engine_of(desk).connect() for _ in range(8)]:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected}
        connection.close()
        assert found == expected


def test_what_was_acknowledged_is_in_the_file_of_a_killed_process(desk: Desk, world: World, tmp_path: Path) -> None:
    """The files as they are at the moment of the answer, copied while the service runs, hold the draw and its answer."""
    file = sqlite_file(desk)
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 5)
    assert desk.send_draws([draw]).status_code == 201
    copy = tmp_path / "copy"
    copy.mkdir()
    for part in file.parent.glob("service.db*"):
        if not part.name.endswith("-shm"):
            (copy / part.name).write_bytes(part.read_bytes())
    with sqlite3.connect(copy / file.name) as connection:
        assert connection.execute("SELECT id FROM draws").fetchall() == [(draw.operation.draft.draw,)]
        assert connection.execute("SELECT count(*) FROM answers").fetchone() == (2,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_row_that_makes_no_sense_is_our_failure_and_not_the_callers(desk: Desk, world: World) -> None:
    """A point that was damaged in the database must not be answered as a malformed request."""
    paper = desk.register(500)[0]
    draw = make_draw(world, paper, 5)
    with desk.database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE documents SET owner = zeroblob(33)"
            if desk.database.dialect.name == "sqlite"
            else "UPDATE documents SET owner = decode(repeat('00', 33), 'hex')"
        )
    with unchanged(desk):
        refused(desk.send_draws([draw]), problems.INTERNAL)


def test_constraints_hold_when_the_code_does_not(desk: Desk, world: World) -> None:
    """The database itself refuses a head of another length, a second row of the log, and a draw on no document."""
    desk.register(500)
    statements = [
        "UPDATE documents SET head = 'short'",
        "UPDATE documents SET draws = -1",
        "INSERT INTO log (id, size, time) VALUES (2, 0, 0)",
        "UPDATE documents SET registered_at = 99",
    ]
    with engine_of(desk).connect() as connection:
        for statement in statements:
            with pytest.raises(Exception, match=r"(?i)constraint"):
                connection.exec_driver_sql(statement)
            connection.rollback()


def test_after_a_failure_everything_can_be_done_as_if_nothing_had_been(desk: Desk, world: World) -> None:
    first, second = desk.register(500, 500)
    draws = [make_draw(world, paper, 500) for paper in (first, second)]
    with breaking(desk, 3, Broken()):
        refused(desk.send_draws(draws), problems.INTERNAL)
    assert [paper.headroom for paper, _ in desk.finance(*draws)] == [0, 0]
