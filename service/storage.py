"""The database: named transactions over the tables of service.tables.

SQLite (the default) and PostgreSQL run the same statements. One transaction, `commit`, writes everything that one request does,
or leaves nothing. It locks the log's single row first, so entries have no gaps, never go back in time, and writers cannot
deadlock; every change of a document or a draw is conditional on the head that its proof was checked against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Table,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    make_url,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from service.idempotency import Answer, RequestKey, replay
from service.metrics import transaction
from service.migrations import migrate, version_of
from service.tables import (
    ANSWERS,
    APPLICATIONS,
    CONSENTS,
    DOCUMENTS,
    DRAWS,
    ENTRIES,
    LOG,
    NONCES,
    application_of_row,
    document_of_row,
    draw_of_row,
    moved_application,
    moved_document,
    moved_draw,
    row_of_application,
    row_of_document,
    row_of_draw,
)
from zkcore.group import Group
from zkcore.ledger import ApplicationState, DocumentState, DrawState
from zkcore.ledger.state import RESERVED

_LOCK_WAIT_MILLISECONDS = 5_000
_WRITES = "tradeveil_writes"
_NAME = "tradeveil_name"


class Moved(Exception):
    """What a transaction was planned on is not so any more: another one was faster. Read again and start over."""


class NonceSeen(Exception):
    """This nonce was used before."""


@dataclass(frozen=True)
class Changes:
    """Everything that one request writes.

    entries: (document, canonical bytes) in order
    registered: the new documents, the i-th by the i-th entry
    drawn: the new draws
    documents, draws, applications: (the head it was proven for, the state afterwards)
    applied: the new applications
    consents: (document, application) that are now used
    answer: the answer's body, given the index of the first entry
    """

    entries: Sequence[tuple[bytes, bytes]]
    answer: Callable[[int], BaseModel]
    registered: Sequence[DocumentState] = ()
    drawn: Sequence[DrawState] = ()
    documents: Sequence[tuple[bytes, DocumentState]] = ()
    draws: Sequence[tuple[bytes, DrawState]] = ()
    applications: Sequence[tuple[bytes, ApplicationState]] = ()
    applied: Sequence[ApplicationState] = ()
    consents: Sequence[tuple[bytes, bytes]] = ()


Plan = Callable[[int], Changes]
"""What to write, given the time of the entries. Called while the log is locked: it computes, and verifies no proof."""


class Storage:
    """One database."""

    def __init__(self, engine: Engine, group: Group) -> None:
        self._group = group
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITES: True})
        # A view of several rows is of one moment: SQLite gives that to any transaction, PostgreSQL from this level on.
        snapshots = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._reader = engine.execution_options(**snapshots)

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()

    @contextmanager
    def reading(self, name: str) -> Iterator[Connection]:
        with transaction(name), self._reader.connect() as connection, connection.execution_options(**{_NAME: name}).begin():
            yield connection

    @contextmanager
    def writing(self, name: str) -> Iterator[Connection]:
        with transaction(name), self._writer.connect() as connection, connection.execution_options(**{_NAME: name}).begin():
            yield connection

    # --- reading ----------------------------------------------------------------------------------------------------------

    def size(self) -> int:
        """How many entries the log has."""
        with self.reading("size") as connection:
            return int(connection.scalar(select(LOG.c.size)) or 0)

    def answer(self, key: RequestKey) -> Answer | None:
        """What was answered to this request before. Raises Refusal when its key was used for another request."""
        with self.reading("answer") as connection:
            row = connection.execute(select(ANSWERS).where(ANSWERS.c.id == key.digest)).one_or_none()
        return None if row is None else replay(key, row.fingerprint, row.body)

    def documents(self, ids: Sequence[bytes]) -> dict[bytes, DocumentState]:
        """Those of the documents that there are."""
        with self.reading("documents") as connection:
            rows = connection.execute(select(DOCUMENTS).where(DOCUMENTS.c.id.in_(ids))).mappings().all()
        return {row["id"]: document_of_row(self._group, row) for row in rows}

    def draws(self, ids: Sequence[bytes]) -> dict[bytes, DrawState]:
        """Those of the draws that there are."""
        with self.reading("draws") as connection:
            rows = connection.execute(select(DRAWS).where(DRAWS.c.id.in_(ids))).mappings().all()
        return {row["id"]: draw_of_row(self._group, row) for row in rows}

    def applications(self, ids: Sequence[bytes]) -> dict[bytes, ApplicationState]:
        """Those of the applications, by the ids of their draws, that there are."""
        with self.reading("applications") as connection:
            rows = connection.execute(select(APPLICATIONS).where(APPLICATIONS.c.id.in_(ids))).mappings().all()
        return {row["id"]: application_of_row(self._group, row) for row in rows}

    def expired_draws(self, now: int, limit: int) -> list[bytes]:
        """Reservations whose time is over, the longest over first, at most `limit` of them."""
        wanted = select(DRAWS.c.id).where(DRAWS.c.stage == RESERVED, DRAWS.c.expires < now)
        with self.reading("expired_draws") as connection:
            return list(connection.scalars(wanted.order_by(DRAWS.c.expires).limit(limit)))

    def draws_among(self, ids: Sequence[bytes]) -> set[bytes]:
        """Those of the ids that are a draw's."""
        with self.reading("draws_among") as connection:
            return set(connection.scalars(select(DRAWS.c.id).where(DRAWS.c.id.in_(ids))))

    def consents_among(self, pairs: Sequence[tuple[bytes, bytes]]) -> set[tuple[bytes, bytes]]:
        """Those of the (document, application) whose consent was used."""
        if not pairs:
            return set()
        key = tuple_(CONSENTS.c.document, CONSENTS.c.application)
        with self.reading("consents_among") as connection:
            rows = connection.execute(select(CONSENTS.c.document, CONSENTS.c.application).where(key.in_(pairs)))
            return {(row.document, row.application) for row in rows}

    def registration(self, document: bytes) -> bytes | None:
        """The entry that registered a document, or None when there is none."""
        joined = ENTRIES.join(DOCUMENTS, DOCUMENTS.c.registered_at == ENTRIES.c.position)
        with self.reading("registration") as connection:
            return connection.scalar(select(ENTRIES.c.data).select_from(joined).where(DOCUMENTS.c.id == document))

    def history(self, document: bytes) -> tuple[DocumentState, list[bytes]]:
        """A document as it stands and its entries in order, both of one moment."""
        with self.reading("history") as connection:
            row = connection.execute(select(DOCUMENTS).where(DOCUMENTS.c.id == document)).mappings().one()
            wanted = select(ENTRIES.c.data).where(ENTRIES.c.document == document).order_by(ENTRIES.c.position)
            entries = list(connection.scalars(wanted))
        return document_of_row(self._group, row), entries

    def entries(self, start: int, limit: int) -> tuple[int, list[tuple[int, bytes]]]:
        """The size of the log, and at most `limit` entries from index `start` on."""
        wanted = select(ENTRIES.c.position, ENTRIES.c.data).where(ENTRIES.c.position >= start)
        with self.reading("entries") as connection:
            size = int(connection.scalar(select(LOG.c.size)) or 0)
            rows = connection.execute(wanted.order_by(ENTRIES.c.position).limit(limit)).all()
        return size, [(row.position, row.data) for row in rows]

    # --- writing ----------------------------------------------------------------------------------------------------------

    def begin_log(self, genesis: bytes, time: int) -> None:
        """Make the tables and the first entry."""
        with self.writing("begin_log") as connection:
            migrate(connection)
            connection.execute(insert(ENTRIES).values(position=0, document=None, data=genesis))
            connection.execute(insert(LOG).values(id=1, size=1, time=time))

    def holds_log(self) -> bool:
        """Whether a log was begun here."""
        return inspect(self._engine).has_table(LOG.name)

    def version(self) -> int:
        """The version of the tables; 0 where there are none."""
        with self.reading("version") as connection:
            return version_of(connection)

    def migrate(self) -> None:
        """Move the tables to the version of this code, all or nothing, while services of the version before go on."""
        with self.writing("migrate") as connection:
            migrate(connection)

    def remember_nonce(self, nonce: bytes, now: int, life: int) -> None:
        """Keep a nonce for `life` seconds at least. Raises NonceSeen when it is kept already."""
        try:
            with self.writing("remember_nonce") as connection:
                connection.execute(delete(NONCES).where(NONCES.c.seen < now - life))
                connection.execute(insert(NONCES).values(nonce=nonce, seen=now))
        except IntegrityError as error:
            raise NonceSeen from error

    def commit(self, key: RequestKey, now: int, plan: Plan) -> Answer:
        """Write all that the plan says with the answer to the request, durably, or nothing.

        Raises Moved when a head is not the one of the plan, or an id is taken by now; whatever the plan raises passes.
        """
        try:
            with self.writing("commit") as connection:
                log = connection.execute(select(LOG.c.size, LOG.c.time).with_for_update()).one()
                time = max(now, log.time)
                changes = plan(time)
                body = changes.answer(log.size).model_dump_json().encode("utf-8")
                _apply(connection, changes, log.size)
                connection.execute(update(LOG).values(size=log.size + len(changes.entries), time=time))
                connection.execute(insert(ANSWERS).values(id=key.digest, fingerprint=key.fingerprint, body=body))
        except IntegrityError as error:
            raise Moved from error
        return Answer(body)


