"""Area `peers`: range proofs of 64-bit values, ours and other people's, measured in the same run on the same core.

All take turns: in every round each operation is run by every contender, one after the other, so that what else the machine
does hits all alike; ratios are taken within a round. Proving includes making the commitments. Verifying begins with commitments
as the library takes them and encoded proofs: our batch and tari's take commitments decoded, the others decode them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Protocol

from benchmarks import peer_programs, plot, workers
from benchmarks.floor import floor_per_proof, nanoseconds_per_multiplication
from benchmarks.measure import SLOW_ENGINES, Effort, Progress, Recorder, Sample, one_core
from benchmarks.peer_programs import PEERS, PeerFailed, PeerProgram
from benchmarks.plot import Line, Style
from benchmarks.report import Row
from benchmarks.workers import RANGE_BITS, RANGE_SESSION, EncodedRangeProof
from parties.common.errors import InputError
from zkcore.errors import BatchRejected
from zkcore.secret.range_proof import prove_range
from zkcore.verifying.batch import verify

AREA = "peers"
BATCHES = (1, 10, 100, 1000)
_FLOOR = "floor"
_ROUNDS, _QUICK_ROUNDS = 10, 2


class Contender(Protocol):
    """Whatever is measured. sizes: bytes of a proof, by values and bits, like `1x64`. operations: those that it has."""

    name: str
    label: str
    sizes: dict[str, int]
    operations: frozenset[str]

    def run(self, operation: str, seconds: float) -> list[float]:
        """Seconds of each run, of as many as fit into the time and at least one."""


class Ours:
    """This project's proofs over one of its engines."""

    def __init__(self, engine: str, single: Sequence[EncodedRangeProof], double: EncodedRangeProof) -> None:
        """Take the proofs, distinct and true. Raises RuntimeError when a true one is refused or a false one accepted."""
        self.name = self.label = engine
        self._world = workers.world(engine)
        self._single = workers.range_claims(self._world, single)
        self._double = workers.range_claims(self._world, [double])
        self.sizes = {"1x64": len(single[0][1]), "2x64": len(double[1])}
        self.operations = frozenset(operations(len(single)))
        self._check()

    def _check(self) -> None:
        suite, first, last = self._world.suite, self._single[0], self._single[-1]
        verify(suite, self._single)
        verify(suite, self._double)
        try:
            verify(suite, [*self._single[:-1], replace(last, values=first.values)])
        except BatchRejected:
            return
        raise RuntimeError("a false proof was accepted")

    def run(self, operation: str, seconds: float) -> list[float]:
        runs: list[float] = []
        begun = time.perf_counter()
        while not runs or time.perf_counter() - begun < seconds:
            started = time.perf_counter()
            self._once(operation)
            runs.append(time.perf_counter() - started)
        return runs

    def _once(self, operation: str) -> None:
        action, _, what = operation.partition("-")
        suite, randomness = self._world.suite, self._world.randomness
        if action == "prove":
            openings = workers.range_openings(self._world, values_of(operation))
            prove_range(suite, RANGE_SESSION, openings, RANGE_BITS, randomness)
        elif action == "verify":
            verify(suite, self._single[:1] if what == "1x64" else self._double)
        else:
            verify(suite, self._single[: int(what)])


def operations(largest_batch: int) -> list[str]:
    """Everything that is measured, in order."""
    batches = [f"batch-{count}" for count in BATCHES if count <= largest_batch]
    return ["prove-1x64", "verify-1x64", "prove-2x64", "verify-2x64", *batches]


def values_of(operation: str) -> int:
    """How many values a proof of this operation is about."""
    return 2 if operation.endswith("2x64") else 1


def proofs_of(operation: str) -> int:
    """How many proofs one run of this operation handles."""
    action, _, what = operation.partition("-")
    return int(what) if action == "batch" else 1


# --- measuring ------------------------------------------------------------------------------------------------------------


def measure(engines: Sequence[str], effort: Effort, progress: Progress) -> list[Row]:
    """All rows of this area. Of our engines the slow are left out. What a peer cannot do has no row."""
    fast = [name for name in engines if name not in SLOW_ENGINES]
    if not fast:
        raise InputError("no-fast-engine", "peers are compared with a fast engine", "只与快速引擎比较")
    programs = peer_programs.build(progress)
    count = effort.range_proofs
    single = workers.in_parallel(workers.prove_single_range, count, f"proving {count} range proofs", progress)
    double = workers.prove_double_range(workers.proving_engine(), 0)
    with ExitStack() as stack:
        stack.enter_context(one_core())
        ours: list[Contender] = [Ours(name, single, double) for name in fast]
        contenders = [*ours, *_start(programs, count, stack, progress)]
        taken = take_turns(contenders, operations(count), effort, progress)
    return rows_of(contenders, taken) + floor_rows()


