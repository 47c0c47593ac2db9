"""The wallet: which documents an enterprise has, found again from its keys alone, and what is on each.

The id of a document follows from a secret that attester and owner share and from its place in their row of documents. So the
wallet asks the service for the ids of place 0, 1, 2, …, and each answer holds, sealed, everything that the owner must know.
What it found is kept in the home, so that the next time it asks only for what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from parties.common.client import Log, ServiceClient
from parties.common.credentials import verify_credential
from parties.common.errors import Refused, ServiceRefused
from parties.common.home import Home
from parties.common.keyring import Viewer
from parties.common.ledger_view import OpenedDocument, Reader, Search, open_view, request_view, taken_over
from parties.common.memos import open_memo
from parties.common.pinning import pinned_log
from schemas import problems
from schemas.answers import DocumentView, OwnerNotice
from schemas.entries import AttesterKey
from schemas.sealed import Credential, OwnerRegisterMemo
from schemas.wire import Count, Holder, SecretMessage
from zkcore.errors import ZkError
from zkcore.group import decode_scalar
from zkcore.ledger import DocumentFacts, DrawState
from zkcore.randomness import Randomness
from zkcore.secret.keys import ViewSecret, blind_view_key, document_id
from zkcore.suite import Suite

WALLET_FILE = "wallet.json"
GAP_LIMIT = 20
"""Ids without a document that are asked for before the wallet believes that there are no more."""


class KnownDocument(SecretMessage):
    """A document at one place of the row that an attester keeps for us."""

    attester: Holder
    index: Count
    memo: OwnerRegisterMemo


class WalletFile(SecretMessage):
    """What the wallet found so far."""

    documents: list[KnownDocument]


@dataclass(frozen=True, repr=False)
class OwnedDocument:
    """A document of ours, checked: the attester's signature holds and `secret` is the key s' of the document."""

    credential: Credential
    facts: DocumentFacts
    secret: ViewSecret


@dataclass(frozen=True)
class Doubt:
    """A document at this place is there and cannot be used; `reason` says why."""

    attester: str
    index: int
    reason: Refused


@dataclass(frozen=True, repr=False)
class Desk:
    """An enterprise at work. `now` in unix seconds: one command takes place at one time."""

    suite: Suite
    home: Home
    viewer: Viewer
    client: ServiceClient
    log: Log
    randomness: Randomness
    now: int

    @classmethod
    def open(cls, suite: Suite, home: Home, viewer: Viewer, client: ServiceClient, randomness: Randomness, now: int) -> Desk:
        """Fetches and checks the log's first entry, the one this home began with. Raises what pinned_log raises."""
        log = pinned_log(home, client, suite, viewer.identity.origin)
        return cls(suite, home, viewer, client, log, randomness, now)

    def reader(self, document: OwnedDocument) -> Reader:
        return Reader("owner", document.secret, self.viewer.seal)


@dataclass(frozen=True, repr=False)
class Wallet:
    """What was found: the documents in the order of registration, and what is wrong with others."""

    documents: tuple[OwnedDocument, ...]
    doubts: tuple[Doubt, ...]

    def of_number(self, number: str) -> list[OwnedDocument]:
        """The documents of one paper: one a currency and counter."""
        return [document for document in self.documents if document.credential.number == number]

    def find(self, document: bytes) -> OwnedDocument | None:
        return next((item for item in self.documents if item.facts.document == document), None)


def discover(desk: Desk, progress: Callable[[int], None] | None = None) -> Wallet:
    """Every document of ours. `progress` is called with the number of documents found so far."""
    with desk.home.lock():
        known = desk.home.load(WALLET_FILE, WalletFile).documents if desk.home.exists(WALLET_FILE) else []
        documents = [_owned(desk, item.memo) for item in known]
        doubts: list[Doubt] = []
        fresh: list[KnownDocument] = []
        for attester in desk.log.genesis.attesters:
            start = 1 + max((item.index for item in known if item.attester == attester.holder), default=-1)
            for index, notice in _notices(desk, attester, start):
                try:
                    memo, document = open_notice(desk, attester, notice)
                except Refused as error:
                    doubts.append(Doubt(attester.holder, index, error))
                    continue
                fresh.append(KnownDocument(attester=attester.holder, index=index, memo=memo))
                documents.append(document)
                if progress is not None:
                    progress(len(documents))
        if fresh:
            desk.home.save(WALLET_FILE, WalletFile(documents=[*known, *fresh]))
    return Wallet(tuple(documents), tuple(doubts))


def _notices(desk: Desk, attester: AttesterKey, start: int) -> Iterable[tuple[int, OwnerNotice]]:
    """(place, notice) from `start` on, until GAP_LIMIT places in a row have none."""
    mailbox = desk.viewer.seal.shared(attester.seal_key)
    index, missed = start, 0
    while missed < GAP_LIMIT:
        document = document_id(mailbox, index)
        try:
            notice = desk.client.notice(document)
        except ServiceRefused as error:
            if error.slug != problems.DOCUMENT_UNKNOWN.slug:
                raise
            missed += 1
        else:
            missed = 0
            # The id we asked for, and not one that the answer names.
            yield index, notice.model_copy(update={"document": document})
        index += 1


