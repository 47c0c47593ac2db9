"""Area `service`: what a bank waits for. The real service on SQLite, and on PostgreSQL where TRADEVEIL_TEST_DATABASE names one.

Service, database and clients share this machine. Every proof was made before, except on the documents that carry many draws,
where each proof rests on the receipt of the draw before; what is timed is always from the request sent to its answer read.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from benchmarks import papers, plot, scenario, serving, workers
from benchmarks.measure import Effort, Progress, Recorder
from benchmarks.plot import Line
from benchmarks.report import Row, Target
from benchmarks.scenario import Document, World
from benchmarks.serving import Answer, Request, Service
from benchmarks.workers import Committed
from schemas.answers import BatchAccepted, BatchPage, FinancingAnswer, RegistrationAnswer
from schemas.messages import DrawMessage
from schemas.wire import encode_base64url
from zkcore.secret.keys import SigningSecret

AREA = "service"
FEW_LENDERS = 3
CONNECTIONS = 32
RACERS = 16
_REGISTERED_AT_ONCE = 100
_FOUND, _CREATED, _ACCEPTED, _BLOCKED, _CONFLICT = 200, 201, 202, 403, 409
_FLAT = 1.1


def measure(engines: Sequence[str], effort: Effort, progress: Progress) -> list[Row]:
    """All rows of this area, with the engine that the service chooses."""
    world = workers.world(workers.proving_engine())
    count = effort.idle + effort.loaded + effort.batch + effort.races + effort.compared + 2
    registrations = workers.in_parallel(workers.prove_registration, count, f"proving {count} registrations", progress)
    rows = []
    with serving.databases() as databases:
        for name, database in databases.items():
            serving.begin(world, database)
            bench = Bench(Recorder(AREA, f"{world.suite.engine} on {name}"), world, database, effort, progress)
            rows += bench.measure(registrations)
    return rows


@dataclass
class Bench:
    """One database under measurement."""

    recorder: Recorder
    world: World
    database: str
    effort: Effort
    progress: Progress

    def measure(self, registrations: Sequence[bytes]) -> list[Row]:
        """All rows for this database."""
        effort = self.effort
        starts = []
        for _ in range(effort.starts):
            with serving.running(self.database) as service:
                starts.append(service.ready)
        self.recorder.figure("start", "start-up until ready, one process", "s", starts, target=(3, 1))
        with serving.running(self.database, serving.workers_for(self.database)) as service:
            unused = iter(self._register(service, registrations))
            self._idle(service, list(islice(unused, effort.idle)))
            self._load(service, list(islice(unused, effort.loaded)))
            self._batch(service, list(islice(unused, effort.batch)))
            self._race(service, list(islice(unused, effort.races)))
            self._growth(service, list(islice(unused, 2)), list(islice(unused, effort.compared)))
        return self.recorder.rows

    def _register(self, service: Service, registrations: Sequence[bytes]) -> list[Committed]:
        """All documents, registered: what the proofs of draws on them need."""
        found: list[Committed] = []
        for first in range(0, len(registrations), _REGISTERED_AT_ONCE):
            some = registrations[first : first + _REGISTERED_AT_ONCE]
            (answer,) = serving.in_turn(service.port, [Request("/v1/documents", b'{"documents":[' + b",".join(some) + b"]}")])
            expect(answer, _CREATED)
            receipts = RegistrationAnswer.model_validate_json(answer.body).receipts
            found += [(first + i, some[i], receipt.leaf) for i, receipt in enumerate(receipts)]
        return found

    def _prove(self, committed: Sequence[Committed]) -> list[bytes]:
        return workers.over(workers.prove_first_draw, committed, f"proving {len(committed)} draws", self.progress)

    def _idle(self, service: Service, committed: Sequence[Committed]) -> None:
        answers = serving.in_turn(service.port, [financing([draw]) for draw in self._prove(committed)])
        taken = [expect(answer, _CREATED).milliseconds for answer in answers[len(answers) // 10 :]]
        self.recorder.figure("idle", "verify and commit, idle service", "ms", taken, target=(12, 5))
        self.recorder.figure("idle-p99", "verify and commit, idle service, p99", "ms", [quantile(taken, 0.99)])

    def _load(self, service: Service, committed: Sequence[Committed]) -> None:
        requests = [financing([draw]) for draw in self._prove(committed)]
        answers = [expect(a, _CREATED) for a in serving.under_load(service.port, requests, CONNECTIONS)]
        seconds = max(a.answered for a in answers) - min(a.sent for a in answers)
        taken = [answer.milliseconds for answer in answers]
        sqlite = self.database.startswith("sqlite")
        rate: Target = (200, None) if sqlite else (300, 800)
        of = f"{CONNECTIONS} clients"
        self.recorder.figure(
            "load", f"verify and commit, {of}", "1/s", [len(answers) / seconds], items=len(answers), target=rate
        )
        self.recorder.figure("load-latency", f"latency, {of}", "ms", taken)
        p99 = quantile(taken, 0.99)
        self.recorder.figure("load-p99", f"latency, {of}, p99", "ms", [p99], target=(None if sqlite else 150, None))

    def _batch(self, service: Service, committed: Sequence[Committed]) -> None:
        """From a file of papers to the receipts of what is drawn on them: a bank checks that all are authentic and financeable,
        and sends a financing a line, read from disk as well."""
        count = len(committed)
        draws = self._prove(committed)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shown = papers.publish(self.world, service, [workers.registered(self.world, one) for one in committed], folder)
            (folder / "papers.csv").write_bytes(shown)
            (folder / "draws").write_bytes(b"\n".join(financing([draw]).body for draw in draws))
            bank = papers.open_desk(self.world, service, folder, "bank", serving.BANK)
            started = time.perf_counter()
            if papers.check(bank, (folder / "papers.csv").read_bytes()) != count:
                raise RuntimeError("authentic papers were not confirmed")
            checked = time.perf_counter()
            request = Request("/v1/batches", (folder / "draws").read_bytes(), media_type="application/x-ndjson")
            answer = expect(serving.in_turn(service.port, [request])[0], _ACCEPTED)
            receipts = self._receipts(service, BatchAccepted.model_validate_json(answer.body))
            done = time.perf_counter()
        if receipts != count:
            raise RuntimeError("a batch was not committed whole")
        self.recorder.figure(
            "authenticity", f"{count} declarations found authentic and financeable", "s", [checked - started], items=count
        )
        self.recorder.figure("batch-draws", f"{count} draws committed in one batch", "s", [done - checked], items=count)
        title = f"{count} declarations checked and drawn on, from file to receipts"
        self.recorder.figure("batch", title, "s", [done - started], items=count, target=(3, 1))

    def _receipts(self, service: Service, accepted: BatchAccepted) -> int:
        """How many lines were committed, asked for page by page as they are decided."""
        following = receipts = 0
        while following < accepted.total:
            path = f"/v1/batches/{encode_base64url(accepted.batch)}?from={following}&limit=500"
            answer = expect(serving.in_turn(service.port, [Request(path, b"", method="GET")])[0], _FOUND)
            page = BatchPage.model_validate_json(answer.body)
            receipts += sum(line.answer is not None for line in page.lines)
            following += len(page.lines)
            if not page.lines:
                time.sleep(0.02)
        return receipts

    def _race(self, service: Service, committed: Sequence[Committed]) -> None:
        """Sixteen draws of a bank that rest on one head, at once: one is committed, and fifteen are refused, the last of them
        because so many were."""
        rounds = []
        for one in committed:
            requests = [financing([draw]) for draw in self._prove([one] * RACERS)]
            answers = serving.together(service.port, requests, RACERS)
            first, *others = sorted(answer.status for answer in answers)
            if first != _CREATED or not set(others) <= {_BLOCKED, _CONFLICT}:
                raise RuntimeError(f"a race did not have exactly one winner: {first}, {others}")
            rounds.append((max(a.answered for a in answers) - min(a.sent for a in answers)) * 1000)
        title = f"{RACERS} clients on one document, until all are answered"
        self.recorder.figure("race", title, "ms", rounds, items=RACERS)

    # --- documents that carry much ----------------------------------------------------------------------------------------

    def _growth(self, service: Service, grown: Sequence[Committed], fresh: Sequence[Committed]) -> None:
        """The same draw on a document without any, on one with many draws of few banks, and on one of many banks: in turn, so
        that whatever else the machine does hits all alike."""
        few = Chain(self.world, workers.registered(self.world, grown[0]), self._lenders(FEW_LENDERS))
        many = Chain(self.world, workers.registered(self.world, grown[1]), self._lenders(self.effort.lenders))
        self._grow(service, few, self.effort.drawn)
        self._grow(service, many, self.effort.lenders)
        first = [financing([draw]) for draw in self._prove(fresh)]
        alone: list[float] = []
        by_few: list[float] = []
        by_many: list[float] = []
        for request in first:
            alone.append(expect(serving.in_turn(service.port, [request])[0], _CREATED).milliseconds)
            by_few.append(few.draw(service))
            by_many.append(many.draw(service))
        drawn, lenders = self.effort.drawn, self.effort.lenders
        self.recorder.figure("draws-1", "first draw on a document", "ms", alone)
        self.recorder.figure(f"draws-{drawn}", f"draw after {drawn} draws of {FEW_LENDERS} banks", "ms", by_few)
        self.recorder.figure(f"banks-{lenders}", f"draw after {lenders} draws of {lenders} banks", "ms", by_many)
        ratio = median(by_few) / median(alone)
        self.recorder.figure("draws-ratio", f"cost after {drawn} draws, to the first", "ratio", [ratio], target=(_FLAT, None))
        ratio = median(by_many) / median(by_few)
        title = f"cost with {lenders} banks, to {FEW_LENDERS}"
        self.recorder.figure("banks-ratio", title, "ratio", [ratio], target=(_FLAT, None))

    def _lenders(self, count: int) -> list[SigningSecret]:
        return [scenario.bank(self.world, number) for number in range(count)]

    def _grow(self, service: Service, chain: Chain, count: int) -> None:
        with self.progress(f"drawing {count} times on one document") as report:
            for done in range(count):
                chain.draw(service)
                report(done + 1, count)


@dataclass
class Chain:
    """A document and the banks that draw on it in turn, each draw proven on what the one before left."""

    world: World
    paper: Document
    lenders: Sequence[SigningSecret]
    drawn: int = 0

    def draw(self, service: Service) -> float:
        """Draw a little. Returns the milliseconds that the service took."""
        lender = self.lenders[self.drawn % len(self.lenders)]
        operation, key, opening = scenario.draw(
            self.world, self.paper, 1 + self.drawn, lender=lender, expires=workers.in_an_hour()
        )
        body = DrawMessage.of(operation).model_dump_json().encode("ascii")
        answer = expect(serving.in_turn(service.port, [financing([body])])[0], _CREATED)
        leaf = FinancingAnswer.model_validate_json(answer.body).draws[0].receipt.leaf
        after, _ = scenario.after_draw(self.world, self.paper, operation, key, opening, leaf)
        self.paper, self.drawn = replace(after), self.drawn + 1
        return answer.milliseconds


def financing(draws: Sequence[bytes]) -> Request:
    """A financing of these draws, under a fresh key."""
    return Request("/v1/financings", b'{"lines":[' + b",".join(draws) + b"]}")


def expect(answer: Answer, status: int) -> Answer:
    """The answer. Raises RuntimeError when the service answered otherwise: figures of refusals would be no figures."""
    if answer.status != status:
        raise RuntimeError(f"the service answered {answer.status} where {status} was expected: {answer.body[:300]!r}")
    return answer


def quantile(values: Sequence[float], part: float) -> float:
    """By nearest rank."""
    return sorted(values)[math.ceil(part * len(values)) - 1]


def median(values: Sequence[float]) -> float:
    """By nearest rank."""
    return quantile(values, 0.5)


def draw(rows: Sequence[Row]) -> str:
    """What a draw costs by how many a document carries, as an SVG document."""
    lines = []
    for name in dict.fromkeys(row.engine for row in rows if row.area == AREA):
        figures = {int(row.name.split("-")[1]): row.median for row in rows if row.engine == name and _is_growth(row)}
        lines.append(Line(name, sorted(figures.items()), "strong"))
    return plot.draw("Verify and commit on a document that carries draws", "draws on the document", "ms a draw", lines)


def _is_growth(row: Row) -> bool:
    kind, _, count = row.name.partition("-")
    return kind in ("draws", "banks") and count.isdigit()