def _apply(connection: Connection, changes: Changes, first: int) -> None:
    """The log's entries from index `first` on, and the states that follow from them."""
    for head, document in changes.documents:
        _move(connection, DOCUMENTS, document.document, head, moved_document(document))
    for head, draw in changes.draws:
        _move(connection, DRAWS, draw.draw, head, moved_draw(draw))
    for head, application in changes.applications:
        _move(connection, APPLICATIONS, application.draw, head, moved_application(application))
    _refuse_crossed(connection, changes)
    numbered = enumerate(changes.entries, first)
    _add(connection, ENTRIES, [{"position": i, "document": document, "data": data} for i, (document, data) in numbered])
    _add(connection, DOCUMENTS, [row_of_document(document, i) for i, document in enumerate(changes.registered, first)])
    _add(connection, DRAWS, [row_of_draw(draw) for draw in changes.drawn])
    _add(connection, APPLICATIONS, [row_of_application(application) for application in changes.applied])
    _add(connection, CONSENTS, [{"document": document, "application": used} for document, used in changes.consents])


def _refuse_crossed(connection: Connection, changes: Changes) -> None:
    """A draw and an application of one id belong together: neither is new when the other came in between. Raises Moved."""
    followed = {application.draw for _, application in changes.applications}
    drawn = [draw.draw for draw in changes.drawn if draw.draw not in followed]
    applied = [application.draw for application in changes.applied]
    for table, ids in ((APPLICATIONS, drawn), (DRAWS, applied)):
        if ids and connection.execute(select(table.c.id).where(table.c.id.in_(ids)).limit(1)).first() is not None:
            raise Moved


