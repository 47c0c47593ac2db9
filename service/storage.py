"""The database: named transactions over the tables of service.tables.

SQLite (the default) and PostgreSQL run the same statements, but for how these list ids (service.statements). One transaction,
`commit`, writes everything that requests which come together do (one that comes alone is a group of one), each whole or not at
all. It locks the log's single row first, so entries have no gaps, never go back in time, and writers cannot deadlock; every
change of a document, a draw or an application is conditional on the head that its proof was checked against. Whatever does not
fit concerns only the request it belongs to: what can be known beforehand is looked up before anything of the group is written,
and should the database refuse the rest all the same, nothing of it stays and each request is committed by itself.

What several requests have to look up at the same time is looked up together, too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import (
    URL,
    ColumnElement,
    CompoundSelect,
    Connection,
    Engine,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    inspect,
    make_url,
    select,
    union_all,
    update,
)
from sqlalchemy.exc import DataError, DisconnectionError, IntegrityError

from service.gathering import Failed
from service.idempotency import Answer, RequestKey, replay
from service.institutions.tables import BLOCKS
from service.metrics import transaction
from service.migrations import migrate, version_of
from service.problems import Refusal
from service.statements import Changed, RowsOfTables, Statement, addition, among, at_once, move, name_of
from service.tables import (
    ANSWERS,
    APPLICATIONS,
    CONSENTS,
    DOCUMENTS,
    DRAWS,
    ENTRIES,
    LOG,
    MOVED_COLUMNS,
    NONCES,
    StoredRow,
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
_LARGEST_GROUP = 64
"""Requests whose writes are one transaction, or whose questions one query, at most."""
_WRITES = "tradeveil_writes"
_SINGLE = "tradeveil_single"
_NAME = "tradeveil_name"
_USED = "tradeveil_used"
_IDLE_SECONDS = 1.0
"""For so long a connection is taken to be alive without being asked."""


Work = Callable[[Connection, Sequence[Any]], None]
Row = tuple[str, bytes]
"""The name of its table, and its id."""
S = TypeVar("S")


# Statements of every write. Parameters that are lists of ids are named by their tables.
def _by_id(table: Table) -> Statement:
    return Statement(table.name, lambda dialect: select(table).where(among(dialect, table.c.id, table.name)))


_LOOKED_AT = RowsOfTables(ANSWERS, DOCUMENTS, DRAWS, APPLICATIONS, CONSENTS, BLOCKS)


def _look(dialect: str) -> CompoundSelect[Any]:
    """All that writes rest on; documents as they are named, and those of the draws and applications that are."""

    def of_ids(table: Table) -> ColumnElement[bool]:
        return among(dialect, table.c.id, table.name)

    return _LOOKED_AT.query(
        [
            *((table, [of_ids(table)]) for table in (ANSWERS, DRAWS, APPLICATIONS, DOCUMENTS)),
            (DOCUMENTS, [DOCUMENTS.c.id.in_(select(DRAWS.c.document).where(of_ids(DRAWS)))]),
            (DOCUMENTS, [DOCUMENTS.c.id.in_(select(APPLICATIONS.c.document).where(of_ids(APPLICATIONS)))]),
            (CONSENTS, [among(dialect, CONSENTS.c.document, CONSENTS.name), among(dialect, CONSENTS.c.application, "used")]),
            (BLOCKS, [among(dialect, BLOCKS.c.pair, BLOCKS.name)]),
        ]
    )


def _heads(dialect: str) -> CompoundSelect[Any]:
    """Of documents, draws and applications that there are, the heads."""
    return union_all(
        *(
            select(name_of(table), table.c.id, table.c.head).where(among(dialect, table.c.id, table.name))
            for table in (DOCUMENTS, DRAWS, APPLICATIONS)
        )
    )


_BY_ID = {table: _by_id(table) for table in (DOCUMENTS, DRAWS, APPLICATIONS)}
_LOOK, _HEADS = Statement("look", _look), Statement("heads", _heads)
_LOCKED_LOG = Statement("lock log", lambda dialect: select(LOG.c.size, LOG.c.time).with_for_update())
_GROWN_LOG = Statement(
    "grow log", lambda dialect: update(LOG).values(size=bindparam("now"), time=bindparam("at")).returning(LOG.c.size)
)
_MOVES = {table: move(table, columns) for table, columns in MOVED_COLUMNS.items()}
_ADDITIONS = {table: addition(table) for table in (ENTRIES, DOCUMENTS, DRAWS, APPLICATIONS, CONSENTS, ANSWERS)}


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
    within: what else is done in the same transaction: work, and what it is done for. Work of several requests of a group is
        done at once, for what each of them has. It may raise Refusal, and nothing is written then
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
    within: Sequence[tuple[Work, Any]] = ()

    def touched(self) -> Iterator[Hashable]:
        """What two requests of one group cannot both change."""
        yield from ((DOCUMENTS.name, document.document) for document in self.registered)
        yield from ((DOCUMENTS.name, document.document) for _, document in self.documents)
        yield from ((DRAWS.name, draw.draw) for draw in self.drawn)
        yield from ((DRAWS.name, draw.draw) for _, draw in self.draws)
        yield from ((DRAWS.name, application.draw) for application in self.applied)
        yield from ((APPLICATIONS.name, application.draw) for _, application in self.applications)
        yield from ((CONSENTS.name, *consent) for consent in self.consents)

    def rests(self) -> dict[Row, bytes | None]:
        """By table and id, the heads that this was planned on; None for what must not be there.

        A draw and an application of one id belong together: neither is new when the other came in between.
        """
        followed = {application.draw for _, application in self.applications}
        return {
            **{(DOCUMENTS.name, after.document): head for head, after in self.documents},
            **{(DRAWS.name, after.draw): head for head, after in self.draws},
            **{(APPLICATIONS.name, after.draw): head for head, after in self.applications},
            **{(DOCUMENTS.name, document.document): None for document in self.registered},
            **{(DRAWS.name, draw.draw): None for draw in self.drawn},
            **{(APPLICATIONS.name, draw.draw): None for draw in self.drawn if draw.draw not in followed},
            **{(table.name, application.draw): None for application in self.applied for table in (DRAWS, APPLICATIONS)},
        }


Plan = Callable[[int], Changes]
"""What to write, given the time of the entries. Called while the log is locked: it computes, and verifies no proof."""


@dataclass(frozen=True)
class Wanted:
    """What a request rests on: documents, draws and applications (both by the draw's id), consents (document, application), and
    blocks (keyed digests of institution and document)."""

    documents: Sequence[bytes] = ()
    draws: Sequence[bytes] = ()
    consents: Sequence[tuple[bytes, bytes]] = ()
    blocks: Collection[bytes] = ()


@dataclass(frozen=True)
class Seen:
    """What there is of it, and what was answered to the same request before. `documents`: those of its draws are there, too.
    `blocks`: until when each of them lasts or lasted."""

    answer: Answer | None
    documents: Mapping[bytes, DocumentState]
    draws: Mapping[bytes, DrawState]
    applications: Mapping[bytes, ApplicationState]
    consents: set[tuple[bytes, bytes]]
    blocks: Mapping[bytes, int]


@dataclass(frozen=True)
class Write:
    """One request that wants to be committed.

    clock: unix seconds, read once the log is locked. So no entry has a time that was over when somebody looked what there is:
        a request that was refused then as too late is not committed after all, by another process
    documents, draws: all that the plan may change or add; applications by the ids of their draws
    """

    key: RequestKey
    clock: Callable[[], int]
    plan: Plan
    documents: Collection[bytes]
    draws: Collection[bytes]

    def may_change(self) -> set[Row]:
        """By table and id."""
        return {
            *((DOCUMENTS.name, document) for document in self.documents),
            *((table.name, draw) for draw in self.draws for table in (DRAWS, APPLICATIONS)),
        }


class Storage:
    """One database."""

    def __init__(self, engine: Engine, noter: Engine, group: Group) -> None:
        """`noter`: to the same database, for what its `noting` is for."""
        self._group = group
        self._engine, self._noter, self._dialect = engine, noter.execution_options(**{_WRITES: True}), engine.dialect.name
        self._writer = engine.execution_options(**{_WRITES: True})
        # PostgreSQL's transactions at once begin and commit by statements of their own.
        level = {} if self._dialect == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        self._writer_at_once = engine.execution_options(**{_WRITES: True}, **level)
        # A view of several rows is of one moment: SQLite gives that to any transaction, PostgreSQL from this level on.
        snapshots = {} if self._dialect == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        self._reader = engine.execution_options(**snapshots)
        # A single query is of one moment anyway, and needs no transaction around it.
        alone = {_SINGLE: True} if self._dialect == "sqlite" else {"isolation_level": "AUTOCOMMIT"}
        self._asker = engine.execution_options(**alone)

    def close(self) -> None:
        """Give every connection back."""
        self._engine.dispose()
        self._noter.dispose()

    @contextmanager
    def reading(self, name: str) -> Iterator[Connection]:
        with transaction(name), self._reader.connect() as connection, connection.execution_options(**{_NAME: name}).begin():
            yield connection

    @contextmanager
    def asking(self, name: str) -> Iterator[Connection]:
        """For one query, and no more."""
        with transaction(name), self._asker.connect() as connection:
            yield connection.execution_options(**{_NAME: name})

    @contextmanager
    def writing(self, name: str) -> Iterator[Connection]:
        with transaction(name), self._writer.connect() as connection, connection.execution_options(**{_NAME: name}).begin():
            yield connection

    @contextmanager
    def writing_at_once(self, name: str) -> Iterator[Connection]:
        """The same, where statements do not wait for one another (service.statements.at_once)."""
        with (
            transaction(name),
            self._writer_at_once.connect() as connection,
            connection.execution_options(**{_NAME: name}).begin(),
            at_once(connection),
        ):
            yield connection

    @contextmanager
    def noting(self, name: str) -> Iterator[Connection]:
        """For what a crash of the machine may take back: nothing waits for the disk. On PostgreSQL every statement stands for
        itself, and what it did stays, whatever comes of the next; on SQLite all are one transaction."""
        with transaction(name), self._noter.connect() as connection, connection.execution_options(**{_NAME: name}).begin():
            yield connection

    # --- reading ----------------------------------------------------------------------------------------------------------

    def size(self) -> int:
        """How many entries the log has."""
        with self.asking("size") as connection:
            return int(connection.scalar(select(LOG.c.size)) or 0)

    def look(self, key: RequestKey, wanted: Wanted) -> Seen:
        """What a write rests on, all of one moment. Raises Refusal when its key was used for another request."""
        (seen,) = self.look_all([(key, wanted)])
        if isinstance(seen, Failed):
            raise seen.error
        return seen

    def look_all(self, asked: Sequence[tuple[RequestKey, Wanted]]) -> list[Seen | Failed]:
        """The same for many requests that are there at once, by one query for all of them."""
        if not asked:
            return []
        with self.asking("look") as connection:
            rows = _LOOKED_AT.read(_LOOK.ask(connection, _asked_for(asked)))
        answers = {row["id"]: row for row in rows[ANSWERS]}
        everything = Seen(
            None,
            self._states(document_of_row, rows[DOCUMENTS]),
            self._states(draw_of_row, rows[DRAWS]),
            self._states(application_of_row, rows[APPLICATIONS]),
            {(row["document"], row["application"]) for row in rows[CONSENTS]},
            {row["pair"]: row["until"] for row in rows[BLOCKS]},
        )
        return [_seen(key, answers.get(key.digest), wanted, everything) for key, wanted in asked]

    def documents(self, ids: Sequence[bytes]) -> dict[bytes, DocumentState]:
        """Those of the documents that there are."""
        return self._states(document_of_row, self._rows(DOCUMENTS, ids))

    def draws(self, ids: Sequence[bytes]) -> dict[bytes, DrawState]:
        """Those of the draws that there are."""
        return self._states(draw_of_row, self._rows(DRAWS, ids))

    def applications(self, ids: Sequence[bytes]) -> dict[bytes, ApplicationState]:
        """Those of the applications, by the ids of their draws, that there are."""
        return self._states(application_of_row, self._rows(APPLICATIONS, ids))

    def _rows(self, table: Table, ids: Sequence[bytes]) -> Sequence[StoredRow]:
        with self.asking(table.name) as connection:
            return _BY_ID[table].ask_by_name(connection, {table.name: list(ids)})

    def _states(self, of_row: Callable[[Group, StoredRow], S], rows: Sequence[StoredRow]) -> dict[bytes, S]:
        """By id, what the rows say; one that came twice is decoded once."""
        return {id_: of_row(self._group, row) for id_, row in {row["id"]: row for row in rows}.items()}

    def expired_draws(self, now: int, limit: int) -> list[bytes]:
        """Reservations whose time is over, the longest over first, at most `limit` of them."""
        wanted = select(DRAWS.c.id).where(DRAWS.c.stage == RESERVED, DRAWS.c.expires < now)
        with self.asking("expired_draws") as connection:
            return list(connection.scalars(wanted.order_by(DRAWS.c.expires).limit(limit)))

    def registration(self, document: bytes) -> bytes | None:
        """The entry that registered a document, or None when there is none."""
        joined = ENTRIES.join(DOCUMENTS, DOCUMENTS.c.registered_at == ENTRIES.c.position)
        with self.asking("registration") as connection:
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

    def holds(self, table: Table) -> bool:
        """Whether there is anything in a table, or even the table."""
        if not inspect(self._engine).has_table(table.name):
            return False
        with self.asking("holds") as connection:
            return connection.execute(select(*table.primary_key).limit(1)).first() is not None

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

    def write_once(self, key: RequestKey, name: str, work: Callable[[Connection], bytes]) -> Answer:
        """Do what one request asks for that is not the log's, and keep the answer (a body), or replay it.

        Whatever `work` raises undoes all. Of two that come at once, one does it and the other replays.
        """
        answer = self.look(key, Wanted()).answer
        if answer is not None:
            return answer
        try:
            with self.writing(name) as connection:
                body = work(connection)
                _ADDITIONS[ANSWERS].change(connection, [{"id": key.digest, "fingerprint": key.fingerprint, "body": body}])
        except IntegrityError:
            answer = self.look(key, Wanted()).answer
            if answer is None:
                raise
            return answer
        return Answer(body)

    def commit_all(self, writes: Sequence[Write]) -> list[Answer | Failed]:
        """Write all that each plan says with the answer to its request, durably, or nothing of it: as many as a group may have
        in one transaction, and each by itself.

        One fails with Moved when a head is not the one of its plan, or an id is taken by now, and with what its plan raises.
        """
        groups = [writes[first : first + _LARGEST_GROUP] for first in range(0, len(writes), _LARGEST_GROUP)]
        return [outcome for group in groups for outcome in self._commit(group)]

    def _commit(self, writes: Sequence[Write]) -> list[Answer | Failed]:
        """All of them in one transaction; or, where one of them does not fit after all, each in its own."""
        try:
            return self._commit_together(writes)
        except (Moved, IntegrityError, DataError, Refusal) as error:
            if len(writes) == 1:
                return [Failed(Moved() if isinstance(error, IntegrityError) else error)]
        except Exception as error:  # noqa: BLE001 - the database is away, or we are wrong: nothing of these was acknowledged
            return [Failed(error)] * len(writes)
        return [outcome for write in writes for outcome in self._commit([write])]

    def _commit_together(self, writes: Sequence[Write]) -> list[Answer | Failed]:
        """Raises Moved, IntegrityError or Refusal, having written nothing, when the database is not as one of them supposes."""
        with self.writing_at_once("commit") as connection:
            log = _LOCKED_LOG.send(connection)
            may_change = [write.may_change() for write in writes]
            found = _HEADS.send(connection, _ids(may_change))
            ((size, last),) = log()
            time = max(last, *(write.clock() for write in writes))
            planned = [_plan(write, time) for write in writes]
            # Every writer locks the log first: what was read after it stays so until the group is written.
            heads = {(table, id_): head for table, id_, head in found()}
            _leave_moved_out(writes, planned, may_change, heads)
            rows = Rows(size)
            outcomes = [
                item if isinstance(item, Failed) else rows.take(write.key, item)
                for write, item in zip(writes, planned, strict=True)
            ]
            rows.write(connection, time)
        return outcomes


def _asked_for(asked: Sequence[tuple[RequestKey, Wanted]]) -> dict[str, list[bytes]]:
    """Parameters of _LOOK. Of consents, each of the documents with each of the applications is looked for: more than was asked
    for, and _seen leaves the rest out."""
    draws = list({id_ for _, wanted in asked for id_ in wanted.draws})
    consents = {pair for _, wanted in asked for pair in wanted.consents}
    return {
        ANSWERS.name: list({key.digest for key, _ in asked}),
        DOCUMENTS.name: list({id_ for _, wanted in asked for id_ in wanted.documents}),
        DRAWS.name: draws,
        APPLICATIONS.name: draws,
        CONSENTS.name: list({document for document, _ in consents}),
        "used": list({application for _, application in consents}),
        BLOCKS.name: list({pair for _, wanted in asked for pair in wanted.blocks}),
    }


def _seen(key: RequestKey, answered: StoredRow | None, wanted: Wanted, everything: Seen) -> Seen | Failed:
    """Of everything that was looked up, what this request asked for."""
    try:
        answer = None if answered is None else replay(key, answered["fingerprint"], answered["body"])
    except Refusal as refusal:
        return Failed(refusal)
    draws = {id_: everything.draws[id_] for id_ in wanted.draws if id_ in everything.draws}
    applications = {id_: everything.applications[id_] for id_ in wanted.draws if id_ in everything.applications}
    named = [
        *wanted.documents,
        *(draw.document for draw in draws.values()),
        *(application.document for application in applications.values()),
    ]
    documents = {id_: everything.documents[id_] for id_ in named if id_ in everything.documents}
    blocks = {pair: everything.blocks[pair] for pair in wanted.blocks if pair in everything.blocks}
    return Seen(answer, documents, draws, applications, everything.consents.intersection(wanted.consents), blocks)


def _plan(write: Write, time: int) -> Changes | Failed:
    try:
        return write.plan(time)
    except Exception as error:  # noqa: BLE001 - of this request alone; nothing of it is written
        return Failed(error)


def _ids(may_change: Sequence[set[Row]]) -> dict[str, list[bytes]]:
    """Parameters of _HEADS."""
    ids: dict[str, list[bytes]] = {table.name: [] for table in _MOVES}
    for name, id_ in set[Row]().union(*may_change):
        ids[name].append(id_)
    return ids


def _leave_moved_out(
    writes: Sequence[Write],
    planned: list[Changes | Failed],
    may_change: Sequence[set[Row]],
    heads: Mapping[Row, bytes],
) -> None:
    """Those that touch what an earlier one touches, or do not rest on things as they are by now, are for the next group."""
    touched: set[Hashable] = set()
    for number, item in enumerate(planned):
        if isinstance(item, Failed):
            continue
        own, rests = {(ANSWERS.name, writes[number].key.digest), *item.touched()}, item.rests()
        if not rests.keys() <= may_change[number]:
            planned[number] = Failed(RuntimeError("a plan changes what its request did not say"))  # whose head was not read
        elif touched.isdisjoint(own) and all(heads.get(row) == head for row, head in rests.items()):
            touched |= own
        else:
            planned[number] = Failed(Moved())


class Rows:
    """What a group of requests writes, collected request by request: the log's entries from index `size` on, and the rest."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.answers: list[dict[str, Any]] = []
        self._moved: dict[Table, list[dict[str, Any]]] = {DOCUMENTS: [], DRAWS: [], APPLICATIONS: []}
        self._added: dict[Table, list[dict[str, Any]]] = {
            table: [] for table in (ENTRIES, DOCUMENTS, DRAWS, APPLICATIONS, CONSENTS)
        }
        self._within: dict[Work, list[Any]] = {}
        self._changes: list[tuple[int, Changed]] = []

    def take(self, key: RequestKey, changes: Changes) -> Answer | Failed:
        """Add what this request writes, all of it or, where it cannot stand in rows, nothing."""
        first, numbered = self.size, list(enumerate(changes.entries, self.size))
        try:
            body = changes.answer(first).model_dump_json().encode("utf-8")
            moved = {
                DOCUMENTS: [_moving(after.document, head, moved_document(after)) for head, after in changes.documents],
                DRAWS: [_moving(after.draw, head, moved_draw(after)) for head, after in changes.draws],
                APPLICATIONS: [_moving(after.draw, head, moved_application(after)) for head, after in changes.applications],
            }
            added: dict[Table, list[dict[str, Any]]] = {
                ENTRIES: [{"position": i, "document": document, "data": data} for i, (document, data) in numbered],
                DOCUMENTS: [row_of_document(document, i) for i, document in enumerate(changes.registered, first)],
                DRAWS: [row_of_draw(draw) for draw in changes.drawn],
                APPLICATIONS: [row_of_application(application) for application in changes.applied],
                CONSENTS: [{"document": document, "application": used} for document, used in changes.consents],
            }
        except Exception as error:  # noqa: BLE001 - of this request alone; nothing of it is written
            return Failed(error)
        for table, rows in moved.items():
            self._moved[table] += rows
        for table, rows in added.items():
            self._added[table] += rows
        for work, item in changes.within:
            self._within.setdefault(work, []).append(item)
        self.answers.append({"id": key.digest, "fingerprint": key.fingerprint, "body": body})
        self.size += len(numbered)
        return Answer(body)

    def write(self, connection: Connection, time: int) -> None:
        """All of it, and the time of the last entry. Raises Moved, IntegrityError or Refusal where the database is not as the
        requests suppose."""
        if not self.answers:
            return
        for table, rows in self._moved.items():
            if rows:
                self._changes.append((len(rows), _MOVES[table].change(connection, rows)))
        for table, rows in [*self._added.items(), (ANSWERS, self.answers)]:
            if rows:
                _ADDITIONS[table].change(connection, rows)
        grown = _GROWN_LOG.send(connection, {"now": self.size, "at": time})
        for work, items in self._within.items():
            work(connection, items)
        grown()  # and so all before it
        self.check()

    def check(self) -> None:
        """Raises Moved where a head was not the one that was proven: nothing of that row was changed."""
        if any(changed.rows != count for count, changed in self._changes):
            raise Moved


def _moving(identifier: bytes, head: bytes, values: dict[str, Any]) -> dict[str, Any]:
    return {"of_id": identifier, "of_head": head, **values}


# --- opening --------------------------------------------------------------------------------------------------------------


def database_address(url: str) -> URL:
    """The address as SQLAlchemy takes it; `postgresql://` gets the driver that is installed."""
    address = make_url(url)
    return address.set(drivername="postgresql+psycopg") if address.drivername == "postgresql" else address


def open_storage(url: str, group: Group, workers: int) -> Storage:
    """The database at this URL (`sqlite:///…` or `postgresql://…`), with a connection for each of so many threads."""
    address = database_address(url)
    if address.get_backend_name() == "sqlite":
        engine, noter = _engine(address, workers), _engine(address, 1)
        hasty = "PRAGMA synchronous=NORMAL"
    else:
        engine = _engine(address, workers, isolation_level="READ COMMITTED")
        noter = _engine(address, 1, isolation_level="AUTOCOMMIT")
        hasty = "SET synchronous_commit = off"
    event.listen(noter, "connect", lambda connection, record: connection.execute(hasty))
    return Storage(engine, noter, group)


def _engine(address: URL, connections: int, **options: Any) -> Engine:
    options |= {"pool_size": connections, "max_overflow": 0, "pool_timeout": 10, "hide_parameters": True}
    options["pool_use_lifo"] = True  # whose statements are prepared, and which was alive a moment ago
    engine = create_engine(address, **options)
    event.listen(engine, "before_cursor_execute", _name_statement, retval=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", _ask_whether_it_lives)
    return engine


def _name_statement(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    """Append the name of its transaction to every statement, so that the database's own statistics show it."""
    name = connection.get_execution_options().get(_NAME)
    return (statement if name is None else f"{statement} /* {name} */"), parameters


def _note_use(connection: Any, record: Any) -> None:
    record.info[_USED] = time.monotonic()


def _ask_whether_it_lives(connection: Any, record: Any, proxy: Any) -> None:
    """A connection that was idle for a while may be dead by now, and is replaced; one that was used a moment ago would be asked
    for nothing, at the cost of a round trip each time."""
    if time.monotonic() - record.info.get(_USED, -math.inf) > _IDLE_SECONDS:
        try:
            connection.execute("SELECT 1")
            connection.rollback()
        except Exception as error:
            raise DisconnectionError from error


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Durable before acknowledged, readers that never wait, foreign keys, and transactions that we begin ourselves."""
    connection.isolation_level = None
    for pragma in (f"busy_timeout={_LOCK_WAIT_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, record: Any) -> None:
    """Every statement is planned once, and not for every list of ids anew, which takes longer than to run it. A plan that is
    made while a table is empty must be good for a full one: rows are looked up by index, and never by reading the table."""
    connection.execute(
        "SELECT set_config(name, value, false) FROM pg_settings JOIN"
        " (VALUES ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'), ('jit', 'off'),"
        " ('default_toast_compression', 'lz4')) AS ours (name, value) USING (name)"
        " WHERE enumvals IS NULL OR value = ANY (enumvals)"
    )
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that will write takes the write lock at once: one that took it later could find its snapshot stale."""
    options = connection.get_execution_options()
    if not options.get(_SINGLE, False):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES, False) else "BEGIN")
