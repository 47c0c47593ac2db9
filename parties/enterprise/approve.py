"""Approval: the owner's answer to a bank's draft. It is a headroom proof for every line, or a refusal of the whole.

The draft is compared with our own copy of the application. Draws already made on one of its lines are under that line's key and
count, so several drafts cannot together take more than was applied for; of two approvals at one head only one can be committed.
A draft that takes over a draw on a deleted document needs no application: its amount and key are those of that draw.
A wallet restored from its seed has no copy: then the person says, with the amounts, what is agreed to, and the wallet cannot
tell whether the draw's key is really the bank's.
The answer that goes to the bank never contains a figure; what the owner is told does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from parties.common.errors import InputError, Refused
from parties.common.ledger_view import OpenedDocument, document_state
from parties.common.memos import open_memo
from parties.common.money import Money, money_text
from parties.enterprise.apply import ApplicationRecord, load_application
from parties.enterprise.wallet import Desk, OwnedDocument, Wallet, view_document
from schemas.messages import HeadroomMessage
from schemas.sealed import ApplicationLine, ApprovalFile, DraftFile, DraftLine, DrawMemo
from zkcore.errors import MemoError, StateError, ZkError
from zkcore.group import Element, decode_scalar
from zkcore.ledger import DocumentState, DrawState, check_draft
from zkcore.operations import OWNER, Draft
from zkcore.secret.keys import shift_signing_key
from zkcore.secret.opening import Opening, check_opening
from zkcore.secret.operations import prove_headroom
from zkcore.verifying.batch import verify

Verdict = Literal["cannot-be-proven", "not-applied-for", "expired"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, repr=False)
class ReadLine:
    """A line of a draft, decoded, on a document of ours, with what its memo tells us.

    moved: the draw on a deleted document of ours that it takes over, or None
    """

    document: OwnedDocument
    draft: Draft
    opening: Opening
    memo: DrawMemo | None
    moved: DrawState | None

    @property
    def asked(self) -> str:
        return money_text(self.opening.amount, self.document.credential.currency)


@dataclass(frozen=True, repr=False)
class JudgedLine:
    """A line with the headroom (minor units) before the draw and after it. `after` is negative where it does not suffice."""

    line: ReadLine
    before: int
    after: int


@dataclass(frozen=True, repr=False)
class Decision:
    """The answer for the bank, and what the owner is told.

    lines: with figures, for the owner alone; empty when the draft was refused before its documents were opened
    refusal: why the draft is refused, with figures, or None when it is approved
    """

    approval: ApprovalFile
    lines: tuple[JudgedLine, ...]
    refusal: Refused | None


class _NotApproved(Exception):
    """Leads from where a draft fails to the answer that says so."""

    def __init__(self, verdict: Verdict, message_en: str, message_zh: str, lines: Sequence[JudgedLine] = ()) -> None:
        super().__init__(verdict)
        self.verdict = verdict
        self.refusal = Refused(verdict, message_en, message_zh)
        self.lines = tuple(lines)


def decide(
    desk: Desk, wallet: Wallet, file: DraftFile, accepted: Sequence[Money] = (), progress: Progress | None = None
) -> Decision:
    """Answers a draft. `accepted`: the amounts that the person agreed to, needed where there is no copy of the application.

    Raises InputError when the person must still say what is accepted, ServiceMisbehaved when the service contradicts itself.
    """
    try:
        lines = read_draft(desk, wallet, file)
        applied = _check_agreed(desk, file, lines, accepted)
        judged, states = _judge(desk, lines, applied, progress)
        proofs = _prove(desk, judged, states)
    except _NotApproved as error:
        answer = ApprovalFile(financing=file.financing, refused=error.verdict, lines=[])
        return Decision(answer, error.lines, error.refusal)
    return Decision(ApprovalFile(financing=file.financing, refused=None, lines=proofs), tuple(judged), None)


def read_draft(desk: Desk, wallet: Wallet, file: DraftFile) -> list[ReadLine]:
    """Every line decoded and checked by itself; the first that fails decides the whole."""
    lines = [_read_line(desk, wallet, file, line) for line in file.lines]
    if len({line.draft.document for line in lines}) != len(lines):
        raise _NotApproved("not-applied-for", "a document stands twice in the draft", "草案中有重复的单证")
    return lines


def _read_line(desk: Desk, wallet: Wallet, file: DraftFile, line: DraftLine) -> ReadLine:
    suite = desk.suite
    document = wallet.find(line.draft.document)
    if document is None:
        raise _NotApproved("not-applied-for", "the draft names a document that is not yours", "草案所列单证不属于本企业")
    number = document.credential.number
    try:
        draft = line.draft.decode(suite.group)
        opening = Opening(line.opening.amount, decode_scalar(suite.group, line.opening.blinding))
        check_opening(suite, draft.amount.commitment, opening)
        moved = _moved(desk, wallet, line, draft)
        verify(suite, check_draft(suite, desk.log.parameters, document.facts, draft, moved=moved))
    except ZkError as error:
        raise _NotApproved(
            "not-applied-for",
            f"the bank's draft on {number} is false or damaged ({error.code}); ask the bank for a new one",
            f"银行对 {number} 的草案不成立或已损坏（{error.code}）；请银行重新出具",
        ) from error
    if draft.consent is not None:
        raise InputError(
            "consented",
            "this draft uses the consent that you gave beforehand; the regulator answers it",
            "此草案使用您的预先授权，由监管方答复",
        )
    if draft.expires <= desk.now:
        raise _NotApproved("expired", "the draft has expired; apply again", "草案已过期；请重新申请")
    return ReadLine(document, draft, opening, _check_memo(desk, file, draft, opening, number), moved)


def _moved(desk: Desk, wallet: Wallet, line: DraftLine, draft: Draft) -> DrawState | None:
    """The draw that a draft takes over, as it is on our own deleted document. Raises StateError when there is none such."""
    if draft.moves is None:
        return None
    replaced = None if line.replaced is None else wallet.find(line.replaced)
    if replaced is None:
        raise StateError("the draft takes over a draw on a document that is not ours")
    opened = view_document(desk, replaced)[1]
    if opened.state.replacement != draft.document:
        raise StateError("the document was not replaced by the one that is drawn on")
    found = [draw.movable for draw in opened.draws if draw.state.draw == draft.moves]
    if not found:
        raise StateError("the draft takes over a draw that is not there")
    return found[0]


def _check_memo(desk: Desk, file: DraftFile, draft: Draft, opening: Opening, number: str) -> DrawMemo:
    """What the bank will leave for us on the log must be readable and true, or our records would rest on the bank's word."""
    try:
        memo = open_memo(desk.viewer.seal, draft.memos.owner, DrawMemo)
        blinding = decode_scalar(desk.suite.group, memo.blinding)
    except (MemoError, ZkError):
        memo, blinding = None, -1
    if (
        memo is None
        or (memo.amount, blinding) != (opening.amount, opening.blinding)
        or not (memo.bank == file.bank and memo.financing == file.financing)
    ):
        raise _NotApproved(
            "not-applied-for",
            f"the memo that the bank would leave for you on {number} is false; ask the bank for a new draft",
            f"银行拟留给您的 {number} 附言不实；请银行重新出具草案",
        )
    return memo


