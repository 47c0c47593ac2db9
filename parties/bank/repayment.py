"""What follows a committed draw: disbursement, repayment, release, write-off, settlement; each once, however often it is run.

A step is over one line of a financing, or over all that are still open, which then take it together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parties.bank.desk import Desk
from parties.bank.receive import check_lengths, sealed
from parties.bank.records import DrawRecord, FinancingRecord, opening_message, opening_of
from parties.bank.steps import Made, close_step, complete_earlier, require_stage, take
from parties.common.errors import InputError, Refused
from parties.common.money import Money, money_text
from schemas.domain.identifiers import PaperNumber
from schemas.messages import DisburseMessage, DisburseStep, ReduceMessage, ReduceStep
from schemas.sealed import DisburseMemo, ReduceMemo
from zkcore.group import encode_scalar
from zkcore.ledger.state import DISBURSE
from zkcore.operations import REASONS, RELEASED
from zkcore.secret.opening import fresh_opening
from zkcore.secret.operations import prove_disburse, prove_reduce


@dataclass(frozen=True, repr=False)
class Instruction:
    """What is to be booked. `amount`: None for all that is outstanding, to settle; `settle` closes what is then repaid in full.

    reason: one of zkcore.operations.REASONS; a disbursement has none
    reference, financing: the bank's own number, or the financing's id in base64url; one of them
    number: the paper, where the financing has several lines and only one is meant
    """

    reason: str = ""
    amount: Money | None = None
    settle: bool = False
    reference: str = ""
    financing: str = ""
    number: str = ""
    note: str = ""


@dataclass(frozen=True, repr=False)
class Booked:
    """The draws after a step: their financing and their places in it."""

    record: FinancingRecord
    indices: tuple[int, ...]

    @property
    def lines(self) -> list[DrawRecord]:
        return [self.record.lines[index] for index in self.indices]

    @property
    def line(self) -> DrawRecord:
        """The one draw, or the first of several."""
        return self.lines[0]


def repay(desk: Desk, instruction: Instruction) -> Booked:
    """Reduce, close, or both. Raises InputError for what names no draw, Refused, ServiceUnreachable (run again)."""
    if instruction.reason not in REASONS:
        raise InputError("reason", f"a reason is one of: {', '.join(REASONS)}", f"原因应为：{'、'.join(REASONS)}")

    def made(booked: Booked) -> list[Made]:
        amounts = [_amount(line, instruction) for line in booked.lines]
        pairs = zip(booked.indices, amounts, strict=True)
        return [
            close_step(desk, booked.record, index)
            if amount == 0
            else _reduction(desk, booked.record, index, amount, instruction)
            for index, amount in pairs
        ]

    return _book(desk, "repay", instruction, made)


def release(desk: Desk, instruction: Instruction) -> Booked:
    """Give up reservations that are not disbursed: all that is reserved comes back, and the draws are closed."""
    named = Instruction(
        RELEASED, None, True, instruction.reference, instruction.financing, instruction.number, instruction.note
    )
    return repay(desk, named)


def disburse(desk: Desk, instruction: Instruction) -> Booked:
    """Pay out what is reserved: all of it, or `amount` of one line, whose rest is released.

    Raises InputError, Refused where a reservation has expired or the amount is more than it.
    """

    def made(booked: Booked) -> list[Made]:
        return [_disbursement(desk, booked.record, index, instruction) for index in booked.indices]

    return _book(desk, "disburse", instruction, made)


def close(desk: Desk, instruction: Instruction) -> Booked:
    """Close draws on which nothing is outstanding. Raises Refused where something is."""

    def made(booked: Booked) -> list[Made]:
        for line in booked.lines:
            if line.outstanding.amount:
                left = money_text(line.outstanding.amount, line.credential.currency)
                raise Refused(
                    "outstanding",
                    f"{left} is outstanding on {line.credential.number}; repay, release or write it off first",
                    f"{line.credential.number} 尚有 {left} 未结清；请先还款、撤销或核销",
                )
        return [close_step(desk, booked.record, index) for index in booked.indices]

    return _book(desk, "close", instruction, made)


def _book(desk: Desk, what: str, instruction: Instruction, make: Callable[[Booked], Sequence[Made]]) -> Booked:
    check_lengths({"--note": instruction.note})
    with desk.home.lock():
        booked = find_lines(desk, instruction)
        asked = _asked(what, instruction)
        completed = complete_earlier(desk, booked.record, asked)
        if completed is not None:
            return Booked(completed, booked.indices)
        for line in booked.lines:
            _require_open(line)
        record = take(desk, booked.record, make(booked), asked, settle=instruction.settle)
        return Booked(record, booked.indices)


def _asked(what: str, instruction: Instruction) -> str:
    """What tells one instruction from another, for who runs it again. It stays in the bank's home."""
    amount = "all" if instruction.amount is None else f"{instruction.amount.currency} {instruction.amount.minor}"
    return f"{what} {instruction.reason} {amount} {instruction.number or 'all'} {instruction.settle}"


