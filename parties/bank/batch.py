"""Many approvals at once: their financings go to the service as one batch, and each gets an answer of its own.

What is sent is kept first, as always: the batch with its Idempotency-Key, and in each financing's record the request. Where the
connection is lost, or this program is ended, the next `commit` sends the same batch again, which to the service is the same
one, and fetches the answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parties.bank.commit import committed, find_financing, prepare, resend
from parties.bank.desk import Desk
from parties.bank.records import FinancingRecord, PendingBatch, PendingFinancing, PendingSteps
from parties.bank.steps import deliver, misbehaved
from parties.common.client import idempotency_key
from parties.common.errors import HomeError, PartyError, ServiceMisbehaved, ServiceRefused, ServiceUnreachable
from parties.common.sealed_files import read_sealed
from schemas.answers import MAXIMUM_BATCH, BatchLine
from schemas.canonical import canonical
from schemas.problems import Problem
from schemas.sealed import ApprovalFile

FOLDER = "batches"
_LARGEST_BATCH = 40_000_000
"""Bytes of a batch that is sent: below what the service takes."""
_SERVER_ERROR = 500

Report = Callable[[int, int], None]
"""Called with how many financings are decided, of how many."""


@dataclass(frozen=True)
class Result:
    """What became of one file: the record of its financing, or why not."""

    path: Path
    record: FinancingRecord | None
    error: PartyError | None

    @property
    def committed(self) -> bool:
        return self.record is not None and self.record.complete


def approval_files(paths: Sequence[Path]) -> list[Path]:
    """The files, and those in the directories among them, in order and each once."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = path.iterdir() if path.is_dir() else [path]
        found.update(dict.fromkeys(sorted(item for item in inside if not item.name.startswith(".") and not item.is_dir())))
    return list(found)


def commit_files(desk: Desk, paths: Sequence[Path], report: Report) -> list[Result]:
    """Commit the financing of each approval file. What a file fails is its result; none hinders another.

    Raises ServiceUnreachable when no answer came: run again, nothing is done twice.
    """
    with desk.home.lock():
        problems = finish_batches(desk, report)
        results = [_prepared(desk, path) for path in paths]
        waiting = [item.record for item in results if item.record is not None and item.record.sent]
        for group in _groups(waiting):
            _begin(desk, group)
        problems |= finish_batches(desk, report)
        return [_result(desk, item, problems) for item in results]


def finish_batches(desk: Desk, report: Report) -> dict[bytes, Problem]:
    """Complete every batch that was begun. Hold the home's lock. Returns why financings were refused, by id.

    Raises what the client raises; the batch is then gone on with next time.
    """
    problems: dict[bytes, Problem] = {}
    for name in desk.home.names(FOLDER):
        problems |= _finish(desk, name, report)
        desk.home.remove(name)
    return problems


def _finish(desk: Desk, name: str, report: Report) -> dict[bytes, Problem]:
    """Send the batch, if it is not known to have arrived, and note each answer in its record, once."""
    batch = desk.home.load(name, PendingBatch)
    records = [_record(desk, financing) for financing in batch.financings]
    if batch.accepted is None:
        records = [_joined(desk, record, name) for record in records]
        lines = [canonical(record.pending.request) for record in records if isinstance(record.pending, PendingFinancing)]
        batch = batch.model_copy(update={"accepted": desk.client.send_batch(lines, batch.key)})
        desk.home.save(name, batch)
    if batch.accepted is None or batch.accepted.total != len(records):
        raise misbehaved()
    answers = list(desk.client.batch_answers(batch.accepted, report))
    for record, answer in zip(records, answers, strict=True):
        if isinstance(record.pending, PendingFinancing) and record.pending.batch == name:
            desk.book.save(_answered(record, record.pending, answer))
    return {batch.financings[item.line]: item.problem for item in answers if item.problem is not None}


def _record(desk: Desk, financing: bytes) -> FinancingRecord:
    record = desk.book.find(financing)
    if record is None:
        raise HomeError(
            "record-missing",
            "a financing of a batch under way is missing from this home; restore the home from its copy",
            "此目录缺少正在提交批次中的一笔融资；请从备份恢复",
        )
    return record


def _joined(desk: Desk, record: FinancingRecord, name: str) -> FinancingRecord:
    """The record, saying in which batch its request goes, so that it is not sent by itself as well."""
    if not isinstance(record.pending, PendingFinancing) or record.pending.batch is not None:
        return record
    joined = record.model_copy(update={"pending": record.pending.model_copy(update={"batch": name})})
    desk.book.save(joined)
    return joined


def _answered(record: FinancingRecord, pending: PendingFinancing, line: BatchLine) -> FinancingRecord:
    """The record after its answer. One that the service failed on is sent again by itself next time."""
    if line.answer is not None:
        return committed(record, pending.request, line.answer)
    if line.problem is None or line.problem.status >= _SERVER_ERROR:
        return record.model_copy(update={"pending": pending.model_copy(update={"batch": None})})
    return record.model_copy(update={"pending": None, "refusal": ServiceRefused(line.problem).slug})


def _prepared(desk: Desk, path: Path) -> Result:
    """The file's financing: committed already, or ready to be sent in a batch."""
    try:
        approval = read_sealed(path, ApprovalFile, desk.signer.seal)
        record = find_financing(desk, approval)
        if isinstance(record.pending, PendingSteps):
            record = deliver(desk, record)
        if isinstance(record.pending, PendingFinancing) and record.pending.batch is None:
            record = resend(desk, record, approval)  # under its own key, as it was sent before
        if not record.sent and not record.complete:
            record = prepare(desk, record, approval)
    except ServiceUnreachable:
        raise
    except PartyError as error:
        return Result(path, None, error)
    return Result(path, record, None)


def _groups(records: Sequence[FinancingRecord]) -> list[list[FinancingRecord]]:
    """Batches that the service takes; a financing that two files are for is sent once."""
    groups: list[list[FinancingRecord]] = []
    size = 0
    for record in {record.financing: record for record in records}.values():
        length = len(canonical(record.pending.request)) + 1 if isinstance(record.pending, PendingFinancing) else 0
        if not groups or len(groups[-1]) == MAXIMUM_BATCH or size + length > _LARGEST_BATCH:
            groups.append([])
            size = 0
        groups[-1].append(record)
        size += length
    return groups


def _begin(desk: Desk, records: Sequence[FinancingRecord]) -> None:
    """Keep which financings are sent together, and under which key, before anything is sent."""
    key = idempotency_key(desk.randomness)
    name = f"{FOLDER}/{hashlib.sha256(key.encode('ascii')).hexdigest()[:32]}.json"
    desk.home.save(name, PendingBatch(key=key, financings=[record.financing for record in records]))


def _result(desk: Desk, before: Result, problems: Mapping[bytes, Problem]) -> Result:
    """What the record says now."""
    if before.record is None:
        return before
    record = _record(desk, before.record.financing)
    if record.complete:
        return Result(before.path, record, None)
    problem = problems.get(record.financing)
    if problem is not None:
        return Result(before.path, record, ServiceRefused(problem))
    raise ServiceMisbehaved(
        "batch-incomplete", "the service left a financing unanswered; run again", "服务未答复全部融资；请重新运行"
    )