def open_notice(desk: Desk, attester: AttesterKey, notice: OwnerNotice) -> tuple[OwnerRegisterMemo, OwnedDocument]:
    """What the attester left for us. Raises Refused when it is not readable, not theirs, or not about us and this document."""
    try:
        memo = open_memo(desk.viewer.seal, notice.memo, OwnerRegisterMemo)
        document = _owned(desk, memo)
    except ZkError as error:
        raise _doubtful(f"it cannot be read ({error.code})", f"无法读取（{error.code}）") from error
    credential = memo.credential
    verify_credential(desk.suite, desk.log.parameters, credential)
    told = (notice.document, notice.currency, notice.epoch, notice.owner)
    if told != (credential.document, credential.currency, credential.epoch, credential.owner):
        raise _doubtful("its credential is for another document", "其凭证属于另一单证")
    if credential.attester != attester.key:
        raise _doubtful("another attester signed it", "由其他签发方签署")
    if credential.holder != desk.viewer.identity.holder:
        raise _doubtful("it names another holder", "所有人不是本企业")
    return memo, document


def _owned(desk: Desk, memo: OwnerRegisterMemo) -> OwnedDocument:
    """Our key for the document. Raises Refused when it is not t^-1 * P, ScalarError or PointError for malformed values."""
    suite, viewer, credential = desk.suite, desk.viewer, memo.credential
    blinding = decode_scalar(suite.group, memo.key_blinding)
    owner = blind_view_key(suite, suite.group.decode(viewer.identity.key), blinding)
    if owner.encode() != credential.owner:
        raise _doubtful("it is under a key that is not ours", "所用密钥不是本企业的")
    facts = DocumentFacts(credential.document, credential.currency, credential.epoch, owner)
    return OwnedDocument(credential, facts, viewer.secret.blinded(suite, blinding))


def _doubtful(reason_en: str, reason_zh: str) -> Refused:
    return Refused(
        "document-doubtful", f"a document left for you cannot be used: {reason_en}", f"留给您的单证不可用：{reason_zh}"
    )


# --- what is on a document ------------------------------------------------------------------------------------------------


def view_document(desk: Desk, document: OwnedDocument, search: Search | None = None) -> tuple[DocumentView, OpenedDocument]:
    """The document's private state, as the service told it and as our key opens it.

    Raises ServiceMisbehaved when the service's state does not follow from the entries, Refused when the limit is not what its
    credential says.
    """
    reader = desk.reader(document)
    view = request_view(desk.client, desk.suite, desk.log, document.facts, reader, now=desk.now, randomness=desk.randomness)
    if (view.document, view.currency) != (document.facts.document, document.facts.currency):
        raise _doubtful("the service told the state of another document", "服务返回了另一单证的状态")
    amended = any(entry.get("type") == "amend" for entry in view.entries)
    within = (search or Search()) if amended else (search or Search()).within(document.credential.limit)
    opened = open_view(desk.suite, desk.log.parameters, view, reader, within, _moved_here(desk, view))
    told = opened.credential or (None if amended else document.credential)
    if told is not None and opened.limit not in (None, told.limit):
        raise _doubtful("its limit is not what its credential says", "其额度与凭证不符")
    return view, opened


def view_current(desk: Desk, document: OwnedDocument) -> tuple[OwnedDocument, OpenedDocument]:
    """The document with its attester's newest credential, checked, and what our key opens. Raises as view_document does."""
    _, opened = view_document(desk, document)
    return _current(desk, document, opened), opened


def _current(desk: Desk, document: OwnedDocument, opened: OpenedDocument) -> OwnedDocument:
    """With the credential of the last amendment, which says the same as the first but for values and what they follow from."""
    credential = opened.credential
    if credential is None or credential == document.credential:
        return document
    verify_credential(desk.suite, desk.log.parameters, credential)
    changing = {"limit", "total", "mode", "share", "salts", "signature", "attester"}
    if credential.model_dump(exclude=changing) != document.credential.model_dump(exclude=changing):
        raise _doubtful("its new credential is for another document", "其新凭证属于另一单证")
    return replace(document, credential=credential)


def _moved_here(desk: Desk, view: DocumentView) -> dict[bytes, DrawState]:
    """The draws that draws on this document took over, as they were on our deleted documents that it replaces."""
    wanted = taken_over(view)
    if not wanted or not desk.home.exists(WALLET_FILE):
        return {}
    found: dict[bytes, DrawState] = {}
    for known in desk.home.load(WALLET_FILE, WalletFile).documents:
        other = _owned(desk, known.memo)
        if desk.client.status(other.facts.document).replacement == view.document:
            found |= {draw.state.draw: draw.movable for draw in view_document(desk, other)[1].draws}
    return {draw: state for draw, state in found.items() if draw in wanted}


def load_wallet_numbers(desk: Desk) -> dict[bytes, str]:
    """The number of each document that the wallet has found so far, by document id."""
    if not desk.home.exists(WALLET_FILE):
        return {}
    credentials = [item.memo.credential for item in desk.home.load(WALLET_FILE, WalletFile).documents]
    return {credential.document: credential.number for credential in credentials}


def view_documents(
    desk: Desk, documents: Sequence[OwnedDocument], progress: Callable[[int, int], None] | None = None
) -> list[tuple[OwnedDocument, OpenedDocument]]:
    """Each document with what our key opens. `progress` is called with (documents opened, documents in all)."""
    result, search = [], Search()
    for done, document in enumerate(documents, start=1):
        opened = view_document(desk, document, search)[1]
        result.append((_current(desk, document, opened), opened))
        if progress is not None:
            progress(done, len(documents))
    return result
