"""What the service answers when it did what was asked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from schemas.callers import SealedCaller
from schemas.messages import DocumentStatusName
from schemas.problems import Problem
from schemas.wire import (
    Base64Url,
    Count,
    Currency,
    Digest,
    Epoch,
    Handled,
    Identifier,
    Memo,
    Message,
    Name,
    Point,
    Seconds,
    Words,
)

MAXIMUM_BATCH = 5_000
"""Financings in one batch."""


class Receipt(Message):
    """An entry was committed: its place in the log, its time and its leaf hash."""

    index: Count
    time: Seconds
    leaf: Digest


class RegistrationAnswer(Message):
    """One receipt a document, in the order of the request."""

    receipts: list[Receipt]


class DrawReceipt(Message):
    """A draw was committed. `head` is the draw's own head, against which its later steps are proven.

    `caller` is what the service added to the entry: who called, sealed to the regulator.
    """

    draw: Identifier
    head: Digest
    receipt: Receipt
    caller: SealedCaller


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


class BatchAccepted(Message):
    """A batch is kept, and will be worked off: ask for its answers by this id."""

    batch: Identifier
    total: Count


class BatchProgress(Message):
    """Of `total` lines `done` are decided, and `failed` of these were refused."""

    total: Count
    done: Count
    failed: Count


class BatchLine(Message):
    """What was answered to a line, counted from 0: receipts, or the problem that a request of its own would have got."""

    line: Count
    answer: FinancingAnswer | None
    problem: Problem | None


class BatchPage(Message):
    """Answers in the order of the lines, up to the first that is not decided. `next` is where to go on, or null at the end."""

    batch: Identifier
    total: Count
    done: Count
    failed: Count
    lines: list[BatchLine]
    next: Count | None


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


class Block(Message):
    """Somebody asked for more than was proven too often and may not draw on the document from `time` until `until`."""

    time: Seconds
    until: Seconds


class DocumentView(Message):
    """A document's private state, for whoever proved to be its owner or the regulator.

    `entries` are the log entries of this document in order, with which the reader opens every draw and reduction; `blocks`
    tells when institutions were kept off it, and nothing of which.
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
    blocks: list[Block]


class ExportedEntry(Message):
    """One entry of the log with its place in it."""

    index: Count
    entry: dict[str, Any]


class EntriesPage(Message):
    """Entries from an index on. `next` is where to go on, or null at the end."""

    entries: list[ExportedEntry]
    next: Count | None
    size: Count


class RequestKeyAnswer(Message):
    """A further request key is good from `active_from` on; the one that signed for it ends at `old_key_until`."""

    key: Annotated[bytes, Base64Url(32)]
    active_from: Seconds
    old_key_until: Seconds


class AlertAnswer(Message):
    """The alert is kept for the regulator."""

    time: Seconds


class SealedAlert(Message):
    """One alert. `memo` opens with the regulator's seal key, as does `caller`: whose request it came with or is about.

    `source`: whether a party sent it or the service made it.
    """

    index: Count
    time: Seconds
    source: Literal["party", "service"]
    caller: SealedCaller
    memo: Memo


class AlertsPage(Message):
    """Alerts from an index on. `next` is where to go on, or null at the end."""

    alerts: list[SealedAlert]
    next: Count | None
    size: Count


class Health(Message):
    """The process is alive."""

    status: Words
    engine: Words


class Ready(Message):
    """The service can do its work now. `entries`: how many the log has."""

    status: Words
    entries: Count
