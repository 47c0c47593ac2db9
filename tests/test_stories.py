"""The demonstration is a test: it is played once, and every expectation is asked for here by its name.

What must hold: each story comes out exactly as written, the list below is all that was expected, the figures add up, and
`tradeveil demo` leaves nothing behind, whether it ends by itself or is interrupted. A failure names its story. How long
anything took is no failure.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.played import Performance, performance
from tradeveil.cli import build
from tradeveil.demo import cast
from tradeveil.demo import cli as demo_cli
from tradeveil.demo.commands import CommandFailed, Ran, captured, routed_output
from tradeveil.demo.narrative import Narrator
from tradeveil.demo.perform import Played
from tradeveil.demo.second_act import SECOND_ACT
from tradeveil.demo.stories import STORIES
from tradeveil.demo.summary import Expectation, Opened, Privacy, Summary
from zkcore import engine

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]

EXPECTED = {
    "opening": (
        "every financeable declaration is registered",
        "what is not financeable is refused",
        "the log has an entry for each",
    ),
    "story 1": (
        "USD 600,000.00 is accepted",
        "USD 350,000.00 is accepted",
        "the refusal of USD 50,000.01 writes nothing",
        "50,000.01 cannot be proven",
        "the bank is told only that",
        "50,000.00 is accepted",
        "the limit is exactly used up",
        "the refusal of USD 0.01 writes nothing",
        "then 0.01 cannot be proven",
        "the public status says the same as at first",
        "C never sees a figure of A or B, nor that they exist",
    ),
    "story 2": (
        "400,000.00 is accepted",
        "100,000.00 is left",
        "both hold a proof",
        "exactly one wins",
        "the other is told that its proof is of an earlier state",
        "the fresh refusal writes nothing",
        "a fresh proof cannot be made",
        "resending writes nothing",
        "resent five times, drawn once",
        "every repetition gets the same answer",
        "the same key with another body is a conflict",
        "20,000.00 is left",
    ),
    "story 3": (
        "200,000.00 is accepted",
        "100,000.00 is left",
        "and paid out",
        "repaid from own funds",
        "headroom is 300,000.00 again",
        "200,000.00 is accepted again",
        "and paid out again",
        "repaid from proceeds, and closed",
        "headroom stays 100,000.00",
    ),
    "story 4": (
        "100.5 JPY is refused",
        "the message says that JPY has no decimals",
        "currency 999 is refused",
        "the message lists the currencies there are",
        "it draws JPY 16,666,667, rounded up",
        "it is accepted",
        "JPY 1,833,333 is left",
    ),
    "story 5": (
        "all six are accepted together",
        "each is exactly 80 per cent",
        "six entries are written",
        "with one line over its limit, none commits",
        "the honest wallet proves none of the six",
        "with one bad proof, nothing is written",
        "the service refuses the whole",
        "and names the line whose proof is bad",
        *(f"exactly 20 per cent of declaration {place} is left" for place in range(1, 7)),
    ),
    "story 6": (
        "with the consent it is accepted",
        "100,000.00 is left",
        "without a consent the regulator's prover answers nothing",
        "a consent for another bank is refused",
        "a consent for another bank writes nothing",
        "a consent for another amount is refused",
        "a consent for another amount writes nothing",
        "a consent for another document is refused",
        "a consent for another document writes nothing",
        "no consent at all is refused",
        "no consent at all writes nothing",
        "used as it was given, it is accepted",
        "a consent that was used is refused",
        "a consent that was used writes nothing",
    ),
    "story 7": (
        "70,000.00 is accepted",
        "documents open again",
        "draws open again",
        "it approves nothing unread",
        "the restored wallet approves a new draw",
        "nothing is left",
    ),
    "story 8": (
        "what is not cleared cannot be applied on",
        "Customs clears it",
        "then it can be applied on",
        "applied, accepted, approved",
        "nobody approves what they received",
        "it is reserved",
        "part is paid out, and the rest comes back",
        "23,515.25 is left",
        "partly repaid, then settled",
        "43,515.25 is left in the end",
        "the regulator saw every step, unasked",
    ),
    "story 9": (
        "150,000.00 is accepted",
        "and paid out",
        "Customs amends it",
        "Shenzhen sees that it is overdrawn",
        "the regulator shows that it is overdrawn by 30,000.00",
        "anybody sees the status, and no more",
        "overdrawn, it cannot be applied on",
        "50,000.00 is repaid",
        "20,000.00 is accepted",
        "the amended limit is exactly used up",
    ),
    "story 10": (
        "60,000.00 is accepted",
        "and paid out",
        "Customs deletes and replaces it",
        "the draw moves",
        "15,104.60 is left on the replacement",
        "there is nothing more to move",
        "the loan goes on where it is",
    ),
    "story 11": (
        "9,870.00 is accepted",
        "30,000.00 is accepted",
        "nothing is left",
        "it frees itself",
        "30,000.00 is left again",
        "too late to pay out",
    ),
    "story 12": (
        "they are registered",
        "of 50 papers 37 pass and 13 fail",
        "each that fails fails for its own reason",
        "a number of 21 digits is read as its 18",
        "unknown papers and papers of others are told alike",
        "the 13 rows are in it, with reasons",
        "2.2332E+17 is told to come from a spreadsheet",
        "of five papers, two are another's",
    ),
    "story 13": (
        "it is registered",
        "it is not confirmed",
        "word for word like one that does not exist",
        "the bank is not told whose it is",
        "the regulator is alerted",
        "it sees who showed it, and at which bank",
        "and whose it is",
    ),
    "story 14": (
        "it is registered",
        "200,000.00 is accepted",
        "800,000.00 is left",
        *(
            f"USD {amount} {what}"
            for amount in ("900,000.00", "850,000.00", "825,000.00")
            for what in ("cannot be proven", "draws nothing", "is refused")
        ),
        "the wallet proves it",
        "blocked, it draws nothing",
        "the service has blocked the bank on it",
        "Suzhou sees that a block holds",
        "and not on whom",
        "the regulator is told who, and on what",
        "50,000.00 is accepted",
        "750,000.00 is left",
    ),
    "regulator": ("every amount equals the planted one", "there is no alert", "the spreadsheet is written"),
    "audit": ("the audit finds nothing wrong", "it saw the whole log", "it saw every draw"),
    "privacy": ("no secret is found", "everything was searched"),
    "closing": ("the service held at most 300 MB", "the service ends in order", "the service logged no failure"),
}
REGISTERED = len(cast.limits()) + 39 + 1 + 1
"""Documents: of the sample, and of stories 12, 13 and 14."""
TITLES = [f"{story}: {name}" for story, names in EXPECTED.items() for name in (*names, "is played to its end")]


@pytest.fixture(scope="session")
def performed(tmp_path_factory: pytest.TempPathFactory) -> Performance:
    return performance(tmp_path_factory)


@pytest.fixture(scope="session")
def summary(performed: Performance) -> Summary:
    return performed.played.summary


# --- what came out --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", TITLES)
def test_expectation(summary: Summary, title: str) -> None:
    found = [item for item in summary.expectations if item.title == title]
    assert [item.detail for item in found] == [""], f"{title}: {found or 'was never expected'}"


def test_nothing_else_was_expected(summary: Summary) -> None:
    """The list above is complete, so that no expectation is dropped or added unseen."""
    assert sorted(item.title for item in summary.expectations) == sorted(TITLES)


def test_the_whole_is_ok(summary: Summary) -> None:
    assert summary.ok
    assert summary.as_json()["expectations"] == {"held": len(TITLES), "failed": []}


def test_what_was_accepted(summary: Summary) -> None:
    """3 + 2 + 2 + 1 + 6 + 2 + 2 draws in the first act, 1 + 2 + 2 + 2 + 2 in the second, one of them a move; 13 + 9 financings.

    Every application that is received is accepted and approved, whether or not a draw comes of it.
    """
    registered = REGISTERED
    entries = {
        "register": registered,
        "status": 2,
        "amend": 1,
        "overdrawn": 1,
        "apply": 40,
        "decide": 80,
        "draw": 27,
        "disburse": 5,
        "reduce": 6,
        "close": 3,
        "expire": 1,
    }
    assert summary.accepted == {**entries, "financing": 22, "repetition": 5}
    assert (summary.documents, summary.entries) == (registered, 1 + sum(entries.values()))


def test_what_was_refused(summary: Summary) -> None:
    assert summary.refused_by_service == {
        "headroom-not-proven": 5,
        "blocked-on-document": 1,
        "idempotency-key-reused": 1,
        "consent-invalid": 4,
        "consent-used": 1,
    }
    assert summary.refused_by_parties == {
        "cannot-be-proven": 7,
        "not-financeable": 8,
        "amount": 1,
        "currency": 1,
        "two-person": 1,
        "expired": 1,
    }


def test_figures_of_the_regulator_and_the_auditor(summary: Summary) -> None:
    assert summary.opened == Opened(amounts=2 * REGISTERED + 2 * 27, equal=True, alerts=0)
    assert summary.audit["ok"] is True
    assert summary.audit["entries"] == summary.entries
    assert summary.audit["engine"] == summary.engine == engine.load().engine


def test_every_step_has_its_time(summary: Summary) -> None:
    seconds = summary.as_json()["seconds"]
    assert list(seconds["by_story"]) == list(EXPECTED)
    assert all(step["seconds"] >= 0 for step in seconds["steps"])
    assert sum(seconds["by_story"].values()) <= seconds["total"] + 0.1
    assert len(json.dumps(summary.as_json())) > 0


def test_the_cast_is_the_documented_sample() -> None:
    """The limits that the stories speak of, as the sample's own README gives them."""
    minor = {number: amount for (number, _), amount in cast.limits().items()}
    told = {
        cast.ONE_FOR_THREE: 1_000_000_00,
        cast.RACE: 500_000_00,
        cast.REPAID: 300_000_00,
        cast.YEN: 18_500_000,
        cast.CONSENTED: 250_000_00,
        cast.LOST_WALLET: 120_000_00,
    }
    assert {number: minor[number] for number in told} == told
    assert [minor[number] for number in cast.SIX] == [48_200_00, 36_750_00, 52_040_00, 61_300_50, 27_999_50, 23_710_00]
    assert len(cast.declarations()) >= 40
    assert len({currency for _, currency in cast.limits()}) >= 3


