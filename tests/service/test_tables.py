"""The ledger's states and the rows they are kept in are two forms of one thing, and the database refuses other rows.

Must hold: a document or draw comes back from its row as it was stored; what an operation moves is all that its update changes;
octets of another length, a count out of range or a missing value never stand in a table, whoever writes there. A failure is a
balance that changes by being stored, or a damaged row that is read as a state.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, LargeBinary, RowMapping, Table, create_engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from service.tables import (
    APPLICATIONS,
    DOCUMENTS,
    DRAWS,
    METADATA,
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
from tests.builders import (
    ANY_LEAF,
    World,
    make_apply,
    make_decide,
    make_disburse,
    make_draw,
    make_reduce,
    make_register,
    make_status,
)
from zkcore import engine, ledger
from zkcore.commitments import HandledCommitment
from zkcore.errors import IdentityError, LengthError, PointError
from zkcore.ledger import MAXIMUM_DRAWS, ApplicationState, DocumentState, DrawState
from zkcore.ledger.state import APPLICATION_STAGES, DRAW_STAGES
from zkcore.operations import STATUSES

SUITE = engine.load()
GROUP = SUITE.group

elements = st.integers(1, GROUP.order - 1).map(lambda factor: GROUP.mul(factor, SUITE.G))
commitments = st.builds(HandledCommitment, elements, elements, elements)
octets = st.binary(min_size=32, max_size=32)
names = st.from_regex(r"[a-z][a-z0-9-]{1,63}", fullmatch=True)
times = st.integers(0, (1 << 48) - 1)
documents = st.builds(
    DocumentState,
    document=octets,
    kind=names,
    counter=names,
    currency=st.from_regex(r"[A-Z]{3}", fullmatch=True),
    epoch=st.integers(1, (1 << 32) - 1),
    owner=elements,
    limit=commitments,
    residual=commitments,
    head=octets,
    draws=st.integers(0, MAXIMUM_DRAWS),
    status=st.sampled_from(STATUSES),
    revision=octets,
    replacement=octets,
    taken=st.booleans(),
    overdrawn=octets,
)
draws = st.builds(
    DrawState,
    draw=octets,
    document=octets,
    key=elements,
    outstanding=commitments,
    head=octets,
    stage=st.sampled_from(DRAW_STAGES),
    expires=times,
)
applications = st.builds(
    ApplicationState,
    draw=octets,
    document=octets,
    key=elements,
    application=octets,
    expires=times,
    stage=st.sampled_from(APPLICATION_STAGES),
    head=octets,
)
DOCUMENT = DocumentState(
    document=b"d" * 32,
    kind="export-declaration",
    counter="financing",
    currency="USD",
    epoch=1,
    owner=SUITE.G,
    limit=HandledCommitment(*[SUITE.G] * 3),
    residual=HandledCommitment(*[SUITE.H] * 3),
    head=b"h" * 32,
    draws=0,
    status="cleared",
    revision=b"r" * 32,
    replacement=bytes(32),
    taken=False,
    overdrawn=bytes(32),
)
DRAW = DrawState(b"w" * 32, b"d" * 32, SUITE.G, HandledCommitment(*[SUITE.G] * 3), b"h" * 32, "reserved", 1)
APPLICATION = ApplicationState(b"w" * 32, b"d" * 32, SUITE.G, b"a" * 32, 1, "applied", b"h" * 32)


@pytest.fixture(scope="module")
def empty() -> Iterator[Connection]:
    """Tables without rows; each test and example works in a savepoint that is undone."""
    engine_ = create_engine("sqlite://")
    with engine_.connect() as connection:
        METADATA.create_all(connection)
        yield connection
    engine_.dispose()


def stored(connection: Connection, table: Table, row: dict[str, Any], *moves: dict[str, Any]) -> RowMapping:
    """The row as the database gives it back, after these updates."""
    with connection.begin_nested() as savepoint:
        connection.execute(insert(table).values(row))
        for move in moves:
            assert connection.execute(update(table).where(table.c.id == row["id"]).values(move)).rowcount == 1
        found = connection.execute(select(table)).mappings().one()
        savepoint.rollback()
    return found


@settings(max_examples=25)
@given(document=documents, position=st.integers(0, (1 << 53) - 1))
def test_a_document_comes_back_from_its_row(empty: Connection, document: DocumentState, position: int) -> None:
    row = stored(empty, DOCUMENTS, row_of_document(document, position))
    assert document_of_row(GROUP, row) == document
    assert row["registered_at"] == position


@settings(max_examples=25)
@given(draw=draws)
def test_a_draw_comes_back_from_its_row(empty: Connection, draw: DrawState) -> None:
    assert draw_of_row(GROUP, stored(empty, DRAWS, row_of_draw(draw))) == draw


@settings(max_examples=25)
@given(application=applications)
def test_an_application_comes_back_from_its_row(empty: Connection, application: ApplicationState) -> None:
    row = stored(empty, APPLICATIONS, row_of_application(application))
    assert application_of_row(GROUP, row) == application


@settings(max_examples=15)
@given(before=documents, after=documents)
def test_only_what_moves_is_changed_in_a_document(empty: Connection, before: DocumentState, after: DocumentState) -> None:
    row = stored(empty, DOCUMENTS, row_of_document(before, 1), moved_document(after))
    fixed = {name: getattr(before, name) for name in ("document", "kind", "counter", "currency", "epoch", "owner")}
    moved = replace(after, **fixed)
    assert document_of_row(GROUP, row) == moved


@settings(max_examples=15)
@given(before=draws, after=draws)
def test_only_what_moves_is_changed_in_a_draw(empty: Connection, before: DrawState, after: DrawState) -> None:
    row = stored(empty, DRAWS, row_of_draw(before), moved_draw(after))
    moved = replace(before, outstanding=after.outstanding, head=after.head, stage=after.stage)
    assert draw_of_row(GROUP, row) == moved


def test_real_operations_change_no_more_than_what_moves(world: World, empty: Connection) -> None:
    """What the ledger's rules change is what the tables take for changing: nothing else would be stored."""
    paper = make_register(world, 1_000).committed()
    drawn, loan = make_draw(world, paper, 600).committed()
    lent, loan_then = make_disburse(world, drawn, loan, 100).committed(drawn, loan)
    reduced, rest = make_reduce(world, lent, loan_then, 200).committed(world, lent, loan_then)
    changed = ledger.status_changed(reduced.state, make_status(world, reduced, "frozen"), ANY_LEAF)
    group, at_first = world.suite.group, row_of_document(paper.state, 1)
    assert document_of_row(group, stored(empty, DOCUMENTS, at_first, moved_document(drawn.state))) == drawn.state
    assert document_of_row(group, stored(empty, DOCUMENTS, at_first, moved_document(reduced.state))) == reduced.state
    assert document_of_row(group, stored(empty, DOCUMENTS, at_first, moved_document(changed))) == changed
    assert draw_of_row(group, stored(empty, DRAWS, row_of_draw(loan.state), moved_draw(rest.state))) == rest.state
    applied = make_apply(world, paper)
    application = applied.committed()
    decided = ledger.decided(application, make_decide(world, paper, application, applied.key, "accepted"), ANY_LEAF)
    row = stored(empty, APPLICATIONS, row_of_application(application), moved_application(decided))
    assert application_of_row(group, row) == decided


