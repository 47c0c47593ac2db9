"""Alerts, opened: what banks and the service told the regulator outside the log, with whose request each came.

A bank's alert is that bank's word; the service seals beside it whose key signed, and the two are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from parties.common.keyring import Viewer
from parties.common.memos import open_box, open_memo
from parties.regulator.open import OpenedLog
from parties.regulator.report import register_memo
from schemas.answers import SealedAlert
from schemas.callers import CallerNote, ProbingNote
from schemas.sealed import AlertMemo
from schemas.wire import encode_base64url
from zkcore.errors import MemoError

UNREADABLE = "unreadable"
COLUMNS = ("no. 序号", "time 时间", "from 来源", "kind 种类", "caller 提交机构", "about 关于", "note 说明")


@dataclass(frozen=True, repr=False)
class Owner:
    """For whom a document of a number is registered."""

    holder: str
    name: str
    currency: str
    document: bytes


@dataclass(frozen=True, repr=False)
class OpenedAlert:
    """One alert. `caller` is None where the service's box cannot be read; `differs`: a bank named another bank than called."""

    sealed: SealedAlert
    caller: CallerNote | None
    told: AlertMemo | ProbingNote | None
    owners: tuple[Owner, ...] = ()
    """For whom the number is registered that a bank told of, as the opened log says."""

    @property
    def another(self) -> bool:
        """Whether the number is registered, and for none but others than whom the bank told of."""
        told = self.told
        return isinstance(told, AlertMemo) and bool(self.owners) and all(item.holder != told.holder for item in self.owners)

    @property
    def kind(self) -> str:
        return UNREADABLE if self.told is None else self.told.kind

    @property
    def differs(self) -> bool:
        if self.caller is None or not isinstance(self.told, AlertMemo):
            return False
        return self.told.bank not in (self.caller.institution, *self.caller.outlet)


def open_alerts(viewer: Viewer, alerts: Iterable[SealedAlert]) -> list[OpenedAlert]:
    """Every alert, also those that cannot be read."""
    return [_open(viewer, alert) for alert in alerts]


def numbers(opened: Sequence[OpenedAlert]) -> set[str]:
    """The numbers that banks told of."""
    return {item.told.number for item in opened if isinstance(item.told, AlertMemo) and item.told.number}


def with_owners(opened: Sequence[OpenedAlert], log: OpenedLog) -> list[OpenedAlert]:
    """The alerts with the owners of the numbers they name: the banks are not told, and the regulator must know."""
    owners: dict[str, list[Owner]] = {}
    for document in log.documents:
        memo = register_memo(document)
        if memo is not None:
            found = Owner(memo.holder, memo.name, document.state.currency, document.state.document)
            owners.setdefault(memo.number, []).append(found)
    return [
        replace(item, owners=tuple(owners.get(item.told.number, ()))) if isinstance(item.told, AlertMemo) else item
        for item in opened
    ]


def _open(viewer: Viewer, alert: SealedAlert) -> OpenedAlert:
    caller: CallerNote | None = None
    with suppress(MemoError):
        caller = open_box(viewer.seal, alert.caller, CallerNote)
    try:
        if alert.source == "service":
            return OpenedAlert(alert, caller, open_memo(viewer.seal, alert.memo, ProbingNote))
        return OpenedAlert(alert, caller, open_memo(viewer.seal, alert.memo, AlertMemo))
    except MemoError:
        return OpenedAlert(alert, caller, None)


def rows(opened: Sequence[OpenedAlert]) -> list[list[str]]:
    """A row an alert, under COLUMNS."""
    return [
        [
            str(item.sealed.index),
            _time(item.sealed.time),
            "service 服务" if item.sealed.source == "service" else "bank 银行",
            item.kind,
            _caller(item),
            _about(item),
            _note(item),
        ]
        for item in opened
    ]


def _caller(item: OpenedAlert) -> str:
    return "?" if item.caller is None else " > ".join([item.caller.institution, *item.caller.outlet])


def _about(item: OpenedAlert) -> str:
    told = item.told
    if told is None:
        return "?"
    if isinstance(told, ProbingNote):
        return f"document {encode_base64url(told.document)}"
    document = "" if told.document is None else f"document {encode_base64url(told.document)}"
    owners = [f"{owner.name} ({owner.holder}) {owner.currency}" for owner in item.owners]
    registered = f"registered for 登记所有人: {'; '.join(owners)}" if owners else ""
    return ", ".join(filter(None, [told.number, told.holder, document, registered]))


def _note(item: OpenedAlert) -> str:
    told = item.told
    if told is None:
        return "cannot be read; ask the caller 无法读取，请询问提交机构"
    if isinstance(told, ProbingNote):
        return f"{told.refusals} refusals in a day; blocked until {_time(told.until)} 一日内多次未获证明，已暂停"
    warning = f"SAYS TO BE {told.bank} 自称机构不符; " if item.differs else ""
    return warning + "; ".join(filter(None, [told.reference, told.note]))


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def describe(opened: Sequence[OpenedAlert]) -> list[dict[str, Any]]:
    """For programs."""
    return [
        {
            "index": item.sealed.index,
            "time": item.sealed.time,
            "source": item.sealed.source,
            "kind": item.kind,
            "caller": None if item.caller is None else item.caller.model_dump(mode="json"),
            "differs": item.differs,
            "another": item.another,
            "owners": [
                {
                    "holder": owner.holder,
                    "name": owner.name,
                    "currency": owner.currency,
                    "document": encode_base64url(owner.document),
                }
                for owner in item.owners
            ],
            "told": None if item.told is None else item.told.model_dump(mode="json"),
        }
        for item in opened
    ]