def test_there_are_two_acts() -> None:
    assert [story.name for story in (*STORIES, *SECOND_ACT)] == [f"story {number}" for number in range(1, 15)]


# --- the command ----------------------------------------------------------------------------------------------------------


def _played(*expectations: Expectation) -> Played:
    summary = Summary("openssl", list(expectations))
    summary.opened, summary.privacy = Opened(0, True, 0), Privacy(0, 0, 0.0, {}, ())
    return Played(summary, [], b"")


def test_exit_code_0_and_json_alone_on_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_cli, "perform", lambda options, narrator: _played(Expectation("story 1", "holds", True)))
    result = CliRunner().invoke(build({"demo"}), ["demo", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ok"] is True


def test_exit_code_1_names_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Expectation("story 2", "exactly one wins", False, "both won")
    monkeypatch.setattr(demo_cli, "perform", lambda options, narrator: _played(failed))
    result = CliRunner().invoke(build({"demo"}), ["demo", "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["expectations"]["failed"] == [{"name": failed.title, "detail": "both won"}]
    assert "story 2: exactly one wins: both won" in result.stderr


def test_a_performance_that_broke_off_is_not_ok() -> None:
    summary = replace(_played(Expectation("story 1", "holds", True)).summary, privacy=None)
    assert not summary.ok
    assert not Summary("openssl").ok


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("do not touch", "utf-8")
    result = CliRunner().invoke(build({"demo"}), ["demo", "--keep", str(tmp_path)])
    assert result.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_unknown_engine_is_refused() -> None:
    assert CliRunner().invoke(build({"demo"}), ["demo", "--engine", "abacus"]).exit_code == 2


def test_a_failed_command_says_what_it_said() -> None:
    failed = CommandFailed(Ran(("bank", "keys", "--secret"), 2, "", "no such option", 0.1))
    assert str(failed) == "tradeveil bank keys ended with exit code 2: no such option"
    assert "secret" not in repr(failed.ran)


def test_on_a_screen_the_output_of_commands_is_captured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The moving line on stderr must not take the standard streams for itself."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    narrator = Narrator(quiet=True)
    with routed_output(), narrator.waiting("something"), captured() as (stdout, stderr):
        sys.stdout.write("a result")
        sys.stderr.write("a remark")
    assert (stdout.getvalue(), stderr.getvalue()) == ("a result", "a remark")


def test_output_of_threads_is_kept_apart() -> None:
    def run(word: str) -> str:
        with captured() as (stdout, _):
            for _ in range(100):
                sys.stdout.write(word)
        return stdout.getvalue()

    with routed_output(), ThreadPoolExecutor(2) as threads:
        assert list(threads.map(run, ["one", "two"])) == ["one" * 100, "two" * 100]


# --- nothing is left behind -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_process_and_no_file(tmp_path: Path, ending: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tradeveil", "demo", "--json"]
    demo = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        service = _wait_for_service(tmp_path, demo)
        demo.send_signal(ending)
        output, _ = demo.communicate(timeout=60)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 128 + ending
    assert output == b""
    assert not _is_running(service)
    assert list(tmp_path.iterdir()) == []


class _Interrupting:
    """When it is finalized, Ctrl-C arrives: Python drops whatever is raised there."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_an_interruption_is_not_lost_in_a_finalizer() -> None:
    def play() -> None:
        _Interrupting()
        time.sleep(30)

    with pytest.raises(demo_cli.Signalled), demo_cli.leaving_in_order():
        play()


def test_once_interrupted_the_leaving_is_not_interrupted_again() -> None:
    left = False

    def play() -> None:
        nonlocal left
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGTERM)
            left = True

    with pytest.raises(demo_cli.Signalled), demo_cli.leaving_in_order():
        play()
    assert left


def _wait_for_service(directory: Path, demo: subprocess.Popen[bytes]) -> int:
    """The id of the process of the demonstration's service, once it answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and demo.poll() is None:
        ready = [path for path in directory.glob("*/logs/service.out") if b"http://" in path.read_bytes()]
        for process in _processes_about(directory) if ready else ():
            return process
        time.sleep(0.05)
    raise AssertionError("the demonstration did not start its service")


def _processes_about(directory: Path) -> Iterator[int]:
    """Processes whose command line names something below this directory."""
    for process in Path("/proc").iterdir():
        try:
            named = process.name.isdigit() and str(directory).encode() in (process / "cmdline").read_bytes()
        except OSError:  # It has just ended.
            continue
        if named:
            yield int(process.name)


def _is_running(process: int) -> bool:
    return Path(f"/proc/{process}").exists()
