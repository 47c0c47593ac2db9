"""Running something again and again, and recording how long it took."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from benchmarks.report import NO_TARGET, Row, Target, Unit

Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Opens a progress bar under a description; what it yields is called with (done, of how many)."""

ANY_ENGINE = "any"
"""Stands for the engine in rows that are the same for all: sizes."""
SLOW_ENGINES = frozenset({"reference"})
_SLOWNESS = 25


def _share(count: int, engine: str) -> int:
    """How many of so many things this engine is given: a slow one few, and never none."""
    return max(1, count // _SLOWNESS) if engine in SLOW_ENGINES else count


@dataclass(frozen=True)
class Effort:
    """How much to do. A figure is measured until `seconds` have passed, at least `least` and at most `most` times.

    draws: proofs of the large batch. documents: lives of documents in the audited log, five entries each.
    logarithm_bits: the largest amount whose logarithm is searched; a slow engine searches 2**8 times fewer amounts, and one
        with a table of its own 2**8 times more.
    range_proofs: the largest batch of range proofs, also of those that are compared with the peers.
    terms: terms of the large sum of products. stream: draws that one process verifies, one batch after the other.
    loaded, idle: draws that the service is sent by many clients, and one after the other.
    drawn: draws on the document that carries many. lenders: banks that draw on one document. compared: draws on each of these.
    batch: declarations in one batch. starts: of the service. races: of sixteen clients.
    """

    quick: bool
    seconds: float
    least: int
    most: int
    draws: int
    documents: int
    logarithm_bits: int
    range_proofs: int
    terms: int
    stream: int
    loaded: int = 0
    idle: int = 0
    drawn: int = 0
    lenders: int = 0
    batch: int = 0
    starts: int = 0
    races: int = 0
    compared: int = 0

    def draws_for(self, engine: str) -> int:
        """Draws in the batch that this engine verifies."""
        return _share(self.draws, engine)

    def documents_for(self, engine: str) -> int:
        """Documents in the log that this engine audits."""
        return _share(self.documents, engine)

    def range_proofs_for(self, engine: str) -> int:
        """Range proofs in the batch that this engine verifies."""
        return _share(self.range_proofs, engine)

    def logarithm_bits_for(self, engine: str, own_table: bool = False) -> int:
        """Bits of the amounts whose logarithm this engine searches."""
        return self.logarithm_bits + (-8 if engine in SLOW_ENGINES else 8 if own_table else 0)


FULL = Effort(
    quick=False,
    seconds=3.0,
    least=3,
    most=200,
    draws=500,
    documents=100,
    logarithm_bits=32,
    range_proofs=1000,
    terms=16_384,
    stream=10_000,
    loaded=2_000,
    idle=200,
    drawn=1_000,
    lenders=300,
    batch=500,
    starts=5,
    races=5,
    compared=60,
)
QUICK = Effort(
    quick=True,
    seconds=0.2,
    least=1,
    most=20,
    draws=50,
    documents=4,
    logarithm_bits=24,
    range_proofs=10,
    terms=64,
    stream=100,
    loaded=24,
    idle=6,
    drawn=6,
    lenders=4,
    batch=6,
    starts=1,
    races=1,
    compared=4,
)


@dataclass(frozen=True)
class Sample:
    """Seconds that each run took: by the clock on the wall, and of this process's CPU."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]


def repeat(action: Callable[[], object], effort: Effort) -> Sample:
    """Run the action as often as the effort says. Garbage is collected as in everyday use."""
    wall: list[float] = []
    cpu: list[float] = []
    while len(wall) < effort.least or (sum(wall) < effort.seconds and len(wall) < effort.most):
        started, started_cpu = time.perf_counter(), time.process_time()
        action()
        cpu.append(time.process_time() - started_cpu)
        wall.append(time.perf_counter() - started)
    return Sample(tuple(wall), tuple(cpu))


@contextmanager
def one_core() -> Iterator[None]:
    """Everything inside, programs started there included, runs on one core, where the system knows how to say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass
class Recorder:
    """Collects the rows of one area and engine."""

    area: str
    engine: str
    rows: list[Row] = field(default_factory=list)

    def each(self, name: str, title: str, sample: Sample, *, items: int = 1, size: int | None = None) -> None:
        """Milliseconds for each of the items that one run handled."""
        wall, cpu = ([seconds * 1000 / items for seconds in times] for times in (sample.wall, sample.cpu))
        self.rows.append(Row.of(self.area, self.engine, name, title, "ms", wall, cpu=cpu, items=items, size=size))

    def total(self, name: str, title: str, sample: Sample, *, items: int) -> None:
        """Seconds for all items together."""
        self.rows.append(Row.of(self.area, self.engine, name, title, "s", sample.wall, cpu=sample.cpu, items=items))

    def rate(self, name: str, title: str, sample: Sample, *, items: int) -> None:
        """Items a second."""
        wall, cpu = ([items / seconds for seconds in times if seconds > 0] for times in (sample.wall, sample.cpu))
        self.rows.append(Row.of(self.area, self.engine, name, title, "1/s", wall, cpu=cpu, items=items))

    def figure(
        self, name: str, title: str, unit: Unit, values: Sequence[float], *, items: int = 1, target: Target = NO_TARGET
    ) -> None:
        """Values that were measured elsewhere, with what they must be."""
        row = Row.of(self.area, self.engine, name, title, unit, values, items=items, target=target)
        self.rows.append(row)

    def ratio(self, name: str, title: str, values: Sequence[float]) -> None:
        """How many times what another takes, in each run or round."""
        self.rows.append(Row.of(self.area, self.engine, name, title, "ratio", values))

    def size(self, name: str, title: str, size: int) -> None:
        """A number of bytes that needs no second run."""
        self.rows.append(Row.of(self.area, self.engine, name, title, "bytes", [size]))

    def memory(self, name: str, title: str, size: int, *, items: int) -> None:
        """Memory of a process, from bytes."""
        self.rows.append(Row.of(self.area, self.engine, name, title, "MiB", [size / (1 << 20)], items=items))
