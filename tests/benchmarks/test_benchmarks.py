"""The measurements run and their JSON keeps its shape.

What must hold: the quick mode ends well, on small sizes, over every area; the JSON has exactly the promised fields and rows;
what is measured is real (the draws of a batch are distinct and verify).
What would be a failure: a row missing or renamed, a figure that is not a positive number, a document that differs from process
to process. What would not: any figure itself. Nothing here asserts on time.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report, scenario, workers
from benchmarks.audit import as_export
from benchmarks.measure import FULL, QUICK, Effort
from benchmarks.report import Report, Row, Unit
from benchmarks.serving import SERVER_VARIABLE
from parties.auditor.replay import LINE_START
from schemas.messages import DrawMessage
from zkcore.verifying.batch import verify

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "openssl"
DRAWS = 2
DOCUMENTS = 1

MACHINE_FIELDS = {"cpu", "cores", "load", "system", "python", "openssl", "petlib", "py_ecc"}
ROW_FIELDS = {
    "area",
    "engine",
    "name",
    "title",
    "unit",
    "median",
    "p10",
    "p90",
    "minimum",
    "cpu",
    "runs",
    "items",
    "bytes",
    "must",
    "aim",
}
PROVEN = ("range-1x64", "range-2x64", "register", "disburse", "reduce", "close", "view")
ENGINE_ROWS = {
    "generators": "ms",
    **{f"{name}-{what}": "ms" for name in PROVEN for what in ("prove", "verify")},
    **dict.fromkeys(("draw-bank", "draw-owner", "draw-verify", "draw-whole", "draw-decode", "draw-batch-each"), "ms"),
    **dict.fromkeys(("opening-memo", "logarithm-table", "logarithm-find", "msm-each", "range-batch-each"), "ms"),
    "draw-batch": "s",
    "memory-before": "MiB",
    "memory-batch": "MiB",
    "memory-stream": "MiB",
}
ROWS = {
    ("engine", "any"): dict.fromkeys(
        ("draw-json", "draw-binary", "draft-proof", "headroom-proof", "headroom-range-proof"), "bytes"
    ),
    ("engine", ENGINE): ENGINE_ROWS,
    ("audit", "any"): dict.fromkeys(("entry-register", "entry-draw", "entry-disburse", "entry-reduce", "entry-close"), "bytes"),
    ("audit", ENGINE): {"replay": "1/s", "replay-each": "ms", "replay-all": "s"},
}


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m benchmarks` with these arguments."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What the quick mode prints, and what it writes to a file."""
    out = tmp_path_factory.mktemp("benchmarks") / "figures.json"
    sizes = ("--draws", str(DRAWS), "--documents", str(DOCUMENTS))
    done = benchmarks("all", "--engine", ENGINE, "--quick", *sizes, "--json", "--output", str(out))
    assert done.returncode == 0, done.stderr
    return done.stdout, out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def figures(quick: tuple[str, str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(quick[0])
    return parsed


def test_the_file_holds_what_is_printed(quick: tuple[str, str]) -> None:
    printed, written = quick
    assert json.loads(printed) == json.loads(written)
    Report.model_validate_json(written)


def test_the_fields_are_the_promised_ones(figures: dict[str, Any]) -> None:
    assert set(figures) == {"benchmarks", "date", "quick", "machine", "rows"}
    assert figures["benchmarks"] == 1
    assert figures["quick"] is True
    assert figures["date"].endswith("+00:00")
    assert set(figures["machine"]) == MACHINE_FIELDS
    assert all(set(row) == ROW_FIELDS for row in figures["rows"])


def test_the_rows_are_the_promised_ones(figures: dict[str, Any]) -> None:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in figures["rows"]:
        names = found.setdefault((row["area"], row["engine"]), {})
        assert row["name"] not in names
        names[row["name"]] = row["unit"]
    assert found == ROWS


def test_every_figure_is_a_positive_number_and_in_order(figures: dict[str, Any]) -> None:
    for row in figures["rows"]:
        values = [row[name] for name in ("minimum", "p10", "median", "p90")]
        assert all(math.isfinite(value) and value > 0 for value in values), row["name"]
        assert values == sorted(values), row["name"]
        assert row["runs"] >= 1
        assert row["bytes"] is None or row["bytes"] > 0


def test_sizes_say_what_they_are_sizes_of(figures: dict[str, Any]) -> None:
    rows = {(row["area"], row["name"]): row for row in figures["rows"]}
    parts = sum(rows["engine", name]["median"] for name in ("draft-proof", "headroom-proof", "headroom-range-proof"))
    assert rows["engine", "draw-whole"]["bytes"] == parts
    assert parts < rows["engine", "draw-binary"]["median"] < rows["engine", "draw-json"]["median"]
    assert rows["engine", "range-1x64-prove"]["bytes"] < rows["engine", "range-2x64-prove"]["bytes"]
    assert rows["engine", "draw-batch"]["items"] == DRAWS
    assert rows["audit", "replay"]["items"] == 1 + DOCUMENTS * len(workers.LIFE)


SERVICE_ROWS = {
    **dict.fromkeys(("start", "authenticity", "batch-draws", "batch"), "s"),
    **dict.fromkeys(("idle", "idle-p99", "load-latency", "load-p99", "race"), "ms"),
    "load": "1/s",
    **dict.fromkeys(("draws-1", f"draws-{QUICK.drawn}", f"banks-{QUICK.lenders}"), "ms"),
    **dict.fromkeys(("draws-ratio", "banks-ratio"), "ratio"),
}


def test_a_service_is_measured_on_every_database_there_is(tmp_path: Path) -> None:
    plot = tmp_path / "service.svg"
    done = benchmarks("service", "--quick", "--json", "--plot", str(plot))
    assert done.returncode == 0, done.stderr
    found = Report.model_validate_json(done.stdout)
    kinds = {row.engine.rpartition(" ")[2] for row in found.rows}
    assert kinds == {"sqlite"} | ({"postgresql"} if os.environ.get(SERVER_VARIABLE) else set())
    for kind in kinds:
        rows = [row for row in found.rows if row.engine.endswith(kind)]
        assert {row.name: row.unit for row in rows} == SERVICE_ROWS
        assert all(row.median > 0 for row in rows)
    assert plot.read_text(encoding="utf-8").startswith("<svg")


def test_what_is_asked_is_at_most_or_for_a_rate_at_least() -> None:
    def row(unit: Unit, value: float) -> Row:
        return Row.of("area", "engine", "name", "title", unit, [value], target=(10, 20 if unit == "1/s" else 5))

    assert [row("ms", value).meets for value in (4, 7, 11)] == ["aim", "must", "missed"]
    assert [row("1/s", value).meets for value in (21, 11, 9)] == ["aim", "must", "missed"]
    assert Row.of("area", "engine", "name", "title", "ms", [1]).meets == ""


def test_a_person_reads_every_row(quick: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    found = Report.model_validate_json(quick[1])
    report.show(found)
    shown = " ".join(capsys.readouterr().out.split())
    assert found.date in shown
    assert "Quick figures" in shown
    for area, engine in ROWS:
        assert f"{area}: {engine}" in shown


@pytest.mark.parametrize(
    "arguments",
    [("--engine", "abacus"), ("everything",), ("--output", "no-such-directory/figures.json"), ("--draws", "0")],
)
def test_what_cannot_be_measured_is_refused_at_once(arguments: tuple[str, ...]) -> None:
    done = benchmarks(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_documents_are_the_same_in_every_process_and_proofs_never() -> None:
    world = workers.world(ENGINE)
    assert scenario.document(world, 1).state == scenario.document(world, 1).state
    assert scenario.document(world, 1).state.document != scenario.document(world, 2).state.document
    encoded = [workers.prove_draw(ENGINE, 0), workers.prove_draw(ENGINE, 1), workers.prove_draw(ENGINE, 1)]
    messages = [DrawMessage.model_validate_json(data) for data in encoded]
    assert len({message.headroom.range_proof for message in messages}) == len(messages)
    draws = workers.decode_draws(world, encoded[:2])
    verify(world.suite, workers.claims_of(world, draws))


def test_quantiles_are_measured_values() -> None:
    row = Row.of("area", "engine", "name", "title", "ms", [5.0, 1.0, 2.0, 4.0, 3.0, 10.0, 9.0, 8.0, 7.0, 6.0])
    assert (row.minimum, row.p10, row.median, row.p90, row.runs) == (1.0, 1.0, 5.0, 9.0, 10)
    single = Row.of("area", "engine", "name", "title", "ms", [123.456789])
    assert single.p10 == single.median == single.p90 == single.minimum == pytest.approx(123.46)


@pytest.mark.parametrize("effort", [FULL, QUICK])
def test_a_slow_engine_does_less_and_never_nothing(effort: Effort) -> None:
    assert 1 <= effort.draws_for("reference") < effort.draws_for(ENGINE) == effort.draws
    assert 1 <= effort.documents_for("reference") < effort.documents_for(ENGINE) == effort.documents
    assert 0 < effort.logarithm_bits_for("reference") < effort.logarithm_bits_for(ENGINE)


def test_an_export_begins_with_the_genesis_and_keeps_each_life_in_order() -> None:
    lines = as_export(b"G", [[b"a1", b"a2"], [b"b1", b"b2"]])
    assert [line.removeprefix(LINE_START).split(b",")[0] for line in lines] == [b"G", b"a1", b"b1", b"a2", b"b2"]
