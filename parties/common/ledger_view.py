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
from schemas.entries import Closed, Drawn, Genesis, Reduced, Registered, decode_entry
from schemas.messages import Reader as ReaderName
from schemas.messages import ViewMessage
from schemas.sealed import DrawMemo, OwnerRegisterMemo, ReduceMemo, RegulatorRegisterMemo
from tlog.leaf import leaf_hash
from zkcore import ledger, operations
from zkcore.commitments import HandledCommitment
from zkcore.errors import KeyRejected, MemoError, OpeningError, ZkError
from zkcore.ledger import DocumentFacts, DocumentState, DrawState, Parameters
from zkcore.randomness import Randomness
from zkcore.secret.keys import ViewSecret
from zkcore.secret.memos import SealSecret
from zkcore.secret.opening import LogarithmTable, amount_point, check_amount
from zkcore.secret.operations import prove_view
from zkcore.suite import Suite

T = TypeVar("T", bound=BaseModel)
DEFAULT_BOUND = 1 << 40
"""Minor units up to which a limit is searched when its memo is garbage: a minute or so in Python for the largest."""

AlertCode = Literal["memo-unreadable", "memo-contradicts", "amount-unknown", "caller-unreadable", "caller-differs"]


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
class OpenedReduction:
    """A release, repayment or write-off. `amount` in minor units; None when it could not be opened."""

    time: int
    reason: str
    restores: bool
    amount: int | None
    memo: ReduceMemo | None


@dataclass(frozen=True, repr=False)
class OpenedDraw:
    """A draw. `amount` (gross) and `outstanding` in minor units; None when they could not be opened.

    memo: what the bank wrote, already compared with the commitment; None when it is unreadable or lies about the amount
    prover: who proved the headroom, "owner" or "regulator"
    caller: whose signed request it came with, as the service tells the regulator alone; None for others, or unreadable
    """

    state: DrawState
    time: int
    prover: str
    amount: int | None
    outstanding: int | None
    memo: DrawMemo | None
    reductions: tuple[OpenedReduction, ...]
    caller: CallerNote | None = None


@dataclass(frozen=True, repr=False)
class OpenedDocument:
    """A document. `limit` and `headroom` in minor units; None when they could not be opened.

    memo: what the attester wrote for this reader; None when it is unreadable or lies about the limit
    blocks: when institutions were kept off it for asking too often, as the service tells in a private view
    """

    state: DocumentState
    time: int
    limit: int | None
    headroom: int | None
    memo: OwnerRegisterMemo | RegulatorRegisterMemo | None
    draws: tuple[OpenedDraw, ...]
    alerts: tuple[Alert, ...]
    blocks: tuple[Block, ...] = ()

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


@dataclass(frozen=True)
class Logged:
    """A log entry with its leaf hash (32 bytes)."""

    entry: Registered | Drawn | Reduced | Closed
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
    """Entries of a log, by document, in the order of registration. Raises ServiceMisbehaved for an entry of no document."""
    documents: dict[bytes, list[Logged]] = {}
    of_draw: dict[bytes, bytes] = {}
    try:
        for item in logged:
            entry = item.entry
            if isinstance(entry, Registered):
                documents.setdefault(entry.body.document, []).append(item)
                continue
            if isinstance(entry, Drawn):
                of_draw[entry.body.draft.draw] = document = entry.body.draft.document
            else:
                document = of_draw[entry.body.draw]
            documents[document].append(item)
    except KeyError as error:
        raise _misbehaved(
            "an entry of the log names a document or draw that it does not have", "日志条目所指的单证或登记不存在"
        ) from error
    return documents


