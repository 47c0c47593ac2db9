"""The command line of the measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import audit, comparison, machine, report
from benchmarks import engine as engine_area
from benchmarks import service as service_area
from benchmarks.measure import FULL, QUICK, Effort, Progress
from benchmarks.report import Report, Row
from parties.common import output
from parties.common.commands import JsonOption, command
from parties.common.errors import InputError
from zkcore import engine

Measure = Callable[[Sequence[str], Effort, Progress], list[Row]]


class Area(StrEnum):
    """What to measure."""

    ENGINE = "engine"
    AUDIT = "audit"
    PEERS = "peers"
    SERVICE = "service"
    ALL = "all"


# A new area is a module with a `measure`, a name above, and a line here.
AREAS: dict[Area, Measure] = {
    Area.ENGINE: engine_area.measure,
    Area.AUDIT: audit.measure,
    Area.PEERS: comparison.measure,
    Area.SERVICE: service_area.measure,
}
PLOTS = {Area.PEERS: comparison.draw, Area.SERVICE: service_area.draw}
OWN_AREAS = [Area.ENGINE, Area.AUDIT]
"""What `all` measures. The peers need a Rust toolchain and their sources, and the service minutes and, for all of it, a
PostgreSQL: they are measured when asked for by name."""

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False, rich_markup_mode=None)


@app.command()
@command
def run_command(
    area: Annotated[Area, typer.Argument(help="What to measure; `all` leaves out peers and service.")] = Area.ALL,
    engines: Annotated[
        list[str] | None, typer.Option("--engine", help="Measure this engine; may be given again. Without: all present.")
    ] = None,
    as_json: JsonOption = False,
    quick: Annotated[bool, typer.Option("--quick", help="Few runs and small batches: under a minute, figures rough.")] = False,
    draws: Annotated[int | None, typer.Option("--draws", min=1, max=10_000, help="Draws in the large batch.")] = None,
    documents: Annotated[
        int | None, typer.Option("--documents", min=1, max=10_000, help="Documents in the audited log, five entries each.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="Write the JSON to this file, too.")] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", help="With `peers`: draw cost against batch size into this SVG file; with `service`: against draws."
        ),
    ] = None,
) -> None:
    """Measure proving, verifying, sizes and auditing on this machine. Asserts nothing about time."""
    _check_files(area, out, plot)
    effort = QUICK if quick else FULL
    effort = replace(effort, draws=draws or effort.draws, documents=documents or effort.documents)
    names = list(dict.fromkeys(engines or engine.available()))
    for name in names:
        engine.load(name)
    areas = OWN_AREAS if area is Area.ALL else [area]
    found = run(areas, names, effort, output.progress, date=datetime.now(UTC).isoformat(timespec="seconds"))
    if out is not None:
        _write(out, found.model_dump_json(indent=2) + "\n")
    if plot is not None:
        _write(plot, PLOTS[area](found.rows))
    if as_json:
        output.print_json(found.model_dump(mode="json"))
    else:
        report.show(found)


def run(areas: Sequence[Area], engines: Sequence[str], effort: Effort, progress: Progress, *, date: str) -> Report:
    """Measure these areas with these engines. `date` is RFC 3339 and only passed through."""
    where = machine.describe()
    rows = [row for area in areas for row in AREAS[area](engines, effort, progress)]
    return Report(date=date, quick=effort.quick, machine=where, rows=rows)


def _check_files(area: Area, out: Path | None, plot: Path | None) -> None:
    """What cannot be written is said now, not after minutes of measuring."""
    if plot is not None and area not in PLOTS:
        raise InputError("no-plot", "only the areas peers and service are plotted", "只有 peers 和 service 可绘图")
    for parent in (file.parent for file in (out, plot) if file is not None):
        if not parent.is_dir():
            raise InputError("not-writable", f"there is no directory {parent}", f"目录 {parent} 不存在")


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise InputError(
            "not-writable", f"{path} cannot be written: {error.strerror}", f"无法写入 {path}：{error.strerror}"
        ) from error
