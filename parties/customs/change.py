"""What becomes of registered documents: cleared, frozen, returned, deleted and replaced; amended up and down.

Each change is proven for the document's revision, the chain of what its attester said before, so that no two of them can be
exchanged or repeated. It is kept in the home before it is sent; a run after a crash or a lost answer sends the very same bytes
again first. Running a file again does only what is left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from parties.common.client import Log, idempotency_key
from parties.common.errors import InputError, PartyError, Refused, ServiceRefused
from parties.common.home import Home
from parties.common.memos import memo_for
from parties.common.money import Money, money_text
from parties.customs.enrol import load_enterprise
from parties.customs.papers import Attested, read_attested, rows_of
from parties.customs.publish import RecordDraft, keep_unpublished, publish_waiting
from parties.customs.register import (
    DOCUMENTS,
    USUAL_KIND,
    DocumentRecord,
    Office,
    Progress,
    check_receipt,
    credential_of,
    find_kind,
    is_final,
    open_log,
    record_draft,
)
from schemas.domain.csv_form import RowError
from schemas.domain.errors import DomainError, ErrorCode
from schemas.domain.identifiers import PaperNumber
from schemas.entries import Amended, StatusChanged
from schemas.messages import AmendMessage, ChangeStatusMessage, DocumentStatusName
from schemas.sealed import Credential, OwnerAmendMemo, RegulatorAmendMemo, StatusMemo
from schemas.wire import SecretMessage
from zkcore.context import ABSENT
from zkcore.group import encode_scalar
from zkcore.ledger import AttestedFacts, next_revision
from zkcore.ledger.state import STATUSES_AFTER
from zkcore.operations import AMENDED, DELETED, Memos
from zkcore.secret.opening import fresh_opening
from zkcore.secret.operations import prove_amend, prove_status

PENDING_CHANGE_FILE = "pending-change.json"
_LONGEST_NOTE = 200
_STATUS: TypeAdapter[DocumentStatusName] = TypeAdapter(DocumentStatusName)


class PendingChange(SecretMessage):
    """A change that may have been sent: its request and key, and what to record and publish once it is accepted."""

    key: str
    status: ChangeStatusMessage | None
    amendment: AmendMessage | None
    record: DocumentRecord
    draft: RecordDraft | None = None


@dataclass(frozen=True, repr=False)
class Wanted:
    """The change that is asked for: another status, or another limit.

    values: the record with the limit, and with what the paper says from now on, total and supervision mode
    """

    status: str | None = None
    replacement: DocumentRecord | None = None
    values: DocumentRecord | None = None
    reason: str = AMENDED
    note: str = ""


@dataclass
class Changes:
    """What became of a file: the documents amended and those whose status changed; the rest as in a Report."""

    amended: list[DocumentRecord] = field(default_factory=list)
    changed: list[DocumentRecord] = field(default_factory=list)
    unchanged: list[DocumentRecord] = field(default_factory=list)
    resumed: list[DocumentRecord] = field(default_factory=list)
    published: int = 0
    unpublished: int = 0
    errors: list[RowError] = field(default_factory=list)
    refused_rows: list[int] = field(default_factory=list)


# --- which document -------------------------------------------------------------------------------------------------------


def find_records(home: Home, number: str, kind: str = "", currency: str = "", counter: str = "") -> list[DocumentRecord]:
    """Our documents of a paper, narrowed by what is given. Raises InputError when there is none, DomainError for the number."""
    text = PaperNumber.parse(number).text
    records = [home.load(name, DocumentRecord) for name in home.names(DOCUMENTS) if f".{text.lower()}." in name]
    found = [
        record
        for record in records
        if record.number == text
        and kind in ("", record.kind)
        and currency in ("", record.currency)
        and counter in ("", record.counter)
    ]
    if not found:
        raise InputError(
            "no-such-document",
            f"no document of {text} is registered from this home; check the number, --kind, --currency and --counter",
            f"本目录没有登记 {text} 的单证；请检查编号、--kind、--currency 和 --counter",
        )
    return found


def change_status(
    office: Office, records: Sequence[DocumentRecord], status: str, replacement: str = "", note: str = ""
) -> list[DocumentRecord]:
    """Says of each document (all counters and currencies of a paper, usually) what became of it. Those at it already are left.

    `replacement` is the number of the paper that stands for a deleted one: each document is replaced by the one of the same
    kind, counter and currency. Raises InputError, Refused, ServiceUnreachable (run again).
    """
    _check_note(note)
    if replacement and status != DELETED:
        raise InputError("replacement", "only a deleted paper has a replacement", "仅删单时可指定替代单证（--replacement）")
    with office.home.lock():
        log = open_log(office)
        settle_pending(office)
        done = []
        for stale in records:
            record = office.home.load(stale.file, DocumentRecord)
            instead = _replacement(office, record, replacement) if replacement else None
            if record.status != status:
                _check_status(record, status)
                record = _change(office, log, record, Wanted(status=status, replacement=instead, note=note))
            done.append(record)
        publish_waiting(office)  # what an amendment left that was broken off
    return done


def amend(office: Office, records: Sequence[DocumentRecord], limit: Money, reason: str, note: str = "") -> list[DocumentRecord]:
    """Sets the limit of each counter of a paper in the limit's currency. Raises InputError, Refused, ServiceUnreachable.

    An amended paper that was financeable as a whole says the new value from now on; of one of which a part came back, or a part
    was financeable, the declared total stays what it was.
    """
    _check_note(note)
    fitting = [record for record in records if record.currency == limit.currency.alpha]
    if not fitting:
        raise InputError(
            "another-currency",
            f"the paper has no document in {limit.currency}",
            f"该单证没有币种为 {limit.currency} 的登记",
        )
    with office.home.lock():
        log = open_log(office)
        settle_pending(office)
        done = []
        for stale in fitting:
            record = office.home.load(stale.file, DocumentRecord)
            if record.limit != limit.minor:
                values = _with_limit(record, limit.minor, reason)
                record = _change(office, log, record, Wanted(values=values, reason=reason, note=note))
            done.append(record)
        publish_waiting(office)
    return done


def _with_limit(record: DocumentRecord, limit: int, reason: str) -> DocumentRecord:
    """Raises InputError for more than the paper's declared total."""
    total = limit if reason == AMENDED and record.limit == record.total else record.total
    if limit > total:
        whole = money_text(total, record.currency)
        raise InputError(
            "over-total",
            f"the declared total of {record.number} is {whole}, and its limit is at most that; amend it from a newer file",
            f"{record.number} 的申报总价为 {whole}，额度不得超过该金额；请用新的单证文件办理改单",
        )
    return record.model_copy(update={"limit": limit, "total": total})


