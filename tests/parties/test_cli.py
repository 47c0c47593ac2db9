"""The one command: quick help, one role at a time, and story 1 played with the real commands against the real service.

Must hold: `tradeveil --help` and each role import no other role; a part that is absent does not hinder the others; doctor says
what is wrong and exits 1; the commands of a walk-through do what the README says, with the exit codes it says. A failure would
be a traceback for a person, a bank that sees a figure of another, or exit code 0 for what was refused.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parties.common import runtime
from parties.common.errors import InputError
from parties.common.home import read_identity
from tests.parties.scene import HOLDER, ORIGIN, TOKEN, Scene, declarations_csv
from tradeveil import cli, doctor
from tradeveil.cli import PARTS, Part, build, chosen_parts
from zkcore import engine
from zkcore.errors import EngineError
from zkcore.randomness import SystemRandomness

NUMBER = "310420260083605699"
SERVICE = ["--service", "http://service.test"]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(build(chosen_parts(arguments)), list(arguments))


# --- assembling -----------------------------------------------------------------------------------------------------------


def test_version_and_help_name_every_part() -> None:
    shown = run("--help")
    assert shown.exit_code == 0
    for part in PARTS:
        assert f"  {part.name} " in shown.output
        assert part.summary.split()[-1] in shown.output
    assert run("--version").output.startswith("tradeveil ")
    assert run("--version").exit_code == 0


def test_every_part_has_help() -> None:
    for part in PARTS:
        shown = run(part.name, "--help")
        assert shown.exit_code == 0, part.name
        assert "Usage" in shown.output


def imported(*arguments: str) -> set[str]:
    """The packages of ours, and of others that are slow, that a command line imports."""
    code = "import sys; from tradeveil.cli import main\n"
    code += f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
    code += "print('@', *sorted(sys.modules), sep='\\n')"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return set(output.split("@\n")[1].split())


def test_help_imports_no_role_and_a_role_no_other() -> None:
    helped = imported("--help")
    assert not {name for name in helped if name.startswith(("service", "parties.bank", "parties.customs", "fastapi", "petlib"))}
    bank = imported("bank", "--help")
    assert "parties.bank.cli" in bank
    assert not {name for name in bank if name.startswith(("service", "parties.customs", "parties.enterprise", "fastapi"))}
    serving = imported("serve", "--help")
    assert not {name for name in serving if name.startswith(("zkcore.secret", "parties.customs", "parties.bank", "mnemonic"))}


def test_an_absent_part_hinders_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "PARTS", (Part("gone", "parties.gone.cli", "Gone. 无"), *PARTS))
    assert "gone" in run("--help").output
    result = run("gone")
    assert result.exit_code == 2
    assert "not installed" in result.output
    assert run("customs", "--help").exit_code == 0


def test_a_part_that_lacks_a_library_is_a_broken_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ModuleNotFoundError("No module named 'rich'", name="rich")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="rich"):
        build({"bank"})


@pytest.mark.parametrize(
    "arguments,chosen",
    [([], set()), (["--help"], set()), (["bank", "draws"], {"bank"}), (["--version", "bank"], {"bank"}), (["x"], {"x"})],
)
def test_what_is_chosen(arguments: Sequence[str], chosen: set[str]) -> None:
    assert chosen_parts(arguments) == chosen


def test_usage_errors_are_2() -> None:
    assert run("nothing").exit_code == 2
    assert run("enterprise", "apply").exit_code == 2
    assert run("customs", "register", "--home", "x").exit_code == 2


def test_main_ends_the_process() -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0


# --- doctor ---------------------------------------------------------------------------------------------------------------


def test_doctor_finds_a_sound_machine_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    result = run("doctor", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["passed"]) == (0, True)
    names = [check["name"] for check in told["checks"]]
    assert {"python", "versions", "engines", "engine openssl", "engine reference", "generators", "files"} <= set(names)
    assert list(tmp_path.iterdir()) == []
    assert "ok" in run("doctor").stdout


def test_doctor_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENVIRONMENT_VARIABLE, "abacus")
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "nowhere")

    def fail(suite: object) -> None:
        raise EngineError("the engine fails its self-test: doubling")

    monkeypatch.setattr(engine, "self_test", fail)
    result = run("doctor", "--json", "--service", "http://127.0.0.1:1/")
    failed = {check["name"]: check["found"] for check in json.loads(result.stdout)["checks"] if not check["passed"]}
    assert result.exit_code == 1
    engines = {f"engine {name}" for name in engine.available()}
    assert set(failed) == {"engines", *engines, "generators", "files", "service"}
    assert "there is no engine of that name" in failed["engines"]
    assert "doubling" in failed["engine openssl"]


def test_doctor_shows_each_engine_and_its_build() -> None:
    checks = {check.name: check for check in doctor.examine(SystemRandomness())}
    for name in engine.available():
        shown = checks[f"engine {name}"].found
        assert shown.startswith(f"{engine.describe(name)}; "), name
        assert "known answers right" in shown, name


def test_doctor_says_how_to_have_the_fast_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> str:
        return next(check.found for check in doctor.examine(SystemRandomness()) if check.name == "engines")

    present = engine.available()
    assert ("make native" in found()) == ("native" not in present)
    monkeypatch.setattr(engine, "available", lambda: [name for name in present if name != "native"])
    assert "absent: native" in found()
    assert "make native" in found()


def test_doctor_finds_other_generators(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = engine.load()
    monkeypatch.setattr(type(suite), "recompute_generators_digest", lambda self: bytes(32))
    checks = {check.name: check for check in doctor.examine(SystemRandomness())}
    assert not checks["generators"].passed
    assert "do not use it" in checks["generators"].found


# --- a walk-through -------------------------------------------------------------------------------------------------------


@dataclass
class Walk:
    """A directory in which people type commands; the service is the scene's."""

    scene: Scene
    root: Path

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        result = run(*arguments)
        assert result.exit_code == code, result.output
        return result

    def home(self, name: str) -> list[str]:
        return ["--home", str(self.root / name)]

    def file(self, name: str) -> str:
        return str(self.root / name)


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Walk]:
    scene = Scene(tmp_path)
    monkeypatch.setattr(runtime, "connect", scene.connect)
    monkeypatch.setattr(runtime, "now", lambda: scene.now)
    scene.now = runtime.now()
    (tmp_path / "token").write_text(TOKEN)
    yield Walk(scene, tmp_path)
    scene.close()


