"""Area `audit`: an auditor's replay of a log from its first entry, with public keys alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from benchmarks import workers
from benchmarks.measure import ANY_ENGINE, Effort, Progress, Recorder, repeat
from benchmarks.report import Row
from parties.auditor.replay import LINE_START, line_end, replay
from schemas.entries import encode_entry

AREA = "audit"


def measure(engines: Sequence[str], effort: Effort, progress: Progress) -> list[Row]:
    """All rows of this area. The log is written once, and every engine replays it or, when slow, the first documents of it."""
    count = max(effort.documents_for(name) for name in engines)
    lives = workers.in_parallel(workers.prove_life, count, f"proving the lives of {count} documents", progress)
    rows = [row for name in engines for row in _measure_engine(name, lives[: effort.documents_for(name)], effort, progress)]
    return _sizes(lives[0]) + rows


def _measure_engine(name: str, lives: list[list[bytes]], effort: Effort, progress: Progress) -> list[Row]:
    recorder, world = Recorder(AREA, name), workers.world(name)
    world.suite.prepare(128)
    export = as_export(encode_entry(world.genesis), lives)

    def audit() -> None:
        with progress(f"{name}: auditing {len(export)} entries") as report:
            verdict = replay(world.suite, export, progress=lambda done: report(done, len(export)))
        if not verdict.ok:
            raise RuntimeError(f"the log written for this measurement does not verify: {verdict.failures[0].message}")

    sample = repeat(audit, effort)
    mixture = f"{len(export)} entries, {len(lives)} documents"
    recorder.rate("replay", f"entries a second ({mixture})", sample, items=len(export))
    recorder.each("replay-each", "each entry", sample, items=len(export))
    recorder.total("replay-all", "all entries", sample, items=len(export))
    return recorder.rows


def _sizes(life: list[bytes]) -> list[Row]:
    """Bytes of an entry of each type, the same from every engine."""
    recorder = Recorder(AREA, ANY_ENGINE)
    for step, entry in dict(zip(workers.LIFE, life, strict=True)).items():
        recorder.size(f"entry-{step}", f"entry in the log: {step}", len(entry))
    return recorder.rows


def as_export(genesis: bytes, lives: list[list[bytes]]) -> list[bytes]:
    """The lines of an export: the genesis, then the first step of every document, then every second step, and so on."""
    entries = [genesis, *chain.from_iterable(zip(*lives, strict=True))]
    return [LINE_START + entry + line_end(index) for index, entry in enumerate(entries)]
