"""Registration of papers: one document a paper, currency and counter, in batches that can be sent again without harm.

Before a batch is sent, it is written to the home whole, with its Idempotency-Key and with the place of each document in its
owner's row of documents. So after a crash or a lost answer the next run sends the very same bytes again, and nothing is
registered twice. A paper registered before is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from pydantic import TypeAdapter

from parties.common.authenticity import EXPORT_DECLARATION
from parties.common.client import Log, ServiceClient, idempotency_key
from parties.common.credentials import Said, issue_credential
from parties.common.errors import Refused, ServiceMisbehaved, ServiceRefused
from parties.common.home import Home
from parties.common.keyring import Signer
from parties.common.memos import memo_for
from parties.common.pinning import pinned_log
from parties.customs.enrol import Enterprise, enterprise_file, load_enterprise
from parties.customs.papers import Attested, read_attested, rows_of
from parties.customs.publish import (
    LONGEST_NAME,
    RecordDraft,
    draft_genuine,
    draft_of,
    keep_unpublished,
    publish_waiting,
    share_word,
)
from schemas import problems
from schemas.answers import Receipt
from schemas.domain.csv_form import RowError
from schemas.domain.errors import DomainError, ErrorCode
from schemas.entries import Amended, Kind, Registered, StatusChanged, encode_entry
from schemas.messages import DocumentStatusName, RegisterMessage, RegistrationRequest
from schemas.sealed import Credential, MinorUnits, OwnerRegisterMemo, RegulatorRegisterMemo
from schemas.wire import Count, Currency, Digest, Epoch, Holder, Identifier, Name, Point, SecretMessage
from tlog.leaf import leaf_hash
from zkcore.group import encode_scalar
from zkcore.ledger import next_revision
from zkcore.operations import Memos
from zkcore.randomness import Randomness, random_nonzero_scalar
from zkcore.secret.keys import blind_view_key, document_id
from zkcore.secret.opening import fresh_opening
from zkcore.secret.operations import prove_register
from zkcore.suite import Suite

USUAL_KIND = EXPORT_DECLARATION
BATCH = 20
PENDING_FILE = "pending.json"
DOCUMENTS = "documents"
_STATUS: TypeAdapter[DocumentStatusName] = TypeAdapter(DocumentStatusName)

Progress = Callable[[int, int], None]


class DocumentRecord(SecretMessage):
    """What an attester keeps of a document. `index`: its place among its owner's documents. Money is in minor units.

    date, declared, total, mode: as a credential says them
    owner: the document's blinded key, 33 bytes
    revision: the chain of what was said of it; None until its registration was confirmed
    """

    kind: Name
    counter: Name
    number: str
    currency: Currency
    holder: Holder
    name: str
    date: str
    declared: str
    document: Identifier
    index: Count
    total: MinorUnits
    limit: MinorUnits
    mode: str
    epoch: Epoch
    owner: Point
    status: DocumentStatusName
    revision: Digest | None = None

    @property
    def file(self) -> str:
        """Its name in the home."""
        return record_file(self.number, self.currency, self.kind, self.counter)


class Pending(SecretMessage):
    """A batch that may have been sent: the request with its key, and what to record and publish when it is accepted."""

    key: str
    request: RegistrationRequest
    records: list[DocumentRecord]
    drafts: list[RecordDraft]


@dataclass(frozen=True, repr=False)
class Office:
    """An attester at work."""

    suite: Suite
    home: Home
    signer: Signer
    client: ServiceClient
    randomness: Randomness


@dataclass(frozen=True, repr=False)
class Paper:
    """A document to be: one counter of a paper in one currency, whose owner is enrolled."""

    kind: str
    counter: str
    attested: Attested
    enterprise: Enterprise

    @property
    def record_file(self) -> str:
        return record_file(self.attested.number, self.attested.currency, self.kind, self.counter)


@dataclass
class Report:
    """What became of a file.

    resumed: documents of an earlier, interrupted run that were settled first
    published: records of authenticity that banks can check papers against from now on
    unpublished: records that wait, because the service has no evaluation key yet
    refused_rows: rows that no document came from, with a reason each in `errors`
    """

    registered: list[DocumentRecord] = field(default_factory=list)
    already: list[DocumentRecord] = field(default_factory=list)
    resumed: list[DocumentRecord] = field(default_factory=list)
    published: int = 0
    unpublished: int = 0
    errors: list[RowError] = field(default_factory=list)
    refused_rows: list[int] = field(default_factory=list)


def record_file(number: str, currency: str, kind: str = USUAL_KIND, counter: str = "financing") -> str:
    """The name of a document's record in the home. A paper has one a currency and counter."""
    return f"{DOCUMENTS}/{kind}.{counter}.{number.lower()}.{currency.lower()}.json"


