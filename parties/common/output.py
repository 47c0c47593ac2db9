"""What people and programs see: tables, progress, bilingual lines, JSON. Results go to stdout, all else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text


def _stdout() -> Console:
    return Console(file=sys.stdout, highlight=False, soft_wrap=True)


def _stderr() -> Console:
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def bilingual(english: str, chinese: str) -> str:
    """English, and under it the same in Chinese."""
    return f"{english}\n{chinese}"


def say(english: str, chinese: str = "") -> None:
    """A line of the result, with its Chinese under it."""
    _stdout().print(Text(bilingual(english, chinese) if chinese else english))


def remark(english: str, chinese: str = "") -> None:
    """A line beside the result (stderr): a warning, what was done, what to do next."""
    _stderr().print(Text(bilingual(english, chinese) if chinese else english, style="yellow"))


def complain(english: str, chinese: str) -> None:
    """Why the command failed (stderr)."""
    _stderr().print(Text(bilingual(english, chinese), style="bold red"))


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table; the columns named in `right` are aligned to the right (amounts). Nothing in a cell is read as markup."""
    table = Table(title=Text(title), title_justify="left")
    for column in columns:
        table.add_column(Text(column), justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = _stdout()
    if not console.is_terminal:
        # Piped into a file there is no screen, and a narrow one would fold long numbers.
        console.width = max(console.width, 200)
    console.print(table)


def print_json(content: Any) -> None:
    """One JSON document on stdout, for programs."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def progress(description: str, *, hidden: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, moved by calling what it yields with (done, of how many). Shown on terminals only."""
    console = _stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