def find_lines(desk: Desk, instruction: Instruction) -> Booked:
    """The draws that are meant: of one paper, or, where no amount is stated, all that are open. Raises InputError."""
    if bool(instruction.reference) == bool(instruction.financing):
        raise InputError(
            "reference", "name the financing by --reference or by --financing", "请用 --reference 或 --financing 指定融资"
        )
    book = desk.book
    record = book.by_reference(instruction.reference) if instruction.reference else book.by_id(instruction.financing)
    number = PaperNumber.parse(instruction.number).text if instruction.number else None
    found = [index for index, line in enumerate(record.lines) if number in (None, line.credential.number)]
    if not found:
        raise InputError("line", "this financing has no draw on that paper", "该融资中没有该单证的登记")
    if len(found) > 1 and instruction.amount is not None:
        raise InputError(
            "line",
            "this financing has several draws; choose one by its paper with --number",
            "该融资含多笔登记，请用 --number 指定单证",
        )
    still_open = [index for index in found if not _is_closed(record.lines[index])]
    return Booked(record, tuple(still_open or found))


def _is_closed(line: DrawRecord) -> bool:
    return line.standing is not None and line.standing.closed


def _require_open(line: DrawRecord) -> None:
    if line.standing is None:
        raise Refused("not-committed", "this draw is not committed yet", "该笔尚未登记")
    if line.standing.closed:
        stage = line.standing.stage
        raise Refused("draw-closed", f"this draw is at its end: {stage}", f"该笔登记已终结（{stage}）")


def _amount(line: DrawRecord, instruction: Instruction) -> int:
    """Minor units to reduce by; 0 where only the closure is left to do. Raises Refused, InputError."""
    outstanding = line.outstanding.amount
    if instruction.amount is None:
        if not instruction.settle:
            raise InputError("amount", "state the --amount, or --settle everything", "请填写 --amount，或用 --settle 全部结清")
        return outstanding
    amount, left = _within(line, instruction.amount), money_text(outstanding, line.credential.currency)
    if instruction.settle and amount != outstanding:
        raise Refused("amount", f"--settle takes all that is outstanding: {left}", f"--settle 须为全部未结清金额：{left}")
    return amount


def _within(line: DrawRecord, amount: Money) -> int:
    """Minor units of an amount in the draw's currency and not more than is outstanding. Raises InputError, Refused."""
    outstanding, alpha = line.outstanding.amount, line.credential.currency
    if amount.currency.alpha != alpha:
        raise InputError("currency", f"this draw is in {alpha}", f"该笔登记的币种为 {alpha}")
    if amount.minor > outstanding:
        left = money_text(outstanding, alpha)
        raise Refused("amount", f"only {left} is outstanding on this draw", f"该笔登记未结清金额仅为 {left}")
    return amount.minor


# --- steps ----------------------------------------------------------------------------------------------------------------


def _reduction(desk: Desk, record: FinancingRecord, index: int, amount: int, instruction: Instruction) -> Made:
    suite, line = desk.suite, record.lines[index]
    require_stage(desk, line, instruction.reason)
    opening = fresh_opening(suite, amount, desk.randomness)
    blinding = encode_scalar(suite.group, opening.blinding)
    memo = ReduceMemo(amount=amount, blinding=blinding, reference=record.reference, note=instruction.note)
    operation, rest = prove_reduce(
        suite,
        desk.log.parameters,
        line.facts(suite),
        line.state(suite),
        key=desk.draw_key(line.key_shift),
        outstanding=opening_of(suite, line.outstanding),
        opening=opening,
        reason=instruction.reason,
        memos=sealed(desk, record, memo),
        randomness=desk.randomness,
    )
    return Made(index, ReduceStep(body=ReduceMessage.of(operation)), opening_message(suite, rest))


def _disbursement(desk: Desk, record: FinancingRecord, index: int, instruction: Instruction) -> Made:
    suite, line = desk.suite, record.lines[index]
    require_stage(desk, line, DISBURSE)
    if line.draft.expires < desk.now:
        raise Refused(
            "expired",
            f"the reservation on {line.credential.number} has expired and frees itself; ask for a new application",
            f"{line.credential.number} 的预留已过期并自动释放；请重新申请",
        )
    reserved = line.outstanding.amount
    paid = reserved if instruction.amount is None else _within(line, instruction.amount)
    rest = fresh_opening(suite, reserved - paid, desk.randomness) if paid < reserved else None
    memo = DisburseMemo(
        paid=paid,
        rest=reserved - paid,
        blinding=None if rest is None else encode_scalar(suite.group, rest.blinding),
        reference=record.reference,
        note=instruction.note,
    )
    operation, left = prove_disburse(
        suite,
        desk.log.parameters,
        line.facts(suite),
        line.state(suite),
        key=desk.draw_key(line.key_shift),
        outstanding=opening_of(suite, line.outstanding),
        rest=rest,
        memos=sealed(desk, record, memo),
        randomness=desk.randomness,
    )
    return Made(index, DisburseStep(body=DisburseMessage.of(operation)), opening_message(suite, left))
