"""Alerts, opened: what banks and the service told the regulator outside the log, with whose request each came.

A bank's alert is that bank's word; the service seals beside it whose key signed, and the two are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from parties.common.keyring import Viewer
from parties.common.memos import open_box, open_memo
from schemas.answers import SealedAlert
from schemas.callers import CallerNote, ProbingNote
from schemas.sealed import AlertMemo
from schemas.wire import encode_base64url
from zkcore.errors import MemoError

UNREADABLE = "unreadable"
COLUMNS = ("no. 序号", "time 时间", "from 来源", "kind 种类", "caller 提交机构", "about 关于", "note 说明")


@dataclass(frozen=True, repr=False)
class OpenedAlert:
    """One alert. `caller` is None where the service's box cannot be read; `differs`: a bank named another bank than called."""

    sealed: SealedAlert
    caller: CallerNote | None
    told: AlertMemo | ProbingNote | None

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
            _about(item.told),
            _note(item),
        ]
        for item in opened
    ]


def _caller(item: OpenedAlert) -> str:
    return "?" if item.caller is None else " > ".join([item.caller.institution, *item.caller.outlet])


def _about(told: AlertMemo | ProbingNote | None) -> str:
    if told is None:
        return "?"
    if isinstance(told, ProbingNote):
        return f"document {encode_base64url(told.document)}"
    document = "" if told.document is None else f"document {encode_base64url(told.document)}"
    return ", ".join(filter(None, [told.number, told.holder, document]))


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
            "told": None if item.told is None else item.told.model_dump(mode="json"),
        }
        for item in opened
    ]
