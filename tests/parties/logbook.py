"""A log written without a service, from tests.builders, so that an auditor's tests can bend any entry of it.

It checks nothing: what is written here is what the writer says.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from schemas.answers import ExportedEntry
from schemas.canonical import canonical
from schemas.entries import (
    Amended,
    AnyEntry,
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
    encode_entry,
)
from schemas.messages import (
    AmendMessage,
    ApplyMessage,
    ChangeStatusMessage,
    CloseMessage,
    DecideMessage,
    DisburseMessage,
    DrawMessage,
    ExpireMessage,
    OverdrawnMessage,
    ReduceMessage,
    RegisterMessage,
)
from tests import builders
from tests.builders import (
    ANYBODY,
    DRAFT_LIFE,
    NOW,
    Loan,
    Paper,
    World,
    make_amend,
    make_apply,
    make_close,
    make_consent,
    make_decide,
    make_disburse,
    make_draft,
    make_headroom,
    make_moved_draw,
    make_overdrawn,
    make_reduce,
    make_register,
    make_status,
)
from tlog.leaf import leaf_hash
from zkcore import ledger
from zkcore.context import ABSENT
from zkcore.ledger import ApplicationState
from zkcore.operations import APPROVED, CLEARED, Draw, Expire
from zkcore.secret.keys import SigningSecret

Entry = AnyEntry


@dataclass
class Logbook:
    """Writes entries one second apart.

    Papers, applications and loans are given by their place in the order in which they came.
    """

    world: World
    entries: list[Entry] = field(default_factory=list)
    papers: list[Paper] = field(default_factory=list)
    applications: list[tuple[int, ApplicationState, SigningSecret]] = field(default_factory=list)
    loans: list[tuple[int, Loan]] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    now: int = NOW

    def __post_init__(self) -> None:
        self.entries.append(self.world.genesis)

    # --- documents

    def register(self, limit: int, status: str = CLEARED) -> None:
        """A document with this limit in minor units of USD."""
        made = make_register(self.world, limit, status=status)
        leaf = self._write(Registered(time=self._tick(), body=RegisterMessage.of(made.operation)))
        self.papers.append(made.committed(leaf))
        self.limits.append(limit)

    def status(self, paper: int, status: str, replacement: int | None = None) -> None:
        """What the attester says of a document; a deleted one can have another paper as its replacement."""
        before = self.papers[paper]
        instead = ABSENT if replacement is None else self.papers[replacement].state.document
        operation = make_status(self.world, before, status, instead)
        leaf = self._write(StatusChanged(time=self._tick(), body=ChangeStatusMessage.of(operation)))
        self.papers[paper] = replace(before, state=ledger.status_changed(before.state, operation, leaf))

    def amend(self, paper: int, limit: int, reason: str = "amended") -> None:
        """Another limit, in minor units."""
        made = make_amend(self.world, self.papers[paper], self.limits[paper], limit, reason)
        leaf = self._write(Amended(time=self._tick(), body=AmendMessage.of(made.operation)))
        self.papers[paper] = made.committed(self.papers[paper], leaf)
        self.limits[paper] = limit

    def overdrawn(self, paper: int) -> None:
        """The regulator's proof that more is drawn than the limit."""
        before = self.papers[paper]
        operation = make_overdrawn(self.world, before)
        self._write(ShownOverdrawn(time=self._tick(), body=OverdrawnMessage.of(operation)))
        self.papers[paper] = replace(before, state=ledger.shown_overdrawn(before.state))

    # --- applications

    def apply(self, paper: int, expires: int = NOW + DRAFT_LIFE) -> None:
        """An application to the bank."""
        made = make_apply(self.world, self.papers[paper], expires=expires)
        leaf = self._write(Applied(time=self._tick(), body=ApplyMessage.of(made.operation), caller=ANYBODY))
        self.applications.append((paper, made.committed(leaf), made.key))

    def decide(self, application: int, decision: str) -> None:
        """What the bank says of it."""
        paper, state, key = self.applications[application]
        operation = make_decide(self.world, self.papers[paper], state, key, decision)
        leaf = self._write(Decided(time=self._tick(), body=DecideMessage.of(operation), caller=ANYBODY))
        self.applications[application] = paper, ledger.decided(state, operation, leaf), key

    # --- draws

    def draw(
        self,
        paper: int,
        amount: int,
        *,
        application: bytes | None = None,
        expires: int = NOW + DRAFT_LIFE,
        applied: int | None = None,
    ) -> None:
        """A draw; with the owner's consent to an application, the regulator proves the headroom.

        `applied` is the application on the log that it follows from, whether or not it is approved.
        """
        world, before = self.world, self.papers[paper]
        key, opening, draw = world.bank.shifted(world.suite, len(self.entries)), world.opening(amount), None
        if applied is not None:
            _, state, key = self.applications[applied]
            draw = state.draw
        consent = None if application is None else make_consent(world, before, amount, key, expires, application)
        draft = make_draft(world, before, opening, key, draw=draw, expires=expires, consent=consent)
        operation = Draw(draft, make_headroom(world, before, draft, opening))
        leaf = self._write(Drawn(time=self._tick(), body=DrawMessage.of(operation), caller=ANYBODY))
        document, drawn = ledger.drawn(world.parameters, before.state, operation, leaf)
        self.papers[paper] = replace(before, state=document, headroom=before.headroom - amount)
        self.loans.append((paper, Loan(drawn, key, opening)))
        if applied is not None and self.applications[applied][1].stage == APPROVED:
            self.applications[applied] = paper, ledger.reserved(self.applications[applied][1], leaf), key

    def move(self, loan: int, paper: int) -> None:
        """A loan moves to another paper, which should be the replacement of its own."""
        old, before = self.loans[loan]
        made = make_moved_draw(self.world, self.papers[paper], before)
        leaf = self._write(Drawn(time=self._tick(), body=DrawMessage.of(made.operation), caller=ANYBODY))
        self.papers[paper], after = made.committed(leaf)
        self.loans[loan] = old, replace(before, state=ledger.moved_away(before.state, leaf))
        self.loans.append((paper, after))

    def disburse(self, loan: int, rest: int = 0) -> None:
        """Pay out all but the rest."""
        paper, before = self.loans[loan]
        made = make_disburse(self.world, self.papers[paper], before, rest)
        leaf = self._write(Disbursed(time=self._tick(), body=DisburseMessage.of(made.operation), caller=ANYBODY))
        self.papers[paper], after = made.committed(self.papers[paper], before, leaf)
        self.loans[loan] = paper, after

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
        document, draw = ledger.closed(self.world.parameters, self.papers[paper].state, before.state, leaf)
        self.papers[paper] = replace(self.papers[paper], state=document)
        self.loans[loan] = paper, replace(before, state=draw)

    def expire(self, loan: int) -> None:
        """A reservation frees itself, at whatever time it is."""
        paper, before = self.loans[loan]
        body = ExpireMessage.of(Expire(before.state.draw))
        leaf = self._write(Expired(time=self._tick(), body=body))
        self.papers[paper], after = builders.expire(self.papers[paper], before, leaf)
        self.loans[loan] = paper, after

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
