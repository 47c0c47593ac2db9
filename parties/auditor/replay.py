"""Replay of an export from genesis, with public keys alone: every entry, every proof, every balance, every head.

The export is read once, from front to back. The auditor keeps a state of its own, builds every statement from it by
zkcore.ledger (the same rules the service follows) and trusts nothing that is not proven. Proofs are verified in batches that
span entries, so the state runs ahead of the proofs by at most one batch; nothing after the first bad batch is looked at,
because a state that contains a false entry says nothing about those that follow.

What a replay cannot see: whether entries are missing at the end, and whether this log is the one shown to others, with
the same genesis (nothing in a log proves whose its seal keys are). Naming the genesis that is expected, and comparing the state
digest with another auditor's, finds the second; signed checkpoints will find both.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from schemas.entries import (
    MAXIMUM_ENTRY_SIZE,
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
    decode_entry,
)
from tlog.leaf import leaf_hash
from zkcore import ledger
from zkcore.errors import BatchRejected, StateError, ZkError
from zkcore.ledger import ApplicationState, DocumentState, DrawState, Parameters
from zkcore.operations import (
    Amend,
    Apply,
    ChangeStatus,
    Close,
    Decide,
    Disburse,
    Draft,
    Draw,
    Expire,
    Overdrawn,
    Reduce,
    Register,
)
from zkcore.suite import Suite
from zkcore.transcript import frame
from zkcore.verifying.batch import Claim, verify

LINE_START = b'{"entry":'
"""How every line of an export begins: it is canonical JSON, so "entry" stands before "index"."""
MAXIMUM_LINE_SIZE = MAXIMUM_ENTRY_SIZE + 100
BATCH_CLAIMS, BATCH_CLAIMS_OF_TWINS = 200, 2000
"""Claims verified together, by Python code and by an engine's own. More are faster and name a bad entry later."""


def line_end(index: int) -> bytes:
    """How the line of the entry with this index ends, without the line feed."""
    return b',"index":%d}' % index


class EntryRejected(Exception):
    """An entry breaks a rule of the log itself, rather than of one operation. `code` is stable, like those of zkcore."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Failure:
    """What is wrong with one entry. `code` is one of zkcore.errors or: index, genesis, time."""

    index: int
    what: str
    code: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """What an audit found. Where it is not ok, all counts are of what was read up to the failure.

    draws_closed: draws that are at their end, however they came there.
    stages: applications (under "application …") and draws by the stage that they are at; statuses: documents by status.
    overdrawn: documents shown to be overdrawn, with nothing changed since.
    failures: in order of index; only the first is certain, later ones can follow from it.
    genesis, state: 32-byte digests; two audits of one log have the same. `state` is empty where the audit failed.
    seconds: by the caller's clock.
    """

    ok: bool
    entries: int
    by_type: dict[str, int]
    documents: int
    draws_open: int
    draws_closed: int
    stages: dict[str, int]
    statuses: dict[str, int]
    overdrawn: int
    claims: int
    failures: tuple[Failure, ...]
    genesis: bytes
    state: bytes
    engine: str
    seconds: float

    @property
    def entries_per_second(self) -> float:
        return self.entries / self.seconds if self.seconds > 0 else 0.0

    def summary(self) -> dict[str, Any]:
        """The verdict for programs: digests in hex."""
        return {
            "ok": self.ok,
            "engine": self.engine,
            "genesis": self.genesis.hex(),
            "state": self.state.hex(),
            "entries": self.entries,
            "by_type": self.by_type,
            "documents": self.documents,
            "statuses": self.statuses,
            "overdrawn": self.overdrawn,
            "draws": {"open": self.draws_open, "closed": self.draws_closed},
            "stages": self.stages,
            "claims": self.claims,
            "failures": [asdict(failure) for failure in self.failures],
            "seconds": round(self.seconds, 3),
            "entries_per_second": round(self.entries_per_second, 1),
        }


@dataclass
class AuditState:
    """The auditor's own state: what the entries so far add up to."""

    parameters: Parameters
    documents: dict[bytes, DocumentState] = field(default_factory=dict)
    applications: dict[bytes, ApplicationState] = field(default_factory=dict)
    draws: dict[bytes, DrawState] = field(default_factory=dict)
    consents: set[tuple[bytes, bytes]] = field(default_factory=set)

    def document(self, document: bytes) -> DocumentState:
        """Raises StateError when it was never registered."""
        if document not in self.documents:
            raise StateError("the document was never registered")
        return self.documents[document]

    def application(self, draw: bytes) -> ApplicationState:
        """Raises StateError when there is none."""
        if draw not in self.applications:
            raise StateError("there is no application for a draw of this id")
        return self.applications[draw]

    def draw(self, draw: bytes) -> DrawState:
        """Raises StateError when it was never committed."""
        if draw not in self.draws:
            raise StateError("the draw was never committed")
        return self.draws[draw]

    def digest(self) -> bytes:
        """SHA-256 over all that counts of every document, application and draw, each in order of id."""
        hashed = hashlib.sha256(frame([b"TRADEVEIL-V01-audit-state", self.parameters.origin.encode("ascii")]))
        for _, document in sorted(self.documents.items()):
            hashed.update(frame(_document_parts(document)))
        for _, application in sorted(self.applications.items()):
            stage = application.stage.encode("ascii")
            hashed.update(frame([b"application", application.draw, application.head, stage]))
        for _, draw in sorted(self.draws.items()):
            stage, expires = draw.stage.encode("ascii"), draw.expires.to_bytes(8, "big")
            hashed.update(frame([b"draw", draw.draw, draw.head, draw.outstanding.encode(), stage, expires]))
        return hashed.digest()


