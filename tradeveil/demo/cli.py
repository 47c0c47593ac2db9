"""`tradeveil demo`: plays the demonstration, and fails unless everything comes out exactly so."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from parties.common import output
from parties.common.commands import JsonOption, command
from parties.common.errors import EXIT_INPUT, EXIT_REFUSED
from tradeveil.demo.commands import CommandFailed
from tradeveil.demo.narrative import Narrator
from tradeveil.demo.perform import Options, perform
from tradeveil.demo.stage import StageError

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_SIGNALLED = 128
"""Exit code of a program that a signal ended, less the signal's number."""
_AGAIN_SECONDS = 0.01

KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", help="Keep homes, papers, database, logs in this new or empty directory. 保留全部文件"),
]
EngineOption = Annotated[str | None, typer.Option("--engine", help="native, openssl or reference (slow). 运算引擎")]


@command
def demo_command(as_json: JsonOption = False, keep: KeepOption = None, engine_name: EngineOption = None) -> None:
    """Play the whole story on this machine: Customs, exporters, banks, the regulator, an auditor, and a service that sees no
    amount. 演示

    Exit code 0 only if everything came out exactly as it must; 1 and what did not, otherwise.
    """
    narrator = Narrator(quiet=as_json)
    try:
        with leaving_in_order():
            played = perform(Options(keep, engine_name), narrator)
    except Signalled as signalled:
        output.complain("Interrupted; nothing is left behind.", "已中断，未留下任何内容。")
        raise typer.Exit(_SIGNALLED + signalled.number) from None
    except (StageError, CommandFailed) as error:
        output.complain(f"The demonstration cannot start: {error}", "演示无法开始。")
        raise typer.Exit(EXIT_INPUT) from None
    if as_json:
        output.print_json(played.summary.as_json())
    if not played.summary.ok:
        for item in played.summary.failed:
            output.complain(f"{item.title}: {item.detail}", "结果与预期不符")
        raise typer.Exit(EXIT_REFUSED)


class Signalled(BaseException):
    """Ctrl-C or SIGTERM. Not KeyboardInterrupt, which the commands that are played would take for their own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def leaving_in_order() -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends the demonstration: the service is stopped and the directory removed, undisturbed.

    Raises Signalled at that moment; or soon after it, where Python drops exceptions (finalizers, callbacks of weak references).
    """
    signals, begun = (signal.SIGINT, signal.SIGTERM), False

    def leave(number: int, frame: FrameType | None) -> None:
        nonlocal begun
        if not begun:
            begun = True
            raise Signalled(number)

    def drop(dropped: UnraisableHookArgs) -> None:
        nonlocal begun
        if not isinstance(dropped.exc_value, Signalled):
            tell_dropped(dropped)
            return
        begun = False
        again = Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), dropped.exc_value.number))
        again.daemon = True
        again.start()

    before = {each: signal.signal(each, leave) for each in signals}
    tell_dropped, sys.unraisablehook = sys.unraisablehook, drop
    try:
        yield
    finally:
        sys.unraisablehook = tell_dropped
        for each, handler in before.items():
            signal.signal(each, handler)