def register_declarations(office: Office, content: bytes, progress: Progress | None = None, kind: str = USUAL_KIND) -> Report:
    """Registers what a file of papers of this kind holds. Faulty rows do not hinder the others.

    `progress` is called with (documents done, documents in all). Raises Refused when we are no attester of this kind on this
    log or the service refuses a batch, ServiceUnreachable when it does not answer: run again then, with the same file.
    """
    with office.home.lock():
        log = open_log(office)
        known = find_kind(office, log, kind)
        report = Report(resumed=_settle_pending(office))
        papers = _papers(office, log, known, content, report)
        done = 0
        for batch in _batches(papers):
            report.registered += _register_batch(office, log, batch)
            done += len(batch)
            if progress is not None:
                progress(done, len(papers))
        report.published, report.unpublished = publish_waiting(office)
    return report


def open_log(office: Office) -> Log:
    """The service's log, the one that we work with. Raises Refused when we are no attester of it."""
    log = pinned_log(office.home, office.client, office.suite, office.signer.identity.origin)
    _check_attester(office, log)
    return log


def find_kind(office: Office, log: Log, name: str) -> Kind:
    """The kind of this name. Raises Refused where the log has none, or where another role attests it."""
    role = log.parameters.attesters[office.signer.secret.public(office.suite)]
    ours = [kind for kind in log.genesis.kinds if kind.attester == role]
    for kind in ours:
        if kind.name == name:
            return kind
    names = ", ".join(kind.name for kind in ours) or "—"
    raise Refused(
        "another-kind",
        f"your role on this log is {role}, and it does not attest documents of the kind {name!r}; choose with --kind: {names}",
        f"您在本日志中的角色是 {role}，不能签发种类 {name!r} 的单证；请用 --kind 选择：{names}",
    )


def _check_attester(office: Office, log: Log) -> None:
    if office.signer.secret.public(office.suite) not in log.parameters.attesters:
        raise Refused(
            "not-an-attester",
            "your key is not that of an attester of this service; give your identity.json to its operator before it starts",
            "您的密钥不是该服务的签发方密钥；请在服务初始化前将 identity.json 交给运营方",
        )


# --- which documents ------------------------------------------------------------------------------------------------------


def _papers(office: Office, log: Log, kind: Kind, content: bytes, report: Report) -> list[Paper]:
    """The documents still to be registered; what cannot be or has been goes into the report."""
    found = read_attested(kind, content)
    rows = rows_of(found.papers, content, kind)
    report.errors += found.errors
    report.refused_rows += found.refused_rows
    for attested in found.genuine:
        enterprise = load_enterprise(office.home, attested.holder.credit_code.text)
        if enterprise is not None:
            draft_genuine(office, log, kind, attested, enterprise.identity)
    papers: list[Paper] = []
    for attested in found.papers:
        try:
            wanted = _papers_of(office, kind, attested)
            report.already += [_same_record(office, paper) for paper in wanted if office.home.exists(paper.record_file)]
            papers += [paper for paper in wanted if not office.home.exists(paper.record_file)]
        except DomainError as error:
            refused = [row for row in rows.get(attested.number, []) if row not in report.refused_rows]
            report.refused_rows += refused
            report.errors += [RowError(row, "", error) for row in refused or [0]]
    report.errors.sort(key=lambda error: error.row)
    report.refused_rows.sort()
    return papers