def _document_parts(document: DocumentState) -> list[bytes]:
    """What the state digest covers of a document."""
    return [
        b"document",
        document.document,
        document.head,
        document.limit.encode(),
        document.residual.encode(),
        document.status.encode("ascii"),
        document.revision,
        document.replacement,
        b"overdrawn" if document.is_overdrawn else b"",
        b"taken" if document.taken else b"",
    ]


# --- one entry ------------------------------------------------------------------------------------------------------------


def apply_entry(suite: Suite, state: AuditState, entry: AnyEntry, leaf: bytes, label: str) -> list[Claim]:
    """Move the state past one entry and return the claims that justify it, which are still to be verified.

    Raises ZkError or EntryRejected for what is wrong on its face; the state is then unchanged.
    """
    step = _Step(suite, state, entry.time, leaf, label)
    group = suite.group
    match entry:
        case Registered():
            return step.register(entry.body.decode(group))
        case StatusChanged():
            return step.status(entry.body.decode(group))
        case Amended():
            return step.amend(entry.body.decode(group))
        case ShownOverdrawn():
            return step.overdrawn(entry.body.decode(group))
        case Applied():
            return step.apply(entry.body.decode(group))
        case Decided():
            return step.decide(entry.body.decode(group))
        case Drawn():
            return step.draw(entry.body.decode(group))
        case Disbursed():
            return step.disburse(entry.body.decode(group))
        case Reduced():
            return step.reduce(entry.body.decode(group))
        case Closed():
            return step.close(entry.body.decode(group))
        case Expired():
            return step.expire(entry.body.decode(group))
        case Genesis():
            raise EntryRejected("genesis", "a log has one genesis, and it stands first")