# --- is it what was agreed? -----------------------------------------------------------------------------------------------


def _check_agreed(desk: Desk, file: DraftFile, lines: Sequence[ReadLine], accepted: Sequence[Money]) -> dict[bytes, int]:
    """What was applied for, in minor units by document; nothing is known of it without a copy of the application.

    A line that takes over a draw is agreed to already: it is for exactly what is outstanding, under the same key.
    """
    lines = [line for line in lines if line.moved is None]
    if not lines:
        return {}
    record = load_application(desk, file.financing)
    if record is None:
        _check_accepted(file, lines, accepted)
        return {}
    application = record.application
    if (file.bank, file.reply_to) != (application.bank, record.bank.seal_key):
        raise _NotApproved("not-applied-for", "the draft is not from the bank you applied to", "草案不是来自您申请的银行")
    asked = {line.credential.document: line for line in application.lines}
    for line in lines:
        _check_applied(desk, line, record, asked.get(line.draft.document))
    return {document: line.amount for document, line in asked.items()}


def _check_applied(desk: Desk, line: ReadLine, record: ApplicationRecord, wanted: ApplicationLine | None) -> None:
    """On a document we named, under the key we made for it, and for no longer than we said."""
    number = line.document.credential.number
    if wanted is None:
        raise _NotApproved("not-applied-for", f"you did not apply on {number}", f"您未以 {number} 申请融资")
    if line.draft.expires > record.application.expires or line.draft.key != _draw_key(desk, record, wanted):
        raise _NotApproved(
            "not-applied-for",
            f"the draft on {number} is under another key, or valid for longer, than you applied for",
            f"{number} 的草案所用密钥或有效期与申请不符",
        )


def _draw_key(desk: Desk, record: ApplicationRecord, wanted: ApplicationLine) -> Element:
    group = desk.suite.group
    bank = group.decode(record.application.bank_key)
    return shift_signing_key(desk.suite, bank, decode_scalar(group, wanted.key_shift))


