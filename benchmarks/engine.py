"""Area `engine`: what each proof costs to make, to check and to carry, for each engine; on one core, unless it says other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from pydantic import BaseModel

from benchmarks import scenario, workers
from benchmarks.measure import ANY_ENGINE, Effort, Progress, Recorder, one_core, repeat
from benchmarks.report import Row
from benchmarks.scenario import World
from benchmarks.workers import EncodedRangeProof
from schemas.messages import DrawMessage
from schemas.sealed import DrawMemo
from zkcore import ledger
from zkcore.group import Element, encode_scalar
from zkcore.randomness import random_nonzero_scalar
from zkcore.secret.memos import CONTENT_SIZE, seal_memo
from zkcore.secret.opening import LogarithmTable, Opening, check_opening, fresh_opening
from zkcore.secret.range_proof import prove_range
from zkcore.suite import Suite
from zkcore.verifying.batch import Claim, RangeClaim, verify

AREA = "engine"
_BITS = 64
_VECTORS = 128  # of a range proof over two values, the largest that an operation has
_SESSION = bytes(range(32))
_OWN_TABLE = 1 << 22  # entries of an engine's own table, as a regulator keeps it
_AMOUNT = scenario.LIMIT * 6 // 10


@dataclass(frozen=True)
class Case:
    """One thing to measure, and the bytes of what it makes."""

    name: str
    title: str
    action: Callable[[], object]
    size: int | None = None


def measure(engines: Sequence[str], effort: Effort, progress: Progress) -> list[Row]:
    """All rows of this area."""
    most = max(effort.draws_for(name) for name in engines)
    encoded = workers.in_parallel(workers.prove_draw, most, f"proving {most} draws", progress)
    count = max(effort.range_proofs_for(name) for name in engines)
    ranges = workers.in_parallel(workers.prove_single_range, count, f"proving {count} range proofs", progress)
    rows = [row for name in engines for row in _measure_engine(name, encoded, ranges, effort, progress)]
    return _sizes(encoded[0]) + rows


def _measure_engine(
    name: str, encoded: list[bytes], ranges: list[EncodedRangeProof], effort: Effort, progress: Progress
) -> list[Row]:
    recorder, world = Recorder(AREA, name), workers.world(name)
    claims = workers.range_claims(world, ranges[: effort.range_proofs_for(name)])
    with one_core():
        _measure_on_one_core(recorder, world, encoded[: effort.draws_for(name)], claims, effort, progress)
    if world.suite.twin is not None:
        _measure_two_threads(recorder, world, claims, effort, progress)
    return recorder.rows


def _measure_on_one_core(
    recorder: Recorder, world: World, encoded: list[bytes], claims: Sequence[Claim], effort: Effort, progress: Progress
) -> None:
    name = recorder.engine
    world.suite.prepare(_VECTORS)
    with progress(f"{name}: preparing") as report:
        cases = [*_starting(world), *_range_proofs(world), *_operations(world), *_openings(world, effort)]
        elements, scalars = _terms(world, effort)
        report(1, 1)
    with progress(f"{name}: single operations") as report:
        for done, case in enumerate(cases, start=1):
            recorder.each(case.name, case.title, repeat(case.action, effort), size=case.size)
            report(done, len(cases))
    with progress(f"{name}: sums and batches of range proofs") as report:
        sample = repeat(lambda: world.suite.group.msm(scalars, elements), effort)
        recorder.each("msm-each", f"sum of {len(elements):,} public products, each", sample, items=len(elements))
        report(1, 2)
        sample = repeat(lambda: verify(world.suite, claims), effort)
        recorder.each("range-batch-each", f"batch of {len(claims):,} range proofs 1×{_BITS}: each", sample, items=len(claims))
        report(2, 2)
    _measure_batch(recorder, world, encoded, effort, progress)


def _terms(world: World, effort: Effort) -> tuple[list[Element], list[int]]:
    """Distinct elements, and scalars of full size."""
    group, step = world.suite.group, world.suite.H
    elements = [world.suite.G]
    while len(elements) < effort.terms:
        elements.append(elements[-1] + step)
    return elements, [random_nonzero_scalar(world.randomness, group) for _ in elements]


def _measure_two_threads(recorder: Recorder, world: World, claims: Sequence[Claim], effort: Effort, progress: Progress) -> None:
    """The same batch by one thread and by two, in turns, so that what else the machine does hits both alike."""
    with progress(f"{recorder.engine}: two threads") as report:
        rounds = 2 if effort.quick else 10
        short, gains = replace(effort, seconds=effort.seconds / rounds), []
        for done in range(rounds):
            one, two = (median(repeat(partial(verify, world.suite, claims, threads), short).wall) for threads in (1, 2))
            gains.append(one / two)
            report(done + 1, rounds)
    recorder.ratio("range-batch-two-threads", f"batch of {len(claims):,}: one thread's time over that of two", gains)


def _starting(world: World) -> Iterator[Case]:
    suite = world.suite
    title = f"hash {2 * _VECTORS} generators to the curve, once a process"
    yield Case("generators", title, lambda: Suite(suite.group, suite.engine).vectors(_VECTORS))


def _range_proofs(world: World) -> Iterator[Case]:
    suite = world.suite
    for count in (1, 2):
        openings = [fresh_opening(suite, _AMOUNT, world.randomness) for _ in range(count)]
        pairs = [(opening.amount, opening.blinding) for opening in openings]
        proof = prove_range(suite, _SESSION, pairs, _BITS, world.randomness)
        claim = RangeClaim("range", _SESSION, tuple(opening.commit(suite) for opening in openings), _BITS, proof)
        yield from _pair(
            f"range-{count}x{_BITS}",
            f"range proof {count}×{_BITS}",
            lambda pairs=pairs: prove_range(suite, _SESSION, pairs, _BITS, world.randomness),  # type: ignore[misc]
            lambda claim=claim: verify(suite, [claim]),  # type: ignore[misc]
            len(proof),
        )


def _pair(name: str, title: str, prove: Callable[[], object], check: Callable[[], object], size: int) -> Iterator[Case]:
    """Something made and checked."""
    yield Case(f"{name}-prove", f"{title}: prove", prove, size)
    yield Case(f"{name}-verify", f"{title}: verify", check)


def _operations(world: World) -> Iterator[Case]:
    """The life of one document, each step proven and verified. Verifying begins with decoded points and ends with a verdict."""
    suite, parameters = world.suite, world.parameters

    def checked(claims: Callable[[], list[Claim]]) -> Callable[[], None]:
        return lambda: verify(suite, claims())

    paper = scenario.document(world, 0)
    registration = scenario.register(world, paper)
    yield from _pair(
        "register",
        "register",
        lambda: scenario.register(world, paper),
        checked(lambda: ledger.check_register(suite, parameters, registration)),
        len(registration.proof) + len(registration.range_proof),
    )

    operation, key, opening = scenario.draw(world, paper, _AMOUNT)
    draft, headroom = operation.draft, operation.headroom
    yield Case("draw-bank", "draw: bank's part", lambda: scenario.bank_part(world, paper, key, opening), len(draft.proof))
    yield Case(
        "draw-owner",
        "draw: owner's part, after checking the bank's",
        lambda: scenario.owner_part(world, paper, draft, opening),
        len(headroom.proof) + len(headroom.range_proof),
    )
    check_draw = checked(lambda: ledger.check_draw(suite, parameters, paper.state, operation))
    yield Case("draw-verify", "draw: verify", check_draw)

    def whole_draw() -> None:
        made, _, _ = scenario.draw(world, paper, _AMOUNT)
        verify(suite, ledger.check_draw(suite, parameters, paper.state, made))

    proofs = len(draft.proof) + len(headroom.proof) + len(headroom.range_proof)
    yield Case("draw-whole", "draw: both parts made, and verified", whole_draw, proofs)

    drawn, reserved = scenario.after_draw(world, paper, operation, key, opening, bytes(32))
    facts = ledger.facts(drawn.state)
    paid_out = scenario.disburse(world, drawn, reserved)
    yield from _pair(
        "disburse",
        "disburse",
        lambda: scenario.disburse(world, drawn, reserved),
        checked(lambda: ledger.check_disburse(suite, parameters, facts, reserved.state, paid_out)),
        len(paid_out.proof),
    )

    drawn, loan = scenario.after_disburse(drawn, reserved, paid_out, bytes(32))
    reduction, rest = scenario.reduce(world, drawn, loan, _AMOUNT)
    yield from _pair(
        "reduce",
        "reduce",
        lambda: scenario.reduce(world, drawn, loan, _AMOUNT),
        checked(lambda: ledger.check_reduce(suite, parameters, facts, loan.state, reduction)),
        len(reduction.proof) + len(reduction.range_proof),
    )

    repaid, settled = scenario.after_reduce(world, drawn, loan, reduction, rest, bytes(32))
    closing = scenario.close(world, repaid, settled)
    yield from _pair(
        "close",
        "close",
        lambda: scenario.close(world, repaid, settled),
        checked(lambda: ledger.check_close(suite, parameters, facts, settled.state, closing)),
        len(closing.proof),
    )

    request = scenario.view(world, paper)
    yield from _pair(
        "view",
        "view",
        lambda: scenario.view(world, paper),
        checked(lambda: ledger.check_view(suite, parameters, paper.state, request)),
        len(request.proof),
    )


def _openings(world: World, effort: Effort) -> Iterator[Case]:
    """How a reader opens a draw: from its memo, or, when the memo is garbage, by searching the logarithm."""
    suite = world.suite
    opening = fresh_opening(suite, _AMOUNT, world.randomness)
    commitment, memo = opening.commit(suite), seal_memo(world.seal.public, _memo_content(world, opening))
    yield Case("opening-memo", "open from the memo, and compare", lambda: _open_memo(world, memo, commitment))

    own = suite.twin is not None
    bits = effort.logarithm_bits_for(suite.engine, own)
    bound = (1 << bits) - 1

    def make_table() -> LogarithmTable:
        return LogarithmTable(suite, _OWN_TABLE) if own else LogarithmTable.for_bound(suite, bound)

    table = make_table()
    hardest = suite.group.msm([bound], [suite.G])
    yield Case("logarithm-table", f"table for amounts below 2^{bits}", make_table)
    yield Case("logarithm-find", f"open the hardest amount below 2^{bits} by logarithm", lambda: table.find(hardest, bound))


def _memo_content(world: World, opening: Opening) -> bytes:
    memo = DrawMemo(
        amount=opening.amount,
        blinding=encode_scalar(world.suite.group, opening.blinding),
        bank="bank-of-benchmarks",
        bank_name="Bank of Benchmarks",
        outlet="Head office",
        reference="BENCHMARK-0001",
        financing=bytes(32),
        note="",
    )
    content = memo.model_dump_json().encode("utf-8")
    assert len(content) <= CONTENT_SIZE
    return content


def _open_memo(world: World, memo: bytes, commitment: Element) -> None:
    content = DrawMemo.model_validate_json(world.seal.open_memo(memo))
    check_opening(world.suite, commitment, Opening(content.amount, int.from_bytes(content.blinding, "big")))


def _sizes(encoded: bytes) -> list[Row]:
    """Bytes of a draw and of its proofs, the same from every engine."""
    recorder, message = Recorder(AREA, ANY_ENGINE), DrawMessage.model_validate_json(encoded)
    recorder.size("draw-json", "whole draw as JSON", len(encoded))
    recorder.size("draw-binary", "whole draw, sum of its parts in binary", binary_size(message))
    recorder.size("draft-proof", "proof of the bank's part", len(message.draft.proof))
    recorder.size("headroom-proof", "proof of the owner's part", len(message.headroom.proof))
    recorder.size("headroom-range-proof", "range proof of the owner's part", len(message.headroom.range_proof))
    return recorder.rows


def binary_size(value: object) -> int:
    """Bytes of a message without JSON: every field at its own length, numbers at 8 bytes, a word of a fixed set at 1."""
    match value:
        case BaseModel():
            return sum(binary_size(item) for _, item in value)
        case bytes():
            return len(value)
        case int():
            return 8
        case str():
            return 1
        case None:
            return 0
    raise TypeError(f"a draw has no {type(value).__name__}")


def _measure_batch(recorder: Recorder, world: World, encoded: list[bytes], effort: Effort, progress: Progress) -> None:
    """Many draws, each on a document of its own, as they come off the wire and in one batch."""
    count, suite = len(encoded), world.suite
    with progress(f"{suite.engine}: {count} draws in one batch") as report:
        draws = workers.decode_draws(world, encoded)
        report(1, 4)
        decoding = repeat(lambda: DrawMessage.model_validate_json(encoded[0]).decode(suite.group), effort)
        recorder.each("draw-decode", "draw: read from JSON, points decoded", decoding)
        sample = repeat(lambda: verify(suite, workers.claims_of(world, draws)), effort)
        report(2, 4)
        recorder.total("draw-batch", f"batch of {count} draws: verify, all", sample, items=count)
        recorder.each("draw-batch-each", f"batch of {count} draws: verify, each", sample, items=count)
        before, peak = workers.alone(workers.memory_of_batch, suite.engine, encoded)
        report(4, 4)
    recorder.memory("memory-before", f"peak memory with {count} draws decoded", before, items=count)
    recorder.memory("memory-batch", "peak memory after verifying them in one batch", peak, items=count)
    total = max(effort.stream * count // effort.draws, count)
    with progress(f"{suite.engine}: {total} draws, batch after batch") as report:
        peak = workers.alone(workers.memory_of_stream, suite.engine, encoded, total)
        report(1, 1)
    title = f"peak memory of reading and verifying {total:,} draws, {count} at a time ({count} draws again and again)"
    recorder.memory("memory-stream", title, peak, items=total)