@dataclass(frozen=True)
class _Step:
    """One entry of time `at` and with this leaf hash, taken past the state. Each method checks before it changes anything."""

    suite: Suite
    state: AuditState
    at: int
    leaf: bytes
    label: str

    # Documents.

    def register(self, operation: Register) -> list[Claim]:
        if operation.document in self.state.documents:
            raise StateError("the document was registered before")
        claims = ledger.check_register(self.suite, self.state.parameters, operation, self.label)
        self._put(ledger.registered(operation, self.leaf))
        return claims

    def status(self, operation: ChangeStatus) -> list[Claim]:
        document = self.state.document(operation.document)
        claims = ledger.check_status(self.suite, self.state.parameters, document, operation, self.label)
        self._put(ledger.status_changed(document, operation, self.leaf))
        return claims

    def amend(self, operation: Amend) -> list[Claim]:
        document = self.state.document(operation.document)
        claims = ledger.check_amend(self.suite, self.state.parameters, document, operation, self.label)
        self._put(ledger.amended(document, operation, self.leaf))
        return claims

    def overdrawn(self, operation: Overdrawn) -> list[Claim]:
        document = self.state.document(operation.document)
        claims = ledger.check_overdrawn(self.suite, self.state.parameters, document, operation, self.label)
        self._put(ledger.shown_overdrawn(document))
        return claims

    # Applications.

    def apply(self, operation: Apply) -> list[Claim]:
        if operation.draw in self.state.applications or operation.draw in self.state.draws:
            raise StateError("an application or a draw of this id is on the log")
        document = self.state.document(operation.document)
        ledger.check_apply_time(operation, self.at)
        claims = ledger.check_apply(self.suite, self.state.parameters, document, operation, self.label)
        self.state.applications[operation.draw] = ledger.applied(operation, self.leaf)
        return claims

    def decide(self, operation: Decide) -> list[Claim]:
        application = self.state.application(operation.draw)
        known = ledger.facts(self.state.document(application.document))
        claims = ledger.check_decide(self.suite, self.state.parameters, known, application, operation, self.label)
        self.state.applications[operation.draw] = ledger.decided(application, operation, self.leaf)
        return claims

    # Draws.

    def draw(self, operation: Draw) -> list[Claim]:
        state, draft = self.state, operation.draft
        document, application = state.document(draft.document), state.applications.get(draft.draw)
        if draft.draw in state.draws:
            raise StateError("a draw of this id was committed before")
        consent = None if draft.consent is None else (draft.document, draft.consent.application)
        if consent in state.consents:
            raise StateError("the owner's consent was used before")
        ledger.check_draw_time(state.parameters, document, draft, self.at)
        ledger.check_application(state.parameters, document, draft, application)
        moved = self._moved(document, draft)
        claims = ledger.check_draw(self.suite, state.parameters, document, operation, self.label, moved)
        after, drawn = ledger.drawn(state.parameters, document, operation, self.leaf, moved)
        self._put(after, drawn)
        if moved is not None:
            state.draws[moved.draw] = ledger.moved_away(moved, self.leaf)
        if application is not None:
            state.applications[draft.draw] = ledger.reserved(application, self.leaf)
        if consent is not None:
            state.consents.add(consent)
        return claims

    def _moved(self, document: DocumentState, draft: Draft) -> DrawState | None:
        """The draw that a draft takes over, on a document that this one replaces."""
        if draft.moves is None:
            return None
        moved = self.state.draw(draft.moves)
        ledger.check_replaced(document, self.state.document(moved.document), moved)
        return moved

    def disburse(self, operation: Disburse) -> list[Claim]:
        document, draw = self._drawn(operation.draw)
        ledger.check_disburse_time(draw, self.at)
        known = ledger.facts(document)
        claims = ledger.check_disburse(self.suite, self.state.parameters, known, draw, operation, self.label)
        self._put(*ledger.disbursed(document, draw, operation, self.leaf))
        return claims

    def reduce(self, operation: Reduce) -> list[Claim]:
        document, draw = self._drawn(operation.draw)
        parameters, known = self.state.parameters, ledger.facts(document)
        claims = ledger.check_reduce(self.suite, parameters, known, draw, operation, self.label)
        self._put(*ledger.reduced(parameters, document, draw, operation, self.leaf))
        return claims

    def close(self, operation: Close) -> list[Claim]:
        document, draw = self._drawn(operation.draw)
        parameters, known = self.state.parameters, ledger.facts(document)
        claims = ledger.check_close(self.suite, parameters, known, draw, operation, self.label)
        self._put(*ledger.closed(parameters, document, draw, self.leaf))
        return claims

    def expire(self, operation: Expire) -> list[Claim]:
        document, draw = self._drawn(operation.draw)
        ledger.check_expire(draw, self.at)
        self._put(*ledger.expired(document, draw, self.leaf))
        return []

    def _drawn(self, named: bytes) -> tuple[DocumentState, DrawState]:
        draw = self.state.draw(named)
        return self.state.document(draw.document), draw

    def _put(self, document: DocumentState, draw: DrawState | None = None) -> None:
        self.state.documents[document.document] = document
        if draw is not None:
            self.state.draws[draw.draw] = draw


# --- the whole export -----------------------------------------------------------------------------------------------------