def _replacement(office: Office, record: DocumentRecord, number: str) -> DocumentRecord:
    found = find_records(office.home, number, record.kind, record.currency, record.counter)
    if found[0].holder != record.holder or found[0].document == record.document:
        raise InputError(
            "replacement",
            "the replacement is a paper of the same owner, and not the deleted one itself",
            "替代单证须属于同一企业，且不能是被删单证本身",
        )
    return found[0]


def _check_note(note: str) -> None:
    if len(note) > _LONGEST_NOTE:
        raise InputError("note", f"--note is at most {_LONGEST_NOTE} characters", f"--note 不超过 {_LONGEST_NOTE} 个字符")


def _check_status(record: DocumentRecord, status: str) -> None:
    """Raises Refused for what cannot follow; the service would say the same."""
    if status not in STATUSES_AFTER.get(record.status, frozenset()):
        raise Refused(
            "status",
            f"{record.number} is {record.status}, and does not become {status} from there",
            f"{record.number} 的状态为 {record.status}，不能变为 {status}",
        )


# --- a whole file ---------------------------------------------------------------------------------------------------------


def amend_file(
    office: Office, content: bytes, progress: Progress | None = None, kind: str = USUAL_KIND, note: str = ""
) -> Changes:
    """Brings registered documents up to what a newer file of the papers says: limits, and statuses that have gone on.

    Faulty rows do not hinder the others. `progress` is called with (papers done, papers in all). Raises as registration does.
    """
    _check_note(note)
    with office.home.lock():
        log = open_log(office)
        known = find_kind(office, log, kind)
        changes = Changes(resumed=settle_pending(office))
        found = read_attested(known, content)
        rows = rows_of(found.papers, content, known)
        changes.errors += found.errors
        changes.refused_rows += found.refused_rows
        for done, attested in enumerate(found.papers, start=1):
            try:
                for counter in known.counters:
                    _bring_up(office, log, attested, kind, counter, note, changes)
            except (DomainError, InputError, Refused) as error:
                _refuse(changes, rows.get(attested.number, []), error)
            if progress is not None:
                progress(done, len(found.papers))
        changes.published, changes.unpublished = publish_waiting(office)
    changes.errors.sort(key=lambda item: item.row)
    changes.refused_rows.sort()
    return changes


