"""`tradeveil demo`: plays the demonstration, and fails unless everything comes out exactly so."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from parties.common import output
from parties.common.commands import JsonOption, command
from parties.common.errors import EXIT_INPUT, EXIT_REFUSED
from tradeveil.demo.commands import CommandFailed
from tradeveil.demo.narrative import Narrator
from tradeveil.demo.perform import Options, perform
from tradeveil.demo.stage import StageError

_TERMINATED = 128 + signal.SIGTERM

KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", help="Keep homes, papers, database, logs in this new or empty directory. 保留全部文件"),
]
EngineOption = Annotated[str | None, typer.Option("--engine", help="openssl or reference (slow). 运算引擎")]


@command
def demo_command(as_json: JsonOption = False, keep: KeepOption = None, engine_name: EngineOption = None) -> None:
    """Play the whole story on this machine: Customs, exporters, banks, the regulator, an auditor, and a service that sees no
    amount. 演示

    Exit code 0 only if everything came out exactly as it must; 1 and what did not, otherwise.
    """
    narrator = Narrator(quiet=as_json)
    try:
        with _terminated_in_order():
            played = perform(Options(keep, engine_name), narrator)
    except (StageError, CommandFailed) as error:
        output.complain(f"The demonstration cannot start: {error}", "演示无法开始。")
        raise typer.Exit(EXIT_INPUT) from None
    if as_json:
        output.print_json(played.summary.as_json())
    if not played.summary.ok:
        for item in played.summary.failed:
            output.complain(f"{item.title}: {item.detail}", "结果与预期不符")
        raise typer.Exit(EXIT_REFUSED)


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """SIGTERM ends the demonstration as Ctrl-C does: the service is stopped and the directory removed first."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