def _check_accepted(file: DraftFile, lines: Sequence[ReadLine], accepted: Sequence[Money]) -> None:
    """Without a copy of the application: the person must name every amount, so that nothing is approved unread."""
    wanted = Counter((line.document.credential.currency, line.opening.amount) for line in lines)
    if Counter((money.currency.alpha, money.minor) for money in accepted) == wanted:
        return
    shown = "; ".join(describe_line(line) for line in lines)
    flags = " ".join(f'--accept "{line.asked}"' for line in lines)
    raise InputError(
        "accept",
        f"this wallet has no copy of the application (it was restored), so check the draft of {file.bank_name} ({file.bank}) "
        f"yourself: {shown}. If it is what you applied for, run the command again with {flags}",
        f"本钱包没有该申请的副本（由助记词恢复），请自行核对 {file.bank_name}（{file.bank}）的草案：{shown}。"
        f"确认无误后，加上 {flags} 重新运行",
    )


def describe_line(line: ReadLine) -> str:
    """A line as a person checks it: declaration, amount, the bank's reference."""
    reference = "" if line.memo is None else f", reference {line.memo.reference}"
    return f"{line.document.credential.number}: {line.asked}{reference}"


# --- does it fit? ---------------------------------------------------------------------------------------------------------


def _judge(
    desk: Desk, lines: Sequence[ReadLine], applied: Mapping[bytes, int], progress: Progress | None
) -> tuple[list[JudgedLine], list[DocumentState]]:
    """The headroom of every document before and after the draw, from the service's present state, opened with our keys."""
    judged: list[JudgedLine] = []
    states: list[DocumentState] = []
    for done, line in enumerate(lines, start=1):
        view, opened = view_document(desk, line.document)
        _check_total(line, opened, applied.get(line.draft.document))
        before = _headroom(line, opened)
        _check_financeable(line, opened)
        judged.append(JudgedLine(line, before, before - line.opening.amount))
        states.append(document_state(desk.suite, view))
        if progress is not None:
            progress(done, len(lines))
    short = [item for item in judged if item.after < 0]
    if short:
        raise _NotApproved("cannot-be-proven", *_figures(short), judged)
    return judged, states


def _check_financeable(line: ReadLine, opened: OpenedDocument) -> None:
    """Nothing is proven for a document that the service would refuse: the bank gets the same answer as for want of headroom."""
    if opened.state.financeable:
        return
    number, status = line.document.credential.number, opened.state.status
    what_en = "overdrawn" if opened.state.is_overdrawn else status
    what_zh = "已超额" if opened.state.is_overdrawn else f"状态为 {status}"
    raise _NotApproved(
        "cannot-be-proven", f"{number} is {what_en} and cannot be drawn on now", f"{number} {what_zh}，目前不可登记"
    )


def _check_total(line: ReadLine, opened: OpenedDocument, applied: int | None) -> None:
    """What was drawn on this line before (under its key) and this draw are together at most what was applied for."""
    if applied is None:
        return
    # A draw that cannot be opened counts as all that was applied for.
    before = sum(applied if draw.amount is None else draw.amount for draw in opened.draws if draw.state.key == line.draft.key)
    if before + line.opening.amount > applied:
        number, alpha = line.document.credential.number, line.document.credential.currency
        raise _NotApproved(
            "not-applied-for",
            f"the draft takes {line.asked} on {number}; you applied for {money_text(applied, alpha)}, "
            f"of which {money_text(before, alpha)} is drawn already",
            f"草案在 {number} 上登记 {line.asked}；您申请的是 {money_text(applied, alpha)}，"
            f"其中已登记 {money_text(before, alpha)}",
        )


def _headroom(line: ReadLine, opened: OpenedDocument) -> int:
    if opened.headroom is None:
        number = line.document.credential.number
        raise _NotApproved(
            "cannot-be-proven",
            f"the headroom of {number} cannot be opened: {'; '.join(alert.message_en for alert in opened.alerts)}",
            f"{number} 的余额无法打开：{'；'.join(alert.message_zh for alert in opened.alerts)}",
        )
    return opened.headroom


def _figures(short: Sequence[JudgedLine]) -> tuple[str, str]:
    """For the owner: what is missing where."""
    english, chinese = [], []
    for item in short:
        number, alpha = item.line.document.credential.number, item.line.document.credential.currency
        has, missing = money_text(item.before, alpha), money_text(-item.after, alpha)
        english.append(f"{number} has {has} left, the draft takes {item.line.asked}: {missing} is missing")
        chinese.append(f"{number} 余额 {has}，草案登记 {item.line.asked}，尚缺 {missing}")
    return f"the headroom does not suffice. {'; '.join(english)}", f"余额不足。{'；'.join(chinese)}"


def _prove(desk: Desk, judged: Sequence[JudgedLine], states: Sequence[DocumentState]) -> list[HeadroomMessage]:
    proofs = []
    for item, state in zip(judged, states, strict=True):
        headroom = prove_headroom(
            desk.suite,
            desk.log.parameters,
            state,
            item.line.draft,
            prover=OWNER,
            secret=item.line.document.secret,
            opening=item.line.opening,
            left=item.after,
            moved=item.line.moved,
            randomness=desk.randomness,
        )
        proofs.append(HeadroomMessage.of(headroom))
    return proofs