def _bring_up(office: Office, log: Log, attested: Attested, kind: str, counter: str, note: str, changes: Changes) -> None:
    record = find_records(office.home, attested.number, kind, attested.currency, counter)[0]
    if record.holder != attested.holder.credit_code.text:
        raise DomainError(
            ErrorCode.CONTRADICTION,
            "the paper is registered for another owner; a change of owner is a deletion and a new registration",
            "该单证登记在另一企业名下；变更所有人须删单后重新登记",
        )
    unchanged = True
    if record.status != attested.status:
        _check_status(record, attested.status)
        record = _change(office, log, record, Wanted(status=attested.status, note=note))
        changes.changed.append(record)
        unchanged = False
    values = record.model_copy(update={"limit": attested.limit, "total": attested.total, "mode": attested.mode})
    if record.limit != attested.limit:
        changes.amended.append(_change(office, log, record, Wanted(values=values, note=note)))
        unchanged = False
    elif values != record:
        changes.amended.append(_restate(office, log, values))
        unchanged = False
    if unchanged:
        changes.unchanged.append(record)


def _restate(office: Office, log: Log, record: DocumentRecord) -> DocumentRecord:
    """Another total or supervision mode that leaves the limit as it is: nothing for the log, and banks check against it."""
    draft = record_draft(log, record, credential_of(office, log, record))
    keep_unpublished(office.home, [] if draft is None else [draft])
    office.home.save(record.file, record)
    return record


def _refuse(changes: Changes, rows: Sequence[int], error: DomainError | PartyError) -> None:
    shown = (
        error if isinstance(error, DomainError) else DomainError(ErrorCode.CONTRADICTION, error.message_en, error.message_zh)
    )
    refused = [row for row in rows if row not in changes.refused_rows]
    changes.refused_rows += refused
    changes.errors += [RowError(row, "", shown) for row in refused or [0]]


# --- one change -----------------------------------------------------------------------------------------------------------


def _change(office: Office, log: Log, record: DocumentRecord, wanted: Wanted) -> DocumentRecord:
    """Makes the change, keeps it in the home, and sends it."""
    facts = _facts(office, record)
    key = idempotency_key(office.randomness)
    if wanted.values is None:
        message, after = _status_message(office, log, facts, record, wanted, wanted.status or record.status)
        pending = PendingChange(key=key, status=message, amendment=None, record=after)
    else:
        after, credential = wanted.values, credential_of(office, log, wanted.values)
        amendment = _amend_message(office, log, facts, credential, wanted)
        draft = record_draft(log, after, credential)
        pending = PendingChange(key=key, status=None, amendment=amendment, record=after, draft=draft)
    office.home.save(PENDING_CHANGE_FILE, pending)
    return _settle(office, pending)


