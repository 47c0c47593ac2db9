"""A document's private state, opened with a reader's key: what owner and regulator see of limit, draws and headroom.

Everything is computed from the document's log entries, replayed with the rules of zkcore.ledger. An amount comes from its memo
when the memo agrees with the commitment; a memo that is garbage or lies raises an alert, and the amount is then searched as a
bounded logarithm, so that no bank can hide what it drew. Proofs are not checked again here: that is the auditor's work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from parties.common.client import Log, ServiceClient
from parties.common.errors import ServiceMisbehaved
from parties.common.memos import open_box, open_memo
from schemas.answers import Block, DocumentView
from schemas.callers import CallerNote
from schemas.canonical import canonical_value
from schemas.entries import (
    Amended,
    Applied,
    Closed,
    Decided,
    Disbursed,
    Drawn,
    Expired,
    Genesis,
    Reduced,
    Registered,
    ShownOverdrawn,
    StatusChanged,
    decode_entry,
)
from schemas.messages import Reader as ReaderName
from schemas.messages import ViewMessage
from schemas.sealed import (
    ApplyMemo,
    Credential,
    DecideMemo,
    DisburseMemo,
    DrawMemo,
    OwnerAmendMemo,
    OwnerRegisterMemo,
    ReduceMemo,
    RegulatorAmendMemo,
    RegulatorRegisterMemo,
    StatusMemo,
)
from tlog.leaf import leaf_hash
from zkcore import ledger, operations
from zkcore.commitments import HandledCommitment
from zkcore.context import ABSENT
from zkcore.errors import KeyRejected, MemoError, OpeningError, ZkError
from zkcore.ledger import ApplicationState, DocumentFacts, DocumentState, DrawState, Parameters
from zkcore.ledger.state import DISBURSED, EXPIRED, MOVED, RESERVED
from zkcore.randomness import Randomness
from zkcore.secret.keys import ViewSecret
from zkcore.secret.memos import SealSecret
from zkcore.secret.opening import LogarithmTable, amount_point, check_amount
from zkcore.secret.operations import prove_view
from zkcore.suite import Suite

T = TypeVar("T", bound=BaseModel)
DEFAULT_BOUND = 1 << 40
"""Minor units up to which a limit is searched when its memo is garbage: a minute or so in Python for the largest."""

AlertCode = Literal["memo-unreadable", "memo-contradicts", "amount-unknown", "overdrawn", "caller-unreadable", "caller-differs"]


# --- what comes out -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Alert:
    """Something that a reader must look into. `draw` is the draw concerned, or None for the document itself."""

    code: AlertCode
    document: bytes
    draw: bytes | None
    message_en: str
    message_zh: str


@dataclass(frozen=True, repr=False)
class OpenedStep:
    """One thing that happened to a document, an application or a draw, in the order in which it did.

    what: a stage, a reason or a status by the names of zkcore (reserved, disbursed, repaid-own-funds, amended, frozen ...)
    amount: minor units; None where the step has none or it could not be opened
    note: what its maker wrote for this reader; empty when nothing, or when it is unreadable
    """

    time: int
    what: str
    amount: int | None
    note: str = ""


@dataclass(frozen=True, repr=False)
class OpenedReduction:
    """A release, repayment or write-off. `amount` in minor units; None when it could not be opened.

    `reason` is also `released` for what was not paid out, `expired` for a reservation that freed itself, and `moved` for what
    another draw has taken over.
    """

    time: int
    reason: str
    restores: bool
    amount: int | None
    memo: ReduceMemo | None


@dataclass(frozen=True, repr=False)
class OpenedApplication:
    """An application on the log. `memo`: what the bank wrote of it; nothing on the log says whether its figures are true.

    caller: whose signed request it came with, as of an OpenedDraw
    """

    state: ApplicationState
    time: int
    memo: ApplyMemo | None
    steps: tuple[OpenedStep, ...]
    caller: CallerNote | None = None


@dataclass(frozen=True, repr=False)
class OpenedDraw:
    """A draw. `amount` (gross) and `outstanding` in minor units; None when they could not be opened.

    memo: what the bank wrote, already compared with the commitment; None when it is unreadable or lies about the amount
    prover: who proved the headroom, "owner" or "regulator"
    caller: whose signed request it came with, as the service tells the regulator alone; None for others, or unreadable
    moves: the draw on a deleted document that this one took over, or None
    before_move: its state before another draw took it over, or None
    """

    state: DrawState
    time: int
    prover: str
    amount: int | None
    outstanding: int | None
    memo: DrawMemo | None
    reductions: tuple[OpenedReduction, ...]
    steps: tuple[OpenedStep, ...] = ()
    moves: bytes | None = None
    before_move: DrawState | None = None
    caller: CallerNote | None = None

    @property
    def movable(self) -> DrawState:
        """The state in which another draw takes or took it over."""
        return self.before_move or self.state


@dataclass(frozen=True, repr=False)
class OpenedDocument:
    """A document. `limit` (the present one) and `headroom` in minor units; None when they could not be opened.

    The headroom is negative where the document is overdrawn.

    memo: what the attester wrote for this reader at first; None when it is unreadable or lies about the limit
    credential: what the attester vouches for now, for the owner alone
    changes: statuses and amendments; an amendment's amount is the limit that it sets
    blocks: when institutions were kept off it for asking too often, as the service tells in a private view
    """

    state: DocumentState
    time: int
    limit: int | None
    headroom: int | None
    memo: OwnerRegisterMemo | RegulatorRegisterMemo | None
    draws: tuple[OpenedDraw, ...]
    alerts: tuple[Alert, ...]
    credential: Credential | None = None
    changes: tuple[OpenedStep, ...] = ()
    applications: tuple[OpenedApplication, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def overdrawn(self) -> bool:
        """Whether more counts as drawn than the limit, shown by proof or not."""
        return self.state.is_overdrawn or (self.headroom is not None and self.headroom < 0)

    @property
    def drawn(self) -> int | None:
        """Gross drawn over the document's life, in minor units; None when a draw could not be opened."""
        return _sum(draw.amount for draw in self.draws)

    @property
    def outstanding(self) -> int | None:
        """What all banks together have outstanding, in minor units; None when a draw could not be opened."""
        return _sum(draw.outstanding for draw in self.draws)


