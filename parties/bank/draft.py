"""A bank's draft: its part of every draw of a financing, sealed to whoever is to prove the headroom.

That is the owner, or, where the owner consented beforehand to every line, the regulator. The drafts are kept in the bank's home
before the file is written; making the draft of an application again writes the same drafts, so that a lost file is no loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from parties.bank.application import CheckedApplication, CheckedLine
from parties.bank.desk import Desk
from parties.bank.records import DrawRecord, FinancingRecord, draft_record
from parties.common.errors import InputError, Refused
from parties.common.memos import memo_for
from parties.common.money import Money
from parties.common.sealed_files import write_sealed
from schemas.sealed import Application, ConsentOffer, DraftFile, DraftLine, DrawMemo
from zkcore.context import ID_SIZE
from zkcore.errors import BatchRejected
from zkcore.group import decode_scalar, encode_scalar
from zkcore.ledger import check_draft
from zkcore.operations import Draft, Memos
from zkcore.secret.opening import Opening, fresh_opening
from zkcore.secret.operations import prove_draft
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
    """The record of the financing, kept in the bank's home: the one there is, or a new one.

    `redo` makes new drafts in place of earlier ones. Raises Refused where the application is committed or under way, or was
    drafted on other terms; InputError for a reference in use.
    """
    application = checked.application
    with desk.home.lock():
        earlier = desk.book.find(application.financing)
        if earlier is not None and (earlier.committed or earlier.pending is not None):
            raise Refused("already-committed", "this application is committed, or is being committed", "该申请已登记或正在登记")
        if earlier is not None and not redo:
            return _unchanged(earlier, checked, terms)
        record = make_record(desk, checked, _named(desk, application, terms))
        desk.book.save(record)
        return record


def _unchanged(earlier: FinancingRecord, checked: CheckedApplication, terms: Terms) -> FinancingRecord:
    """The earlier drafts, unless other terms are asked for now."""
    amounts = [line.opening.amount for line in earlier.lines]
    if terms.reference not in ("", earlier.reference) or amounts != granted_amounts(checked, terms.granted):
        raise Refused(
            "drafted-otherwise",
            "this application was drafted on other terms; --redo replaces those drafts, and approvals of them are then void",
            "该申请已按其他条件出具草案；可用 --redo 重新出具，原草案的批准随之作废",
        )
    return earlier


def _named(desk: Desk, application: Application, terms: Terms) -> Terms:
    """The terms with a reference that no other financing has."""
    reference = terms.reference or f"F-{application.financing[:6].hex()}"
    taken = any(record.reference == reference for record in desk.book if record.financing != application.financing)
    if taken:
        raise InputError("reference-taken", f"the reference {reference!r} is in use", f"编号 {reference!r} 已被使用")
    return Terms(reference, terms.outlet, terms.note, terms.granted)


def granted_amounts(checked: CheckedApplication, granted: Money | None) -> list[int]:
    """Minor units of each line. Raises Refused where less cannot be granted, or more than was asked would be."""
    asked = [item.line.amount for item in checked.lines]
    if granted is None:
        return asked
    if len(asked) != 1 or checked.consented or checked.application.loan is not None:
        raise Refused(
            "amount",
            "another amount can be granted only on one document, without a loan in another currency, and without a consent "
            "beforehand; ask for a new application",
            "仅在单一单证、无外币贷款且无事先授权时可另定金额；请重新申请",
        )
    line = checked.lines[0].line
    if granted.currency.alpha != line.credential.currency or granted.minor > line.amount:
        raise Refused(
            "amount",
            "what is granted is at most what was asked, in the document's currency",
            "核准金额不得超过申请金额，且须为单证币种",
        )
    return [granted.minor]


def make_record(desk: Desk, checked: CheckedApplication, terms: Terms) -> FinancingRecord:
    """Fresh drafts of every line, their proofs and the consents verified. Raises Refused for a consent that is false."""
    application = checked.application
    amounts = granted_amounts(checked, terms.granted)
    lines = [_make_line(desk, checked, item, amount, terms) for item, amount in zip(checked.lines, amounts, strict=True)]
    _verify(desk, checked, lines)
    prover: Literal["owner", "regulator"] = "regulator" if checked.consented else "owner"
    return FinancingRecord(
        financing=application.financing,
        reference=terms.reference,
        drafted=desk.now,
        expires=application.expires,
        applicant=application.applicant,
        applicant_name=application.applicant_name,
        seal_key=application.seal_key,
        prover=prover,
        loan=application.loan,
        purpose=application.purpose,
        lines=lines,
    )


def _make_line(desk: Desk, checked: CheckedApplication, item: CheckedLine, amount: int, terms: Terms) -> DrawRecord:
    suite, application = desk.suite, checked.application
    offer = item.line.consent if checked.consented else None
    opening = fresh_opening(suite, amount, desk.randomness)
    draft = prove_draft(
        suite,
        desk.log.parameters,
        item.facts,
        draw=desk.randomness.read(ID_SIZE),
        key=item.key,
        opening=opening,
        expires=application.expires,
        memos=_memos(desk, application, opening, terms),
        consent=None if offer is None else offer.consent.decode(suite.group),
        asked=None if offer is None else _asked(desk, offer, item.line.amount),
        randomness=desk.randomness,
    )
    return draft_record(suite, item.line.credential, item.line.key_shift, draft, opening)


def _asked(desk: Desk, offer: ConsentOffer, amount: int) -> Opening:
    """The opening of the amount that the owner consented to. Raises Refused when it is not the amount asked."""
    asked = Opening(amount, decode_scalar(desk.suite.group, offer.blinding))
    if asked.commit(desk.suite).encode() != offer.consent.asked:
        raise _consent_false()
    return asked


def _memos(desk: Desk, application: Application, opening: Opening, terms: Terms) -> Memos:
    identity = desk.signer.identity
    memo = DrawMemo(
        amount=opening.amount,
        blinding=encode_scalar(desk.suite.group, opening.blinding),
        bank=identity.holder,
        bank_name=identity.name[:_MEMO_NAME_SIZE],
        outlet=terms.outlet,
        reference=terms.reference,
        financing=application.financing,
        note=terms.note,
    )
    return Memos(memo_for(application.seal_key, memo), memo_for(desk.log.genesis.regulator.seal_key, memo))


def _verify(desk: Desk, checked: CheckedApplication, lines: list[DrawRecord]) -> None:
    """What the service and the prover will check first: the bank's own proofs, and the consents it was given."""
    drafts: list[Draft] = [line.draft.decode(desk.suite.group) for line in lines]
    parameters = desk.log.parameters
    claims = []
    for index, (item, draft) in enumerate(zip(checked.lines, drafts, strict=True)):
        claims += check_draft(desk.suite, parameters, item.facts, draft, f"line {index + 1}")
    try:
        verify(desk.suite, claims)
    except BatchRejected as error:
        raise _consent_false() from error


def _consent_false() -> Refused:
    return Refused(
        "consent-invalid",
        "the owner's consent is not for this document, bank, amount and time; ask for a new application",
        "所有人的授权与本单证、银行、金额或期限不符；请重新申请",
    )


def draft_file(desk: Desk, record: FinancingRecord) -> DraftFile:
    """What the prover gets: every draft with its opening."""
    identity = desk.signer.identity
    return DraftFile(
        financing=record.financing,
        bank=identity.holder,
        bank_name=identity.name,
        reply_to=identity.seal_key,
        lines=[DraftLine(draft=line.draft, opening=line.opening) for line in record.lines],
    )


def write_draft(desk: Desk, record: FinancingRecord, path: Path) -> None:
    """The draft file, sealed to the owner or to the regulator. Raises InputError where it cannot be written."""
    reader = record.seal_key if record.prover == "owner" else desk.log.genesis.regulator.seal_key
    write_sealed(path, draft_file(desk, record), reader)
