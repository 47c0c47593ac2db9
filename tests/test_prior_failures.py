"""The table of prior failures: what it cites exists, so that it cannot rot when a test or a vector gets another name.

Must hold: every row says how the failure is refused and cites a test or a vector, or says why there is none; every citation
leads to a test function or a vector of that name, and every path to a file or a folder. Whether a cited test shows what the row
says is for its reader to judge.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

import pytest

from tests.conftest import ROOT

TABLE = ROOT / "docs" / "PRIOR_FAILURES.md"
PARTS = ["Fiat–Shamir", "Inputs", "Statements and state", "Operations"]
EXCUSES = ("does not apply: ", "comes with a later version: ")
TEST = re.compile(r"([a-z_/]+\.py)::(test_[a-z0-9_]+)")
VECTOR = re.compile(r"([a-z]+\.json)#(\S+)")
QUOTED = re.compile(r"`([^`]+)`")
LINKED = re.compile(r"\]\(([^)#:]+)\)")
SOURCE = re.compile(r"[a-z_]+/[a-z_/]+\.py")
PATH = re.compile(r"[A-Za-z_0-9.]*(?:/[A-Za-z_0-9.]+)+/?|[A-Za-z_0-9]+\.(?:py|md|json|toml)")


@dataclass(frozen=True)
class Row:
    part: str
    failure: str
    refused: str
    shown: str

    @property
    def citations(self) -> list[str]:
        return QUOTED.findall(self.shown)

    @property
    def sources(self) -> list[str]:
        return [name for name in QUOTED.findall(self.refused) if SOURCE.fullmatch(name)]


def read(text: str) -> list[Row]:
    """The rows under each heading, without the two that begin a table."""
    rows, part = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            part = line[3:]
        elif line.startswith("|") and not line.startswith(("| failure |", "|---")):
            failure, refused, shown = (cell.strip() for cell in line.strip("|").split("|"))
            rows.append(Row(part, failure, refused, shown))
    return rows


ROWS = read(TABLE.read_text(encoding="utf-8"))
CITATIONS = sorted({citation for row in ROWS for citation in row.citations})


@cache
def names_of_tests(file: str) -> frozenset[str]:
    """Names of the test functions of a file below tests/; none when there is no such file."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@cache
def ids_of_vectors(file: str) -> frozenset[str]:
    """Ids of the vectors of a file; none when there is no such file."""
    path = ROOT / "schemas" / "vectors" / file
    if not path.is_file():
        return frozenset()
    content = json.loads(path.read_text(encoding="utf-8"))
    return frozenset(vector["id"] for vector in content["accept"] + content["reject"])


def exists(citation: str) -> bool:
    """Whether there is such a test, or at least one such vector."""
    if found := TEST.fullmatch(citation):
        return found[2] in names_of_tests(found[1])
    if found := VECTOR.fullmatch(citation):
        return any(fnmatchcase(identifier, found[2]) for identifier in ids_of_vectors(found[1]))
    return False


def test_every_part_has_rows() -> None:
    assert list(dict.fromkeys(row.part for row in ROWS)) == PARTS
    assert len({row.failure for row in ROWS}) == len(ROWS)
    assert len(ROWS) > 60


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.failure)
def test_a_row_is_answered(row: Row) -> None:
    assert row.failure
    assert row.refused
    assert row.citations or row.refused.startswith(EXCUSES)
    assert QUOTED.sub("", row.shown).strip() == ""
    assert [name for name in row.sources if not (ROOT / name).is_file()] == []


def paths_in(text: str) -> set[str]:
    """What stands for a file or a folder, in the sentences around the tables, too."""
    return {name for name in QUOTED.findall(text) if PATH.fullmatch(name)} | set(LINKED.findall(text))


def missing(paths: set[str]) -> list[str]:
    """Those that neither the repository nor, as a link, the page's folder has."""
    return sorted(name for name in paths if not (ROOT / name).exists() and not (TABLE.parent / name).exists())


def test_every_path_exists() -> None:
    paths = paths_in(TABLE.read_text(encoding="utf-8"))
    assert len(paths) > 25
    assert missing(paths) == []


def test_a_path_that_was_moved_is_noticed() -> None:
    text = "`zkcore/moved.py`, `zkcore/`, `moved.md`, [there](../zkcore/SPEC.md) and [not](../zkcore/MOVED.md)"
    assert missing(paths_in(text)) == ["../zkcore/MOVED.md", "moved.md", "zkcore/moved.py"]


@pytest.mark.parametrize("citation", CITATIONS)
def test_what_is_cited_exists(citation: str) -> None:
    assert exists(citation)


@pytest.mark.parametrize(
    "citation",
    [
        "zkcore/test_forgeries.py::test_that_was_renamed",
        "zkcore/test_that_was_moved.py::test_a_stale_head",
        "zkcore/test_forgeries.py",
        "ranges.json#64x2/proof/A-identities",
        "ranges.json#64x3/*",
        "no.json#64x2",
        "words",
    ],
)
def test_what_does_not_exist_is_noticed(citation: str) -> None:
    assert not exists(citation)
