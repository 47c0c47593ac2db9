"""The real commands, run in this process: the same typer application, its own arguments and homes, its output captured.

Starting an interpreter a command would take most of the demonstration's time. Several threads may run commands at once, so
output is told apart by context, not by exchanging the standard streams.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import IO, Any, TextIO

import typer


@dataclass(frozen=True)
class Ran:
    """A command that ran. `seconds` of wall-clock time. What it showed may be secret, so it does not print."""

    arguments: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def text(self) -> str:
        """All that the command showed."""
        return self.stdout + self.stderr

    def json(self) -> Any:
        """The JSON document on stdout. Raises ValueError when there is none."""
        return json.loads(self.stdout)

    def error_code(self) -> str:
        """The code of the error that a command with --json reported; empty when it reported none."""
        try:
            content = self.json()
        except ValueError:
            return ""
        return str(content["error"]["code"]) if isinstance(content, dict) and "error" in content else ""

    def __repr__(self) -> str:
        return f"Ran({' '.join(self.arguments[:2])}, exit code {self.exit_code})"


class CommandFailed(Exception):
    """A command that had to succeed did not; the message is what it said."""

    def __init__(self, ran: Ran) -> None:
        super().__init__(f"tradeveil {' '.join(ran.arguments[:2])} ended with exit code {ran.exit_code}: {ran.text.strip()}")
        self.ran = ran


class Commands:
    """Runs commands of one application."""

    def __init__(self, app: typer.Typer) -> None:
        self._command = typer.main.get_command(app)

    def run(self, *arguments: str) -> Ran:
        """Run `tradeveil ARGUMENTS`. Never raises for what the command does: its exit code tells."""
        started = time.perf_counter()
        with captured() as (stdout, stderr):
            exit_code = self._invoke(arguments)
        return Ran(arguments, exit_code, stdout.getvalue(), stderr.getvalue(), time.perf_counter() - started)

    def must(self, *arguments: str) -> Ran:
        """Run a command that has to end with exit code 0. Raises CommandFailed."""
        ran = self.run(*arguments)
        if ran.exit_code != 0:
            raise CommandFailed(ran)
        return ran

    def _invoke(self, arguments: tuple[str, ...]) -> int:
        try:
            self._command.main(args=list(arguments), prog_name="tradeveil")
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return 0


# --- output by context ----------------------------------------------------------------------------------------------------

_STDOUT: ContextVar[io.StringIO | None] = ContextVar("captured_stdout", default=None)
_STDERR: ContextVar[io.StringIO | None] = ContextVar("captured_stderr", default=None)


class _Routed(io.TextIOBase):
    """A standard stream that writes where the current context says, and to the real one otherwise."""

    def __init__(self, real: TextIO, target: ContextVar[io.StringIO | None]) -> None:
        self._real, self._target = real, target

    def _stream(self) -> IO[str]:
        return self._target.get() or self._real

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there, and read-only here
        return "utf-8"

    def write(self, text: str) -> int:
        return self._stream().write(text)

    def flush(self) -> None:
        self._stream().flush()

    def isatty(self) -> bool:
        return self._target.get() is None and self._real.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream().fileno()


@contextmanager
def routed_output() -> Iterator[None]:
    """Standard streams that `captured` can divert, one context apart from another. To be entered once, around everything."""
    real = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Routed(real[0], _STDOUT), _Routed(real[1], _STDERR)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = real


@contextmanager
def captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """What this context writes to the standard streams, inside `routed_output`."""
    streams = io.StringIO(), io.StringIO()
    tokens = _STDOUT.set(streams[0]), _STDERR.set(streams[1])
    try:
        yield streams
    finally:
        _STDOUT.reset(tokens[0])
        _STDERR.reset(tokens[1])
