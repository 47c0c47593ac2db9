"""Applications received, accepted, and reviewed (申请、受理、审核): each step on the log, over all lines of a financing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from parties.bank.application import CheckedApplication
from parties.bank.desk import Desk
from parties.bank.records import DrawRecord, FinancingRecord
from parties.bank.steps import Made, application_state, complete_earlier, deliver, prepare, take
from parties.common.errors import InputError, Refused
from parties.common.memos import memo_for
from schemas.messages import ApplyMessage, ApplyStep, DecideMessage, DecideStep
from schemas.sealed import Application, ApplyMemo, DecideMemo
from schemas.wire import SecretMessage
from zkcore import statements
from zkcore.context import ID_SIZE
from zkcore.errors import BatchRejected
from zkcore.group import decode_scalar
from zkcore.ledger import application_context, consent_context
from zkcore.ledger.claims import sigma_claim
from zkcore.ledger.state import DECISIONS_AT
from zkcore.operations import ACCEPTED, APPROVED, Memos, application_payload, consent_payload
from zkcore.secret.opening import Opening
from zkcore.secret.operations import prove_apply, prove_decide
from zkcore.verifying.batch import verify

_NAME_SIZE = 80
_LONGEST = {"--reference": 64, "--outlet": 80, "--note": 200, "--by": 64}
_APPLY = "apply"


@dataclass(frozen=True, repr=False)
class Reception:
    """How an application is received. `reference`: the bank's own number, unique in its home; `by`: who received it.

    short: it will be accepted and approved in one go with the draft
    """

    reference: str = ""
    outlet: str = ""
    note: str = ""
    by: str = ""
    short: bool = False

    def check(self) -> None:
        """Raises InputError for what is too long for a memo."""
        check_lengths({"--reference": self.reference, "--outlet": self.outlet, "--note": self.note, "--by": self.by})


def check_lengths(given: dict[str, str]) -> None:
    """Raises InputError, naming the option that is too long."""
    for option, text in given.items():
        if len(text) > _LONGEST[option]:
            raise InputError(
                "too-long",
                f"{option} is at most {_LONGEST[option]} characters",
                f"{option} 不超过 {_LONGEST[option]} 个字符",
            )


def receive(desk: Desk, checked: CheckedApplication, reception: Reception) -> FinancingRecord:
    """The application, recorded on the log: now, or by an earlier attempt. Nothing is done twice.

    Raises Refused where the owner's part does not hold or the service refuses, InputError for a reference in use.
    """
    reception.check()
    application = checked.application
    with desk.home.lock():
        earlier = desk.book.find(application.financing)
        if earlier is not None and earlier.pending is not None and not earlier.sent:
            earlier = deliver(desk, earlier)
        if earlier is not None and all(line.application is not None for line in earlier.lines):
            return earlier
        record = _record(desk, checked, replace(reception, reference=named(desk, application, reception.reference)))
        made = [_apply_step(desk, record, index, reception.note) for index in range(len(record.lines))]
        return deliver(desk, prepare(desk, record, made, _APPLY))


def named(desk: Desk, application: Application, wanted: str) -> str:
    """The reference, or one made of the financing's id. Raises InputError when another financing has it."""
    reference = wanted or f"F-{application.financing[:6].hex()}"
    if any(record.reference == reference for record in desk.book if record.financing != application.financing):
        raise InputError("reference-taken", f"the reference {reference!r} is in use", f"编号 {reference!r} 已被使用")
    return reference


def _record(desk: Desk, checked: CheckedApplication, reception: Reception) -> FinancingRecord:
    application = checked.application
    _check_owner(desk, checked)
    prover: Literal["owner", "regulator"] = "regulator" if checked.consented else "owner"
    return FinancingRecord(
        financing=application.financing,
        reference=reception.reference,
        received=desk.now,
        received_by=reception.by,
        outlet=reception.outlet,
        short=reception.short,
        expires=application.expires,
        applicant=application.applicant,
        applicant_name=application.applicant_name,
        seal_key=application.seal_key,
        prover=prover,
        loan=application.loan,
        purpose=application.purpose,
        lines=[
            DrawRecord(
                credential=item.line.credential,
                key_shift=item.line.key_shift,
                asked=item.line.amount,
                applied=item.line.applied,
                consent=item.line.consent if checked.consented else None,
                draw=desk.randomness.read(ID_SIZE),
            )
            for item in checked.lines
        ],
    )


def _check_owner(desk: Desk, checked: CheckedApplication) -> None:
    """Who made the application, and its consents, has the key of every document. Raises Refused, before anything is sent."""
    suite, application, claims = desk.suite, checked.application, []
    for index, item in enumerate(checked.lines):
        payload = application_payload(application.financing, item.key.public(suite), application.expires)
        context = application_context(desk.log.parameters, item.facts, payload)
        elements = {"P_owner": item.facts.owner}
        claims.append(sigma_claim(suite, f"line {index + 1}", statements.APPLICATION, context, elements, item.line.applied))
    try:
        verify(suite, claims)
    except BatchRejected as error:
        raise Refused(
            "application-invalid",
            "the application is not signed with the key of its document, for this bank and until its expiry; "
            "ask for a new application",
            "申请未以单证密钥为本行及其有效期签署；请重新申请",
        ) from error
    if checked.consented:
        _check_consents(desk, checked)


