"""Verify and commit: the bank puts its drafts and the headroom proofs together and sends them, once, however often it tries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parties.bank.desk import Desk
from parties.bank.records import DrawRecord, FinancingRecord, PendingFinancing, PendingSteps, Standing
from parties.bank.steps import check_receipt, deliver, is_final, misbehaved
from parties.common.client import idempotency_key
from parties.common.errors import InputError, Refused, ServiceRefused
from parties.common.sealed_files import read_sealed
from schemas.answers import FinancingAnswer, Receipt
from schemas.entries import Drawn
from schemas.messages import DrawMessage, FinancingRequest
from schemas.sealed import ApprovalFile
from zkcore.ledger.state import RESERVED
from zkcore.operations import APPROVED

_REFUSALS = {
    "cannot-be-proven": (
        "the headroom of a document does not cover this draw",
        "单证余额不足以覆盖本次登记",
    ),
    "not-applied-for": (
        "the draft is not what was applied for",
        "草案与申请不符",
    ),
    "expired": (
        "the application has expired; ask for a new one",
        "申请已过期；请重新申请",
    ),
}


def commit_file(desk: Desk, path: Path) -> FinancingRecord:
    """Open an approval and commit its financing. Raises what `commit` raises, InputError for a bad file."""
    return commit(desk, read_sealed(path, ApprovalFile, desk.signer.seal))


def commit(desk: Desk, approval: ApprovalFile) -> FinancingRecord:
    """The financing, committed: now, or by an earlier attempt. Nothing is done twice.

    Raises Refused: by the prover, or by the service (which wrote nothing; the drafts stay and a fresh approval can be asked
    for). Raises ServiceUnreachable when no answer came: run again.
    """
    with desk.home.lock():
        record = find_financing(desk, approval)
        if isinstance(record.pending, PendingSteps):
            record = deliver(desk, record)
        if record.sent:
            record = resend(desk, record, approval)
        if record.complete:
            return record
        return _send(desk, prepare(desk, record, approval))


def find_financing(desk: Desk, approval: ApprovalFile) -> FinancingRecord:
    """The financing that an approval is for. Raises InputError."""
    record = desk.book.find(approval.financing)
    if record is None:
        raise InputError(
            "financing-unknown",
            "this approval is for no draft in this home; check --home",
            "该批准文件与此目录中的草案不对应；请检查 --home",
        )
    return record


def resend(desk: Desk, record: FinancingRecord, approval: ApprovalFile) -> FinancingRecord:
    """Complete an earlier attempt whose answer was lost. When that was refused, only another approval may be tried after it."""
    try:
        return _send(desk, record)
    except ServiceRefused:
        refused = desk.book.find(record.financing)
        if refused is None or refused.pending is not None or _same_approval(record, approval):
            raise
        return refused


def _same_approval(record: FinancingRecord, approval: ApprovalFile) -> bool:
    pending = record.pending
    return isinstance(pending, PendingFinancing) and [line.headroom for line in pending.request.lines] == approval.lines


def prepare(desk: Desk, record: FinancingRecord, approval: ApprovalFile) -> FinancingRecord:
    """The record with the request to send, kept before it is sent."""
    drafts = [line.moving.draft for line in record.lines if line.moving is not None]
    drafts = drafts or [line.draft for line in record.lines]
    refusal = approval.refused or ("expired" if min(draft.expires for draft in drafts) < desk.now else None)
    if refusal is not None:
        desk.book.save(record.model_copy(update={"refusal": refusal}))
        raise Refused(refusal, *_REFUSALS[refusal])
    if len(approval.lines) != len(drafts):
        raise InputError("approval", "this approval has not one proof a line", "批准文件的证明数与行数不符")
    lines = [DrawMessage(draft=draft, headroom=proof) for draft, proof in zip(drafts, approval.lines, strict=True)]
    pending = PendingFinancing(key=idempotency_key(desk.randomness), request=FinancingRequest(lines=lines))
    prepared = record.model_copy(update={"pending": pending, "refusal": None})
    desk.book.save(prepared)
    return prepared


def _send(desk: Desk, record: FinancingRecord) -> FinancingRecord:
    pending = record.pending
    if not isinstance(pending, PendingFinancing):
        raise ValueError("nothing to send")
    if pending.batch is not None:
        raise Refused(
            "batch-under-way",
            "this financing is part of a batch under way; run `tradeveil bank commit` again to finish it",
            "该笔融资属于正在提交的批次；请再次运行 `tradeveil bank commit` 完成该批次",
        )
    try:
        answer = desk.client.finance(pending.request, pending.key)
    except ServiceRefused as error:
        if is_final(error):
            desk.book.save(record.model_copy(update={"pending": None, "refusal": error.slug}))
        raise
    done = committed(record, pending.request, answer)
    desk.book.save(done)
    return done


def committed(record: FinancingRecord, request: FinancingRequest, answer: FinancingAnswer) -> FinancingRecord:
    """The record with the receipts of its request. Raises ServiceMisbehaved when they are for anything else."""
    if [item.draw for item in answer.draws] != [line.draft.draw for line in request.lines]:
        raise misbehaved()
    after = record.model_copy(update={"pending": None, "refusal": None})
    places = record.moving or range(len(record.lines))
    for index, sent, item in zip(places, request.lines, answer.draws, strict=True):
        check_receipt(Drawn(time=item.receipt.time, body=sent, caller=item.caller), item.receipt)
        line = record.lines[index]
        moved = _moved(line, item.head, item.receipt)
        after = after.with_line(index, _reserved(line, item.head, item.receipt) if moved is None else moved)
    return after


def _reserved(line: DrawRecord, head: bytes, receipt: Receipt) -> DrawRecord:
    standing = Standing(head=head, outstanding=line.draft.amount, stage=RESERVED, receipts=[receipt])
    application = line.application
    if application is not None and application.stage == APPROVED:
        # Its head moves with the draw, and nothing more is decided about it.
        application = application.model_copy(update={"stage": RESERVED})
    return line.model_copy(update={"standing": standing, "application": application})


def _moved(line: DrawRecord, head: bytes, receipt: Receipt) -> DrawRecord | None:
    """The line after the draw that takes it over was committed; None where it was an ordinary draw."""
    if line.moving is None or line.standing is None:
        return None
    taken_over = line.moving
    standing = Standing(
        head=head,
        outstanding=taken_over.draft.amount,
        stage=line.standing.stage,
        receipts=[*line.standing.receipts, receipt],
    )
    return line.model_copy(update={"draw": taken_over.draft.draw, "drafted": taken_over, "standing": standing, "moving": None})


def receipts(record: FinancingRecord) -> Sequence[Receipt]:
    """The first receipt of each line: that its draw is committed."""
    return [line.standing.receipts[0] for line in record.lines if line.standing is not None]
