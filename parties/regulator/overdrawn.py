"""Documents on which more is drawn than their limit: found by opening them, and shown to everybody by a proof without a figure.

After the proof a bank sees that the document cannot be drawn on, and no more; when something changes, the proof is over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parties.common.client import idempotency_key
from parties.common.errors import InputError, Refused, ServiceRefused
from parties.common.ledger_view import OpenedDocument, Search, open_view, request_view
from parties.regulator.bureau import Bureau
from schemas import problems
from schemas.messages import OverdrawnMessage
from schemas.wire import decode_base64url
from zkcore.ledger import DocumentFacts
from zkcore.secret.operations import prove_overdrawn


@dataclass(frozen=True, repr=False)
class Shown:
    """A document that is overdrawn by `over` minor units. `already`: a proof that still holds was on the log before."""

    document: bytes
    currency: str
    over: int
    already: bool


def parse_document(text: str) -> bytes:
    """A document's id, 32 bytes in base64url. Raises InputError."""
    try:
        document = decode_base64url(text)
    except ValueError:
        document = b""
    if len(document) != 32:
        raise InputError(
            "document",
            "name a document by its id of 43 characters, as `tradeveil regulator open --json` lists it",
            "请用 43 位单证标识指定单证（见 `tradeveil regulator open --json`）",
        )
    return document


def overdrawn_documents(opened: Sequence[OpenedDocument]) -> list[bytes]:
    """The ids of those on which more is drawn than their limit."""
    return [document.state.document for document in opened if document.headroom is not None and document.headroom < 0]


def show_overdrawn(bureau: Bureau, document: bytes, search: Search | None = None) -> Shown:
    """Posts the proof against the document's present state. Raises Refused for a document that is not overdrawn.

    Where something changed in between, the service refuses and nothing is written: run again.
    """
    suite, parameters = bureau.suite, bureau.log.parameters
    try:
        notice = bureau.client.notice(document)
    except ServiceRefused as error:
        if error.slug != problems.DOCUMENT_UNKNOWN.slug:
            raise
        raise Refused("document-unknown", "there is no such document on this log", "本日志没有该单证") from error
    facts = DocumentFacts(document, notice.currency, notice.epoch, suite.group.decode(notice.owner))
    view = request_view(bureau.client, suite, bureau.log, facts, bureau.reader, now=bureau.now, randomness=bureau.randomness)
    opened = open_view(suite, parameters, view, bureau.reader, search)
    if opened.headroom is None or opened.headroom >= 0:
        raise Refused(
            "not-overdrawn",
            "this document is not overdrawn, or its headroom could not be opened",
            "该单证未超额，或其余额无法打开",
        )
    over = -opened.headroom
    if opened.state.is_overdrawn:
        return Shown(document, notice.currency, over, already=True)
    operation = prove_overdrawn(
        suite, parameters, opened.state, secret=bureau.viewer.secret, over=over, randomness=bureau.randomness
    )
    bureau.client.show_overdrawn(OverdrawnMessage.of(operation), idempotency_key(bureau.randomness))
    return Shown(document, notice.currency, over, already=False)


def show_all(
    bureau: Bureau, opened: Sequence[OpenedDocument], progress: Callable[[int, int], None] | None = None
) -> list[Shown]:
    """The proof for each of an opened log. `progress` is called with (documents done, documents overdrawn)."""
    wanted, shown = overdrawn_documents(opened), []
    for done, document in enumerate(wanted, start=1):
        shown.append(show_overdrawn(bureau, document))
        if progress is not None:
            progress(done, len(wanted))
    return shown
