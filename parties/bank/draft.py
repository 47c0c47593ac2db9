"""A bank's draft: its part of every draw of a financing, sealed to whoever is to prove the headroom.

That is the owner, or, where the owner consented beforehand to every line, the regulator. An application that was not received
yet is received, accepted and approved on the way. The drafts are kept in the bank's home before the file is written; making the
draft of an application again writes the same drafts, so that a lost file is no loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parties.bank.application import CheckedApplication
from parties.bank.desk import Desk
from parties.bank.receive import Reception, approve_short, consent_false, receive, sealed
from parties.bank.records import Drafted, DrawRecord, FinancingRecord, Place, opening_message
from parties.common.errors import Refused
from parties.common.money import Money
from parties.common.sealed_files import write_sealed
from schemas.messages import DraftMessage
from schemas.sealed import Application, ConsentOffer, DraftFile, DraftLine, DrawMemo
from zkcore.errors import BatchRejected
from zkcore.group import decode_scalar, encode_scalar
from zkcore.ledger import check_draft
from zkcore.operations import Draft, Memos
from zkcore.secret.opening import Opening, fresh_opening
from zkcore.secret.operations import prove_draft
from zkcore.suite import Suite
from zkcore.verifying.batch import verify

_MEMO_NAME_SIZE = 80


@dataclass(frozen=True, repr=False)
class Terms:
    """What the bank decides. `reference`: its own number, unique in its home; `granted`: less than was asked, or None."""

    reference: str = ""
    outlet: str = ""
    note: str = ""
    granted: Money | None = None


def prepare_draft(desk: Desk, checked: CheckedApplication, terms: Terms, *, redo: bool = False) -> FinancingRecord:
    """The record of the financing with its drafts, kept in the bank's home: the ones there are, or new ones.

    `redo` makes new drafts in place of earlier ones. Raises Refused where the application is committed or under way, was
    drafted on other terms, or was received and is not approved; InputError for a reference in use.
    """
    granted_amounts([(item.line.amount, item.line.credential.currency) for item in checked.lines], checked.application, terms)
    earlier = desk.book.find(checked.application.financing)
    _refuse_committed(earlier)
    if earlier is None or any(line.application is None for line in earlier.lines):
        earlier = receive(desk, checked, Reception(terms.reference, terms.outlet, terms.note, short=True))
    return draft_record(desk, earlier, terms, redo=redo)


def draft_record(desk: Desk, record: FinancingRecord, terms: Terms, *, redo: bool = False) -> FinancingRecord:
    """The same for an application that was received. Raises as prepare_draft does."""
    _refuse_committed(record)
    record = approve_short(desk, record)
    with desk.home.lock():
        record = desk.book.find(record.financing) or record
        _refuse_committed(record)
        if any(line.drafted is not None for line in record.lines) and not redo:
            return _unchanged(record, terms)
        if terms.reference not in ("", record.reference):
            raise _otherwise()
        drafted = make_drafts(desk, record, terms)
        desk.book.save(drafted)
        return drafted


def _refuse_committed(record: FinancingRecord | None) -> None:
    if record is not None and (record.committed or record.sent):
        raise Refused("already-committed", "this application is committed, or is being committed", "该申请已登记或正在登记")


def _unchanged(record: FinancingRecord, terms: Terms) -> FinancingRecord:
    """The earlier drafts, unless other terms are asked for now."""
    amounts = [line.opening.amount for line in record.lines]
    if terms.reference not in ("", record.reference) or amounts != _granted(record, terms):
        raise _otherwise()
    return record


def _otherwise() -> Refused:
    return Refused(
        "drafted-otherwise",
        "this application was received or drafted on other terms; --redo replaces its drafts, whose approvals are then void",
        "该申请已按其他条件收件或出具草案；可用 --redo 重新出具，原草案的批准随之作废",
    )


def _granted(record: FinancingRecord, terms: Terms) -> list[int]:
    asked = [(line.asked, line.credential.currency) for line in record.lines]
    return granted_amounts(asked, record, terms)


def granted_amounts(lines: Sequence[tuple[int, str]], application: Application | FinancingRecord, terms: Terms) -> list[int]:
    """Minor units of each line, of which `lines` tells what was asked and in which currency.

    Raises Refused where less cannot be granted, or more than was asked would be.
    """
    asked, granted = [amount for amount, _ in lines], terms.granted
    if granted is None:
        return asked
    consented = all(line.consent is not None for line in application.lines)
    if len(asked) != 1 or consented or application.loan is not None:
        raise Refused(
            "amount",
            "another amount can be granted only on one document, without a loan in another currency, and without a consent "
            "beforehand; ask for a new application",
            "仅在单一单证、无外币贷款且无事先授权时可另定金额；请重新申请",
        )
    if granted.currency.alpha != lines[0][1] or granted.minor > asked[0]:
        raise Refused(
            "amount",
            "what is granted is at most what was asked, in the document's currency",
            "核准金额不得超过申请金额，且须为单证币种",
        )
    return [granted.minor]


def make_drafts(desk: Desk, record: FinancingRecord, terms: Terms) -> FinancingRecord:
    """Fresh drafts of every line, their proofs and the consents verified. Raises Refused for a consent that is false."""
    amounts = _granted(record, terms)
    lines = [_make_line(desk, record, line, amount, terms) for line, amount in zip(record.lines, amounts, strict=True)]
    _verify(desk, lines)
    return record.model_copy(update={"lines": lines, "outlet": terms.outlet or record.outlet, "refusal": None})


def _make_line(desk: Desk, record: FinancingRecord, line: DrawRecord, amount: int, terms: Terms) -> DrawRecord:
    suite, offer = desk.suite, line.consent
    opening = fresh_opening(suite, amount, desk.randomness)
    draft = prove_draft(
        suite,
        desk.log.parameters,
        line.facts(suite),
        draw=line.draw,
        key=desk.draw_key(line.key_shift),
        opening=opening,
        expires=record.expires,
        memos=draw_memos(desk, record, opening, terms.outlet or record.outlet, terms.note),
        consent=None if offer is None else offer.consent.decode(suite.group),
        asked=None if offer is None else _asked(desk, offer, line.asked),
        randomness=desk.randomness,
    )
    return line.model_copy(update={"drafted": drafted(suite, draft, opening)})


def drafted(suite: Suite, draft: Draft, opening: Opening, place: Place | None = None) -> Drafted:
    """For the record."""
    told = opening_message(suite, opening)
    return Drafted(draft=DraftMessage.of(draft), opening=told, outstanding=told, place=place)


def _asked(desk: Desk, offer: ConsentOffer, amount: int) -> Opening:
    """The opening of the amount that the owner consented to. Raises Refused when it is not the amount asked."""
    asked = Opening(amount, decode_scalar(desk.suite.group, offer.blinding))
    if asked.commit(desk.suite).encode() != offer.consent.asked:
        raise consent_false()
    return asked


def draw_memos(desk: Desk, record: FinancingRecord, opening: Opening, outlet: str, note: str) -> Memos:
    """What owner and regulator are told of a draw."""
    identity = desk.signer.identity
    memo = DrawMemo(
        amount=opening.amount,
        blinding=encode_scalar(desk.suite.group, opening.blinding),
        bank=identity.holder,
        bank_name=identity.name[:_MEMO_NAME_SIZE],
        outlet=outlet,
        reference=record.reference,
        financing=record.financing,
        note=note,
    )
    return sealed(desk, record, memo)


def _verify(desk: Desk, lines: list[DrawRecord]) -> None:
    """What the service and the prover will check first: the bank's own proofs, and the consents it was given."""
    parameters, suite = desk.log.parameters, desk.suite
    claims = []
    for index, line in enumerate(lines):
        claims += check_draft(suite, parameters, line.facts(suite), line.draft.decode(suite.group), f"line {index + 1}")
    try:
        verify(suite, claims)
    except BatchRejected as error:
        raise consent_false() from error


def draft_file(desk: Desk, record: FinancingRecord) -> DraftFile:
    """What the prover gets: every draft with its opening. Where draws are to move, the drafts that take them over."""
    identity = desk.signer.identity
    moving = [line for line in record.lines if line.moving is not None]
    lines = [_moving_line(line) for line in moving] or [
        DraftLine(draft=line.draft, opening=line.opening) for line in record.lines
    ]
    return DraftFile(
        financing=record.financing,
        bank=identity.holder,
        bank_name=identity.name,
        reply_to=identity.seal_key,
        lines=lines,
    )


def _moving_line(line: DrawRecord) -> DraftLine:
    if line.moving is None:
        raise ValueError("this draw does not move")
    return DraftLine(draft=line.moving.draft, opening=line.moving.opening, replaced=line.draft.document)


def write_draft(desk: Desk, record: FinancingRecord, path: Path) -> None:
    """The draft file, sealed to the owner or to the regulator. Raises InputError where it cannot be written."""
    reader = record.seal_key if record.prover == "owner" else desk.log.genesis.regulator.seal_key
    write_sealed(path, draft_file(desk, record), reader)