def _sum(amounts: Iterable[int | None]) -> int | None:
    total = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


# --- what goes in ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Reader:
    """Who opens: the owner with the document's own key s', or the regulator with its view key; and the key of its memos."""

    name: ReaderName
    secret: ViewSecret
    seal: SealSecret


class _LazyTable:
    """The table of a search, made when the first search needs it."""

    def __init__(self) -> None:
        self._made: LogarithmTable | None = None

    def get(self, suite: Suite, make: Callable[[Suite], LogarithmTable]) -> LogarithmTable:
        if self._made is None:
            self._made = make(suite)
        return self._made


@dataclass(frozen=True)
class Search:
    """How amounts are searched when a memo does not tell them. One object can serve many documents: its table is built once.

    bound: largest limit to search for, in minor units
    always: search every amount, also those that a memo tells (slow; shows that memos are not needed)
    progress: called with (steps done, steps at most) during a search
    make_table: makes the table when the first search needs it
    """

    bound: int = DEFAULT_BOUND
    always: bool = False
    progress: Callable[[int, int], None] | None = None
    make_table: Callable[[Suite], LogarithmTable] = LogarithmTable
    _table: _LazyTable = field(default_factory=_LazyTable, repr=False)

    def within(self, bound: int) -> Search:
        """The same search, sharing its table, for a document whose limit is known."""
        return replace(self, bound=min(bound, self.bound))

    def find(self, suite: Suite, reader: Reader, committed: HandledCommitment, bound: int) -> int:
        """The amount in [0, min(bound, self.bound)]. Raises OpeningError when there is none."""
        point = amount_point(suite, reader.secret, committed.commitment, committed.handle(reader.name))
        return self._table.get(suite, self.make_table).find(point, min(bound, self.bound), self.progress)


