"""Steps of a financing on the log, all of its lines together: sent once, however often a command is run.

Steps are kept in the bank's home before they are sent. Who runs a command again after a lost answer completes them first; if
they were the very steps asked for, that is all, and otherwise nothing more is done until the person has looked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parties.bank.desk import Desk
from parties.bank.records import (
    ApplicationStanding,
    DrawRecord,
    FinancingRecord,
    PendingLine,
    PendingSteps,
    Standing,
    opening_of,
)
from parties.common.client import idempotency_key
from parties.common.errors import Refused, ServiceMisbehaved, ServiceRefused
from schemas.answers import DrawReceipt, Receipt
from schemas.entries import Applied, Closed, Decided, Disbursed, Drawn, Reduced, encode_entry
from schemas.messages import ApplyStep, CloseMessage, CloseStep, DecideStep, DisburseStep, ReduceStep, Step, StepsRequest
from schemas.sealed import OpeningMessage
from tlog.leaf import leaf_hash
from zkcore import ledger
from zkcore.commitments import HandledCommitment
from zkcore.errors import StateError
from zkcore.ledger import ApplicationState
from zkcore.ledger.state import CLOSE, DISBURSE, next_stage
from zkcore.secret.operations import prove_close


@dataclass(frozen=True, repr=False)
class Made:
    """A step as it is to be sent: of which line, and the opening of what is outstanding afterwards, where that changes."""

    index: int
    step: Step
    outstanding: OpeningMessage | None = None


def take(desk: Desk, record: FinancingRecord, made: Sequence[Made], asked: str, *, settle: bool = False) -> FinancingRecord:
    """Keep the steps in the home and send them. Hold the home's lock. Raises what the service's client raises."""
    return deliver(desk, prepare(desk, record, made, asked, settle=settle))


def prepare(desk: Desk, record: FinancingRecord, made: Sequence[Made], asked: str, *, settle: bool = False) -> FinancingRecord:
    """The record with the steps to send, kept. Raises Refused while its draws are being committed."""
    if record.sent:
        raise under_way()
    pending = PendingSteps(
        key=idempotency_key(desk.randomness),
        request=StepsRequest(steps=[item.step for item in made]),
        lines=[PendingLine(index=item.index, outstanding=item.outstanding) for item in made],
        asked=asked,
        settle=settle,
    )
    prepared = record.model_copy(update={"pending": pending})
    desk.book.save(prepared)
    return prepared


def deliver(desk: Desk, record: FinancingRecord) -> FinancingRecord:
    """Send what is pending and record what came of it; where it settles, go on to close what is repaid in full."""
    pending = record.pending
    if not isinstance(pending, PendingSteps):
        raise ValueError("no steps are pending")
    try:
        answer = desk.client.take_steps(pending.request, pending.key)
    except ServiceRefused as error:
        if is_final(error):
            desk.book.save(record.model_copy(update={"pending": None, "refusal": error.slug}))
        raise
    if len(answer.steps) != len(pending.lines):
        raise misbehaved()
    after = record.model_copy(update={"pending": None, "refusal": None})
    for place, step, receipt in zip(pending.lines, pending.request.steps, answer.steps, strict=True):
        line = _after(desk, record, record.lines[place.index], step, place.outstanding, receipt)
        after = after.with_line(place.index, line)
    reduced = [
        place.index
        for place, step in zip(pending.lines, pending.request.steps, strict=True)
        if pending.settle and isinstance(step, ReduceStep)
    ]
    closing = [index for index in reduced if after.lines[index].outstanding.amount == 0]
    if not closing:
        desk.book.save(after)
        return after
    # One write to the home: reduced, and already about to be closed. No crash can part the two.
    return take(desk, after, [close_step(desk, after, index) for index in closing], pending.asked)


def close_step(desk: Desk, record: FinancingRecord, index: int) -> Made:
    """The end of a draw on which nothing is outstanding. Raises WitnessError where something is."""
    suite, line = desk.suite, record.lines[index]
    operation = prove_close(
        suite,
        desk.log.parameters,
        line.facts(suite),
        line.state(suite),
        key=desk.draw_key(line.key_shift),
        outstanding=opening_of(suite, line.outstanding),
        randomness=desk.randomness,
    )
    return Made(index, CloseStep(body=CloseMessage.of(operation)))


def complete_earlier(desk: Desk, record: FinancingRecord, asked: str) -> FinancingRecord | None:
    """Complete the steps that an earlier command left under way: the record, if they were the ones asked for now; None if there
    are none. Raises Refused when others were asked for now, which are then not done."""
    pending = record.pending
    if not isinstance(pending, PendingSteps):
        return None
    completed = deliver(desk, record)
    if pending.asked != asked:
        raise Refused(
            "earlier-step",
            "an earlier step on this financing was still under way and is now complete; yours was not done: look at "
            "`tradeveil bank list`, and run it again if you still mean it",
            "该融资此前有未完成的步骤，现已完成；本次指令未执行：请查看 `tradeveil bank list` 后再决定是否重新提交",
        )
    return completed


# --- what a step leads to -------------------------------------------------------------------------------------------------


def application_state(desk: Desk, record: FinancingRecord, line: DrawRecord) -> ApplicationState:
    """The application as the log has it. Raises Refused when it is not on the log."""
    if line.application is None:
        raise Refused("not-received", "this application is not on the log yet; receive it first", "该申请尚未登记；请先收件")
    key = desk.draw_key(line.key_shift).public(desk.suite)
    known = line.application
    document = line.credential.document
    return ApplicationState(line.draw, document, key, record.financing, record.expires, known.stage, known.head)


def _after(
    desk: Desk,
    record: FinancingRecord,
    line: DrawRecord,
    step: Step,
    outstanding: OpeningMessage | None,
    answer: DrawReceipt,
) -> DrawRecord:
    """The line after a step. Raises ServiceMisbehaved for a receipt that is not for it."""
    if answer.draw != line.draw:
        raise misbehaved()
    time, caller, group = answer.receipt.time, answer.caller, desk.suite.group
    match step:
        case ApplyStep():
            leaf = check_receipt(Applied(time=time, body=step.body, caller=caller), answer.receipt)
            return _applied(line, ledger.applied(step.body.decode(group), leaf), answer)
        case DecideStep():
            leaf = check_receipt(Decided(time=time, body=step.body, caller=caller), answer.receipt)
            before = application_state(desk, record, line)
            return _applied(line, ledger.decided(before, step.body.decode(group), leaf), answer)
        case DisburseStep():
            check_receipt(Disbursed(time=time, body=step.body, caller=caller), answer.receipt)
            return _moved_on(desk, line, DISBURSE, step.body.rest, outstanding, answer)
        case ReduceStep():
            check_receipt(Reduced(time=time, body=step.body, caller=caller), answer.receipt)
            return _moved_on(desk, line, step.body.reason, step.body.amount, outstanding, answer)
        case CloseStep():
            check_receipt(Closed(time=time, body=step.body, caller=caller), answer.receipt)
            return _moved_on(desk, line, CLOSE, None, None, answer)


def _applied(line: DrawRecord, state: ApplicationState, answer: DrawReceipt) -> DrawRecord:
    if state.head != answer.head:
        raise misbehaved()
    receipts = [] if line.application is None else line.application.receipts
    standing = ApplicationStanding(head=state.head, stage=state.stage, receipts=[*receipts, answer.receipt])
    return line.model_copy(update={"application": standing})


def _moved_on(
    desk: Desk, line: DrawRecord, action: str, less: bytes | None, outstanding: OpeningMessage | None, answer: DrawReceipt
) -> DrawRecord:
    """The draw at its next stage, with `less` (a commitment with its handles, 99 bytes) taken from what is outstanding."""
    before, known = line.state(desk.suite), line.standing
    if known is None:
        raise ValueError("a draw that is not committed has no steps")
    left = before.outstanding
    if less is not None:
        left = left - HandledCommitment.decode(desk.suite.group, less)
    standing = Standing(
        head=answer.head,
        outstanding=left.encode(),
        stage=next_stage(before, action),
        receipts=[*known.receipts, answer.receipt],
    )
    return line.with_outstanding(outstanding or line.outstanding, standing)


def require_stage(desk: Desk, line: DrawRecord, action: str) -> None:
    """Raises Refused, saying where the draw stands, when its stage does not have this."""
    state = line.state(desk.suite)
    try:
        next_stage(state, action)
    except StateError as error:
        number, stage = line.credential.number, state.stage
        first_en = "; disburse it first" if stage == "reserved" else ""
        first_zh = "；请先登记放款" if stage == "reserved" else ""
        raise Refused(
            "wrong-stage",
            f"the draw on {number} is {stage}, where there is no {action}{first_en}",
            f"{number} 的登记处于 {stage} 阶段，不能办理 {action}{first_zh}",
        ) from error


def under_way() -> Refused:
    """The answer to an earlier commitment has not come, so nobody knows where the draws stand."""
    return Refused(
        "under-way",
        "a commitment of this financing is under way; run `tradeveil bank commit` again first",
        "该融资有登记正在进行；请先重新运行 `tradeveil bank commit`",
    )


# --- answers --------------------------------------------------------------------------------------------------------------


def is_final(error: ServiceRefused) -> bool:
    """Whether the service decided. If not, the same bytes are to be sent again: they may yet be, or have been, committed."""
    return error.decided


def check_receipt(entry: Applied | Decided | Drawn | Disbursed | Reduced | Closed, receipt: Receipt) -> bytes:
    """The leaf hash (32 bytes) of what was sent: the bank computes it itself. Raises ServiceMisbehaved for another receipt."""
    leaf = leaf_hash(encode_entry(entry))
    if leaf != receipt.leaf:
        raise misbehaved()
    return leaf


def misbehaved() -> ServiceMisbehaved:
    """The service's answer is not about what was sent."""
    return ServiceMisbehaved(
        "receipt-false",
        "the service's receipt is not for what was sent; keep this home and tell the operator and the regulator",
        "服务回执与所提交内容不符；请保留现场并告知运营方和监管方",
    )