def test_every_field_of_a_state_has_a_column() -> None:
    assert len(fields(DocumentState)) + 1 == len(DOCUMENTS.columns) == len(row_of_document(DOCUMENT, 1))
    assert len(fields(DrawState)) == len(DRAWS.columns) == len(row_of_draw(DRAW))
    assert set(row_of_document(DOCUMENT, 1)) == set(DOCUMENTS.columns.keys())
    assert set(row_of_draw(DRAW)) == set(DRAWS.columns.keys())
    assert len(fields(ApplicationState)) == len(APPLICATIONS.columns)
    assert set(row_of_application(APPLICATION)) == set(APPLICATIONS.columns.keys())


ROWS = [
    (DOCUMENTS, row_of_document(DOCUMENT, 1)),
    (DRAWS, row_of_draw(DRAW)),
    (APPLICATIONS, row_of_application(APPLICATION)),
]
OCTETS = [
    pytest.param(table, row, column.name, id=f"{table.name}.{column.name}")
    for table, row in ROWS
    for column in table.columns
    if isinstance(column.type, LargeBinary) and not column.foreign_keys
]
COLUMNS = [pytest.param(table, row, name, id=f"{table.name}.{name}") for table, row in ROWS for name in row]


@pytest.mark.parametrize("table,row,name", OCTETS)
@pytest.mark.parametrize(
    "change", [lambda data: b"", lambda data: data[:-1], lambda data: data + b"\0"], ids=["none", "short", "long"]
)
def test_octets_of_another_length_are_not_stored(
    empty: Connection, table: Table, row: dict[str, Any], name: str, change: Any
) -> None:
    with pytest.raises(IntegrityError):
        stored(empty, table, {**row, name: change(row[name])})


@pytest.mark.parametrize("table,row,name", COLUMNS)
def test_nothing_is_missing(empty: Connection, table: Table, row: dict[str, Any], name: str) -> None:
    with pytest.raises(IntegrityError):
        stored(empty, table, {**row, name: None})


@pytest.mark.parametrize("count", [-1, MAXIMUM_DRAWS + 1, 1 << 31])
def test_a_count_of_draws_out_of_range_is_not_stored(empty: Connection, count: int) -> None:
    with pytest.raises(IntegrityError):
        stored(empty, DOCUMENTS, {**row_of_document(DOCUMENT, 1), "draws": count})


@pytest.mark.parametrize("table,row", ROWS, ids=["documents", "draws", "applications"])
def test_one_id_stands_once(empty: Connection, table: Table, row: dict[str, Any]) -> None:
    with empty.begin_nested() as savepoint:
        empty.execute(insert(table).values(row))
        with pytest.raises(IntegrityError):
            empty.execute(insert(table).values(row))
        savepoint.rollback()


@pytest.mark.parametrize("name", ["owner", "limit_committed", "residual"])
def test_a_damaged_row_is_no_state(empty: Connection, name: str) -> None:
    row = row_of_document(DOCUMENT, 1)
    with pytest.raises(PointError):
        document_of_row(GROUP, stored(empty, DOCUMENTS, {**row, name: b"\x04" + row[name][1:]}))
    with pytest.raises(PointError):
        document_of_row(GROUP, stored(empty, DOCUMENTS, {**row, name: bytes(len(row[name]))}))


@pytest.mark.parametrize("name", ["draw_key", "outstanding"])
def test_a_damaged_draw_is_none(empty: Connection, name: str) -> None:
    row = row_of_draw(DRAW)
    with pytest.raises(PointError):
        draw_of_row(GROUP, stored(empty, DRAWS, {**row, name: bytes(len(row[name]))}))


def test_a_balance_without_a_blinding_is_not_stored() -> None:
    """The rules refuse it before; it has no encoding either."""
    nothing = DOCUMENT.residual - DOCUMENT.residual
    with pytest.raises(IdentityError):
        moved_document(replace(DOCUMENT, residual=nothing))
    with pytest.raises(IdentityError):
        moved_draw(replace(DRAW, outstanding=nothing))
    with pytest.raises(LengthError):
        HandledCommitment.decode(GROUP, b"")
