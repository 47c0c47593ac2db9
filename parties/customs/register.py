"""Registration of declarations: one document a declaration and currency, in batches that can be sent again without harm.

Before a batch is sent, it is written to the home whole, with its Idempotency-Key and with the place of each document in its
owner's row of documents. So after a crash or a lost answer the next run sends the very same bytes again, and nothing is
registered twice. A declaration registered before is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from parties.common.authenticity import EXPORT_DECLARATION, NO_KEY
from parties.common.client import Log, ServiceClient, idempotency_key
from parties.common.credentials import issue_credential
from parties.common.errors import Refused, ServiceRefused
from parties.common.home import Home
from parties.common.keyring import Signer
from parties.common.memos import memo_for
from parties.common.pinning import pinned_log
from parties.common.sheet import Sheet
from parties.customs.enrol import Enterprise, enterprise_file, load_enterprise
from parties.customs.publish import (
    UNPUBLISHED,
    RecordDraft,
    draft_of,
    draft_unregistered,
    keep_unpublished,
    publish_unpublished,
    said_of,
)
from schemas import problems
from schemas.domain.csv_form import RowError, read_declarations
from schemas.domain.declaration import Declaration
from schemas.domain.errors import DomainError, ErrorCode
from schemas.messages import RegisterMessage, RegistrationRequest
from schemas.sealed import MinorUnits, OwnerRegisterMemo, RegulatorRegisterMemo
from schemas.wire import Count, Currency, Holder, Identifier, SecretMessage
from zkcore.group import encode_scalar
from zkcore.operations import Memos
from zkcore.randomness import Randomness, random_nonzero_scalar
from zkcore.secret.keys import blind_view_key, document_id
from zkcore.secret.opening import fresh_opening
from zkcore.secret.operations import prove_register
from zkcore.suite import Suite

KIND = EXPORT_DECLARATION
BATCH = 20
PENDING_FILE = "pending.json"
DOCUMENTS = "documents"

Progress = Callable[[int, int], None]


class DocumentRecord(SecretMessage):
    """What Customs keeps of a document. `index`: its place among its owner's documents. `limit` in minor units."""

    number: str
    currency: Currency
    holder: Holder
    document: Identifier
    index: Count
    limit: MinorUnits


class Pending(SecretMessage):
    """A batch that may have been sent: the request with its key, and what to record and publish when it is accepted."""

    key: str
    request: RegistrationRequest
    records: list[DocumentRecord]
    drafts: list[RecordDraft]


@dataclass(frozen=True, repr=False)
class Office:
    """Customs at work."""

    suite: Suite
    home: Home
    signer: Signer
    client: ServiceClient
    randomness: Randomness


@dataclass(frozen=True, repr=False)
class Paper:
    """A document to be: one currency of a declaration whose owner is enrolled. `limit` in minor units."""

    declaration: Declaration
    currency: str
    limit: int
    enterprise: Enterprise

    @property
    def record_file(self) -> str:
        return record_file(self.declaration.number.text, self.currency)


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


def record_file(number: str, currency: str) -> str:
    return f"{DOCUMENTS}/{number}-{currency.lower()}.json"


def register_declarations(office: Office, content: bytes, progress: Progress | None = None) -> Report:
    """Registers what a declarations file holds. Faulty rows do not hinder the others.

    `progress` is called with (documents done, documents in all). Raises Refused when Customs is not an attester of this log
    or the service refuses a batch, ServiceUnreachable when it does not answer: run again then, with the same file.
    """
    with office.home.lock():
        log = pinned_log(office.home, office.client, office.suite, office.signer.identity.origin)
        _check_attester(office, log)
        report = Report(resumed=_settle_pending(office))
        papers = _papers(office, log, content, report)
        done = 0
        for batch in _batches(papers):
            report.registered += _register_batch(office, log, batch)
            done += len(batch)
            if progress is not None:
                progress(done, len(papers))
        _publish(office, report)
    return report


def _publish(office: Office, report: Report) -> None:
    """What was registered can be checked by banks from now on; where the service has no key for it yet, it waits."""
    try:
        report.published = publish_unpublished(office)
    except Refused as error:
        if error.code != NO_KEY:
            raise
        report.unpublished = len(office.home.names(UNPUBLISHED))


def _check_attester(office: Office, log: Log) -> None:
    if office.signer.secret.public(office.suite) not in log.parameters.attesters:
        raise Refused(
            "not-an-attester",
            "your key is not that of an attester of this service; give your identity.json to its operator before it starts",
            "您的密钥不是该服务的签发方密钥；请在服务初始化前将 identity.json 交给运营方",
        )


# --- which documents ------------------------------------------------------------------------------------------------------


