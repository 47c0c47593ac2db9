"""docs/DATA_MODEL.md draws what the code does: the same edges, entries and kinds.

A failure would be an edge that is drawn and refused, or taken and not drawn, and an entry, kind, field, table or column that
the page does not know. Words around the drawings are for the reader to judge.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

import service.app  # noqa: F401 - it brings the tables of every area with it
import zkcore
from schemas.entries import AnyEntry, Kind
from schemas.kinds import load_kinds
from service.tables import METADATA
from zkcore.ledger.documents import STATUSES_AT_FIRST
from zkcore.ledger.state import (
    APPLICATION_STAGES,
    APPLIED,
    DECISIONS_AT,
    DRAW_STAGES,
    ENDS,
    RESERVED,
    STATUSES_AFTER,
    TRANSITIONS,
)
from zkcore.operations import APPROVED

ROOT = Path(zkcore.__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "DATA_MODEL.md").read_text(encoding="utf-8")
SPEC = (ROOT / "zkcore" / "SPEC.md").read_text(encoding="utf-8")
OUTSIDE = "[*]"

Edge = tuple[str, str, str]
"""From, to, and what happens; the end of a life has no word."""


def section(title: str, page: str = PAGE) -> str:
    """The text under a heading, up to the next heading of any level."""
    return re.split(r"^#+ ", page.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def drawn(title: str) -> list[Edge]:
    """The edges of the drawing under a heading."""
    diagram = section(title).split("```mermaid\nstateDiagram-v2\n", 1)[1].split("```", 1)[0]
    edges = []
    for line in diagram.splitlines():
        found = re.fullmatch(r"    (\S+) --> ([^\s:]+)(?:: (\S+))?", line)
        assert found, line
        before, after, action = found.groups()
        edges.append((before, after, action or ""))
    assert len(set(edges)) == len(edges)
    return edges


def rows(title: str, page: str = PAGE) -> list[list[str]]:
    """The cells of the last table under a heading, without its head."""
    table = re.findall(r"(?:^\|.*\|\n)+", section(title, page), flags=re.MULTILINE)[-1]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_applications() -> None:
    expected = {(OUTSIDE, APPLIED, "apply"), (APPROVED, RESERVED, "draw")}
    expected |= {(stage, decision, decision) for stage, decisions in DECISIONS_AT.items() for decision in decisions}
    left = {before for before, _, _ in expected}
    expected |= {(stage, OUTSIDE, "") for stage in APPLICATION_STAGES if stage not in left}
    assert set(drawn("Application")) == expected


def test_draws() -> None:
    expected = {(OUTSIDE, RESERVED, "draw")} | {(stage, OUTSIDE, "") for stage in ENDS}
    expected |= {(stage, after, action) for stage, actions in TRANSITIONS.items() for action, after in actions.items()}
    assert set(drawn("Draw")) == expected
    assert {name for edge in drawn("Draw") for name in edge[:2]} - {OUTSIDE} == set(DRAW_STAGES)


def test_documents() -> None:
    expected = {(OUTSIDE, status, "register") for status in STATUSES_AT_FIRST}
    expected |= {(before, after, "status") for before, statuses in STATUSES_AFTER.items() for after in statuses}
    expected |= {(status, OUTSIDE, "") for status, statuses in STATUSES_AFTER.items() if not statuses}
    assert set(drawn("Document")) == expected


def test_a_drawing_that_differs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison sees a single edge."""
    changed = PAGE.replace("    reserved --> expired: expire\n", "")
    assert changed != PAGE
    monkeypatch.setitem(section.__globals__, "PAGE", changed)
    monkeypatch.setattr(section, "__defaults__", (changed,))
    with pytest.raises(AssertionError):
        test_draws()


def test_the_specification_has_the_same_tables() -> None:
    """Section 10.2 of SPEC.md, by its own layout."""
    text = section("10.2 State machines", SPEC)
    tables = re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE)
    assert len(tables) == 3
    applications, draws, documents = (
        [[re.findall(r"`([a-z-]+)`", cell) for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
        for table in tables
    )
    decisions = {row[0][0]: frozenset(row[1]) - {RESERVED} for row in applications[2:]}
    assert decisions == {stage: frozenset(after) for stage, after in DECISIONS_AT.items()}
    heads = [
        ["disburse"],
        ["released"],
        ["repaid-own-funds", "repaid-proceeds"],
        ["written-off"],
        ["close"],
        ["expire"],
        ["move"],
    ]
    transitions = {
        row[0][0]: {action: cell[0] for actions, cell in zip(heads, row[1:], strict=True) if cell for action in actions}
        for row in draws[2:]
    }
    assert transitions == {stage: dict(actions) for stage, actions in TRANSITIONS.items()}
    statuses = {row[0][0]: frozenset(row[1]) for row in documents[2:]}
    assert statuses == {status: after for status, after in STATUSES_AFTER.items() if after}


def test_entries() -> None:
    types = [entry.model_fields["type"].default for entry in get_args(AnyEntry)]
    assert [row[0] for row in rows("Entries of the log")] == types
    assert [row[0] for row in rows("12. Log entries", SPEC)] == types


def test_kinds() -> None:
    fields = {row[0] for row in re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", section("Kinds as configuration"), re.MULTILINE)}
    assert fields == set(Kind.model_fields) - {"name"}
    described = [
        [kind.name, kind.attester, ", ".join(kind.counters), kind.use, ", ".join(kind.restores)] for kind in load_kinds()
    ]
    assert rows("Kinds as configuration") == described


AREAS = ("Institutions", "Authenticity", "Batches")


def test_tables() -> None:
    """Every table that the whole service has, once."""
    named = [row[0] for title in ("The log and its states", *AREAS) for row in rows(title)]
    assert sorted(named) == sorted(METADATA.tables)


def test_no_column_is_called_what_no_table_has() -> None:
    columns = {column.name for table in METADATA.tables.values() for column in table.columns}
    assert not columns & {"amount", "name", "number", "headroom", "limit"}


@pytest.mark.parametrize("title", AREAS)
def test_columns(title: str) -> None:
    """Those of the ledger's states are the fields of SPEC.md, section 10.1."""
    for name, cells in ((row[0], row[2]) for row in rows(title)):
        words = set(re.findall(r"[a-z_]+", cells))
        assert [column.name for column in METADATA.tables[name].columns if column.name not in words] == []


def test_a_table_that_is_left_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = re.sub(r"^\| `blocks` .*\n", "", PAGE, flags=re.MULTILINE)
    assert changed != PAGE
    monkeypatch.setattr(section, "__defaults__", (changed,))
    monkeypatch.setattr(rows, "__defaults__", (changed,))
    with pytest.raises(AssertionError):
        test_tables()
