"""Every error of a library becomes one line for a person and one exit code, in one place.

Must hold: 0 done, 1 refused, 2 usage or bad input, 3 unreachable; with --json the error is JSON on stdout and nothing else is
there; a defect of ours is not dressed up as somebody's mistake. A failure would be a traceback for a clerk, or exit code 0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from parties.common import output, runtime
from parties.common.commands import JsonOption, OutputOption, command, describe, exit_code, new_app
from parties.common.errors import (
    HomeError,
    InputError,
    PartyError,
    Refused,
    ServiceMisbehaved,
    ServiceRefused,
    ServiceUnreachable,
)
from schemas import problems
from schemas.domain.errors import DomainError, ErrorCode
from schemas.problems import FieldProblem, LineProblem, Problem, ProblemType
from zkcore.errors import EngineError, SigmaRejected, ZkError

Shown = PartyError | DomainError | ZkError


def refusal(kind: ProblemType) -> ServiceRefused:
    line = LineProblem(line=1, type=kind.uri, code="sigma", detail="the draw is closed")
    field = FieldProblem(path="/lines/0", detail="Field required")
    return ServiceRefused(Problem.of(kind, lines=[line], fields=[field]))


ERRORS: list[tuple[Shown, int, str]] = [
    (Refused("another-bank", "not this bank", "不是该银行"), 1, "another-bank"),
    (ServiceMisbehaved("service-misbehaved", "odd", "异常"), 1, "service-misbehaved"),
    (refusal(problems.PROOF_INVALID), 1, "proof-invalid"),
    (refusal(problems.UNAVAILABLE), 3, "unavailable"),
    (ServiceUnreachable("service-unreachable", "no answer", "无应答"), 3, "service-unreachable"),
    (InputError("words", "wrong word", "词有误"), 2, "words"),
    (HomeError("not-there", "no keys", "无密钥"), 2, "not-there"),
    (DomainError(ErrorCode.AMOUNT, "no amount", "非金额"), 2, "amount"),
    (EngineError("no engine is installed"), 2, "engine"),
    (SigmaRejected("false"), 1, "sigma"),
]


def application(error: BaseException | None) -> typer.Typer:
    app = new_app("Test.")

    @app.command("run")
    @command
    def run(out: OutputOption, as_json: JsonOption = False) -> None:
        """Runs."""
        if error is not None:
            raise error
        output.say(f"done {out}", "完成")

    @app.command("other")
    @command
    def other(value: Annotated[int, typer.Option("--value")] = 1) -> None:
        """Another, so that `run` is named."""

    return app


@pytest.mark.parametrize("error,code,name", ERRORS)
def test_exit_codes_and_messages(error: Shown, code: int, name: str) -> None:
    result = CliRunner().invoke(application(error), ["run", "-o", "file"])
    assert (result.exit_code, exit_code(error), result.stdout) == (code, code, "")
    assert describe(error)["message"].split(".")[0] in result.stderr.replace("\n", " ")
    assert describe(error)["message_zh"] in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("error,code,name", ERRORS)
def test_errors_for_programs(error: Shown, code: int, name: str) -> None:
    result = CliRunner().invoke(application(error), ["run", "-o", "file", "--json"])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["error"]["code"], result.stderr) == (code, name, "")


def test_lines_and_fields_of_a_problem_are_shown() -> None:
    result = CliRunner().invoke(application(refusal(problems.PROOF_INVALID)), ["run", "-o", "file"])
    assert "line 2: the draw is closed" in result.stderr
    assert "第 2 行：该笔登记已结清" in result.stderr
    assert "/lines/0: Field required" in result.stderr
    assert "/lines/0：缺少该字段" in result.stderr


def test_usage_errors_are_2() -> None:
    runner = CliRunner()
    assert runner.invoke(application(None), ["run"]).exit_code == 2
    assert runner.invoke(application(None), ["run", "-o", "f", "--nothing"]).exit_code == 2
    assert runner.invoke(application(None), ["nothing"]).exit_code == 2


def test_done_is_0() -> None:
    result = CliRunner().invoke(application(None), ["run", "-o", "file"])
    assert (result.exit_code, result.stdout) == (0, "done file\n完成\n")


def test_a_defect_is_not_dressed_up() -> None:
    assert isinstance(CliRunner().invoke(application(KeyError("defect")), ["run", "-o", "f"]).exception, KeyError)


def test_what_the_system_refuses_is_said() -> None:
    result = CliRunner().invoke(application(PermissionError(13, "Permission denied", "/keys")), ["run", "-o", "f"])
    assert result.exit_code == 2
    assert "/keys Permission denied" in result.stderr


def test_an_interruption_says_that_it_is_safe() -> None:
    result = CliRunner().invoke(application(KeyboardInterrupt()), ["run", "-o", "f"])
    assert result.exit_code == 130
    assert "nothing is done twice" in result.stderr


# --- the outermost layer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["", "localhost:8440", "ftp://x", "http://", "//x", "http://127.0.0.1:84a0", "8440"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InputError, match="write it like"):
        runtime.connect(address)


def test_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is used for other machines and never for this one."""
    made: list[bool] = []
    monkeypatch.setattr("httpx.Client", lambda **options: made.append(options["trust_env"]))
    runtime.connect("http://127.0.0.1:8440")
    runtime.connect("https://service.example/base")
    assert made == [False, True]


def test_a_token_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(" a-token\n")
    assert runtime.read_token(path) == "a-token"
    for content in ("", "\n", "two words", "two\nlines", "标"):
        path.write_text(content)
        with pytest.raises(InputError, match="does not hold a token"):
            runtime.read_token(path)


def test_the_system_is_real() -> None:
    assert runtime.now() > 1_700_000_000
    assert runtime.randomness().read(32) != runtime.randomness().read(32)
    assert runtime.suite() is runtime.suite()


# --- what people see ------------------------------------------------------------------------------------------------------


def test_tables_do_not_fold_numbers_or_read_markup(capsys: pytest.CaptureFixture[str]) -> None:
    number = "232520260028296053"
    output.show_table(
        "T [bold]", ["Number 编号", "Amount 金额"], [[number, "USD 1.00"], ["[red]x[/red]", "a" * 60]], right=["Amount 金额"]
    )
    shown = capsys.readouterr().out
    assert number in shown
    assert "[red]x[/red]" in shown
    assert "a" * 60 in shown
    assert "T [bold]" in shown


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("working") as move:
        move(1, 2)
    assert capsys.readouterr() == ("", "")


def test_json_is_one_document_in_plain_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"名": "苏州"})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"名": "苏州"}
    assert "苏州" in shown


def test_remarks_go_beside_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    output.remark("note", "注")
    output.complain("bad", "坏")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "note\n注\nbad\n坏\n")
