"""What the service answers when it did what was asked."""

from __future__ import annotations

from typing import Any

from schemas.messages import DocumentStatusName
from schemas.wire import Count, Currency, Digest, Epoch, Handled, Identifier, Memo, Message, Name, Point, Seconds, Words


class Receipt(Message):
    """An entry was committed: its place in the log, its time and its leaf hash."""

    index: Count
    time: Seconds
    leaf: Digest


class RegistrationAnswer(Message):
    """One receipt a document, in the order of the request."""

    receipts: list[Receipt]


class DrawReceipt(Message):
    """A draw was committed. `head` is the draw's own head, against which its later steps are proven."""

    draw: Identifier
    head: Digest
    receipt: Receipt


class FinancingAnswer(Message):
    """One receipt a line, in the order of the request."""

    draws: list[DrawReceipt]


class StepsAnswer(Message):
    """One receipt a step, in the order of the request."""

    steps: list[DrawReceipt]


class DocumentReceipt(Message):
    """A document was changed. `revision` is what its attester's next word on it is proven for."""

    document: Identifier
    revision: Digest
    receipt: Receipt


class DocumentStatus(Message):
    """What whoever knows the random document id may see. It says nothing of draws or headroom, but for an overdrawn document.

    financeable: whether a draw can be tried
    overdrawn: the regulator has shown that more is drawn than the limit, and nothing has changed since
    replacement: the document that stands for this one, once it is deleted
    revision: a chain over its attester's words alone
    """

    document: Identifier
    kind: Name
    counter: Name
    currency: Currency
    status: DocumentStatusName
    financeable: bool
    overdrawn: bool
    replacement: Identifier | None
    revision: Digest


class OwnerNotice(Message):
    """The sealed memo that the attester left for the owner, who alone can open it; it tells the owner its blinding."""

    document: Identifier
    currency: Currency
    epoch: Epoch
    owner: Point
    memo: Memo


class DocumentView(Message):
    """A document's private state, for whoever proved to be its owner or the regulator.

    `entries` are the log entries of this document in order, with which the reader opens every draw and reduction.
    """

    document: Identifier
    kind: Name
    counter: Name
    currency: Currency
    epoch: Epoch
    owner: Point
    limit: Handled
    residual: Handled
    head: Digest
    draws: Count
    status: DocumentStatusName
    revision: Digest
    replacement: Identifier | None
    taken: bool
    overdrawn: bool
    entries: list[dict[str, Any]]


class ExportedEntry(Message):
    """One entry of the log with its place in it."""

    index: Count
    entry: dict[str, Any]


class EntriesPage(Message):
    """Entries from an index on. `next` is where to go on, or null at the end."""

    entries: list[ExportedEntry]
    next: Count | None
    size: Count


class Health(Message):
    """The service can work."""

    status: Words
    engine: Words
    entries: Count
