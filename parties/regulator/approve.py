"""The headroom proof for an enterprise without a wallet: made with the regulator's key, and only where the owner consented, or
where a draw on a deleted document moves to the one that replaces it.

The consent binds document, bank (by the draw's key), amount and expiry. It is checked before anything is proven, and again by
the service, which takes no proof of the regulator without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from parties.common.errors import InputError, ServiceRefused
from parties.common.keyring import Viewer
from parties.common.ledger_view import OpenedDocument, open_view, request_view
from parties.common.memos import open_memo
from parties.common.sealed_files import read_sealed, write_sealed
from parties.regulator.bureau import Bureau
from schemas import problems
from schemas.messages import HeadroomMessage
from schemas.sealed import ApprovalFile, DraftFile, DraftLine, DrawMemo
from zkcore.errors import AmountError, BatchRejected, IdentityError, OpeningError, StateError, WitnessError, ZkError
from zkcore.group import decode_scalar
from zkcore.ledger import DocumentFacts, DrawState
from zkcore.operations import REGULATOR, Draft
from zkcore.secret.opening import Opening
from zkcore.secret.operations import prove_headroom

Refusal = Literal["cannot-be-proven", "not-applied-for", "expired"]


class _NotApproved(Exception):
    """Why a draft is not approved; it becomes a refusal file, which says nothing of figures."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def read_draft(path: Path, viewer: Viewer) -> DraftFile:
    """Open a draft that a bank sealed to the regulator. Raises InputError."""
    return read_sealed(path, DraftFile, viewer.seal)


def approve(bureau: Bureau, file: DraftFile) -> ApprovalFile:
    """A headroom proof for every line, or a refusal of the whole. Raises what the service's client raises."""
    try:
        lines = [_approve_line(bureau, file, line) for line in file.lines]
    except _NotApproved as refused:
        return ApprovalFile(financing=file.financing, refused=refused.refusal, lines=[])
    return ApprovalFile(financing=file.financing, refused=None, lines=lines)


def write_approval(approval: ApprovalFile, reply_to: bytes, path: Path) -> None:
    """Seal an approval, or a refusal, to the bank. Raises InputError where it cannot be written."""
    write_sealed(path, approval, reply_to)


def _approve_line(bureau: Bureau, file: DraftFile, line: DraftLine) -> HeadroomMessage:
    try:
        draft = line.draft.decode(bureau.suite.group)
        opening = Opening(line.opening.amount, decode_scalar(bureau.suite.group, line.opening.blinding))
    except ZkError as error:
        raise InputError("draft", "a draft in this file is malformed", "文件中的草案格式有误") from error
    if draft.expires < bureau.now:
        raise _NotApproved("expired")
    moved = None
    if draft.moves is not None:
        moved = _moved(bureau, draft, line.replaced)
    elif draft.consent is None or draft.consent.application != file.financing:
        raise _NotApproved("not-applied-for")
    _check_memo(bureau, file, draft, opening)
    return _prove(bureau, draft, opening, moved)


def _moved(bureau: Bureau, draft: Draft, replaced: bytes | None) -> DrawState:
    """The draw that a draft takes over, on the deleted document that the draft's replaces: that needs no consent."""
    if replaced is None:
        raise _NotApproved("not-applied-for")
    opened = _open(bureau, replaced)
    found = [draw.movable for draw in opened.draws if draw.state.draw == draft.moves]
    if opened.state.replacement != draft.document or not found:
        raise _NotApproved("not-applied-for")
    return found[0]


def _check_memo(bureau: Bureau, file: DraftFile, draft: Draft, opening: Opening) -> None:
    """What the log will tell the regulator of this draw must be true before the regulator helps to make it."""
    try:
        memo = open_memo(bureau.viewer.seal, draft.memos.regulator, DrawMemo)
        blinding = decode_scalar(bureau.suite.group, memo.blinding)
    except ZkError as error:
        raise _NotApproved("not-applied-for") from error
    told = Opening(memo.amount, blinding), memo.bank, memo.financing
    if told != (opening, file.bank, file.financing):
        raise _NotApproved("not-applied-for")


def _prove(bureau: Bureau, draft: Draft, opening: Opening, moved: DrawState | None) -> HeadroomMessage:
    opened = _open(bureau, draft.document)
    if opened.headroom is None or not opened.state.financeable:
        raise _NotApproved("cannot-be-proven")
    try:
        headroom = prove_headroom(
            bureau.suite,
            bureau.log.parameters,
            opened.state,
            draft,
            prover=REGULATOR,
            secret=bureau.viewer.secret,
            opening=opening,
            left=opened.headroom - opening.amount,
            moved=moved,
            randomness=bureau.randomness,
        )
    except (WitnessError, AmountError) as error:
        raise _NotApproved("cannot-be-proven") from error
    except (BatchRejected, IdentityError, OpeningError, StateError) as error:  # A draft, consent or opening that is false.
        raise _NotApproved("not-applied-for") from error
    return HeadroomMessage.of(headroom)


def _open(bureau: Bureau, document: bytes) -> OpenedDocument:
    """The document's state as the service tells the regulator now, compared with its entries."""
    suite, parameters = bureau.suite, bureau.log.parameters
    try:
        notice = bureau.client.notice(document)
        facts = DocumentFacts(document, notice.currency, notice.epoch, suite.group.decode(notice.owner))
        view = request_view(
            bureau.client, suite, bureau.log, facts, bureau.reader, now=bureau.now, randomness=bureau.randomness
        )
    except ServiceRefused as error:
        if error.slug == problems.DOCUMENT_UNKNOWN.slug:
            raise _NotApproved("not-applied-for") from error
        raise
    return open_view(suite, parameters, view, bureau.reader)
