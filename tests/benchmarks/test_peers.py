"""The comparison with other people's range proofs.

What must hold: every contender's figures and their ratios are in the JSON, named as for ours; what a peer cannot do has no row;
ratios are taken within a round; a program that accepts a false proof, or ends, is not measured; the chart is a well-formed
document with a line for each contender; without a toolchain, or sources, the message says what to do.
What would be a failure: a peer that stands in the table without having been measured, or a traceback. What would not: any
figure itself. The peers are not built here: a script that speaks their programs' protocol stands for them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import cli, comparison, peer_programs, plot, workers
from benchmarks.comparison import BATCHES, Ours, operations, ratios, take_turns
from benchmarks.floor import floor_per_proof
from benchmarks.measure import QUICK, one_core
from benchmarks.peer_programs import PEERS, PeerFailed, PeerProgram, SourcesUnreachable
from benchmarks.plot import Line
from benchmarks.report import Report, Row, show
from parties.common.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
ENGINE = "openssl"
TINY = replace(QUICK, seconds=0.01)
PROOFS = ["prove-1x64", "verify-1x64", "prove-2x64", "verify-2x64"]
SVG = "{http://www.w3.org/2000/svg}"

PROGRAM = """
import json, sys
description, nanoseconds = {description!r}, {nanoseconds!r}
print(json.dumps(description), flush=True)
for line in sys.stdin:
    operation, seconds = line.split()
    assert operation in description["operations"] and float(seconds) > 0
    print(json.dumps({{"nanoseconds": nanoseconds}}), flush=True)
"""


def hidden(description: str) -> Any:
    """No progress bar."""
    return nullcontext(lambda done, total: None)


def program(directory: Path, name: str, able: list[str], nanoseconds: list[int]) -> Path:
    """An executable that speaks a peer's protocol and has these operations."""
    description = {"bytes": {"1x64": 700, "2x64": 800}, "operations": able}
    return script(directory, name, f"#!{sys.executable}\n" + PROGRAM.format(description=description, nanoseconds=nanoseconds))


