"""The statements of every write, made once by SQLAlchemy and run by the database's own driver.

SQLAlchemy takes three times as long to run a statement as the driver does; what it is good for, making them alike for both
databases, is done when the service starts. Transactions, connections and errors stay SQLAlchemy's.

PostgreSQL takes any number of rows or ids as arrays, a column each: one prepared statement serves one request and a group of
sixty-four, is planned once, and is one round trip. SQLite has no arrays: it is asked with as many places as there are ids, and
takes rows one by one, which costs it nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Dialect,
    Insert,
    Select,
    String,
    Table,
    Text,
    Update,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeEngine

from service.tables import StoredRow

Parameters = Mapping[str, Any]
Found = list[tuple[Any, ...]]
_DIALECTS: Mapping[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": psycopg.dialect(),  # type: ignore[no-untyped-call]
}
_LIST = re.compile(r"\(__\[POSTCOMPILE_(\w+)\]\)")
_TEXT_FORMAT = re.compile(r"%\((\w+)\)s")


class Statement:
    """A statement in the words of each kind of database. All of its methods raise SQLAlchemy's errors.

    name: what it stands for in the database's own statistics
    make: of a dialect's name, what SQLAlchemy compiles
    """

    def __init__(self, name: str, make: Callable[[str], ClauseElement], columns: Sequence[str] | None = None) -> None:
        made = {dialect: make(dialect) for dialect in _DIALECTS}
        self._texts = {dialect: f"{_compiled(made[dialect], dialect, columns)} /* {name} */" for dialect in _DIALECTS}
        selection = made["sqlite"]
        self._names = [str(column.key) for column in selection.selected_columns] if isinstance(selection, Select) else []
        self._lists = _LIST.findall(self._texts["sqlite"])

    def ask(self, connection: Connection, parameters: Parameters | None = None) -> Found:
        """The rows that it finds."""
        return self.send(connection, parameters)()

    def send(self, connection: Connection, parameters: Parameters | None = None) -> Callable[[], Found]:
        """The same, in two steps: what is returned gives the rows. In a transaction whose statements are sent at once, others
        can be sent before this one is waited for."""
        cursor = self._run(connection, parameters or {})

        def answer() -> Found:
            with _errors(connection, self._texts[connection.dialect.name]):
                found: Found = cursor.fetchall()
            return found

        if connection.dialect.name == "postgresql":
            return answer
        # Of SQLite a statement whose rows nobody has fetched would outlive its transaction, and keep what it has locked.
        rows = answer()
        return lambda: rows

    def ask_by_name(self, connection: Connection, parameters: Parameters) -> list[StoredRow]:
        """The rows that a selection finds, each by the names of its columns."""
        return [dict(zip(self._names, row, strict=True)) for row in self.ask(connection, parameters)]

    def do(self, connection: Connection, parameters: Parameters | None = None) -> None:
        """Change what it changes."""
        self._run(connection, parameters or {})

    def _run(self, connection: Connection, parameters: Parameters) -> Any:
        text = self._texts[connection.dialect.name]
        if not self._lists or connection.dialect.name == "postgresql":
            return _run(connection, text, parameters)
        lists = {name: parameters[name] for name in self._lists}
        items = {_place(name, number): item for name, list_ in lists.items() for number, item in enumerate(list_)}
        given = {name: value for name, value in parameters.items() if name not in lists}
        return _run(connection, _LIST.sub(lambda found: _places(found[1], len(lists[found[1]])), text), given | items)


@dataclass(frozen=True)
class Changed:
    """What a statement has changed, to be looked at once the answer to it, or to one after it, is there."""

    _cursor: Any

    @property
    def rows(self) -> int:
        """How many rows of the table; -1 while no answer is there."""
        return int(self._cursor.rowcount)


class RowStatement(Statement):
    """A statement that is done for each of many rows. All of its methods raise SQLAlchemy's errors.

    name, make: as of a Statement
    columns: that every row has
    """

    def __init__(self, name: str, make: Callable[[str], ClauseElement], columns: Sequence[str]) -> None:
        super().__init__(name, make, columns)
        self._columns = set(columns)

    def change(self, connection: Connection, rows: Sequence[Parameters]) -> Changed:
        """What was changed. Raises ValueError for a row that has other columns."""
        self._check(rows)
        if connection.dialect.name == "postgresql":
            return Changed(self._run(connection, self._arrays(rows)))
        return Changed(_run(connection, self._texts["sqlite"], rows))

    def change_and_return(self, connection: Connection, rows: Sequence[Parameters]) -> Found:
        """What it returns for all of them, in any order. Raises ValueError for a row that has other columns."""
        self._check(rows)
        if not rows:
            return []
        given = [self._arrays(rows)] if connection.dialect.name == "postgresql" else rows
        return [found for parameters in given for found in self.ask(connection, parameters)]

    def _check(self, rows: Sequence[Parameters]) -> None:
        if any(row.keys() != self._columns for row in rows):
            raise ValueError(f"a row has exactly the columns {', '.join(sorted(self._columns))}")

    def _arrays(self, rows: Sequence[Parameters]) -> Parameters:
        return {column: [row[column] for row in rows] for column in self._columns}


def _compiled(statement: ClauseElement, dialect: str, columns: Sequence[str] | None) -> str:
    text = str(statement.compile(dialect=_DIALECTS[dialect], column_keys=columns and list(columns)))
    # As bytes and not as text, in which entries are thrice as long.
    return _TEXT_FORMAT.sub(r"%(\1)b", text) if dialect == "postgresql" else text


def _run(connection: Connection, text: str, parameters: Parameters | Sequence[Parameters]) -> Any:
    """Run it on a cursor of the connection's own, which is returned."""
    with _errors(connection, text):
        cursor = connection.connection.cursor()
        if isinstance(parameters, Mapping):
            cursor.execute(text, parameters)
        else:
            cursor.executemany(text, parameters)
        return cursor


