"""Opening a whole log: every document, draw and reduction with its amount, whoever tried to hide it.

Amounts come from memos that agree with their commitments; what a memo hides is found by the handle alone, with an alert.
Nothing is proven again here: that is the auditor's work, and needs no key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parties.common.client import ServiceClient
from parties.common.errors import InputError
from parties.common.keyring import Viewer
from parties.common.ledger_view import Alert, OpenedDocument, Search, decode_entries, group_by_document, open_histories
from parties.regulator.bureau import check_own_log, regulator_reader
from schemas.answers import ExportedEntry
from schemas.canonical import canonical_value, parse_strict
from schemas.entries import MAXIMUM_ENTRY_SIZE, Genesis, decode_entry
from zkcore.errors import ZkError
from zkcore.suite import Suite

_MAXIMUM_LINE_SIZE = MAXIMUM_ENTRY_SIZE + 100
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OpenedLog:
    """A log, opened: documents in the order of their registration."""

    origin: str
    entries: int
    documents: tuple[OpenedDocument, ...]

    @property
    def alerts(self) -> tuple[Alert, ...]:
        return tuple(alert for document in self.documents for alert in document.alerts)

    def totals(self) -> dict[str, Totals]:
        """Sums by currency, in the order of its letters."""
        currencies = sorted({document.state.currency for document in self.documents})
        return {alpha: Totals.of([item for item in self.documents if item.state.currency == alpha]) for alpha in currencies}


@dataclass(frozen=True, repr=False)
class Totals:
    """Sums over the documents of one currency, in minor units; None where one of them could not be opened."""

    documents: int
    draws: int
    limit: int | None
    drawn: int | None
    outstanding: int | None
    headroom: int | None

    @classmethod
    def of(cls, documents: Sequence[OpenedDocument]) -> Totals:
        return cls(
            documents=len(documents),
            draws=sum(len(document.draws) for document in documents),
            limit=_sum(document.limit for document in documents),
            drawn=_sum(document.drawn for document in documents),
            outstanding=_sum(document.outstanding for document in documents),
            headroom=_sum(document.headroom for document in documents),
        )


def _sum(amounts: Iterable[int | None]) -> int | None:
    known = list(amounts)
    return None if None in known else sum(amount for amount in known if amount is not None)


def fetch_entries(client: ServiceClient, token: str, progress: Progress | None = None) -> list[dict[str, Any]]:
    """The whole log from the service. Raises PartyError."""
    return [item.entry for item in client.all_entries(token, progress=progress)]


def read_export(path: Path) -> list[dict[str, Any]]:
    """The whole log from an export. Raises InputError when it cannot be read, or a line is missing or is not an entry's."""
    try:
        with path.open("rb") as file:
            return list(_exported(iter(lambda: file.readline(_MAXIMUM_LINE_SIZE + 2), b"")))
    except OSError as error:
        raise InputError(
            "not-readable", f"{path} cannot be read: {error.strerror}", f"无法读取 {path}：{error.strerror}"
        ) from error
    except ValueError as error:
        raise InputError("not-an-export", f"{path} is not an export of a log", f"{path} 不是日志导出文件") from error


def _exported(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for index, line in enumerate(lines):
        exported = ExportedEntry.model_validate(parse_strict(line))
        if exported.index != index:
            raise ValueError("an entry is missing")
        yield exported.entry


def open_log(
    suite: Suite,
    viewer: Viewer,
    entries: Sequence[dict[str, Any]],
    search: Search | None = None,
    progress: Progress | None = None,
) -> OpenedLog:
    """Open everything. `progress` is called with (documents opened, documents there are).

    Raises HomeError for a log under another regulator's key, InputError or ServiceMisbehaved for entries that form no log.
    """
    genesis = _genesis(entries)
    check_own_log(viewer, genesis)
    try:
        parameters = genesis.parameters(suite)
    except ZkError as error:
        raise _no_log() from error
    histories = group_by_document(decode_entries(entries[1:]))
    opened = open_histories(suite, parameters, histories, regulator_reader(viewer), search or Search(), progress)
    return OpenedLog(genesis.origin, len(entries), tuple(opened))


def _genesis(entries: Sequence[dict[str, Any]]) -> Genesis:
    try:
        first = decode_entry(canonical_value(entries[0]))
    except (IndexError, ZkError, ValueError) as error:
        raise _no_log() from error
    if not isinstance(first, Genesis):
        raise _no_log()
    return first


def _no_log() -> InputError:
    return InputError("not-a-log", "this is not a log from its first entry on", "这不是从首条开始的完整日志")