def draw(walk: Walk, bank: str, amount: str, reference: str, *, home: str = "exporter", approved: int = 0) -> Any:
    """One financing from application to approval; the approval's result."""
    application, draft, approval = (walk.file(f"{reference}.{kind}") for kind in ("application", "draft", "approval"))
    line = f"{NUMBER}=USD {amount}"
    walk(
        "enterprise",
        "apply",
        *walk.home(home),
        *SERVICE,
        "--bank",
        walk.file(f"{bank}/identity.json"),
        "--line",
        line,
        "-o",
        application,
    )
    walk("bank", "draft", *walk.home(bank), *SERVICE, "--reference", reference, application, "-o", draft)
    return walk("enterprise", "approve", *walk.home(home), *SERVICE, draft, "-o", approval, code=approved)


def test_story_one(walk: Walk) -> None:
    (walk.root / "declarations.csv").write_bytes(declarations_csv([(NUMBER, "USD 1000000.00")]))
    walk("customs", "register", *walk.home("customs"), *SERVICE, walk.file("declarations.csv"))
    for bank in ("A", "B", "C"):
        walk("bank", "keys", *walk.home(bank), "--origin", ORIGIN, "--holder", f"BANK-{bank}", "--name", f"Bank {bank}")
        walk.scene.admit(read_identity(walk.root / bank / "identity.json"))
    draw(walk, "A", "600,000.00", "R1")
    walk("bank", "commit", *walk.home("A"), *SERVICE, walk.file("R1.approval"))
    draw(walk, "B", "350000", "R2")
    walk("bank", "commit", *walk.home("B"), *SERVICE, walk.file("R2.approval"))
    refused = draw(walk, "C", "50000.01", "R3", approved=1)
    entries = walk.scene.client.ready().entries
    assert "USD 0.01 is missing" in refused.stderr
    told = walk("bank", "commit", *walk.home("C"), *SERVICE, walk.file("R3.approval"), code=1)
    for figure in ("600", "350", "950", "Bank A", "Bank B", "50,000.00"):
        assert figure not in told.output
    assert walk.scene.client.ready().entries == entries
    draw(walk, "C", "50000.00", "R4")
    walk("bank", "commit", *walk.home("C"), *SERVICE, walk.file("R4.approval"))
    draw(walk, "C", "0.01", "R5", approved=1)
    documents = json.loads(walk("enterprise", "documents", *walk.home("exporter"), *SERVICE, "--json").stdout)
    assert [(item["limit"], item["drawn"], item["headroom"], item["draws"]) for item in documents] == [
        (100_000_000, 100_000_000, 0, 3)
    ]
    draws = json.loads(walk("enterprise", "draws", *walk.home("exporter"), *SERVICE, "--json").stdout)
    assert [(item["reference"], item["stage"]) for item in draws[:2]] == [("R3", "approved"), ("R5", "approved")]
    assert [(item["bank_name"], item["amount"]) for item in draws[2:]] == [
        ("Bank A", 600_000_00),
        ("Bank B", 350_000_00),
        ("Bank C", 50_000_00),
    ]
    shown = walk("enterprise", "draws", *walk.home("exporter"), *SERVICE).stdout
    assert "USD 350,000.00" in shown
    assert NUMBER in walk("enterprise", "documents", *walk.home("exporter"), *SERVICE).stdout


