"""What can be read: a document's status, its notice for the owner, its private state, and the log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from schemas import problems
from schemas.answers import DocumentStatus, DocumentView, EntriesPage, ExportedEntry, Health, OwnerNotice, Ready
from schemas.authenticity import StatusesAnswer
from schemas.entries import Registered, decode_entry
from schemas.messages import ViewMessage
from service.institutions.probing import blocks_on
from service.problems import Refusal
from service.storage import NonceSeen
from service.verifier import Verifier
from zkcore import ledger
from zkcore.context import ABSENT
from zkcore.errors import BatchRejected
from zkcore.ledger import DocumentState
from zkcore.verifying.batch import verify

CLOCK_TOLERANCE = 300
"""Seconds by which a private view's time may differ from the service's clock."""
_NONCE_LIFE = 2 * CLOCK_TOLERANCE
"""Seconds after which no request with a nonce can still be fresh."""


def status(verifier: Verifier, document: bytes) -> DocumentStatus:
    """What whoever knows the id may see."""
    return _status(_document(verifier, document))


def statuses(verifier: Verifier, documents: Sequence[bytes]) -> StatusesAnswer:
    """The status of those of the documents that there are, once each, in the order asked for."""
    found = verifier.storage.documents(documents)
    return StatusesAnswer(statuses=[_status(found[document]) for document in dict.fromkeys(documents) if document in found])


def _status(state: DocumentState) -> DocumentStatus:
    return DocumentStatus.model_validate(
        {
            "document": state.document,
            "kind": state.kind,
            "counter": state.counter,
            "currency": state.currency,
            "status": state.status,
            "financeable": state.financeable,
            "overdrawn": state.is_overdrawn,
            "replacement": _replacement(state),
            "revision": state.revision,
        }
    )


def _replacement(state: DocumentState) -> bytes | None:
    return None if state.replacement == ABSENT else state.replacement


def notice(verifier: Verifier, document: bytes) -> OwnerNotice:
    """The sealed memo that the attester left for the owner."""
    data = verifier.storage.registration(document)
    if data is None:
        raise Refusal(problems.DOCUMENT_UNKNOWN)
    entry = decode_entry(data)
    if not isinstance(entry, Registered):
        raise TypeError("a document's registration is not a registration")
    body = entry.body
    return OwnerNotice(document=document, currency=body.currency, epoch=body.epoch, owner=body.owner, memo=body.memos.owner)


def view(verifier: Verifier, message: ViewMessage) -> DocumentView:
    """A document's private state and entries, for whoever proves to be its owner or the regulator.

    A document that is not there and one that is not the caller's are the same.
    """
    now = verifier.clock()
    if abs(now - message.issued) > CLOCK_TOLERANCE:
        raise Refusal(problems.EXPIRED)
    state = _document(verifier, message.document)
    operation = message.decode(verifier.suite.group)
    try:
        verify(verifier.suite, ledger.check_view(verifier.suite, verifier.parameters, state, operation))
    except BatchRejected as rejected:
        raise Refusal(problems.DOCUMENT_UNKNOWN) from rejected
    try:
        verifier.storage.remember_nonce(message.nonce, now, _NONCE_LIFE)
    except NonceSeen as seen:
        raise Refusal(problems.ALREADY_EXISTS) from seen
    state, entries = verifier.storage.history(message.document)
    return DocumentView.model_validate(
        {
            "document": state.document,
            "kind": state.kind,
            "counter": state.counter,
            "currency": state.currency,
            "epoch": state.epoch,
            "owner": state.owner.encode(),
            "limit": state.limit.encode(),
            "residual": state.residual.encode(),
            "head": state.head,
            "draws": state.draws,
            "status": state.status,
            "revision": state.revision,
            "replacement": _replacement(state),
            "taken": state.taken,
            "overdrawn": state.is_overdrawn,
            "entries": [_entry(data) for data in entries],
            "blocks": blocks_on(verifier.storage, message.document),
        }
    )


def export(verifier: Verifier, start: int, limit: int) -> EntriesPage:
    """Entries of the log in order, for auditors."""
    size, found = verifier.storage.entries(start, limit)
    following = start + len(found)
    return EntriesPage(
        entries=[ExportedEntry(index=index, entry=_entry(data)) for index, data in found],
        next=following if found and following < size else None,
        size=size,
    )


def health(verifier: Verifier) -> Health:
    """That the process answers. Asks nobody."""
    return Health(status="ok", engine=verifier.suite.engine)


def ready(verifier: Verifier) -> Ready:
    """That the database answers, and how long the log is."""
    return Ready(status="ready", entries=verifier.storage.size())


def _document(verifier: Verifier, document: bytes) -> DocumentState:
    state = verifier.storage.documents([document]).get(document)
    if state is None:
        raise Refusal(problems.DOCUMENT_UNKNOWN)
    return state


def _entry(data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(data)
    return entry
