"""The statements of every write, as each database runs them.

They are run by the database's driver and not by SQLAlchemy, and on PostgreSQL over arrays: what SQLAlchemy would have seen to
must hold all the same. A failure would be a value that is not stored as it was given, a change of a row that has moved counted
as done, an error that nobody knows, or a connection that is used on after it was lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from service import storage as storage_
from service.institutions import registry
from service.institutions.tables import COUNTERS
from service.statements import Statement, addition, among, move
from service.storage import Storage
from service.tables import DRAWS, ENTRIES, MOVED_COLUMNS, NONCES
from tests.service.harness import Desk

ADDED, MOVED = addition(ENTRIES), move(DRAWS, MOVED_COLUMNS[DRAWS])
FOUND = Statement(
    "entries", lambda dialect: select(ENTRIES).where(among(dialect, ENTRIES.c.document, "of")).order_by(ENTRIES.c.position)
)
DRAW = Statement("draw", lambda dialect: select(DRAWS.c.id, DRAWS.c.stage).order_by(DRAWS.c.id))
HARD = [b"", b"\x00", b"\\x00", b"{}", b'","', b"\xff" * 3, b"NULL", bytes(range(256)) * 40]


class Undone(Exception):
    """Ends a transaction of which nothing is to stay."""


@pytest.fixture
def storage(desk: Desk) -> Storage:
    return desk.verifier.storage


@pytest.fixture
def document(desk: Desk) -> bytes:
    """One that draws may name."""
    return desk.register(500)[0].state.document


@pytest.fixture
def connection(storage: Storage) -> Iterator[Connection]:
    """In a transaction that is undone."""
    with suppress(Undone), storage.writing("test") as connection:
        yield connection
        raise Undone


def entries(count: int) -> list[dict[str, Any]]:
    """Rows whose bytes are what a careless encoding would not give back."""
    return [
        {"position": (1 << 53) + i, "document": i.to_bytes(32), "data": HARD[i % len(HARD)] + bytes([i])} for i in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 64])
def test_rows_are_found_as_they_were_given(connection: Connection, count: int) -> None:
    rows = entries(count)
    assert ADDED.change(connection, rows).rows == count
    assert FOUND.ask(connection, {"of": [row["document"] for row in rows]}) == [tuple(row.values()) for row in rows]


def test_nothing_is_among_none(connection: Connection) -> None:
    ADDED.change(connection, entries(3))
    assert FOUND.ask(connection, {"of": []}) == []
    assert [row[0] for row in FOUND.ask(connection, {"of": [(1).to_bytes(32), b"another"]})] == [(1 << 53) + 1]


def test_a_null_stays_one(connection: Connection) -> None:
    ADDED.change(connection, [{**entries(1)[0], "document": None}, *entries(2)[1:]])
    wanted = Statement("null", lambda dialect: select(ENTRIES.c.document).where(ENTRIES.c.position >= bindparam("first")))
    assert set(wanted.ask(connection, {"first": 1 << 53})) == {(None,), ((1).to_bytes(32),)}


def draw(identifier: bytes, document: bytes) -> dict[str, Any]:
    fixed = {"id": identifier, "document": document, "draw_key": b"\x02" * 33, "expires": 1}
    return {**fixed, "outstanding": b"\x02" * 99, "head": identifier, "stage": "reserved"}


def test_only_rows_with_the_head_that_was_named_are_moved(document: bytes, connection: Connection) -> None:
    addition(DRAWS).change(connection, [draw(b"a" * 32, document), draw(b"b" * 32, document)])
    after = {"outstanding": b"\x03" * 99, "head": b"n" * 32, "stage": "settled"}
    both = [{"of_id": name * 32, "of_head": head * 32, **after} for name, head in ((b"a", b"a"), (b"b", b"x"))]
    assert MOVED.change(connection, both).rows == 1
    assert DRAW.ask(connection) == [(b"a" * 32, "settled"), (b"b" * 32, "reserved")]
    assert MOVED.change(connection, both).rows == 0


def test_changes_are_counted_once_a_later_answer_is_there(document: bytes, storage: Storage) -> None:
    after = {"outstanding": b"\x03" * 99, "head": b"n" * 32, "stage": "settled"}
    with storage.writing_at_once("test") as connection:
        added = addition(DRAWS).change(connection, [draw(b"a" * 32, document), draw(b"b" * 32, document)])
        moved = MOVED.change(connection, [{"of_id": b"a" * 32, "of_head": b"a" * 32, **after}])
        missed = MOVED.change(connection, [{"of_id": b"a" * 32, "of_head": b"a" * 32, **after}])
        drawn = DRAW.send(connection)
        ADDED.change(connection, entries(1))
        assert drawn() == [(b"a" * 32, "settled"), (b"b" * 32, "reserved")]
        assert (added.rows, moved.rows, missed.rows) == (2, 1, 0)
    with storage.asking("test") as connection:
        assert FOUND.ask(connection, {"of": [entries(1)[0]["document"]]})


def test_a_transaction_at_once_leaves_nothing_of_what_failed(storage: Storage) -> None:
    before = storage.size()
    for fail in (Undone(), None):
        with suppress(Undone, IntegrityError), storage.writing_at_once("test") as connection:
            ADDED.change(connection, entries(2))
            if fail is not None:
                raise fail
            ADDED.change(connection, entries(1))
    with storage.writing_at_once("test") as connection:
        assert FOUND.ask(connection, {"of": [row["document"] for row in entries(2)]}) == []
    assert storage.size() == before


def test_whoever_is_told_of_a_rollback_is_not_told_of_a_commit(storage: Storage, server_database: str | None) -> None:
    """PostgreSQL answers COMMIT by ROLLBACK, without an error, where a statement has failed before and nobody looked."""
    if server_database is None:
        pytest.skip("for PostgreSQL: tools/with-postgres pytest …")
    wrong = Statement("wrong", lambda dialect: text("SELECT 1 / 0"))

    def write() -> None:
        with storage.writing_at_once("test") as connection:
            ADDED.change(connection, entries(1))
            with suppress(DBAPIError):
                wrong.ask(connection)
            driver: Any = connection.connection.driver_connection
            driver._pipeline._enqueue_sync()  # after which the server listens again

    with pytest.raises(OperationalError, match="not committed"):
        write()


def test_what_a_crash_may_take_back_does_not_wait_for_the_disk_and_all_else_does(
    storage: Storage, server_database: str | None
) -> None:
    asked = "PRAGMA synchronous" if server_database is None else "SHOW synchronous_commit"
    normal, full = (1, 2) if server_database is None else ("off", "on")
    for _ in range(2):
        with storage.noting("test") as connection:
            assert connection.exec_driver_sql(asked).scalar() == normal
        for writing in (storage.writing, storage.writing_at_once):
            with writing("test") as connection:
                (found,) = Statement("asked", lambda dialect: text(asked)).ask(connection)
                assert found[0] in (full, str(full).encode())


def test_a_string_is_never_cut(storage: Storage) -> None:
    """PostgreSQL cuts what is cast to a shorter type without a word. Refused or, by SQLite, kept whole."""
    with suppress(Undone, DataError), storage.writing("test") as connection:
        rows = [{"institution": b"i" * 32, "what": "w" * 33, "window_start": 0, "used": 1}]
        addition(COUNTERS).change(connection, rows)
        assert ("w" * 33,) in Statement("what", lambda dialect: select(COUNTERS.c.what)).ask(connection)
        raise Undone


def test_rows_of_other_columns_are_refused(connection: Connection) -> None:
    (row,) = entries(1)
    for wrong in ({**row, "time": 1}, {name: value for name, value in row.items() if name != "data"}):
        with pytest.raises(ValueError, match="exactly the columns data, document, position"):
            ADDED.change(connection, [row, wrong])


@pytest.mark.parametrize("inside", [False, True])
def test_a_row_that_is_there_already_is_an_error_that_all_know(storage: Storage, inside: bool) -> None:
    before = storage.size()
    rows = entries(2)

    def write(connection: Connection) -> None:
        ADDED.change(connection, rows)
        ADDED.change(connection, rows[:1])
        addition(NONCES).change(connection, [{"nonce": b"n" * 16, "seen": 1}])

    with pytest.raises(IntegrityError), (storage.writing_at_once if inside else storage.writing)("test") as connection:
        write(connection)
    with storage.asking("test") as connection:
        assert FOUND.ask(connection, {"of": [row["document"] for row in rows]}) == []
    assert storage.size() == before


def test_an_error_while_rows_come_is_one_that_all_know(storage: Storage) -> None:
    """Both databases find out about the second row only after they have found the first."""
    texts = {
        "sqlite": "SELECT CASE column1 WHEN 2 THEN json(column2) END FROM (VALUES (1, '{}'), (2, 'no JSON'))",
        "postgresql": "SELECT 1 / (2 - position) FROM (VALUES (1), (2)) AS given (position)",
    }
    broken = Statement("broken", lambda dialect: text(texts[dialect]))
    with pytest.raises(DBAPIError), storage.asking("test") as connection:
        broken.ask(connection)


def test_a_lost_connection_is_given_up(storage: Storage, server_database: str | None) -> None:
    if server_database is None:
        pytest.skip("for PostgreSQL: tools/with-postgres pytest …")
    before = storage.size()

    given_up = []

    def write() -> None:
        with storage.writing("test") as connection, storage.reading("other") as other:
            (mine,) = connection.exec_driver_sql("SELECT pg_backend_pid()").one()
            other.exec_driver_sql(f"SELECT pg_terminate_backend({mine}, 5000)")
            try:
                ADDED.change(connection, entries(1))
            finally:
                given_up.append(connection.invalidated)

    with pytest.raises(OperationalError) as raised:
        write()
    assert given_up == [True]
    assert raised.value.connection_invalidated
    assert storage.size() == before


def test_rows_are_looked_up_by_index_even_in_small_tables(desk: Desk, storage: Storage, server_database: str | None) -> None:
    """A statement is planned once: in a table that was empty then, a plan that reads all of it would stay when it is full."""
    if server_database is None:
        pytest.skip("for PostgreSQL: tools/with-postgres pytest …")
    desk.draw(desk.register(500)[0], 100)
    with storage.writing("test") as connection:
        connection.exec_driver_sql("ANALYZE")
    every = [storage_._LOOK, storage_._HEADS, registry._KEYS, *storage_._BY_ID.values(), *storage_._MOVES.values()]
    with storage.asking("test") as connection:
        for statement in every:
            text = statement._texts["postgresql"]
            names = [part.partition(")b")[0] for part in text.split("%(")[1:]]
            kinds = {"draws": [1], "taken": [True]} if "SET" in text else {}
            plan = connection.exec_driver_sql(f"EXPLAIN {text}", {name: kinds.get(name, [b"i" * 32]) for name in names})
            lines = [line for (line,) in plan]
            assert lines
            assert not [line for line in lines if "Seq Scan" in line], statement
