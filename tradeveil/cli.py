"""The one command `tradeveil`, with a subcommand for each role.

Only the role that is called is imported: each works alone on its own machine, and help comes at once.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from itertools import islice
from typing import Annotated

import typer

from parties.common.errors import EXIT_INPUT
from zkcore import PROTOCOL_VERSION


@dataclass(frozen=True)
class Part:
    """A subcommand. `module` has `app`, a Typer with commands of its own; or `command`, the name of one command function."""

    name: str
    module: str
    summary: str
    command: str | None = None


PARTS = (
    Part("serve", "service.cli", "The verifier service: it checks every proof and sees no amount. 核验服务"),
    Part("customs", "parties.customs.cli", "Customs: register export declarations. 海关"),
    Part("enterprise", "parties.enterprise.cli", "Enterprise: documents, applications, approvals. 企业"),
    Part("bank", "parties.bank.cli", "Bank: drafts, verify-and-commit, repayments. 银行"),
    Part("regulator", "parties.regulator.cli", "Regulator: open everything, prove for an enterprise that consented. 监管"),
    Part("audit", "parties.auditor.cli", "Auditor: export the log and re-check it with public keys alone. 审计"),
    Part("demo", "tradeveil.demo.cli", "Play the whole story on this machine. 演示", "demo_command"),
    Part("doctor", "tradeveil.doctor", "Check this installation. 自检", "doctor_command"),
)
EVERY_PART = frozenset(part.name for part in PARTS)

_HELP = """Total financed never above declared value, checked by a service that sees no amount. 贸易融资核验：数据可用不可见

Each role has a subcommand and a directory of its own for its secrets (--home). See: tradeveil ROLE --help

\b
    tradeveil doctor                      check this installation
    tradeveil demo                        play the whole story on this machine
    tradeveil enterprise documents --home suzhou --service http://127.0.0.1:8440

Exit codes: 0 done, 1 refused, 2 usage or a bad input file, 3 service unreachable.
"""


def build(chosen: Collection[str] = EVERY_PART) -> typer.Typer:
    """The application with the chosen parts imported, and of the others only their names and summaries."""
    app = typer.Typer(
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for part in PARTS:
        if part.name in chosen:
            _attach(app, part)
        else:
            app.command(part.name, short_help=part.summary)(_not_chosen)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # A terminal without Chinese characters is no reason to fail.
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Nothing of what modules make is garbage, and to look for it all the while takes a tenth of the time until a command runs.
    gc.disable()
    app = build(chosen_parts(given))
    gc.enable()
    app(given, prog_name="tradeveil")


def chosen_parts(arguments: Sequence[str]) -> set[str]:
    """The subcommand among the arguments, if there is one: the first that is not an option."""
    return set(islice((argument for argument in arguments if not argument.startswith("-")), 1))


def program_version() -> str:
    """The version of the installed distribution, or "uninstalled" when run from a bare checkout."""
    try:
        return version("tradeveil")
    except PackageNotFoundError:
        return "uninstalled"


def _attach(app: typer.Typer, part: Part) -> None:
    try:
        module = importlib.import_module(part.module)
    except ModuleNotFoundError as error:
        # Only the part itself may be absent; something that it needs and lacks is a broken installation.
        if error.name is None or not f"{part.module}.".startswith(f"{error.name}."):
            raise
        app.command(part.name, short_help=part.summary)(_absent)
        return
    if part.command is None:
        app.add_typer(module.app, name=part.name, short_help=part.summary)
    else:
        app.command(part.name, short_help=part.summary)(getattr(module, part.command))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tradeveil {program_version()} (protocol {PROTOCOL_VERSION})")
        raise typer.Exit


def _options(
    version_wanted: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version. 版本")
    ] = False,
) -> None:
    """What may stand before the subcommand."""


def _not_chosen() -> None:
    """Never runs: a part that is called is attached."""


def _absent() -> None:
    typer.echo("This part is not installed on this machine. 本机未安装此部分", err=True)
    raise typer.Exit(EXIT_INPUT)