def _move(connection: Connection, table: Table, identifier: bytes, head: bytes, values: dict[str, Any]) -> None:
    """Change a row if its head is still the one that was proven. Raises Moved otherwise."""
    conditional = update(table).where(table.c.id == identifier, table.c.head == head).values(values)
    if connection.execute(conditional).rowcount != 1:
        raise Moved


def _add(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)


# --- opening --------------------------------------------------------------------------------------------------------------


def database_address(url: str) -> URL:
    """The address as SQLAlchemy takes it; `postgresql://` gets the driver that is installed."""
    address = make_url(url)
    return address.set(drivername="postgresql+psycopg") if address.drivername == "postgresql" else address


def open_storage(url: str, group: Group, workers: int) -> Storage:
    """The database at this URL (`sqlite:///…` or `postgresql://…`), with a connection for each worker."""
    options: dict[str, Any] = {"pool_size": workers, "max_overflow": 0, "pool_timeout": 10, "hide_parameters": True}
    address = database_address(url)
    if address.get_backend_name() != "sqlite":
        options |= {"isolation_level": "READ COMMITTED", "pool_pre_ping": True}
    engine = create_engine(address, **options)
    event.listen(engine, "before_cursor_execute", _name_statement, retval=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return Storage(engine, group)


def _name_statement(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    """Append the name of its transaction to every statement, so that the database's own statistics show it."""
    name = connection.get_execution_options().get(_NAME)
    return (statement if name is None else f"{statement} /* {name} */"), parameters


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Durable before acknowledged, readers that never wait, foreign keys, and transactions that we begin ourselves."""
    connection.isolation_level = None
    for pragma in (f"busy_timeout={_LOCK_WAIT_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that will write takes the write lock at once: one that took it later could find its snapshot stale."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
