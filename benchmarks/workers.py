"""Work in other processes: proofs made in parallel, and memory measured in a process that does nothing else.

What passes between processes is encoded messages: the elements of an engine do not leave their process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from benchmarks import scenario
from benchmarks.measure import SLOW_ENGINES, Progress
from benchmarks.scenario import World
from schemas.callers import CALLER_SIZE
from schemas.entries import Closed, Disbursed, Drawn, Reduced, Registered, encode_entry
from schemas.messages import CloseMessage, DisburseMessage, DrawMessage, ReduceMessage, RegisterMessage
from tlog.leaf import leaf_hash
from zkcore import engine, ledger
from zkcore.operations import Draw
from zkcore.randomness import SystemRandomness
from zkcore.secret.opening import Opening, fresh_opening
from zkcore.secret.range_proof import prove_range
from zkcore.verifying.batch import Claim, RangeClaim, verify

S = TypeVar("S")
T = TypeVar("T")

LIFE = ("register", "draw", "draw", "disburse", "reduce", "close")
"""The entries of a document's life, in the order of `prove_life`."""

EncodedRangeProof = tuple[list[bytes], bytes]
"""Commitments, and the proof that each is to a value of RANGE_BITS bits."""

RANGE_BITS = 64
RANGE_SESSION = bytes(range(32))

_PROCESSES = 2
_LARGE_DRAW = scenario.LIMIT * 6 // 10
_SMALL_DRAW = scenario.LIMIT * 35 // 100
_ANYBODY = bytes(CALLER_SIZE)
"""In place of a sealed caller, which an audit does not open."""


@lru_cache(maxsize=1)
def world(name: str) -> World:
    """The world over one engine, opened once a process."""
    return World.open(engine.load(name), SystemRandomness())


def proving_engine() -> str:
    """The engine that makes what others then verify: the best present that is not slow, since all make the same bytes."""
    present = engine.available()
    return next((name for name in present if name not in SLOW_ENGINES), present[0])


def in_parallel(work: Callable[[str, int], T], count: int, description: str, progress: Progress) -> list[T]:
    """work(engine, index) for each index below `count`, two processes at a time, in order."""
    return over(work, range(count), description, progress)


def over(work: Callable[[str, S], T], items: Sequence[S], description: str, progress: Progress) -> list[T]:
    """work(engine, item) for each of the items, two processes at a time, in order."""
    name, count = proving_engine(), len(items)
    with progress(description) as report, _pool(min(_PROCESSES, count)) as pool:
        return list(_counted(pool.map(work, [name] * count, items), count, report))


def alone(work: Callable[..., T], name: str, data: list[bytes], *further: int) -> T:
    """work(engine, data, ...) in a fresh process."""
    with _pool(1) as pool:
        return pool.submit(work, name, data, *further).result()


def _pool(processes: int) -> ProcessPoolExecutor:
    """Fresh interpreters: a forked one would share OpenSSL's and Python's state with its parent, and start with its memory."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


def _counted(results: Iterator[T], count: int, report: Callable[[int, int], None]) -> Iterator[T]:
    report(0, count)
    for done, result in enumerate(results, start=1):
        report(done, count)
        yield result


# --- what the processes do ------------------------------------------------------------------------------------------------


def prove_draw(name: str, index: int) -> bytes:
    """A draw on the document of this index, as JSON."""
    here = world(name)
    operation, _, _ = scenario.draw(here, scenario.document(here, index), _LARGE_DRAW)
    return DrawMessage.of(operation).model_dump_json().encode("ascii")


def prove_registration(name: str, index: int) -> bytes:
    """The registration of the document of this index, as JSON."""
    here = world(name)
    operation = scenario.register(here, scenario.document(here, index))
    return RegisterMessage.of(operation).model_dump_json().encode("ascii")


Committed = tuple[int, bytes, bytes]
"""The index of a document, its registration as JSON, and the leaf of its entry in a service's log."""


def registered(here: World, committed: Committed) -> scenario.Document:
    """The document as the service has it, with nothing drawn."""
    index, registration, leaf = committed
    operation = RegisterMessage.model_validate_json(registration).decode(here.suite.group)
    return replace(scenario.document(here, index), state=ledger.registered(operation, leaf))


def prove_first_draw(name: str, committed: Committed) -> bytes:
    """The first draw on a registered document, as JSON, that a service of today takes."""
    here = world(name)
    operation, _, _ = scenario.draw(here, registered(here, committed), _SMALL_DRAW, expires=in_an_hour())
    return DrawMessage.of(operation).model_dump_json().encode("ascii")


def in_an_hour() -> int:
    """Unix seconds, by the clock of this machine, which is the service's."""
    return int(time.time()) + 3_600