def document_state(suite: Suite, view: DocumentView) -> DocumentState:
    """The state that a headroom proof is made against, as the service told it. Raises PointError for what is not a point."""
    decode = suite.group.decode
    return DocumentState(
        view.document,
        view.kind,
        view.currency,
        view.epoch,
        decode(view.owner),
        HandledCommitment.decode(suite.group, view.limit),
        HandledCommitment.decode(suite.group, view.residual),
        view.head,
        view.draws,
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


def open_view(
    suite: Suite, parameters: Parameters, view: DocumentView, reader: Reader, search: Search | None = None
) -> OpenedDocument:
    """Opens what the service told of a document. Raises ServiceMisbehaved when its state does not follow from its entries."""
    opened = open_entries(suite, parameters, decode_entries(view.entries), reader, search)
    try:
        told = document_state(suite, view)
    except ZkError as error:
        raise _misbehaved("the document's state is malformed", "单证状态格式有误") from error
    if told != opened.state:
        raise _misbehaved(
            "the state that the service tells of a document does not follow from its entries; tell the regulator",
            "服务所称的单证状态与日志条目不符；请告知监管方",
        )
    return replace(opened, blocks=tuple(view.blocks))


def open_entries(
    suite: Suite, parameters: Parameters, logged: Sequence[Logged], reader: Reader, search: Search | None = None
) -> OpenedDocument:
    """Opens one document from all its entries in order. Raises ServiceMisbehaved when they are not one document's history."""
    if not logged or not isinstance(logged[0].entry, Registered):
        raise _misbehaved("the history of a document does not start with its registration", "单证记录不是从登记开始")
    opener = _Opener(suite, parameters, reader, search or Search())
    try:
        opener.register(logged[0].entry, logged[0].leaf)
        for item in logged[1:]:
            opener.step(item.entry, item.leaf)
    except (ZkError, KeyError) as error:
        raise _misbehaved("the entries of a document do not form its history", "单证的日志条目不连贯") from error
    return opener.result()


def _misbehaved(message_en: str, message_zh: str) -> ServiceMisbehaved:
    return ServiceMisbehaved("service-misbehaved", message_en, message_zh)


# --- how ------------------------------------------------------------------------------------------------------------------


class _Opener:
    """Replays one document's entries and opens every amount on the way."""

    def __init__(self, suite: Suite, parameters: Parameters, reader: Reader, search: Search) -> None:
        self._suite, self._parameters, self._reader, self._search = suite, parameters, reader, search
        self._alerts: list[Alert] = []
        self._draws: dict[bytes, OpenedDraw] = {}

    def register(self, entry: Registered, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        self._time, self._state = entry.time, ledger.registered(operation, leaf)
        if ledger.reader_key(self._parameters, self._state, self._reader.name) != self._reader.secret.public(self._suite):
            # With another key no memo would agree, and every amount would be searched to the bound in vain.
            raise KeyRejected("the document is not under this reader's key")
        memo, told = self._attested(operation.memos)
        self._limit, agrees = self._amount(operation.limit, told, self._search.bound, None)
        self._register_memo = memo if agrees else None

    def _attested(self, memos: operations.Memos) -> tuple[OwnerRegisterMemo | RegulatorRegisterMemo | None, int | None]:
        """What the attester wrote for this reader, and the limit it tells."""
        if self._reader.name == operations.OWNER:
            for_owner = self._memo(memos, OwnerRegisterMemo, None)
            return for_owner, None if for_owner is None else for_owner.credential.limit
        for_regulator = self._memo(memos, RegulatorRegisterMemo, None)
        return for_regulator, None if for_regulator is None else for_regulator.limit

    def step(self, entry: Registered | Drawn | Reduced | Closed, leaf: bytes) -> None:
        """Raises KeyError for a draw that is not there, ZkError for what the rules refuse."""
        if isinstance(entry, Drawn):
            self._drawn(entry, leaf)
        elif isinstance(entry, Reduced):
            self._reduced(entry, leaf)
        elif isinstance(entry, Closed):
            draw = self._draws[entry.body.draw]
            self._same_caller(draw, entry.caller)
            self._draws[entry.body.draw] = replace(draw, state=ledger.closed(draw.state, leaf))
        else:
            raise KeyError("a second registration")

    def _drawn(self, entry: Drawn, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        draft = operation.draft
        if draft.document != self._state.document or draft.draw in self._draws:
            raise KeyError("another document, or a second draw of this id")
        self._state, draw = ledger.drawn(self._state, operation, leaf)
        memo = self._memo(draft.memos, DrawMemo, draft.draw)
        amount, agrees = self._amount(draft.amount, None if memo is None else memo.amount, self._bound(), draft.draw)
        kept = memo if agrees else None
        caller = self._caller(entry.caller, draft.draw)
        if caller is not None and memo is not None and memo.bank not in (caller.institution, *caller.outlet):
            self._differs(draft.draw)
        prover = operation.headroom.prover
        self._draws[draft.draw] = OpenedDraw(draw, entry.time, prover, amount, amount, kept, (), caller)

    def _reduced(self, entry: Reduced, leaf: bytes) -> None:
        operation = entry.body.decode(self._suite.group)
        draw = self._draws[operation.draw]
        self._state, state = ledger.reduced(self._parameters, self._state, draw.state, operation, leaf)
        self._same_caller(draw, entry.caller)
        memo = self._memo(operation.memos, ReduceMemo, operation.draw)
        amount, agrees = self._amount(operation.amount, None if memo is None else memo.amount, self._bound(), operation.draw)
        restores = operation.reason in self._parameters.kinds[self._state.kind].restores
        reduction = OpenedReduction(entry.time, operation.reason, restores, amount, memo if agrees else None)
        outstanding = None if draw.outstanding is None or amount is None else draw.outstanding - amount
        self._draws[operation.draw] = replace(
            draw, state=state, outstanding=outstanding, reductions=(*draw.reductions, reduction)
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

    def _same_caller(self, draw: OpenedDraw, sealed: bytes) -> None:
        """What follows a draw comes from whom the draw came from."""
        caller = self._caller(sealed, draw.state.draw)
        if caller is not None and draw.caller is not None and caller.institution != draw.caller.institution:
            self._differs(draw.state.draw)

    def _differs(self, draw: bytes) -> None:
        en = "the institution that called is not the bank that the draw is said to be of"
        self._alert("caller-differs", draw, en, "提交机构与登记所称银行不一致")

    def result(self) -> OpenedDocument:
        draws = tuple(self._draws.values())
        return OpenedDocument(
            self._state,
            self._time,
            self._limit,
            self._headroom(draws),
            self._register_memo,
            draws,
            tuple(self._alerts),
        )

    def _headroom(self, draws: Sequence[OpenedDraw]) -> int | None:
        """The residual's amount: the sum of what was opened, compared with the residual itself; else searched."""
        given_back = _sum(step.amount for draw in draws for step in draw.reductions if step.restores)
        drawn = _sum(draw.amount for draw in draws)
        told = None if self._limit is None or drawn is None or given_back is None else self._limit - drawn + given_back
        return self._amount(self._state.residual, told, self._bound(), None)[0]

    def _bound(self) -> int:
        """No draw, reduction or headroom is more than the limit: each was proven against it."""
        return self._search.bound if self._limit is None else self._limit

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
            en = f"no amount up to {min(bound, self._search.bound)} minor units fits a commitment; open it with a larger bound"
            self._alert("amount-unknown", draw, en, "在搜索范围内没有与承诺相符的金额；请扩大范围")
            return (told if agrees else None), agrees

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
