"""A log written without a service, from tests.builders, so that an auditor's tests can bend any entry of it.

It checks nothing: what is written here is what the writer says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.answers import ExportedEntry
from schemas.canonical import canonical
from schemas.entries import Closed, Drawn, Genesis, Reduced, Registered, encode_entry
from schemas.messages import CloseMessage, DrawMessage, ReduceMessage, RegisterMessage
from tests.builders import (
    ANYBODY,
    DRAFT_LIFE,
    NOW,
    Loan,
    Paper,
    World,
    make_close,
    make_consent,
    make_draft,
    make_headroom,
    make_reduce,
    make_register,
)
from tlog.leaf import leaf_hash
from zkcore import ledger
from zkcore.operations import Draw

Entry = Genesis | Registered | Drawn | Reduced | Closed


@dataclass
class Logbook:
    """Writes entries one second apart. Papers and loans are given by their place in the order in which they came."""

    world: World
    entries: list[Entry] = field(default_factory=list)
    papers: list[Paper] = field(default_factory=list)
    loans: list[tuple[int, Loan]] = field(default_factory=list)
    now: int = NOW

    def __post_init__(self) -> None:
        self.entries.append(self.world.genesis)

    def register(self, limit: int) -> None:
        """A document with this limit in minor units of USD."""
        made = make_register(self.world, limit)
        leaf = self._write(Registered(time=self._tick(), body=RegisterMessage.of(made.operation)))
        self.papers.append(made.committed(leaf))

    def draw(self, paper: int, amount: int, *, application: bytes | None = None, expires: int = NOW + DRAFT_LIFE) -> None:
        """A draw; with the owner's consent to an application, the regulator proves the headroom."""
        world, before = self.world, self.papers[paper]
        key, opening = world.bank.shifted(world.suite, len(self.entries)), world.opening(amount)
        consent = None if application is None else make_consent(world, before, amount, key, expires, application)
        draft = make_draft(world, before, opening, key, expires=expires, consent=consent)
        operation = Draw(draft, make_headroom(world, before, draft, opening))
        leaf = self._write(Drawn(time=self._tick(), body=DrawMessage.of(operation), caller=ANYBODY))
        document, draw = ledger.drawn(before.state, operation, leaf)
        self.papers[paper] = Paper(document, before.secret, before.headroom - amount)
        self.loans.append((paper, Loan(draw, key, opening)))

    def reduce(self, loan: int, amount: int, reason: str) -> None:
        """Reduce what is outstanding."""
        paper, before = self.loans[loan]
        made = make_reduce(self.world, self.papers[paper], before, amount, reason)
        leaf = self._write(Reduced(time=self._tick(), body=ReduceMessage.of(made.operation), caller=ANYBODY))
        self.papers[paper], after = made.committed(self.world, self.papers[paper], before, leaf)
        self.loans[loan] = paper, after

    def close(self, loan: int) -> None:
        """Close a settled draw."""
        paper, before = self.loans[loan]
        operation = make_close(self.world, self.papers[paper], before)
        leaf = self._write(Closed(time=self._tick(), body=CloseMessage.of(operation), caller=ANYBODY))
        self.loans[loan] = paper, Loan(ledger.closed(before.state, leaf), before.key, before.outstanding)

    def _tick(self) -> int:
        self.now += 1
        return self.now

    def _write(self, entry: Entry) -> bytes:
        self.entries.append(entry)
        return leaf_hash(encode_entry(entry))

    def lines(self) -> list[bytes]:
        """The export, a line an entry, without line feeds."""
        return export_lines(self.entries)


def export_lines(entries: list[Entry]) -> list[bytes]:
    """An export of these entries, numbered in the order given."""
    exported = (ExportedEntry(index=index, entry=entry.model_dump(mode="json")) for index, entry in enumerate(entries))
    return [canonical(line) for line in exported]


def bent(entry: Entry, **fields: object) -> Entry:
    """The entry with fields of its body (or of the genesis) replaced; what was proven stays as it was."""
    if isinstance(entry, Genesis):
        return entry.model_copy(update=fields)
    return entry.model_copy(update={"body": entry.body.model_copy(update=fields)})