class Replay:
    """One audit under way: `feed` the lines in order until there are `failures`, then `settle`, then ask for the `verdict`."""

    def __init__(
        self, suite: Suite, *, batch_claims: int | None = None, expected_genesis: bytes | None = None, threads: int = 1
    ) -> None:
        self.failures: list[Failure] = []
        self.entries = 0
        self.claims = 0
        self.genesis = b""
        self.state: AuditState | None = None
        self._suite = suite
        self._batch_claims = batch_claims or (BATCH_CLAIMS if suite.twin is None else BATCH_CLAIMS_OF_TWINS)
        self._threads = threads
        self._expected_genesis = expected_genesis
        self._by_type: Counter[str] = Counter()
        self._time = 0
        self._pending: list[Claim] = []

    def feed(self, line: bytes) -> None:
        """One line, without its line feed. Records what is wrong instead of raising it."""
        try:
            self._take(line)
        except (ZkError, EntryRejected) as error:
            self.settle()  # An earlier entry whose proofs are still to be checked may be the true cause.
            self.failures.append(Failure(self.entries, "entry", error.code, str(error)))
            return
        self.entries += 1
        if len(self._pending) >= self._batch_claims:
            self.settle()

    def _take(self, line: bytes) -> None:
        encoded = _entry_of(line, self.entries)
        entry = decode_entry(encoded)
        if entry.time < self._time:
            raise EntryRejected("time", "the entry is older than the one before it")
        if self.state is None:
            self.state = self._begin(entry, encoded)
        else:
            label = f"{self.entries}:{entry.type}"
            self._pending += apply_entry(self._suite, self.state, entry, leaf_hash(encoded), label)
        self._by_type[entry.type] += 1
        self._time = entry.time

    def _begin(self, entry: AnyEntry, encoded: bytes) -> AuditState:
        if not isinstance(entry, Genesis):
            raise EntryRejected("genesis", "the first entry of a log is its genesis")
        self.genesis = leaf_hash(encoded)
        if self._expected_genesis not in (None, self.genesis):
            raise EntryRejected("genesis", "this is another log than the one expected")
        state = AuditState(entry.parameters(self._suite))
        self.claims += 1 + len(state.parameters.attesters)  # The proofs of possession, which `parameters` verified.
        return state

    def settle(self) -> None:
        """Verify what is pending."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        self.claims += len(pending)
        try:
            verify(self._suite, pending, self._threads)
        except BatchRejected as rejected:
            self.failures += [_false_claim(label, error) for label, error in rejected.failures]

    def verdict(self, seconds: float) -> Verdict:
        """What was found, once everything is settled."""
        empty = (Failure(0, "entry", "genesis", "the export is empty"),) if not self.entries and not self.failures else ()
        failures, state = (*self.failures, *empty), self.state
        draws = () if state is None else state.draws.values()
        documents = () if state is None else state.documents.values()
        closed = sum(draw.closed for draw in draws)
        return Verdict(
            ok=not failures,
            entries=self.entries,
            by_type=dict(sorted(self._by_type.items())),
            documents=len(documents),
            draws_open=len(draws) - closed,
            draws_closed=closed,
            stages={} if state is None else _stages(state),
            statuses=dict(sorted(Counter(document.status for document in documents).items())),
            overdrawn=sum(document.is_overdrawn for document in documents),
            claims=self.claims,
            failures=failures,
            genesis=self.genesis,
            state=state.digest() if state is not None and not failures else b"",
            engine=self._suite.engine,
            seconds=seconds,
        )


def _stages(state: AuditState) -> dict[str, int]:
    """Applications and draws by stage. An application whose draw is committed counts as that draw alone."""
    applications = Counter(f"application {item.stage}" for item in state.applications.values() if item.draw not in state.draws)
    draws = Counter(draw.stage for draw in state.draws.values())
    return dict(sorted((applications + draws).items()))


def _entry_of(line: bytes, index: int) -> bytes:
    """The bytes of the entry in its line, which decode_entry then checks to be canonical: so the whole line is."""
    if len(line) > MAXIMUM_LINE_SIZE or not line.startswith(LINE_START):
        raise EntryRejected("encoding", "this is not a line of an export")
    if not line.endswith(line_end(index)):
        raise EntryRejected("index", f"entry {index} should stand here; one is missing, repeated or out of order")
    return line[len(LINE_START) : -len(line_end(index))]


def _false_claim(label: str, error: ZkError) -> Failure:
    index, _, what = label.partition(":")
    return Failure(int(index), what, error.code, str(error))


def count_lines(file: BinaryIO) -> int:
    """How many lines a file has, for a progress bar; afterwards it stands at its beginning again."""
    feeds = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    file.seek(0)
    return feeds


def read_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file without their line feeds, in bounded memory: a line too long for an export comes cut."""
    while line := file.readline(MAXIMUM_LINE_SIZE + 2):
        yield line.removesuffix(b"\n")


def replay(
    suite: Suite,
    lines: Iterable[bytes],
    *,
    expected_genesis: bytes | None = None,
    batch_claims: int | None = None,
    threads: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[int], None] | None = None,
) -> Verdict:
    """Audit the lines of an export. `expected_genesis` pins the log by the leaf hash of its first entry. An engine that can
    verifies on up to `threads` cores.

    `progress` is called with the number of entries taken so far.
    """
    started = clock()
    audit = Replay(suite, batch_claims=batch_claims, expected_genesis=expected_genesis, threads=threads)
    for line in lines:
        audit.feed(line)
        if progress is not None:
            progress(audit.entries)
        if audit.failures:
            break
    audit.settle()
    return audit.verdict(clock() - started)