def _start(programs: dict[str, Path], count: int, stack: ExitStack, progress: Progress) -> Iterator[PeerProgram]:
    """The programs, ready; each has made its proofs and refused a false one, or is left out."""
    with progress("the peers prove, and refuse what is false") as report:
        for done, peer in enumerate(PEERS, start=1):
            if peer.name in programs:
                try:
                    yield stack.enter_context(PeerProgram(peer, [programs[peer.name]], count))
                except PeerFailed as error:
                    peer_programs.leave_out(peer, str(error))
            report(done, len(PEERS))


Taken = dict[tuple[str, str], list[list[float]]]
"""Seconds of every run, in rounds, by contender and operation."""


def take_turns(contenders: Sequence[Contender], wanted: Sequence[str], effort: Effort, progress: Progress) -> Taken:
    """Run every operation of every contender, in rounds."""
    rounds = _QUICK_ROUNDS if effort.quick else _ROUNDS
    turns = [(one, operation) for operation in wanted for one in contenders if operation in one.operations]
    taken: Taken = {(one.name, operation): [] for one, operation in turns}
    with progress("all take turns") as report:
        for done in range(rounds):
            for index, (one, operation) in enumerate(turns):
                taken[one.name, operation].append(one.run(operation, effort.seconds / rounds))
                report(done * len(turns) + index + 1, rounds * len(turns))
    return taken


def rows_of(contenders: Sequence[Contender], taken: Taken) -> list[Row]:
    """For each contender its times, and, for all but the first, how many times the first one's time that is."""
    rows, first = [], contenders[0].name
    for one in contenders:
        recorder = Recorder(AREA, one.name)
        for operation in (operation for name, operation in taken if name == one.name):
            _record(recorder, one, operation, taken[one.name, operation])
            if one.name != first and (first, operation) in taken:
                values = ratios(taken[one.name, operation], taken[first, operation])
                title = f"{title_of(operation)}, times that of {first}"
                recorder.ratio(f"ratio-{operation}", title, values)
        rows += recorder.rows
    return rows


def _record(recorder: Recorder, one: Contender, operation: str, rounds: Sequence[Sequence[float]]) -> None:
    size = one.sizes[operation.removeprefix("prove-")] if operation.startswith("prove-") else None
    title = title_of(operation) if one.label == one.name else f"{title_of(operation)} ({one.label})"
    sample = Sample(wall=tuple(seconds for runs in rounds for seconds in runs), cpu=())
    recorder.each(operation, title, sample, items=proofs_of(operation), size=size)


def title_of(operation: str) -> str:
    """The operation for people."""
    action, _, what = operation.partition("-")
    if action == "batch":
        return f"verify a batch of {int(what):,}, each"
    return f"{action} {what.replace('x', '×')}"


def ratios(theirs: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> list[float]:
    """Of each round, their median over ours."""
    return [median(their_runs) / median(our_runs) for their_runs, our_runs in zip(theirs, ours, strict=True)]


def floor_rows() -> list[Row]:
    """What the processor itself needs a proof; nothing where no field multiplication can be measured."""
    nanoseconds = nanoseconds_per_multiplication()
    if nanoseconds is None:
        return []
    title = f"a proof's points at {nanoseconds:.3g} ns a field multiplication, each"
    return [Row.of(AREA, _FLOOR, _FLOOR, title, "ms", [floor_per_proof(nanoseconds) / 1000])]


# --- plotting -------------------------------------------------------------------------------------------------------------


def draw(rows: Sequence[Row]) -> str:
    """Cost of verifying a proof against the size of the batch, as an SVG document.

    Who cannot verify in batches has a dashed line: each proof costs what one costs. The floor is dotted.
    """
    mine = [row for row in rows if row.area == AREA]
    peers = {peer.name: f"{peer.name} ({peer.proof}, {peer.group})" for peer in PEERS}
    lines = [
        _line(name, peers, [row for row in mine if row.engine == name]) for name in dict.fromkeys(row.engine for row in mine)
    ]
    return plot.draw("Verifying a 64-bit range proof, one core", "proofs in a batch", "µs a proof", lines)


def _line(name: str, peers: dict[str, str], rows: Sequence[Row]) -> Line:
    figures = {row.name: row.median * 1000 for row in rows}
    if _FLOOR in figures:
        return Line(f"{_FLOOR} of this processor", [(count, figures[_FLOOR]) for count in BATCHES], "dotted")
    points = [(count, figures[f"batch-{count}"]) for count in BATCHES if f"batch-{count}" in figures]
    style: Style = "solid" if name in peers else "strong"
    label = peers.get(name, f"ours: {name}")
    if points:
        return Line(label, points, style)
    return Line(f"{label}, no batches", [(count, figures["verify-1x64"]) for count in BATCHES], "dashed")