def test_a_wallet_lost_and_restored(walk: Walk) -> None:
    words, made, again = walk.file("words"), walk.home("made"), walk.home("again")
    about = ["--origin", ORIGIN, "--holder", "91320581MA1P3K7L9H", "--name", "苏州"]
    walk("enterprise", "keys", *made, *about, "--words-file", words)
    shown = walk("customs", "enrol", *walk.home("customs"), walk.file("made/identity.json"), "--json")
    assert json.loads(shown.stdout)[0]["state"] == "enrolled"
    content = declarations_csv([(NUMBER, "USD 120000.00")]).replace(HOLDER.encode(), b"91320581MA1P3K7L9H")
    (walk.root / "declarations.csv").write_bytes(content)
    walk("customs", "register", *walk.home("customs"), *SERVICE, walk.file("declarations.csv"))
    walk("bank", "keys", *walk.home("A"), "--origin", ORIGIN, "--holder", "BANK-A", "--name", "Bank A")
    walk.scene.admit(read_identity(walk.root / "A" / "identity.json"))
    draw(walk, "A", "50000.00", "R1", home="made")
    walk("enterprise", "restore", *again, *about, "--words-file", words)
    assert Path(walk.file("made/keys.json")).read_bytes() == Path(walk.file("again/keys.json")).read_bytes()
    approve = ["enterprise", "approve", *again, *SERVICE, walk.file("R1.draft"), "-o", walk.file("second")]
    asked = walk(*approve, code=2)
    assert "--accept" in asked.stderr
    assert not Path(walk.file("second")).exists()
    walk(*approve, "--accept", "USD 50000.00")
    walk("bank", "commit", *walk.home("A"), *SERVICE, walk.file("second"))
    draws = json.loads(walk("enterprise", "draws", *again, *SERVICE, "--json").stdout)
    assert [(item["reference"], item["amount"]) for item in draws] == [("R1", 50_000_00)]


def test_words_are_shown_once_and_asked_for(walk: Walk) -> None:
    about = ["--origin", ORIGIN, "--holder", "91320581MA1P3K7L9H", "--name", "S"]
    shown = walk("enterprise", "keys", *walk.home("made"), *about)
    assert "paper" in shown.stderr
    words = [word for _, word in sorted((int(place), word) for place, word in re.findall(r"(\d+)\. ([a-z]+)", shown.stdout))]
    assert len(words) == 24
    runner = CliRunner()
    arguments = ["enterprise", "restore", *walk.home("again"), *about]
    assert runner.invoke(build({"enterprise"}), arguments, input=" ".join(words) + "\n").exit_code == 0
    assert Path(walk.file("made/keys.json")).read_bytes() == Path(walk.file("again/keys.json")).read_bytes()
    again = walk("enterprise", "keys", *walk.home("made"), *about, "--words-file", walk.file("new"), code=2)
    assert "not overwritten" in again.stderr
    assert not Path(walk.file("new")).exists()
    Path(walk.file("new")).write_text("words of another wallet")
    walk("enterprise", "keys", *walk.home("third"), *about, "--words-file", walk.file("new"), code=2)
    assert Path(walk.file("new")).read_text() == "words of another wallet"


