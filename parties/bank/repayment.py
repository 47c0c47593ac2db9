"""Repayment, release, write-off and settlement of a committed draw: each once, however often the command is run.

A step is kept in the bank's home before it is sent. Who runs the command again after a lost answer completes that step first;
if it was the very step asked for, that is all, and otherwise nothing more is done until the person has looked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from parties.bank.commit import check_receipt, is_final
from parties.bank.desk import Desk
from parties.bank.records import (
    DrawRecord,
    FinancingRecord,
    PendingClosure,
    PendingReduction,
    Standing,
    opening_message,
    opening_of,
)
from parties.common.client import idempotency_key
from parties.common.errors import InputError, Refused, ServiceRefused
from parties.common.memos import memo_for
from parties.common.money import Money, money_text
from schemas.answers import DrawReceipt
from schemas.domain.identifiers import DeclarationNumber
from schemas.entries import Closed, Reduced
from schemas.messages import CloseMessage, ReduceMessage
from schemas.sealed import ReduceMemo
from zkcore.commitments import HandledCommitment
from zkcore.group import encode_scalar
from zkcore.operations import REASONS, Memos
from zkcore.secret.opening import Opening, fresh_opening
from zkcore.secret.operations import prove_close, prove_reduce


@dataclass(frozen=True, repr=False)
class Instruction:
    """What is to be booked on one draw. `amount`: None for all that is outstanding, to settle; `settle` closes the draw.

    reference, financing: the bank's own number, or the financing's id in base64url; one of them
    number: the declaration, where the financing has several lines
    """

    reason: str
    amount: Money | None = None
    settle: bool = False
    reference: str = ""
    financing: str = ""
    number: str = ""
    note: str = ""


@dataclass(frozen=True, repr=False)
class Booked:
    """The draw after a step: its financing and its place in it."""

    record: FinancingRecord
    index: int

    @property
    def line(self) -> DrawRecord:
        return self.record.lines[self.index]


def repay(desk: Desk, instruction: Instruction) -> Booked:
    """Reduce, close, or both. Raises InputError for what names no draw, Refused, ServiceUnreachable (run again)."""
    if instruction.reason not in REASONS:
        raise InputError("reason", f"a reason is one of: {', '.join(REASONS)}", f"原因应为：{'、'.join(REASONS)}")
    with desk.home.lock():
        booked = find_line(desk, instruction)
        pending = booked.line.pending
        if pending is not None:
            return _complete(desk, booked, pending, instruction)
        amount = _amount(booked.line, instruction)
        if amount == 0:
            return _send_closure(desk, _prepare_closure(desk, booked))
        return _send_reduction(desk, _prepare_reduction(desk, booked, amount, instruction))


def find_line(desk: Desk, instruction: Instruction) -> Booked:
    """The one draw that is meant. Raises InputError when it is none or could be several."""
    if bool(instruction.reference) == bool(instruction.financing):
        raise InputError(
            "reference", "name the financing by --reference or by --financing", "请用 --reference 或 --financing 指定融资"
        )
    book = desk.book
    record = book.by_reference(instruction.reference) if instruction.reference else book.by_id(instruction.financing)
    number = DeclarationNumber.parse(instruction.number).text if instruction.number else None
    found = [index for index, line in enumerate(record.lines) if number in (None, line.credential.number)]
    if len(found) != 1:
        raise InputError(
            "line",
            "this financing has several draws; choose one by its declaration with --number"
            if found
            else "this financing has no draw on that declaration",
            "该融资含多笔登记，请用 --number 指定报关单" if found else "该融资中没有该报关单的登记",
        )
    return Booked(record, found[0])


def _amount(line: DrawRecord, instruction: Instruction) -> int:
    """Minor units to reduce by; 0 where only the closure is left to do. Raises Refused, InputError."""
    if line.standing is None:
        raise Refused("not-committed", "this draw is not committed yet", "该笔尚未登记")
    if line.standing.closed:
        raise Refused("draw-closed", "this draw is closed", "该笔登记已结清")
    outstanding, alpha = line.outstanding.amount, line.credential.currency
    if instruction.amount is None:
        if not instruction.settle:
            raise InputError("amount", "state the --amount, or --settle everything", "请填写 --amount，或用 --settle 全部结清")
        return outstanding
    if instruction.amount.currency.alpha != alpha:
        raise InputError("currency", f"this draw is in {alpha}", f"该笔登记的币种为 {alpha}")
    amount, left = instruction.amount.minor, money_text(outstanding, alpha)
    if amount > outstanding:
        raise Refused("amount", f"only {left} is outstanding on this draw", f"该笔登记未结清金额仅为 {left}")
    if instruction.settle and amount != outstanding:
        raise Refused("amount", f"--settle takes all that is outstanding: {left}", f"--settle 须为全部未结清金额：{left}")
    return amount


# --- reduction ------------------------------------------------------------------------------------------------------------


def _prepare_reduction(desk: Desk, booked: Booked, amount: int, instruction: Instruction) -> Booked:
    suite, line = desk.suite, booked.line
    opening = fresh_opening(suite, amount, desk.randomness)
    operation, rest = prove_reduce(
        suite,
        desk.log.parameters,
        line.facts(suite),
        line.state(suite),
        key=desk.draw_key(line.key_shift),
        outstanding=opening_of(suite, line.outstanding),
        opening=opening,
        reason=instruction.reason,
        memos=_memos(desk, booked.record, opening, instruction.note),
        randomness=desk.randomness,
    )
    pending = PendingReduction(
        key=idempotency_key(desk.randomness),
        message=ReduceMessage.of(operation),
        amount=amount,
        rest=opening_message(suite, rest),
        settle=instruction.settle,
    )
    return _keep(desk, booked, line.model_copy(update={"pending": pending}))


def _memos(desk: Desk, record: FinancingRecord, opening: Opening, note: str) -> Memos:
    blinding = encode_scalar(desk.suite.group, opening.blinding)
    memo = ReduceMemo(amount=opening.amount, blinding=blinding, reference=record.reference, note=note)
    return Memos(memo_for(record.seal_key, memo), memo_for(desk.log.genesis.regulator.seal_key, memo))


def _send_reduction(desk: Desk, booked: Booked) -> Booked:
    """Send what is pending; where it settles, go on to the closure."""
    line, pending = booked.line, booked.line.pending
    if not isinstance(pending, PendingReduction) or line.standing is None:
        raise ValueError("no reduction is pending")
    try:
        answer = desk.client.reduce(pending.message, pending.key)
    except ServiceRefused as error:
        _forget_if_final(desk, booked, error)
        raise
    check_receipt(Reduced(time=answer.receipt.time, body=pending.message, caller=answer.caller), answer.receipt)
    reduced = line.model_copy(
        update={
            "outstanding": pending.rest,
            "standing": _reduced_standing(desk, line.standing, pending.message, answer),
            "pending": None,
        }
    )
    if not pending.settle:
        return _keep(desk, booked, reduced)
    # One write to the home: reduced, and already about to be closed. No crash can part the two.
    closing = _prepare_closure(desk, Booked(booked.record.with_line(booked.index, reduced), booked.index))
    return _send_closure(desk, closing)


def _reduced_standing(desk: Desk, standing: Standing, message: ReduceMessage, answer: DrawReceipt) -> Standing:
    group = desk.suite.group
    outstanding = HandledCommitment.decode(group, standing.outstanding) - HandledCommitment.decode(group, message.amount)
    return Standing(
        head=answer.head, outstanding=outstanding.encode(), closed=False, receipts=[*standing.receipts, answer.receipt]
    )


# --- closure --------------------------------------------------------------------------------------------------------------


def _prepare_closure(desk: Desk, booked: Booked) -> Booked:
    suite, line = desk.suite, booked.line
    operation = prove_close(
        suite,
        desk.log.parameters,
        line.facts(suite),
        line.state(suite),
        key=desk.draw_key(line.key_shift),
        outstanding=opening_of(suite, line.outstanding),
        randomness=desk.randomness,
    )
    pending = PendingClosure(key=idempotency_key(desk.randomness), message=CloseMessage.of(operation))
    return _keep(desk, booked, line.model_copy(update={"pending": pending}))


def _send_closure(desk: Desk, booked: Booked) -> Booked:
    line, pending = booked.line, booked.line.pending
    if not isinstance(pending, PendingClosure) or line.standing is None:
        raise ValueError("no closure is pending")
    try:
        answer = desk.client.close(pending.message, pending.key)
    except ServiceRefused as error:
        _forget_if_final(desk, booked, error)
        raise
    check_receipt(Closed(time=answer.receipt.time, body=pending.message, caller=answer.caller), answer.receipt)
    standing = line.standing.model_copy(
        update={"head": answer.head, "closed": True, "receipts": [*line.standing.receipts, answer.receipt]}
    )
    return _keep(desk, booked, line.model_copy(update={"standing": standing, "pending": None}))


# --- what both need -------------------------------------------------------------------------------------------------------


def _complete(desk: Desk, booked: Booked, pending: PendingReduction | PendingClosure, instruction: Instruction) -> Booked:
    """Do the step that is pending. Raises Refused when it is not the one asked for now."""
    if isinstance(pending, PendingClosure):
        completed, same = _send_closure(desk, booked), instruction.settle
    else:
        completed, same = _send_reduction(desk, booked), _is_same(booked.line, pending, instruction)
    if not same:
        raise Refused(
            "earlier-step",
            "an earlier step on this draw was still under way and is now complete; yours was not done: look at "
            "`tradeveil bank draws`, and run it again if you still mean it",
            "该笔此前有未完成的步骤，现已完成；本次指令未执行：请查看 `tradeveil bank draws` 后再决定是否重新提交",
        )
    return completed


def _is_same(line: DrawRecord, pending: PendingReduction, instruction: Instruction) -> bool:
    asked = line.outstanding.amount if instruction.amount is None else instruction.amount.minor
    return (asked, instruction.reason, instruction.settle) == (pending.amount, pending.message.reason, pending.settle)


def _keep(desk: Desk, booked: Booked, line: DrawRecord) -> Booked:
    record = booked.record.with_line(booked.index, line)
    desk.book.save(record)
    return Booked(record, booked.index)


def _forget_if_final(desk: Desk, booked: Booked, error: ServiceRefused) -> None:
    """A step that the service decided against wrote nothing, and is not tried again."""
    if is_final(error):
        _keep(desk, booked, booked.line.model_copy(update={"pending": None}))