@contextmanager
def _errors(connection: Connection, text: str) -> Iterator[None]:
    """The driver's errors become SQLAlchemy's; a connection that is lost is given up."""
    dialect = connection.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        lost = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(text, None, error, dialect.loaded_dbapi.Error, True, lost, dialect) from error


@contextmanager
def at_once(connection: Connection) -> Iterator[None]:
    """A transaction whose statements are sent without waiting for the answers of those before, until an answer is looked at.

    PostgreSQL alone has this, on a connection that commits every statement otherwise; with SQLite nobody waits, and the
    transaction is the connection's. Whatever has failed is raised at the end at the latest, and nothing is committed then.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    with _errors(connection, "at once"), driver.pipeline():
        # Whatever the server's own setting is: each statement sees what was committed before it.
        _run(connection, "BEGIN ISOLATION LEVEL READ COMMITTED", {})
        yield
        ended = _run(connection, "COMMIT", {})
    # Whoever commits a transaction that has failed is told so by this word alone.
    if ended.statusmessage != "COMMIT":
        raise OperationalError("COMMIT", None, RuntimeError("the transaction was not committed"))


def _place(name: str, number: int) -> str:
    return f"{name}_{number}"


def _places(name: str, count: int) -> str:
    """Where SQLite is given a list that is so long."""
    return f"({', '.join(f':{_place(name, number)}' for number in range(count))})"


# --- what they are made of ------------------------------------------------------------------------------------------------


def among(dialect: str, column: Column[bytes], name: str) -> ColumnElement[bool]:
    """The column is one of those in the list that is given as the parameter `name`; never, where the list is empty."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=postgresql.ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))