def script(directory: Path, name: str, content: str) -> Path:
    """An executable file."""
    path = directory / name
    path.write_text(content + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report with stand-ins for three peers: one verifies batches, one does not, one fails. The fourth did not build."""
    directory = tmp_path_factory.mktemp("programs")
    made = {
        "dalek": program(directory, "dalek", PROOFS, [1_000_000, 1_000_000]),
        "tari": program(directory, "tari", operations(QUICK.range_proofs), [500_000]),
        "grin": script(directory, "grin", f"#!{sys.executable}\nimport sys; sys.exit('a true proof was refused')"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peer_programs, "build", lambda progress: made)
        patch.setattr(comparison, "nanoseconds_per_multiplication", lambda: 1.0)
        return cli.run([cli.Area.PEERS], [ENGINE, "reference"], TINY, hidden, date="2026-01-01T00:00:00+00:00")


def row(name: str, engine: str, value: float, unit: Any = "ms") -> Row:
    return Row.of("peers", engine, name, name, unit, [value])


# --- what is measured -----------------------------------------------------------------------------------------------------


def test_each_contender_has_the_rows_of_what_it_can_do(found: Report) -> None:
    names: dict[str, list[str]] = {}
    for one in found.rows:
        assert one.area == "peers"
        names.setdefault(one.engine, []).append(one.name)
    every = operations(QUICK.range_proofs)
    assert names[ENGINE] == every == [*PROOFS, "batch-1", "batch-10"]
    assert names["tari"] == [name for operation in every for name in (operation, f"ratio-{operation}")]
    assert names["dalek"] == [name for operation in PROOFS for name in (operation, f"ratio-{operation}")]
    assert names["floor"] == ["floor"]
    assert set(names) == {ENGINE, "tari", "dalek", "floor"}


def test_figures_are_a_proof_each_and_bytes_are_of_what_is_made(found: Report) -> None:
    rows = {(one.engine, one.name): one for one in found.rows}
    assert rows["tari", "batch-10"].median == pytest.approx(0.05)
    assert rows["tari", "batch-10"].items == 10
    assert rows["tari", "verify-1x64"].median == pytest.approx(0.5)
    assert rows["dalek", "prove-2x64"].bytes == 800
    assert rows["dalek", "verify-2x64"].bytes is None
    assert rows[ENGINE, "prove-1x64"].bytes == 689
    assert "bulletproofs " in rows["dalek", "prove-1x64"].title


def test_the_report_is_json_and_a_person_reads_every_contender(found: Report, capsys: pytest.CaptureFixture[str]) -> None:
    assert Report.model_validate_json(found.model_dump_json()) == found
    show(found)
    shown = capsys.readouterr().out
    assert all(f"peers: {name}" in shown for name in (ENGINE, "dalek", "tari", "floor"))
    assert "how many times ours" in shown
    assert "–" in shown  # dalek has no batch


def test_a_ratio_is_taken_within_a_round() -> None:
    quiet, noisy = [2.0, 2.0, 2.0], [20.0, 20.0]
    assert ratios([quiet, noisy], [[1.0], [10.0, 10.0]]) == [2.0, 2.0]


def test_contenders_take_turns() -> None:
    heard: list[tuple[str, str]] = []

    class Listener:
        label = ""
        sizes: dict[str, int] = {}  # noqa: RUF012 - the protocol has it on the instance
        operations = frozenset({"prove-1x64", "verify-1x64"})

        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, operation: str, seconds: float) -> list[float]:
            heard.append((self.name, operation))
            return [1.0]

    taken = take_turns([Listener("a"), Listener("b")], PROOFS, TINY, hidden)
    one_round = [("a", "prove-1x64"), ("b", "prove-1x64"), ("a", "verify-1x64"), ("b", "verify-1x64")]
    assert heard == one_round * 2
    assert taken == {key: [[1.0], [1.0]] for key in one_round}


def test_ours_verifies_for_real() -> None:
    single = [workers.prove_single_range(ENGINE, index) for index in range(2)]
    double = workers.prove_double_range(ENGINE, 0)
    ours = Ours(ENGINE, single, double)
    assert all(ours.run(operation, 0.0)[0] > 0 for operation in (*PROOFS, "batch-1"))
    with pytest.raises(RuntimeError, match="false proof was accepted"):  # the same proof twice, so that no swap makes it false
        Ours(ENGINE, [single[0], single[0]], double)


def test_only_slow_engines_are_nothing_to_compare() -> None:
    with pytest.raises(InputError, match="fast engine"):
        comparison.measure(["reference"], TINY, hidden)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not pin processes")
def test_everything_runs_on_one_core() -> None:
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
        child = subprocess.run(
            [sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"], capture_output=True, text=True, check=True
        )
        assert child.stdout.strip() == "1"
    assert os.sched_getaffinity(0) == before


# --- the peers' programs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour, complaint",
    [
        ("import sys; sys.exit('a false proof was accepted')", "a false proof was accepted"),
        ("", "it says nothing"),
    ],
)
def test_a_program_that_ends_is_not_measured(behaviour: str, complaint: str) -> None:
    with pytest.raises(PeerFailed, match=complaint):
        PeerProgram(PEERS[0], [sys.executable, "-c", behaviour], 10)


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        PeerProgram(PEERS[0], [sys.executable, "-c", "print('hello')"], 10)


def test_the_lock_names_every_peer_and_all_comes_from_the_registry() -> None:
    assert all(peer_programs.version(peer) for peer in PEERS)
    lock = tomllib.loads((peer_programs.WORKSPACE / "Cargo.lock").read_text(encoding="utf-8"))
    own = {package["name"] for package in lock["package"] if "source" not in package}
    assert own == {"measure", *(f"peer-{peer.name}" for peer in PEERS)}
    assert all("checksum" in package for package in lock["package"] if package["name"] not in own)


# --- building -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("peers",), ("peers", "--json")])
def test_without_cargo_the_message_says_what_to_install(arguments: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", *arguments, "--engine", ENGINE, "--quick"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    if "--json" in arguments:
        assert json.loads(done.stdout)["error"]["code"] == "no-toolchain"
    else:
        assert "install Rust" in done.stderr


def cargo(directory: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str) -> None:
    """A cargo of this behaviour, the only one on the PATH."""
    script(directory, "cargo", f"#!/bin/sh\n{behaviour}")
    monkeypatch.setenv("PATH", str(directory))


def test_sources_that_cannot_be_fetched_are_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cargo(tmp_path, monkeypatch, "echo 'could not resolve host' >&2; exit 101")
    with pytest.raises(SourcesUnreachable, match="could not resolve host") as refused:
        peer_programs.build(hidden)
    assert refused.value.exit_code == 3


def test_a_peer_that_does_not_build_is_said_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cargo(tmp_path, monkeypatch, 'case "$*" in *peer-grin*) echo "no C compiler" >&2; exit 101;; esac')
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "target"))
    built = peer_programs.build(hidden)
    assert built == {name: tmp_path / "target/release" / f"peer-{name}" for name in ("dalek", "tari", "solana")}
    assert "grin is left out: no C compiler" in capsys.readouterr().err


def test_when_nothing_builds_there_is_nothing_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cargo(tmp_path, monkeypatch, 'case "$1" in build) exit 101;; esac')
    with pytest.raises(InputError, match="none of the peers"):
        peer_programs.build(hidden)


def test_outside_a_checkout_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cargo(tmp_path, monkeypatch, "exit 0")
    monkeypatch.setattr(peer_programs, "WORKSPACE", tmp_path / "peers")
    with pytest.raises(InputError, match="checkout"):
        peer_programs.build(hidden)


# --- the floor and the chart ----------------------------------------------------------------------------------------------


def test_the_floor_is_that_of_the_design_and_grows_with_the_cost_of_a_multiplication() -> None:
    assert floor_per_proof(1.02) == pytest.approx(7.5, rel=0.05)
    assert floor_per_proof(2.04) == pytest.approx(2 * floor_per_proof(1.02))


def test_the_chart_has_a_line_a_contender(found: Report) -> None:
    document = ET.fromstring(comparison.draw(found.rows))  # noqa: S314 - written by the line itself
    texts = [element.text or "" for element in document.iter(f"{SVG}text")]
    for label in (f"ours: {ENGINE}", "tari (Bulletproofs+", "dalek (Bulletproofs, ristretto255), no batches", "floor"):
        assert sum(text.startswith(label) for text in texts) == 1, label
    curves = [element for element in document.iter(f"{SVG}path") if element.get("fill") == "none"]
    assert len(curves) == 4
    assert sum("stroke-dasharray" in element.attrib for element in curves) == 2


def test_a_peer_without_batches_costs_the_same_at_every_size() -> None:
    rows = [row("verify-1x64", "dalek", 1.0), row("batch-1", ENGINE, 5.0), row("batch-1000", ENGINE, 0.05)]
    document = ET.fromstring(comparison.draw(rows))  # noqa: S314 - written by the line itself
    dashed = next(element for element in document.iter(f"{SVG}path") if element.get("stroke-dasharray"))
    corners = [corner.split() for corner in dashed.attrib["d"].removeprefix("M").split("L")]
    assert len(corners) == len(BATCHES)
    assert len({down for _, down in corners}) == 1


def test_the_chart_keeps_labels_apart_and_escapes_them() -> None:
    lines = [Line("a < b & c", [(1, 10.0), (10, 5.0)], "solid"), Line("d", [(1, 10.0), (10, 5.0)], "dotted")]
    document = ET.fromstring(plot.draw("<title>", "x", "y", lines))  # noqa: S314 - written by the line itself
    labels = {
        text.text: float(text.attrib["y"]) for text in document.iter(f"{SVG}text") if (text.get("fill") or "").startswith("#")
    }
    assert set(labels) == {"a < b & c: 5", "d: 5"}
    assert abs(labels["a < b & c: 5"] - labels["d: 5"]) >= 15


@pytest.mark.parametrize("lines", [[], [Line("empty", [], "solid")]])
def test_no_points_make_no_chart(lines: list[Line]) -> None:
    with pytest.raises(ValueError, match="no point"):
        plot.draw("title", "x", "y", lines)


@pytest.mark.parametrize("arguments", [("engine", "--plot", "chart.svg"), ("peers", "--plot", "no-such-directory/chart.svg")])
def test_a_chart_that_cannot_be_drawn_is_refused_at_once(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (ROOT / "chart.svg").exists()


def test_all_leaves_out_the_peers() -> None:
    """And the service, which takes minutes: both are asked for by name."""
    assert set(cli.AREAS) - set(cli.OWN_AREAS) == {cli.Area.PEERS, cli.Area.SERVICE}