OfDocument = (
    Registered | StatusChanged | Amended | ShownOverdrawn | Applied | Decided | Drawn | Disbursed | Reduced | Closed | Expired
)
"""An entry about a document: any but the genesis."""


@dataclass(frozen=True)
class Logged:
    """A log entry with its leaf hash (32 bytes)."""

    entry: OfDocument
    leaf: bytes


def decode_entries(entries: Iterable[Mapping[str, Any]]) -> list[Logged]:
    """Entries as the service sends them, without the genesis. Raises ServiceMisbehaved for what is not an entry."""
    result = []
    for content in entries:
        try:
            data = canonical_value(dict(content))
            entry = decode_entry(data)
        except (ZkError, ValueError) as error:
            raise _misbehaved("an entry of the log is not one of this protocol version", "日志条目不符合本协议版本") from error
        if not isinstance(entry, Genesis):
            result.append(Logged(entry, leaf_hash(data)))
    return result


def group_by_document(logged: Iterable[Logged]) -> dict[bytes, list[Logged]]:
    """Entries of a log, by document, in the order of registration.

    A draw that takes over another one stands with both documents. Raises ServiceMisbehaved for an entry of no document.
    """
    documents: dict[bytes, list[Logged]] = {}
    of_draw: dict[bytes, bytes] = {}
    try:
        for item in logged:
            for document in _documents_of(item.entry, documents, of_draw):
                documents[document].append(item)
    except KeyError as error:
        raise _misbehaved(
            "an entry of the log names a document or draw that it does not have", "日志条目所指的单证或登记不存在"
        ) from error
    return documents


def _documents_of(entry: OfDocument, documents: dict[bytes, list[Logged]], of_draw: dict[bytes, bytes]) -> list[bytes]:
    """The documents that an entry is about. Raises KeyError for a draw that is not there."""
    match entry:
        case Registered():
            documents.setdefault(entry.body.document, [])
            return [entry.body.document]
        case StatusChanged() | Amended() | ShownOverdrawn():
            return [entry.body.document]
        case Applied():
            of_draw[entry.body.draw] = entry.body.document
            return [entry.body.document]
        case Drawn():
            draft = entry.body.draft
            of_draw[draft.draw] = draft.document
            return [draft.document] if draft.moves is None else [of_draw[draft.moves], draft.document]
        case _:
            return [of_draw[entry.body.draw]]


def document_state(suite: Suite, view: DocumentView) -> DocumentState:
    """The state that a headroom proof is made against, as the service told it. Raises PointError for what is not a point."""
    decode = suite.group.decode
    return DocumentState(
        document=view.document,
        kind=view.kind,
        counter=view.counter,
        currency=view.currency,
        epoch=view.epoch,
        owner=decode(view.owner),
        limit=HandledCommitment.decode(suite.group, view.limit),
        residual=HandledCommitment.decode(suite.group, view.residual),
        head=view.head,
        draws=view.draws,
        status=view.status,
        revision=view.revision,
        replacement=view.replacement or ABSENT,
        taken=view.taken,
        overdrawn=view.head if view.overdrawn else ABSENT,
    )


def request_view(
    client: ServiceClient, suite: Suite, log: Log, document: DocumentFacts, reader: Reader, *, now: int, randomness: Randomness
) -> DocumentView:
    """Asks the service for a document's private state, proving knowledge of the reader's key. Raises what the client raises."""
    view = prove_view(
        suite,
        log.parameters,
        document,
        reader=reader.name,
        secret=reader.secret,
        issued=now,
        randomness=randomness,
    )
    return client.view(ViewMessage.of(view))


Moved = Mapping[bytes, DrawState]
"""Draws of deleted documents by id, as they were when others took them over."""


def taken_over(view: DocumentView) -> list[bytes]:
    """The draws on other documents that draws on this one took over."""
    drawn = [item.entry for item in decode_entries(view.entries) if isinstance(item.entry, Drawn)]
    return [
        entry.body.draft.moves
        for entry in drawn
        if entry.body.draft.moves is not None and entry.body.draft.document == view.document
    ]