def _papers_of(office: Office, kind: Kind, attested: Attested) -> list[Paper]:
    """One a counter. Raises DomainError when the paper's owner is not enrolled."""
    owner = attested.holder
    enterprise = load_enterprise(office.home, owner.credit_code.text)
    if enterprise is None:
        raise DomainError(
            ErrorCode.CREDIT_CODE,
            f"{owner.name} ({owner.credit_code}) is not enrolled; get its identity.json and run: tradeveil customs enrol",
            f"{owner.name}（{owner.credit_code}）尚未登记；请向其索取 identity.json 并运行：tradeveil customs enrol",
        )
    return [Paper(kind.name, counter, attested, enterprise) for counter in kind.counters]


def _same_record(office: Office, paper: Paper) -> DocumentRecord:
    """The record of a paper registered before. Raises DomainError when it now gives another value or owner."""
    record, attested = office.home.load(paper.record_file, DocumentRecord), paper.attested
    if (record.total, record.limit, record.holder) != (attested.total, attested.limit, paper.enterprise.identity.holder):
        raise DomainError(
            ErrorCode.CONTRADICTION,
            "it is registered already, with another value or owner; to amend it use: tradeveil customs amend",
            "该单证已登记，但金额或所有人不同；如需改单请用：tradeveil customs amend",
        )
    return record


def _batches(papers: Sequence[Paper]) -> Iterator[list[Paper]]:
    remaining = iter(papers)
    while batch := list(islice(remaining, BATCH)):
        yield batch


# --- one batch ------------------------------------------------------------------------------------------------------------


def _register_batch(office: Office, log: Log, papers: Sequence[Paper]) -> list[DocumentRecord]:
    following: dict[str, int] = {}
    messages, records, drafts = [], [], []
    for paper in papers:
        holder = paper.enterprise.identity.holder
        # Read anew for each batch: the one before moved it on.
        index = following[holder] if holder in following else _reload(office, holder).next
        following[holder] = index + 1
        message, record, draft = make_document(office, log, paper, index)
        messages.append(message)
        records.append(record)
        drafts += [] if draft is None else [draft]
    request = RegistrationRequest(documents=messages)
    pending = Pending(key=idempotency_key(office.randomness), request=request, records=records, drafts=drafts)
    office.home.save(PENDING_FILE, pending)
    return _settle(office, pending)


def make_document(
    office: Office, log: Log, paper: Paper, index: int
) -> tuple[RegisterMessage, DocumentRecord, RecordDraft | None]:
    """The registration of the index-th document of an enterprise: committed limit, proofs, sealed memos, signed credential.

    And what we keep of it, and what banks will check the paper against, as of `record_draft`.
    """
    suite, randomness, identity = office.suite, office.randomness, paper.enterprise.identity
    document = document_id(office.signer.seal.shared(identity.seal_key), index)
    blinding = random_nonzero_scalar(randomness, suite.group)
    owner = blind_view_key(suite, suite.group.decode(identity.key), blinding)
    opening = fresh_opening(suite, paper.attested.limit, randomness)
    record = DocumentRecord(
        kind=paper.kind,
        counter=paper.counter,
        number=paper.attested.number,
        currency=paper.attested.currency,
        holder=identity.holder,
        name=paper.attested.holder.name[:LONGEST_NAME],
        date=paper.attested.date,
        declared=paper.attested.declared,
        document=document,
        index=index,
        total=paper.attested.total,
        limit=paper.attested.limit,
        mode=paper.attested.mode,
        epoch=log.parameters.epoch,
        owner=owner.encode(),
        status=_STATUS.validate_python(paper.attested.status),
    )
    credential = credential_of(office, log, record)
    hidden = encode_scalar(suite.group, opening.blinding)
    key_blinding = encode_scalar(suite.group, blinding)
    for_owner = OwnerRegisterMemo(credential=credential, key_blinding=key_blinding, blinding=hidden)
    for_regulator = RegulatorRegisterMemo(
        number=record.number,
        holder=record.holder,
        name=record.name,
        date=record.date,
        limit=record.limit,
        blinding=hidden,
    )
    memos = Memos(memo_for(identity.seal_key, for_owner), memo_for(log.genesis.regulator.seal_key, for_regulator))
    operation = prove_register(
        suite,
        log.parameters,
        document=document,
        kind=record.kind,
        counter=record.counter,
        status=record.status,
        currency=record.currency,
        owner=owner,
        attester=office.signer.secret,
        opening=opening,
        memos=memos,
        randomness=randomness,
    )
    return RegisterMessage.of(operation), record, record_draft(log, record, credential)


