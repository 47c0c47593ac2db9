"""What a measurement says, for programs (JSON of a stable shape) and for people (tables). Nothing is measured here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from parties.common import output

_DIGITS = 5

Unit = Literal["ms", "s", "1/s", "bytes", "MiB", "ratio"]
Target = tuple[float | None, float | None]
"""What a median must be, and what it should be: at most, or at least for a rate."""
NO_TARGET: Target = (None, None)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Machine(_Model):
    """Where it was measured. `load` is the one-minute load average at the start: above about 0.2 others were at work."""

    cpu: str
    cores: int
    load: float | None
    system: str
    python: str
    openssl: str | None
    petlib: str | None
    py_ecc: str | None


class Row(_Model):
    """One figure. `name` is stable within an area; `title` is for people.

    median, p10, p90, minimum: over `runs` runs, in `unit`, by the clock on the wall; by nearest rank, so few runs coincide.
    unit: of a `ratio` in the area peers, a run is a round of measurements, and the figure how many times the best of our
        engines it takes; in other areas the title says of what to what.
    cpu: the median in the same unit by the CPU time of the process, which a busy machine disturbs less; null where no time is
        measured.
    items: how many things one run handled (draws of a batch, entries of a log); 1 for a single thing.
    bytes: the size of what was made, of all its proofs together; null where nothing is made.
    must, aim: what the median has to be, and what it should be: at most, or at least for a rate; null where nothing is asked.
    """

    area: str
    engine: str
    name: str
    title: str
    unit: Unit
    median: float
    p10: float
    p90: float
    minimum: float
    cpu: float | None
    runs: int
    items: int
    bytes: int | None
    must: float | None = None
    aim: float | None = None

    @property
    def meets(self) -> Literal["", "missed", "must", "aim"]:
        """How much of what was asked the median reaches."""
        if self.must is None:
            return ""
        sign = -1 if self.unit == "1/s" else 1
        if sign * self.median > sign * self.must:
            return "missed"
        return "aim" if self.aim is not None and sign * self.median <= sign * self.aim else "must"

    @classmethod
    def of(
        cls,
        area: str,
        engine: str,
        name: str,
        title: str,
        unit: Unit,
        values: Sequence[float],
        *,
        cpu: Sequence[float] = (),
        items: int = 1,
        size: int | None = None,
        target: Target = NO_TARGET,
    ) -> Self:
        """A row from the values of all runs, at least one."""
        return cls(
            area=area,
            engine=engine,
            name=name,
            title=title,
            unit=unit,
            median=_rounded(_rank(values, 0.5)),
            p10=_rounded(_rank(values, 0.1)),
            p90=_rounded(_rank(values, 0.9)),
            minimum=_rounded(min(values)),
            cpu=_rounded(_rank(cpu, 0.5)) if cpu else None,
            runs=len(values),
            items=items,
            bytes=size,
            must=target[0],
            aim=target[1],
        )


class Report(_Model):
    """All figures of one invocation. `benchmarks` is the version of this shape; `date` is RFC 3339, by the caller's clock."""

    benchmarks: Literal[1] = 1
    date: str
    quick: bool
    machine: Machine
    rows: list[Row]


def _rank(values: Sequence[float], quantile: float) -> float:
    """The value at this quantile, by nearest rank: always one that was measured."""
    return sorted(values)[math.ceil(quantile * len(values)) - 1]


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


_COLUMNS = ("what", "median", "p10", "p90", "CPU", "unit", "runs", "bytes")
_ASKED = ("must", "aim", "reached")
_LEFT = ("what", "unit", "reached")


def show(report: Report) -> None:
    """The report for a person, on stdout: one table an area and engine."""
    machine = report.machine
    output.say(f"{report.date} · {machine.cpu}, {machine.cores} cores, load {machine.load} · {machine.system}")
    output.say(f"Python {machine.python} · {machine.openssl} · petlib {machine.petlib} · py_ecc {machine.py_ecc}")
    if report.quick:
        output.say("Quick figures: few runs and small batches. For figures to quote, leave out --quick.")
    ratios = [row for row in report.rows if row.unit == "ratio" and row.area == "peers"]
    figures = [row for row in report.rows if row not in ratios]
    for (area, engine), group in groupby(figures, key=lambda row: (row.area, row.engine)):
        rows = list(group)
        asked = any(row.must is not None for row in rows)
        columns = [*_COLUMNS, *(_ASKED if asked else ())]
        cells = [[*_cells(row), *(_asked(row) if asked else ())] for row in rows]
        output.show_table(f"{area}: {engine}", columns, cells, right=[name for name in columns if name not in _LEFT])
    _show_ratios(ratios)


def _show_ratios(rows: Sequence[Row]) -> None:
    """One table of the peers' ratios: a line an operation, a column a contender, a dash where it has no such operation."""
    if not rows:
        return
    engines = list(dict.fromkeys(row.engine for row in rows))
    titles = list(dict.fromkeys(row.title for row in rows))
    found = {(row.title, row.engine): f"{_figure(row.median)}×" for row in rows}
    cells = [[title, *(found.get((title, engine), "–") for engine in engines)] for title in titles]
    output.show_table("how many times ours", ["what", *engines], cells, right=engines)


def _cells(row: Row) -> list[str]:
    size = "" if row.bytes is None else f"{row.bytes:,}"
    if row.unit in ("bytes", "MiB"):
        return [row.title, _figure(row.median), "", "", "", row.unit, "", size]
    cpu = "" if row.cpu is None else _figure(row.cpu)
    return [row.title, *(_figure(value) for value in (row.median, row.p10, row.p90)), cpu, row.unit, str(row.runs), size]


def _asked(row: Row) -> list[str]:
    sign = "≥" if row.unit == "1/s" else "≤"
    return [*("" if value is None else f"{sign} {value:g}" for value in (row.must, row.aim)), row.meets]


def _figure(value: float) -> str:
    """About three significant digits."""
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value))) if value > 0 else 2}f}"