def open_view(
    suite: Suite,
    parameters: Parameters,
    view: DocumentView,
    reader: Reader,
    search: Search | None = None,
    moved: Moved | None = None,
) -> OpenedDocument:
    """Opens what the service told of a document. Raises ServiceMisbehaved when its state does not follow from its entries.

    Without `moved`, the stage of a draw that took over another one is what its later entries allow.
    """
    opened = open_entries(suite, parameters, decode_entries(view.entries), reader, search, moved)
    try:
        told = document_state(suite, view)
    except ZkError as error:
        raise _misbehaved("the document's state is malformed", "单证状态格式有误") from error
    if told != _as_told(opened.state):
        raise _misbehaved(
            "the state that the service tells of a document does not follow from its entries; tell the regulator",
            "服务所称的单证状态与日志条目不符；请告知监管方",
        )
    return replace(opened, blocks=tuple(view.blocks))


def _as_told(state: DocumentState) -> DocumentState:
    """The state as a view tells it: that it was shown to be overdrawn once is told only while it holds."""
    return state if state.is_overdrawn else replace(state, overdrawn=ABSENT)


def open_entries(
    suite: Suite,
    parameters: Parameters,
    logged: Sequence[Logged],
    reader: Reader,
    search: Search | None = None,
    moved: Moved | None = None,
) -> OpenedDocument:
    """Opens one document from all its entries in order. Raises ServiceMisbehaved when they are not one document's history."""
    if not logged or not isinstance(logged[0].entry, Registered):
        raise _misbehaved("the history of a document does not start with its registration", "单证记录不是从登记开始")
    opener = _Opener(suite, parameters, reader, search or Search(), {**_guessed(suite, logged), **(moved or {})})
    try:
        opener.register(logged[0].entry, logged[0].leaf)
        for item in logged[1:]:
            opener.step(item.entry, item.leaf)
    except (ZkError, KeyError) as error:
        raise _misbehaved("the entries of a document do not form its history", "单证的日志条目不连贯") from error
    return opener.result()


def _guessed(suite: Suite, logged: Sequence[Logged]) -> dict[bytes, DrawState]:
    """Draws that were taken over, as far as the entries of the document that they came to can tell: by what happened next."""
    found: dict[bytes, DrawState] = {}
    for place, item in enumerate(logged):
        if not isinstance(item.entry, Drawn) or item.entry.body.draft.moves is None:
            continue
        draft = item.entry.body.draft.decode(suite.group)
        later = (other.entry for other in logged[place:] if _names(other.entry, draft.draw))
        following = next(later, None)
        owed = isinstance(following, Reduced | Closed) and not _releases(following)
        stage = DISBURSED if owed else RESERVED
        moves = draft.moves or ABSENT
        found[moves] = DrawState(moves, ABSENT, draft.key, draft.amount, ABSENT, stage, draft.expires)
    return found


def _names(entry: OfDocument, draw: bytes) -> bool:
    return isinstance(entry, Disbursed | Reduced | Closed | Expired) and entry.body.draw == draw


def _releases(entry: OfDocument) -> bool:
    return isinstance(entry, Reduced) and entry.body.reason == operations.RELEASED


def open_histories(
    suite: Suite,
    parameters: Parameters,
    histories: Mapping[bytes, Sequence[Logged]],
    reader: Reader,
    search: Search,
    progress: Callable[[int, int], None] | None = None,
) -> list[OpenedDocument]:
    """Opens the documents of a whole log, a deleted one before those that its draws moved to. Raises ServiceMisbehaved.

    `progress` is called with (documents opened, documents there are).
    """
    opened: dict[bytes, OpenedDocument] = {}
    under_way: set[bytes] = set()
    of_draw = {
        item.entry.body.draft.draw: item.entry.body.draft.document
        for history in histories.values()
        for item in history
        if isinstance(item.entry, Drawn)
    }

    def open_one(document: bytes) -> OpenedDocument:
        if document in opened:
            return opened[document]
        if document in under_way:
            raise _misbehaved("draws of the log move in a circle", "日志中的登记转移成环")
        under_way.add(document)
        moved: dict[bytes, DrawState] = {}
        for moves in _moves_to(histories[document], document):
            draws = open_one(of_draw[moves]).draws
            moved |= {draw.state.draw: draw.movable for draw in draws}
        opened[document] = open_entries(suite, parameters, histories[document], reader, search, moved)
        if progress is not None:
            progress(len(opened), len(histories))
        return opened[document]

    return [open_one(document) for document in histories]