def credential_of(office: Office, log: Log, record: DocumentRecord) -> Credential:
    """What we vouch for of a document, signed."""
    said = Said(
        document=record.document,
        kind=record.kind,
        counter=record.counter,
        currency=record.currency,
        epoch=record.epoch,
        number=record.number,
        holder=record.holder,
        name=record.name,
        date=record.date,
        declared=record.declared,
        total=record.total,
        limit=record.limit,
        mode=record.mode,
        share=share_word(record.limit, record.total),
        owner=record.owner,
    )
    return issue_credential(office.suite, log.parameters, said, office.signer.secret, office.randomness)


def record_draft(log: Log, record: DocumentRecord, credential: Credential) -> RecordDraft | None:
    """What banks will check the paper against. It has one record, however many counters: that of its first one."""
    counters = next(kind.counters for kind in log.genesis.kinds if kind.name == record.kind)
    return draft_of(credential) if record.counter == counters[0] else None


# --- sending, once or again -----------------------------------------------------------------------------------------------


def _settle_pending(office: Office) -> list[DocumentRecord]:
    """Sends the batch that an interrupted run left behind, if there is one."""
    if not office.home.exists(PENDING_FILE):
        return []
    return _settle(office, office.home.load(PENDING_FILE, Pending))


def _settle(office: Office, pending: Pending) -> list[DocumentRecord]:
    """Sends a batch that lies in the home, and records what came of it. Running it again is harmless at every point."""
    _move_next(office, pending, after=True)
    try:
        answer = office.client.register(pending.request, pending.key)
    except ServiceRefused as error:
        if not is_final(error):
            raise
        # Nothing was written, so the places are free again; a gap would hide later documents from the owner's wallet.
        _move_next(office, pending, after=False)
        office.home.remove(PENDING_FILE)
        raise _explained(error) from error
    confirmed = [_confirmed(*line) for line in zip(pending.records, pending.request.documents, answer.receipts, strict=True)]
    keep_unpublished(office.home, pending.drafts)
    for record in confirmed:
        office.home.save(record.file, record)
    office.home.remove(PENDING_FILE)
    return confirmed


def _confirmed(record: DocumentRecord, message: RegisterMessage, receipt: Receipt) -> DocumentRecord:
    """The record with the revision that follows from what we sent, computed here."""
    leaf = check_receipt(Registered(time=receipt.time, body=message), receipt)
    return record.model_copy(update={"revision": next_revision(record.document, leaf)})


def check_receipt(entry: Registered | StatusChanged | Amended, receipt: Receipt) -> bytes:
    """The leaf hash (32 bytes) of what was sent. Raises ServiceMisbehaved when the receipt is for something else."""
    leaf = leaf_hash(encode_entry(entry))
    if leaf != receipt.leaf:
        raise ServiceMisbehaved(
            "receipt-false",
            "the service's receipt is not for what was sent; keep this home and tell the operator and the regulator",
            "服务回执与所提交内容不符；请保留现场并告知运营方和监管方",
        )
    return leaf


def _move_next(office: Office, pending: Pending, *, after: bool) -> None:
    """Sets the count of each owner's documents to after this batch, or back to before it."""
    places: dict[str, list[int]] = {}
    for record in pending.records:
        places.setdefault(record.holder, []).append(record.index)
    for holder, indices in places.items():
        following = max(indices) + 1 if after else min(indices)
        enterprise = _reload(office, holder)
        office.home.save(enterprise_file(holder), enterprise.model_copy(update={"next": following}))


def _reload(office: Office, holder: str) -> Enterprise:
    return office.home.load(enterprise_file(holder), Enterprise, "tradeveil customs enrol")


def is_final(error: ServiceRefused) -> bool:
    """Whether the service said no, rather than that it cannot tell now."""
    return error.decided


def _explained(error: ServiceRefused) -> Refused:
    if error.slug != problems.ALREADY_EXISTS.slug:
        return error
    return Refused(
        "home-outdated",
        "the service has documents that this directory does not know of, so registering could double a limit; "
        "bring back the newest copy of the directory",
        "服务中有本目录未记录的单证，继续登记可能造成额度重复；请恢复本目录的最新备份",
    )