def test_an_application_with_a_loan_shows_the_conversion(walk: Walk) -> None:
    (walk.root / "declarations.csv").write_bytes(declarations_csv([(NUMBER, "JPY 18500000")]))
    walk("customs", "register", *walk.home("customs"), *SERVICE, walk.file("declarations.csv"))
    walk("bank", "keys", *walk.home("A"), "--origin", ORIGIN, "--holder", "BANK-A", "--name", "Bank A")
    walk.scene.admit(read_identity(walk.root / "A" / "identity.json"))
    apply = [
        "enterprise",
        "apply",
        *walk.home("exporter"),
        *SERVICE,
        "--bank",
        walk.file("A/identity.json"),
        "-o",
        walk.file("a"),
    ]
    loan = ["--line", NUMBER, "--loan", "CNY 800000.00", "--rate", "100 JPY = 4.80 CNY"]
    shown = walk(*apply, *loan, "--consent").stdout
    assert "JPY 16,666,667" in shown
    assert "CNY 800,000.00" in shown
    told = json.loads(walk(*apply, *loan, "--json").stdout)
    assert (told["lines"][0]["amount"], told["consent"], told["loan"]["rate"]) == (16_666_667, False, "100 JPY = 4.80 CNY")
    for bad in (f"{NUMBER}=JPY 100.5", f"{NUMBER}=999 100", "2.2332E+17=JPY 1", f"{NUMBER}=JPY 18500001"):
        assert "Traceback" not in walk(*apply, "--line", bad, code=2).output


def test_rows_that_are_refused_come_back_in_a_file(walk: Walk) -> None:
    content = declarations_csv([(NUMBER, "USD 1"), ("310420260091484937", "USD 2")]).replace(b"310420260091484937", b"3.1E+17")
    (walk.root / "declarations.csv").write_bytes(content)
    register = ["customs", "register", *walk.home("customs"), *SERVICE, walk.file("declarations.csv")]
    shown = walk(*register, "--failed", walk.file("failed.csv"), code=1)
    assert "spreadsheet" in shown.stdout
    assert "failed.csv" in shown.stdout
    assert Path(walk.file("failed.csv")).stat().st_mode & 0o077 == 0
    told = json.loads(walk(*register, "--json", code=1).stdout)
    assert [len(told[name]) for name in ("registered", "already", "errors")] == [0, 1, 1]
    assert told["errors"][0]["row"] == 3
    assert "skipped" in walk(*register, code=1).stdout


def test_enrolment_says_why(walk: Walk) -> None:
    walk("bank", "keys", *walk.home("A"), "--origin", ORIGIN, "--holder", "BANK-A", "--name", "Bank A")
    walk.scene.admit(read_identity(walk.root / "A" / "identity.json"))
    shown = walk(
        "customs", "enrol", *walk.home("customs"), walk.file("A/identity.json"), walk.file("exporter/identity.json"), code=1
    )
    assert "not of an enterprise" in shown.stdout
    assert "was enrolled" in shown.stdout
    walk("customs", "keys", *walk.home("other"), "--origin", ORIGIN)
    walk("customs", "keys", *walk.home("other"), "--origin", ORIGIN, code=2)
    walk("customs", "enrol", *walk.home("customs"), walk.file("nowhere.json"), code=2)


def test_an_unreachable_service_is_3(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    walk.scene.wire.lose_requests = 99
    documents = ["enterprise", "documents", *walk.home("exporter"), *SERVICE]
    assert "does not answer" in walk(*documents, code=3).stderr
    assert json.loads(walk(*documents, "--json", code=3).stdout)["error"]["code"] == "service-unreachable"
    monkeypatch.undo()
    with pytest.raises(InputError):
        runtime.connect("service.test")