def prove_life(name: str, index: int) -> list[bytes]:
    """The life of the document of this index, as log entries: registered, drawn on twice, one draw paid out, repaid, closed."""
    here, when = world(name), scenario.TIME
    paper = scenario.document(here, index)

    registration = scenario.register(here, paper)
    entries = [encode_entry(Registered(time=when, body=RegisterMessage.of(registration)))]
    paper = replace(paper, state=ledger.registered(registration, leaf_hash(entries[-1])))

    loans = []
    for amount in (_LARGE_DRAW, _SMALL_DRAW):
        operation, key, opening = scenario.draw(here, paper, amount)
        entries.append(encode_entry(Drawn(time=when, body=DrawMessage.of(operation), caller=_ANYBODY)))
        paper, loan = scenario.after_draw(here, paper, operation, key, opening, leaf_hash(entries[-1]))
        loans.append(loan)

    paid_out = scenario.disburse(here, paper, loans[0])
    entries.append(encode_entry(Disbursed(time=when, body=DisburseMessage.of(paid_out), caller=_ANYBODY)))
    paper, loans[0] = scenario.after_disburse(paper, loans[0], paid_out, leaf_hash(entries[-1]))
    reduction, rest = scenario.reduce(here, paper, loans[0], _LARGE_DRAW)
    entries.append(encode_entry(Reduced(time=when, body=ReduceMessage.of(reduction), caller=_ANYBODY)))
    paper, settled = scenario.after_reduce(here, paper, loans[0], reduction, rest, leaf_hash(entries[-1]))
    closing = CloseMessage.of(scenario.close(here, paper, settled))
    entries.append(encode_entry(Closed(time=when, body=closing, caller=_ANYBODY)))
    return entries


def range_openings(here: World, count: int) -> list[tuple[int, int]]:
    """Values and fresh blindings to prove in range. The blinding alone makes each commitment another."""
    openings = [fresh_opening(here.suite, _LARGE_DRAW, here.randomness) for _ in range(count)]
    return [(opening.amount, opening.blinding) for opening in openings]


def prove_single_range(name: str, _index: int) -> EncodedRangeProof:
    """A range proof of one value."""
    return _prove_range(world(name), 1)


def prove_double_range(name: str, _index: int) -> EncodedRangeProof:
    """A range proof of two values."""
    return _prove_range(world(name), 2)


def _prove_range(here: World, count: int) -> EncodedRangeProof:
    openings = range_openings(here, count)
    values = [Opening(*opening).commit(here.suite).encode() for opening in openings]
    return values, prove_range(here.suite, RANGE_SESSION, openings, RANGE_BITS, here.randomness)


def range_claims(here: World, encoded: Sequence[EncodedRangeProof]) -> list[RangeClaim]:
    """What the proofs of `prove_single_range` claim, commitments decoded."""
    group = here.suite.group
    return [
        RangeClaim(str(index), RANGE_SESSION, tuple(group.decode(value) for value in values), RANGE_BITS, proof)
        for index, (values, proof) in enumerate(encoded)
    ]


def decode_draws(here: World, encoded: list[bytes]) -> list[tuple[scenario.Document, Draw]]:
    """The draws made by `prove_draw`, in order from index 0, each with its document."""
    return [
        (scenario.document(here, index), DrawMessage.model_validate_json(data).decode(here.suite.group))
        for index, data in enumerate(encoded)
    ]


def claims_of(here: World, draws: list[tuple[scenario.Document, Draw]]) -> list[Claim]:
    """All that the draws claim."""
    return [
        claim
        for index, (paper, operation) in enumerate(draws)
        for claim in ledger.check_draw(here.suite, here.parameters, paper.state, operation, str(index))
    ]


def memory_of_batch(name: str, encoded: list[bytes]) -> tuple[int, int]:
    """Peak resident bytes of this process with the draws decoded, and after it has verified them in one batch."""
    here = world(name)
    here.suite.prepare(128)
    draws = decode_draws(here, encoded)
    before = _peak_memory()
    verify(here.suite, claims_of(here, draws))
    return before, _peak_memory()


def memory_of_stream(name: str, encoded: list[bytes], total: int) -> int:
    """Peak resident bytes of this process when it has read and verified so many draws, each batch decoded anew."""
    here = world(name)
    for _ in range(0, total, len(encoded)):
        verify(here.suite, claims_of(here, decode_draws(here, encoded)))
    return _peak_memory()


def _peak_memory() -> int:
    """Peak resident bytes of this process.

    Linux keeps the peak of this program's own memory in its process file; getrusage would count what the parent had in memory
    when it started this process.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return _peak_memory_by_usage()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


def _peak_memory_by_usage() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