def _moves_to(history: Sequence[Logged], document: bytes) -> list[bytes]:
    """The draws that draws on this document took over."""
    drafts = [item.entry.body.draft for item in history if isinstance(item.entry, Drawn)]
    return [draft.moves for draft in drafts if draft.moves is not None and draft.document == document]


def _misbehaved(message_en: str, message_zh: str) -> ServiceMisbehaved:
    return ServiceMisbehaved("service-misbehaved", message_en, message_zh)


def _negated(committed: HandledCommitment) -> HandledCommitment:
    return HandledCommitment(-committed.commitment, -committed.owner, -committed.regulator)


# --- how ------------------------------------------------------------------------------------------------------------------


class _Opener:
    """Replays one document's entries and opens every amount on the way."""

    def __init__(self, suite: Suite, parameters: Parameters, reader: Reader, search: Search, moved: Moved) -> None:
        self._suite, self._parameters, self._reader, self._search = suite, parameters, reader, search
        self._moved = moved
        self._alerts: list[Alert] = []
        self._draws: dict[bytes, OpenedDraw] = {}
        self._applications: dict[bytes, OpenedApplication] = {}
        self._changes: list[OpenedStep] = []
        self._credential: Credential | None = None

    def register(self, entry: Registered, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        self._time, self._state = entry.time, ledger.registered(operation, leaf)
        if ledger.reader_key(self._parameters, self._state, self._reader.name) != self._reader.secret.public(self._suite):
            # With another key no memo would agree, and every amount would be searched to the bound in vain.
            raise KeyRejected("the document is not under this reader's key")
        memo, told = self._attested(operation.memos)
        self._limit, agrees = self._amount(operation.limit, told, self._search.bound, None)
        self._register_memo = memo if agrees else None
        self._greatest = self._limit
        if isinstance(self._register_memo, OwnerRegisterMemo):
            self._credential = self._register_memo.credential

    def _attested(self, memos: operations.Memos) -> tuple[OwnerRegisterMemo | RegulatorRegisterMemo | None, int | None]:
        """What the attester wrote for this reader, and the limit it tells."""
        if self._reader.name == operations.OWNER:
            for_owner = self._memo(memos, OwnerRegisterMemo, None)
            return for_owner, None if for_owner is None else for_owner.credential.limit
        for_regulator = self._memo(memos, RegulatorRegisterMemo, None)
        return for_regulator, None if for_regulator is None else for_regulator.limit

    def step(self, entry: OfDocument, leaf: bytes) -> None:
        """Raises KeyError for a draw that is not there, ZkError for what the rules refuse."""
        match entry:
            case StatusChanged():
                self._status(entry, leaf)
            case Amended():
                self._amended(entry, leaf)
            case ShownOverdrawn():
                self._require(entry.body.document)
                self._state = ledger.shown_overdrawn(self._state)
                self._changes.append(OpenedStep(entry.time, "overdrawn", None))
            case Applied():
                self._applied(entry, leaf)
            case Decided():
                self._decided(entry, leaf)
            case Drawn():
                self._drawn(entry, leaf)
            case Disbursed():
                self._disbursed(entry, leaf)
            case Reduced():
                self._reduced(entry, leaf)
            case Closed():
                self._closed(entry, leaf)
            case Expired():
                self._expired(entry, leaf)
            case _:
                raise KeyError("a second registration")

    def _require(self, document: bytes) -> None:
        if document != self._state.document:
            raise KeyError("another document")

    # What becomes of the document.

    def _status(self, entry: StatusChanged, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        self._require(operation.document)
        self._state = ledger.status_changed(self._state, operation, leaf)
        memo = self._memo(operation.memos, StatusMemo, None)
        self._changes.append(OpenedStep(entry.time, operation.status, None, "" if memo is None else memo.note))

    def _amended(self, entry: Amended, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        self._require(operation.document)
        self._state = ledger.amended(self._state, operation, leaf)
        if self._reader.name == operations.OWNER:
            for_owner = self._memo(operation.memos, OwnerAmendMemo, None)
            told, note = (None, "") if for_owner is None else (for_owner.credential.limit, for_owner.note)
            credential = None if for_owner is None else for_owner.credential
        else:
            for_regulator = self._memo(operation.memos, RegulatorAmendMemo, None)
            told, note = (None, "") if for_regulator is None else (for_regulator.limit, for_regulator.note)
            credential = None
        self._limit, agrees = self._amount(operation.limit, told, self._search.bound, None)
        self._credential = credential if agrees else None
        known = [limit for limit in (self._greatest, self._limit) if limit is not None]
        self._greatest = max(known) if len(known) == 2 else None
        self._changes.append(OpenedStep(entry.time, operation.reason, self._limit, note if agrees else ""))

    # Applications.

    def _applied(self, entry: Applied, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        self._require(operation.document)
        if operation.draw in self._applications:
            raise KeyError("a second application of this id")
        memo = self._memo(operation.memos, ApplyMemo, operation.draw)
        state = ledger.applied(operation, leaf)
        caller = self._caller_of(entry.caller, operation.draw, None if memo is None else memo.bank)
        told, note = (None, "") if memo is None else (memo.amount, memo.note)
        step = OpenedStep(entry.time, state.stage, told, note)
        self._applications[operation.draw] = OpenedApplication(state, entry.time, memo, (step,), caller)

    def _decided(self, entry: Decided, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        before = self._applications[operation.draw]
        memo = self._memo(operation.memos, DecideMemo, operation.draw)
        self._same_caller(before.caller, self._caller(entry.caller, operation.draw), operation.draw)
        step = OpenedStep(entry.time, operation.decision, None, "" if memo is None else memo.note)
        state = ledger.decided(before.state, operation, leaf)
        self._applications[operation.draw] = replace(before, state=state, steps=(*before.steps, step))

    # Draws.

    def _drawn(self, entry: Drawn, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        draft = operation.draft
        if draft.document != self._state.document:
            self._moved_away(entry, draft, leaf)
            return
        if draft.draw in self._draws:
            raise KeyError("a second draw of this id")
        moved = None if draft.moves is None else self._moved[draft.moves]
        self._state, draw = ledger.drawn(self._parameters, self._state, operation, leaf, moved)
        if draft.draw in self._applications:
            before = self._applications[draft.draw]
            self._applications[draft.draw] = replace(before, state=ledger.reserved(before.state, leaf))
        memo = self._memo(draft.memos, DrawMemo, draft.draw)
        amount, agrees = self._amount(draft.amount, None if memo is None else memo.amount, self._bound(), draft.draw)
        kept = memo if agrees else None
        caller = self._caller_of(entry.caller, draft.draw, None if memo is None else memo.bank)
        if draft.draw in self._applications:
            self._same_caller(self._applications[draft.draw].caller, caller, draft.draw)
        step = OpenedStep(entry.time, "reserved" if moved is None else "taken-over", amount, "" if kept is None else kept.note)
        self._draws[draft.draw] = OpenedDraw(
            draw,
            entry.time,
            operation.headroom.prover,
            amount,
            amount,
            kept,
            (),
            steps=(step,),
            moves=draft.moves,
            caller=caller,
        )

    def _moved_away(self, entry: Drawn, draft: operations.Draft, leaf: bytes) -> None:
        """A draw of ours went to the document that stands for this one."""
        draw = self._draws[draft.moves or ABSENT]
        self._same_caller(draw.caller, self._caller(entry.caller, draw.state.draw), draw.state.draw)
        reduction = OpenedReduction(entry.time, MOVED, False, draw.outstanding, None)
        step = OpenedStep(entry.time, MOVED, draw.outstanding)
        self._draws[draw.state.draw] = replace(
            draw,
            state=ledger.moved_away(draw.state, leaf),
            outstanding=0,
            reductions=(*draw.reductions, reduction),
            steps=(*draw.steps, step),
            before_move=draw.state,
        )

    def _disbursed(self, entry: Disbursed, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        draw = self._draws[operation.draw]
        self._state, state = ledger.disbursed(self._state, draw.state, operation, leaf)
        self._same_caller(draw.caller, self._caller(entry.caller, operation.draw), operation.draw)
        memo = self._memo(operation.memos, DisburseMemo, operation.draw)
        reductions, outstanding, agrees = draw.reductions, draw.outstanding, True
        if operation.rest is not None:
            told = None if memo is None else memo.rest
            rest, agrees = self._amount(operation.rest, told, self._bound(), operation.draw)
            reductions = (*reductions, OpenedReduction(entry.time, operations.RELEASED, True, rest, None))
            outstanding = None if outstanding is None or rest is None else outstanding - rest
        note = memo.note if memo is not None and agrees else ""
        step = OpenedStep(entry.time, DISBURSED, outstanding, note)
        self._draws[operation.draw] = replace(
            draw, state=state, outstanding=outstanding, reductions=reductions, steps=(*draw.steps, step)
        )

    def _reduced(self, entry: Reduced, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        draw = self._draws[operation.draw]
        restores = ledger.restores(self._parameters, self._state, operation.reason)
        self._state, state = ledger.reduced(self._parameters, self._state, draw.state, operation, leaf)
        self._same_caller(draw.caller, self._caller(entry.caller, operation.draw), operation.draw)
        memo = self._memo(operation.memos, ReduceMemo, operation.draw)
        amount, agrees = self._amount(operation.amount, None if memo is None else memo.amount, self._bound(), operation.draw)
        kept = memo if agrees else None
        reduction = OpenedReduction(entry.time, operation.reason, restores, amount, kept)
        outstanding = None if draw.outstanding is None or amount is None else draw.outstanding - amount
        step = OpenedStep(entry.time, operation.reason, amount, "" if kept is None else kept.note)
        self._draws[operation.draw] = replace(
            draw,
            state=state,
            outstanding=outstanding,
            reductions=(*draw.reductions, reduction),
            steps=(*draw.steps, step),
        )

    def _closed(self, entry: Closed, leaf: bytes) -> None:
        draw = self._draws[entry.body.draw]
        self._state, state = ledger.closed(self._parameters, self._state, draw.state, leaf)
        self._same_caller(draw.caller, self._caller(entry.caller, draw.state.draw), draw.state.draw)
        step = OpenedStep(entry.time, state.stage, None)
        self._draws[entry.body.draw] = replace(draw, state=state, steps=(*draw.steps, step))

    def _expired(self, entry: Expired, leaf: bytes) -> None:
        draw = self._draws[entry.body.draw]
        self._state, state = ledger.expired(self._state, draw.state, leaf)
        reduction = OpenedReduction(entry.time, EXPIRED, True, draw.outstanding, None)
        step = OpenedStep(entry.time, EXPIRED, draw.outstanding)
        self._draws[entry.body.draw] = replace(
            draw, state=state, outstanding=0, reductions=(*draw.reductions, reduction), steps=(*draw.steps, step)
        )

    def _caller(self, sealed: bytes, draw: bytes) -> CallerNote | None:
        """Who called, which the service sealed to the regulator; nobody else is to read it."""
        if self._reader.name == operations.OWNER:
            return None
        try:
            return open_box(self._reader.seal, sealed, CallerNote)
        except MemoError:
            self._alert("caller-unreadable", draw, "who called cannot be read", "无法读取提交机构")
            return None

    def _caller_of(self, sealed: bytes, draw: bytes, bank: str | None) -> CallerNote | None:
        """The same, compared with the bank that its memo tells."""
        caller = self._caller(sealed, draw)
        if caller is not None and bank is not None and bank not in (caller.institution, *caller.outlet):
            self._differs(draw)
        return caller

    def _same_caller(self, earlier: CallerNote | None, caller: CallerNote | None, draw: bytes) -> None:
        """What follows an application or a draw comes from whom that came from."""
        if earlier is not None and caller is not None and caller.institution != earlier.institution:
            self._differs(draw)

    def _differs(self, draw: bytes) -> None:
        """Once a draw: of whatever else comes from the wrong side, nothing more is to be learnt."""
        if any((alert.code, alert.draw) == ("caller-differs", draw) for alert in self._alerts):
            return
        en = "the institution that called is not the bank that the draw or application is said to be of"
        self._alert("caller-differs", draw, en, "提交机构与登记所称银行不一致")

    def result(self) -> OpenedDocument:
        draws = tuple(self._draws.values())
        headroom = self._headroom(draws)
        if headroom is not None and headroom < 0:
            self._alert("overdrawn", None, "more is drawn on this document than its limit", "该单证的登记总额超过其额度")
        return OpenedDocument(
            self._state,
            self._time,
            self._limit,
            headroom,
            self._register_memo,
            draws,
            tuple(self._alerts),
            self._credential,
            tuple(self._changes),
            tuple(self._applications.values()),
        )

    def _headroom(self, draws: Sequence[OpenedDraw]) -> int | None:
        """The residual's amount: the sum of what was opened, compared with the residual itself; else searched.

        Negative where an amendment went below what counts as drawn.
        """
        given_back = _sum(step.amount for draw in draws for step in draw.reductions if step.restores)
        drawn = _sum(draw.amount for draw in draws)
        told = None if self._limit is None or drawn is None or given_back is None else self._limit - drawn + given_back
        if told is not None and told < 0:
            found = self._amount(_negated(self._state.residual), -told, self._bound(), None)[0]
            return None if found is None else -found
        if told is None:
            return self._search_headroom()
        return self._amount(self._state.residual, told, self._bound(), None)[0]

    def _search_headroom(self) -> int | None:
        """The residual's amount when no sum tells it: positive first, which it nearly always is."""
        residual, bound = self._state.residual, self._bound()
        for sign, balance in ((1, residual), (-1, _negated(residual))):
            try:
                return sign * self._search.find(self._suite, self._reader, balance, bound)
            except OpeningError:
                continue
        self._amount_unknown(bound, None)
        return None

    def _bound(self) -> int:
        """No draw, reduction or headroom is more than the greatest limit there was: each was proven against one."""
        return self._search.bound if self._greatest is None else self._greatest

    def _memo(self, memos: operations.Memos, form: type[T], draw: bytes | None) -> T | None:
        sealed = memos.owner if self._reader.name == operations.OWNER else memos.regulator
        try:
            return open_memo(self._reader.seal, sealed, form)
        except MemoError:
            self._alert("memo-unreadable", draw, "a memo cannot be read", "附言无法读取")
            return None

    def _amount(
        self, committed: HandledCommitment, told: int | None, bound: int, draw: bytes | None
    ) -> tuple[int | None, bool]:
        """(the amount or None, whether what was told agrees with the commitment)."""
        agrees = told is not None and told >= 0 and self._agrees(committed, told, draw)
        if agrees and not self._search.always:
            return told, True
        try:
            return self._search.find(self._suite, self._reader, committed, bound), agrees
        except OpeningError:
            self._amount_unknown(bound, draw)
            return (told if agrees else None), agrees

    def _amount_unknown(self, bound: int, draw: bytes | None) -> None:
        en = f"no amount up to {min(bound, self._search.bound)} minor units fits a commitment; open it with a larger bound"
        self._alert("amount-unknown", draw, en, "在搜索范围内没有与承诺相符的金额；请扩大范围")

    def _agrees(self, committed: HandledCommitment, told: int, draw: bytes | None) -> bool:
        try:
            handle = committed.handle(self._reader.name)
            check_amount(self._suite, self._reader.secret, committed.commitment, handle, told)
        except OpeningError:
            self._alert("memo-contradicts", draw, "a memo tells another amount than was committed", "附言所述金额与承诺不符")
            return False
        return True

    def _alert(self, code: AlertCode, draw: bytes | None, message_en: str, message_zh: str) -> None:
        self._alerts.append(Alert(code, self._state.document, draw, message_en, message_zh))