def _facts(office: Office, record: DocumentRecord) -> AttestedFacts:
    if record.revision is None:
        raise ValueError("a document whose registration was not confirmed has no record")
    owner = office.suite.group.decode(record.owner)
    return AttestedFacts(record.document, record.kind, record.currency, record.epoch, owner, record.revision)


def _status_message(
    office: Office, log: Log, facts: AttestedFacts, record: DocumentRecord, wanted: Wanted, status: str
) -> tuple[ChangeStatusMessage, DocumentRecord]:
    instead = wanted.replacement
    memo = StatusMemo(note=wanted.note, replacement="" if instead is None else instead.number)
    operation = prove_status(
        office.suite,
        log.parameters,
        facts,
        attester=office.signer.secret,
        status=status,
        replacement=ABSENT if instead is None else instead.document,
        memos=_memos(office, log, record.holder, memo, memo),
        randomness=office.randomness,
    )
    return ChangeStatusMessage.of(operation), record.model_copy(update={"status": _STATUS.validate_python(status)})


def _amend_message(office: Office, log: Log, facts: AttestedFacts, credential: Credential, wanted: Wanted) -> AmendMessage:
    opening = fresh_opening(office.suite, credential.limit, office.randomness)
    blinding = encode_scalar(office.suite.group, opening.blinding)
    for_owner = OwnerAmendMemo(credential=credential, blinding=blinding, note=wanted.note)
    for_regulator = RegulatorAmendMemo(limit=credential.limit, blinding=blinding, note=wanted.note)
    operation = prove_amend(
        office.suite,
        log.parameters,
        facts,
        attester=office.signer.secret,
        opening=opening,
        reason=wanted.reason,
        memos=_memos(office, log, credential.holder, for_owner, for_regulator),
        randomness=office.randomness,
    )
    return AmendMessage.of(operation)


def _memos(office: Office, log: Log, holder: str, for_owner: SecretMessage, for_regulator: SecretMessage) -> Memos:
    enterprise = load_enterprise(office.home, holder)
    if enterprise is None:
        raise InputError(
            "not-enrolled",
            f"{holder} is not enrolled in this home any more; bring back the newest copy of the directory",
            f"{holder} 已不在本目录的企业名单中；请恢复本目录的最新备份",
        )
    return Memos(memo_for(enterprise.identity.seal_key, for_owner), memo_for(log.genesis.regulator.seal_key, for_regulator))


def settle_pending(office: Office) -> list[DocumentRecord]:
    """Sends the change that an interrupted run left behind, if there is one."""
    if not office.home.exists(PENDING_CHANGE_FILE):
        return []
    return [_settle(office, office.home.load(PENDING_CHANGE_FILE, PendingChange))]


def _settle(office: Office, pending: PendingChange) -> DocumentRecord:
    """Sends a change that lies in the home, and records what came of it. Running it again is harmless at every point."""
    try:
        if pending.status is not None:
            answer = office.client.change_status(pending.status, pending.key)
            leaf = check_receipt(StatusChanged(time=answer.receipt.time, body=pending.status), answer.receipt)
        elif pending.amendment is not None:
            answer = office.client.amend(pending.amendment, pending.key)
            leaf = check_receipt(Amended(time=answer.receipt.time, body=pending.amendment), answer.receipt)
        else:
            raise ValueError("an empty change")
    except ServiceRefused as error:
        if is_final(error):
            office.home.remove(PENDING_CHANGE_FILE)
        raise
    before = pending.record.revision or pending.record.document
    record = pending.record.model_copy(update={"revision": next_revision(before, leaf)})
    keep_unpublished(office.home, [] if pending.draft is None else [pending.draft])
    office.home.save(record.file, record)
    office.home.remove(PENDING_CHANGE_FILE)
    return record