def _check_consents(desk: Desk, checked: CheckedApplication) -> None:
    """Raises Refused for a consent that is for another document, bank, amount or time."""
    suite, application, claims = desk.suite, checked.application, []
    for index, item in enumerate(checked.lines):
        if item.line.consent is None:
            raise consent_false()
        consent = item.line.consent.consent.decode(suite.group)
        asked = Opening(item.line.amount, decode_scalar(suite.group, item.line.consent.blinding))
        if asked.commit(suite) != consent.asked or consent.application != application.financing:
            raise consent_false()
        payload = consent_payload(consent.application, item.key.public(suite), consent.asked, application.expires)
        context = consent_context(desk.log.parameters, item.facts, payload)
        elements = {"P_owner": item.facts.owner}
        claims.append(sigma_claim(suite, f"line {index + 1}", statements.CONSENT, context, elements, consent.proof))
    try:
        verify(suite, claims)
    except BatchRejected as error:
        raise consent_false() from error


def consent_false() -> Refused:
    """A consent that does not hold."""
    return Refused(
        "consent-invalid",
        "the owner's consent is not for this document, bank, amount and time; ask for a new application",
        "所有人的授权与本单证、银行、金额或期限不符；请重新申请",
    )


def _apply_step(desk: Desk, record: FinancingRecord, index: int, note: str) -> Made:
    line, identity = record.lines[index], desk.signer.identity
    memo = ApplyMemo(
        amount=line.asked,
        bank=identity.holder,
        bank_name=identity.name[:_NAME_SIZE],
        outlet=record.outlet,
        reference=record.reference,
        financing=record.financing,
        purpose=record.purpose,
        note=note,
    )
    operation = prove_apply(
        desk.suite,
        desk.log.parameters,
        line.facts(desk.suite),
        draw=line.draw,
        key=desk.draw_key(line.key_shift),
        application=record.financing,
        expires=record.expires,
        consent=line.applied,
        memos=sealed(desk, record, memo),
        randomness=desk.randomness,
    )
    return Made(index, ApplyStep(body=ApplyMessage.of(operation)))


def sealed(desk: Desk, record: FinancingRecord, memo: SecretMessage) -> Memos:
    """The same memo for the owner and for the regulator."""
    return Memos(memo_for(record.seal_key, memo), memo_for(desk.log.genesis.regulator.seal_key, memo))


# --- decisions ------------------------------------------------------------------------------------------------------------


def decide(desk: Desk, reference: str, decision: str, *, by: str = "", note: str = "") -> FinancingRecord:
    """Accept, approve or reject the application with this reference; one that is there already is left.

    Raises InputError for an unknown reference, Refused where its stage has no such decision, or where whoever received it would
    approve it, too.
    """
    check_lengths({"--by": by, "--note": note})
    with desk.home.lock():
        record = desk.book.by_reference(reference)
        completed = complete_earlier(desk, record, decision)
        if completed is not None:
            return completed
        return _decide(desk, record, decision, by, note)


def _decide(desk: Desk, record: FinancingRecord, decision: str, by: str, note: str) -> FinancingRecord:
    states = [application_state(desk, record, line) for line in record.lines]
    if all(state.stage == decision for state in states):
        return record
    for state in states:
        if decision not in DECISIONS_AT.get(state.stage, frozenset()):
            raise Refused(
                "wrong-stage",
                f"the application {record.reference} is {state.stage}, and does not become {decision} from there",
                f"申请 {record.reference} 处于 {state.stage} 阶段，不能变为 {decision}",
            )
    if decision == APPROVED and by and by == record.received_by:
        raise Refused(
            "two-person",
            f"{by} received this application; somebody else has to approve it",
            f"该申请由 {by} 收件，须由他人审核",
        )
    memo = DecideMemo(by=by, reference=record.reference, note=note)
    made = []
    for index, (line, state) in enumerate(zip(record.lines, states, strict=True)):
        operation = prove_decide(
            desk.suite,
            desk.log.parameters,
            line.facts(desk.suite),
            state,
            key=desk.draw_key(line.key_shift),
            decision=decision,
            memos=sealed(desk, record, memo),
            randomness=desk.randomness,
        )
        made.append(Made(index, DecideStep(body=DecideMessage.of(operation))))
    return take(desk, record, made, decision)


def approve_short(desk: Desk, record: FinancingRecord) -> FinancingRecord:
    """Accept and approve what was received in one go with its draft. Raises Refused for one that has to be reviewed."""
    with desk.home.lock():
        record = desk.book.find(record.financing) or record
        for decision in (ACCEPTED, APPROVED):
            if record.pending is not None and not record.sent:
                record = deliver(desk, record)
            stage = application_state(desk, record, record.lines[0]).stage
            if record.short and decision in DECISIONS_AT.get(stage, frozenset()):
                record = _decide(desk, record, decision, "", "")
    stage = application_state(desk, record, record.lines[0]).stage
    if stage in DECISIONS_AT and stage != APPROVED:
        raise Refused(
            "not-approved",
            f"the application {record.reference} is {stage}; first run: tradeveil bank accept, then review --approve",
            f"申请 {record.reference} 处于 {stage} 阶段；请先运行 tradeveil bank accept 和 review --approve",
        )
    if stage == "rejected":
        raise Refused("rejected", "this application was rejected", "该申请未通过审核")
    return record