def _papers(office: Office, log: Log, content: bytes, report: Report) -> list[Paper]:
    """The documents still to be registered; what cannot be or has been goes into the report."""
    reading = read_declarations(content)
    rows = Sheet.read(content).rows_of_declarations()
    report.errors += reading.errors
    report.refused_rows += reading.refused_rows
    papers: list[Paper] = []
    for declaration in reading.declarations:
        try:
            found = _papers_of(office, log, declaration)
            known = [_same_record(office, paper) for paper in found if office.home.exists(paper.record_file)]
            papers += [paper for paper in found if not office.home.exists(paper.record_file)]
            report.already += known
        except DomainError as error:
            refused = rows.get(declaration.number.text, [])
            report.refused_rows += refused
            report.errors += [RowError(row, "", error) for row in refused or [0]]
    report.errors.sort(key=lambda error: error.row)
    report.refused_rows.sort()
    return papers


def _papers_of(office: Office, log: Log, declaration: Declaration) -> list[Paper]:
    """Raises DomainError when nothing of the declaration is financeable, or its owner is not enrolled.

    One that is not financeable is authentic all the same, so that much is prepared for banks to see.
    """
    owner = declaration.owner
    enterprise = load_enterprise(office.home, owner.credit_code.text)
    if enterprise is None:
        raise DomainError(
            ErrorCode.CREDIT_CODE,
            f"{owner.name} ({owner.credit_code}) is not enrolled; get its identity.json and run: tradeveil customs enrol",
            f"{owner.name}（{owner.credit_code}）尚未登记；请向其索取 identity.json 并运行：tradeveil customs enrol",
        )
    if not declaration.limits():
        draft_unregistered(office, log, declaration, enterprise.identity)
    declaration.require_financeable()
    return [Paper(declaration, currency.alpha, limit, enterprise) for currency, limit in declaration.limits().items()]


def _same_record(office: Office, paper: Paper) -> DocumentRecord:
    """The record of a declaration registered before. Raises DomainError when it now gives another limit or owner."""
    record = office.home.load(paper.record_file, DocumentRecord)
    if (record.limit, record.holder) != (paper.limit, paper.enterprise.identity.holder):
        raise DomainError(
            ErrorCode.CONTRADICTION,
            "the declaration is registered already, with another value or owner; this command does not amend",
            "该报关单已登记，但金额或所有人不同；此命令不办理改单",
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
        drafts.append(draft)
    request = RegistrationRequest(documents=messages)
    pending = Pending(key=idempotency_key(office.randomness), request=request, records=records, drafts=drafts)
    office.home.save(PENDING_FILE, pending)
    return _settle(office, pending)


def make_document(office: Office, log: Log, paper: Paper, index: int) -> tuple[RegisterMessage, DocumentRecord, RecordDraft]:
    """The registration of the index-th document of an enterprise: committed limit, proofs, sealed memos, signed credential.

    And what Customs keeps of it, and what banks will check the paper against.
    """
    suite, randomness, identity = office.suite, office.randomness, paper.enterprise.identity
    document = document_id(office.signer.seal.shared(identity.seal_key), index)
    blinding = random_nonzero_scalar(randomness, suite.group)
    owner = blind_view_key(suite, suite.group.decode(identity.key), blinding)
    opening = fresh_opening(suite, paper.limit, randomness)
    said = said_of(
        paper.declaration,
        paper.currency,
        kind=KIND,
        epoch=log.parameters.epoch,
        holder=identity.holder,
        document=document,
        owner=owner.encode(),
    )
    credential = issue_credential(suite, log.parameters, said, office.signer.secret, randomness)
    hidden = encode_scalar(suite.group, opening.blinding)
    key_blinding = encode_scalar(suite.group, blinding)
    for_owner = OwnerRegisterMemo(credential=credential, key_blinding=key_blinding, blinding=hidden)
    for_regulator = RegulatorRegisterMemo(
        number=said["number"],
        holder=said["holder"],
        name=said["name"],
        date=said["date"],
        limit=said["limit"],
        blinding=hidden,
    )
    memos = Memos(memo_for(identity.seal_key, for_owner), memo_for(log.genesis.regulator.seal_key, for_regulator))
    operation = prove_register(
        suite,
        log.parameters,
        document=document,
        kind=KIND,
        currency=paper.currency,
        owner=owner,
        attester=office.signer.secret,
        opening=opening,
        memos=memos,
        randomness=randomness,
    )
    record = DocumentRecord(
        number=said["number"],
        currency=paper.currency,
        holder=identity.holder,
        document=document,
        index=index,
        limit=paper.limit,
    )
    return RegisterMessage.of(operation), record, draft_of(credential)


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
        office.client.register(pending.request, pending.key)
    except ServiceRefused as error:
        if not _final(error):
            raise
        # Nothing was written, so the places are free again; a gap would hide later documents from the owner's wallet.
        _move_next(office, pending, after=False)
        office.home.remove(PENDING_FILE)
        raise _explained(error) from error
    keep_unpublished(office.home, pending.drafts)
    for record in pending.records:
        office.home.save(record_file(record.number, record.currency), record)
    office.home.remove(PENDING_FILE)
    return pending.records


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


def _final(error: ServiceRefused) -> bool:
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