def _given(columns: Mapping[str, TypeEngine[Any]]) -> TableValuedAlias:
    """PostgreSQL's rows out of arrays."""
    # A cast to a shorter VARCHAR cuts strings without a word; the table's own type refuses them.
    types = {name: Text() if isinstance(type_, String) else type_ for name, type_ in columns.items()}
    arrays = [bindparam(name, type_=postgresql.ARRAY(type_)) for name, type_ in types.items()]
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()


def adding(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """A new row of the table, with all its columns."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    given = _given({column.name: column.type for column in table.c})
    return postgresql.insert(table).from_select(list(table.c.keys()), select(*given.c))


def addition(table: Table) -> RowStatement:
    """The statement that adds rows to a table."""

    def make(dialect: str) -> Insert:
        return adding(dialect, table)

    return RowStatement(f"add to {table.name}", make, table.c.keys())


def move(table: Table, columns: Iterable[str]) -> RowStatement:
    """The statement that changes these columns of the row with the id `of_id`, if its head is `of_head`."""
    changed = list(columns)

    def make(dialect: str) -> Update:
        if dialect == "sqlite":
            return update(table).where(table.c.id == bindparam("of_id"), table.c.head == bindparam("of_head"))
        types = {"of_id": table.c.id.type, "of_head": table.c.head.type, **{name: table.c[name].type for name in changed}}
        given = _given(types)
        # The first condition is for the planner, which then looks the rows up whatever it believes of the table.
        own = (among(dialect, table.c.id, "of_id"), table.c.id == given.c.of_id, table.c.head == given.c.of_head)
        return update(table).where(*own).values({name: given.c[name] for name in changed})

    return RowStatement(f"move {table.name}", make, ["of_id", "of_head", *changed])


def name_of(table: Table) -> ColumnElement[str]:
    """In a query over several tables, which of them a row is of."""
    return literal_column(f"'{table.name}'", String).label("of")


class RowsOfTables:
    """Rows of several tables asked for by one query, and so all of one moment without a transaction.

    A row of the answer has the name of its table and then its columns, each in a place that columns of one type share.
    """

    def __init__(self, *tables: Table) -> None:
        self._types: list[TypeEngine[Any]] = []
        self._places = {table: self._placed(table) for table in tables}
        self._readers = {table.name: (table, list(own), itemgetter(*own.values())) for table, own in self._places.items()}

    def _placed(self, table: Table) -> dict[str, int]:
        """By a column's name its place in a row: the first free one of its type, or a new one."""
        placed: dict[str, int] = {}
        for column in table.c:
            same = (place for place, type_ in enumerate(self._types, 1) if type(type_) is type(column.type))
            free = next((place for place in same if place not in placed.values()), None)
            if free is None:
                self._types.append(column.type)
                free = len(self._types)
            placed[column.name] = free
        return placed

    def query(self, parts: Sequence[tuple[Table, Sequence[ColumnElement[bool]]]]) -> CompoundSelect[Any]:
        """The rows of each of these tables for which all of these conditions hold. One comes twice where two parts hold it."""
        return union_all(*(select(*self._columns(table, not number)).where(*own) for number, (table, own) in enumerate(parts)))

    def _columns(self, table: Table, first: bool) -> list[ColumnElement[Any]]:
        """Of the first part of a query, whose nulls have types and whose columns names: those of the others follow."""
        own = {place: table.c[name] for name, place in self._places[table].items()}
        columns: list[ColumnElement[Any]] = [name_of(table)]
        for place, type_ in enumerate(self._types, 1):
            column = own.get(place, cast(null(), type_) if first else literal_column("NULL"))
            columns.append(column.label(f"c{place}") if first else column)
        return columns

    def read(self, rows: Iterable[tuple[Any, ...]]) -> dict[Table, list[StoredRow]]:
        """The answer, by tables: of each row its own columns."""
        found: dict[Table, list[StoredRow]] = defaultdict(list)
        for row in rows:
            table, names, values = self._readers[row[0]]
            found[table].append(dict(zip(names, values(row), strict=True)))
        return found
