"""Statements as each database runs them best, made once: to make one takes the library longer than to run it.

PostgreSQL takes any number of ids as one array, so that a statement is the same for one request and for a group of sixty-four,
and is planned once. SQLite has no arrays, and is asked with as many places as there are ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Row,
    String,
    Table,
    any_,
    bindparam,
    cast,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

T = TypeVar("T")
_DIALECTS = ("sqlite", "postgresql")


def in_each_dialect(make: Callable[[str], T]) -> dict[str, T]:
    """What `make` makes for each kind of database that there may be, by the name of its dialect."""
    return {dialect: make(dialect) for dialect in _DIALECTS}


def among(dialect: str, column: Column[bytes], name: str) -> ColumnElement[bool]:
    """The column is one of those in the list that is given as the parameter `name`; never, where the list is empty."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=postgresql.ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))


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

    def read(self, rows: Iterable[Row[Any]]) -> dict[Table, list[Mapping[str, Any]]]:
        """The answer, by tables: of each row its own columns."""
        found: dict[Table, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            table, names, values = self._readers[row[0]]
            found[table].append(dict(zip(names, values(row), strict=True)))
        return found
