"""One wrapper around every command: its errors become a line a person understands and an exit code, in this one place.

0 done · 1 refused (by the service, a wallet, an audit) · 2 usage, or an input file that is not as it should be · 3 unreachable
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from parties.common import output
from parties.common.errors import EXIT_INPUT, EXIT_REFUSED, InputError, PartyError, ServiceRefused
from schemas.domain.errors import DomainError
from schemas.languages import CHINESE
from schemas.problems import FieldProblem, LineProblem
from zkcore.errors import EngineError, ZkError

P = ParamSpec("P")
R = TypeVar("R")

HomeOption = Annotated[
    Path,
    typer.Option("--home", help="Directory of your keys and records. 密钥与记录目录", envvar="TRADEVEIL_HOME"),
]
ServiceOption = Annotated[
    str,
    typer.Option("--service", help="Address of the service, like http://127.0.0.1:8440. 服务地址", envvar="TRADEVEIL_SERVICE"),
]
OriginOption = Annotated[
    str, typer.Option("--origin", help="The log's name, as the operator told it (a-z 0-9 . - /). 日志名称")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for programs. 以 JSON 输出")]
TokenOption = Annotated[
    Path, typer.Option("--token-file", help="File with the export token that the operator gave you. 导出令牌文件")
]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="File to write. 输出文件")]
NameOption = Annotated[str, typer.Option("--name", help="Name that people read. 名称")]


def new_app(help_text: str) -> typer.Typer:
    """An application for one role: shows its help when called without a command, and never a value in a traceback."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def command(function: Callable[P, R]) -> Callable[P, R]:
    """Wraps a command function: what it raises becomes a message and an exit code.

    A command with a parameter `as_json` prints errors as JSON on stdout when it is set.
    """

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (PartyError, DomainError, ZkError) as error:
            report(error, as_json=bool(kwargs.get("as_json")))
            raise typer.Exit(exit_code(error)) from None
        except BrokenPipeError:
            raise  # Whoever reads our output has enough, as `head` does; the framework ends quietly.
        except OSError as error:
            failure = _system_failure(error)
            report(failure, as_json=bool(kwargs.get("as_json")))
            raise typer.Exit(failure.exit_code) from None
        except KeyboardInterrupt:
            output.complain(
                "interrupted; run the same command again: nothing is done twice", "已中断；可重新运行，不会重复办理"
            )
            raise typer.Exit(130) from None

    return wrapped


def _system_failure(error: OSError) -> InputError:
    """What the system refuses (a right, space on the disk), where no library function foresaw it."""
    what = f"{error.filename or ''} {error.strerror or error}".strip()
    return InputError("system", f"the system refuses: {what}", f"系统拒绝操作：{what}")


def exit_code(error: PartyError | DomainError | ZkError) -> int:
    """The exit code of an error."""
    if isinstance(error, PartyError):
        return error.exit_code
    return EXIT_INPUT if isinstance(error, DomainError | EngineError) else EXIT_REFUSED


def describe(error: PartyError | DomainError | ZkError) -> dict[str, Any]:
    """An error for programs: code, messages, and the lines and fields that the service named."""
    if isinstance(error, ZkError):
        return {"code": error.code, "message": str(error), "message_zh": f"校验未通过（{error.code}）"}
    described: dict[str, Any] = {"code": str(error.code), "message": error.message_en, "message_zh": error.message_zh}
    if isinstance(error, ServiceRefused):
        described["lines"] = [_in_both(line) for line in error.problem.lines]
        described["fields"] = [_in_both(field) for field in error.problem.fields]
    return described


def _in_both(item: LineProblem | FieldProblem) -> dict[str, Any]:
    """A line or a field, with its detail in both languages."""
    return {**item.model_dump(), "detail_zh": item.in_language(CHINESE).detail}


def report(error: PartyError | DomainError | ZkError, *, as_json: bool) -> None:
    """Shows an error: to a person on stderr, to a program on stdout."""
    described = describe(error)
    if as_json:
        output.print_json({"error": described})
        return
    output.complain(described["message"], described["message_zh"])
    for line in described.get("lines", []):
        output.complain(f"  line {line['line'] + 1}: {line['detail']}", f"  第 {line['line'] + 1} 行：{line['detail_zh']}")
    for field in described.get("fields", []):
        output.complain(f"  {field['path']}: {field['detail']}", f"  {field['path']}：{field['detail_zh']}")
