"""Verify and commit: the bank puts its drafts and the headroom proofs together and sends them, once, however often it tries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parties.bank.desk import Desk
from parties.bank.records import FinancingRecord, PendingFinancing, Standing
from parties.common.client import idempotency_key
from parties.common.errors import InputError, Refused, ServiceMisbehaved, ServiceRefused
from parties.common.sealed_files import read_sealed
from schemas.answers import FinancingAnswer, Receipt
from schemas.entries import Closed, Drawn, Reduced, encode_entry
from schemas.messages import DrawMessage, FinancingRequest
from schemas.sealed import ApprovalFile
from tlog.leaf import leaf_hash

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
        record = desk.book.find(approval.financing)
        if record is None:
            raise InputError(
                "financing-unknown",
                "this approval is for no draft in this home; check --home",
                "该批准文件与此目录中的草案不对应；请检查 --home",
            )
        if record.pending is not None:
            record = _resend(desk, record, approval)
        if record.committed:
            return record
        return _send(desk, _prepare(desk, record, approval))


def _resend(desk: Desk, record: FinancingRecord, approval: ApprovalFile) -> FinancingRecord:
    """Complete an earlier attempt whose answer was lost. When that was refused, only another approval may be tried after it."""
    try:
        return _send(desk, record)
    except ServiceRefused:
        refused = desk.book.find(record.financing)
        if refused is None or refused.pending is not None or _same_approval(record, approval):
            raise
        return refused


def _same_approval(record: FinancingRecord, approval: ApprovalFile) -> bool:
    return record.pending is not None and [line.headroom for line in record.pending.request.lines] == approval.lines


def _prepare(desk: Desk, record: FinancingRecord, approval: ApprovalFile) -> FinancingRecord:
    """The record with the request to send, kept before it is sent."""
    refusal = approval.refused or ("expired" if record.expires < desk.now else None)
    if refusal is not None:
        desk.book.save(record.model_copy(update={"refusal": refusal}))
        raise Refused(refusal, *_REFUSALS[refusal])
    if len(approval.lines) != len(record.lines):
        raise InputError("approval", "this approval has not one proof a line", "批准文件的证明数与行数不符")
    lines = [DrawMessage(draft=line.draft, headroom=proof) for line, proof in zip(record.lines, approval.lines, strict=True)]
    pending = PendingFinancing(key=idempotency_key(desk.randomness), request=FinancingRequest(lines=lines))
    prepared = record.model_copy(update={"pending": pending, "refusal": None})
    desk.book.save(prepared)
    return prepared


def _send(desk: Desk, record: FinancingRecord) -> FinancingRecord:
    pending = record.pending
    if pending is None:
        raise ValueError("nothing to send")
    try:
        answer = desk.client.finance(pending.request, pending.key)
    except ServiceRefused as error:
        if is_final(error):
            desk.book.save(record.model_copy(update={"pending": None, "refusal": error.slug}))
        raise
    committed = _committed(record, pending.request, answer)
    desk.book.save(committed)
    return committed


def is_final(error: ServiceRefused) -> bool:
    """Whether the service decided. If not, the same bytes are to be sent again: they may yet be, or have been, committed."""
    return error.decided


def _committed(record: FinancingRecord, request: FinancingRequest, answer: FinancingAnswer) -> FinancingRecord:
    if [item.draw for item in answer.draws] != [line.draft.draw for line in request.lines]:
        raise misbehaved()
    lines = []
    for line, sent, item in zip(record.lines, request.lines, answer.draws, strict=True):
        check_receipt(Drawn(time=item.receipt.time, body=sent, caller=item.caller), item.receipt)
        standing = Standing(head=item.head, outstanding=line.draft.amount, closed=False, receipts=[item.receipt])
        lines.append(line.model_copy(update={"standing": standing}))
    return record.model_copy(update={"lines": lines, "pending": None, "refusal": None})


def check_receipt(entry: Drawn | Reduced | Closed, receipt: Receipt) -> None:
    """The receipt is for what was sent: the bank computes entry and leaf hash itself. Raises ServiceMisbehaved."""
    if leaf_hash(encode_entry(entry)) != receipt.leaf:
        raise misbehaved()


def misbehaved() -> ServiceMisbehaved:
    """The service's answer is not about what was sent."""
    return ServiceMisbehaved(
        "receipt-false",
        "the service's receipt is not for what was sent; keep this home and tell the operator and the regulator",
        "服务回执与所提交内容不符；请保留现场并告知运营方和监管方",
    )


def receipts(record: FinancingRecord) -> Sequence[Receipt]:
    """The first receipt of each line: that its draw is committed."""
    return [line.standing.receipts[0] for line in record.lines if line.standing is not None]
