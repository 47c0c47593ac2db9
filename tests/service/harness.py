"""A client of a service in the same process, which also looks into its database; and services in processes of their own."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, delete, insert, select, text

from parties.common.request_keys import Requester, RequestSecret, RequestSigner
from schemas.answers import DocumentReceipt, FinancingAnswer, RegistrationAnswer, StepsAnswer
from schemas.canonical import canonical
from schemas.messages import AmendMessage, ChangeStatusMessage, OverdrawnMessage, ViewMessage
from schemas.problems import CONTENT_TYPE, Problem, ProblemType
from schemas.wire import encode_base64url
from service.app import create_app
from service.genesis import store
from service.institutions.pseudonyms import Pseudonyms
from service.institutions.registry import Registry, Role
from service.settings import DATABASE_VARIABLE, KEY_NAME, TOKEN_NAME, Settings
from service.storage import Moved, Storage, database_address, open_storage
from service.verifier import Verifier
from tests.builders import (
    NOW,
    ORIGIN,
    Loan,
    NewDocument,
    NewDraw,
    NewReduction,
    Paper,
    World,
    financing_request,
    make_amend,
    make_disburse,
    make_draw,
    make_register,
    make_status,
    registration_request,
    steps_request,
)
from zkcore import ledger
from zkcore.context import ABSENT
from zkcore.operations import (
    Amend,
    Apply,
    ChangeStatus,
    Close,
    Decide,
    Disburse,
    Overdrawn,
    Reduce,
    View,
)
from zkcore.randomness import SystemRandomness

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-the-auditors-of-this-test"
SERVICE_KEY = bytes(range(32))
ATTESTER_KEY, BANK_KEY, REGULATOR_KEY = (RequestSecret(letter * 32) for letter in (b"a", b"b", b"r"))
"""Request keys of the institutions that every test's service has admitted."""
ATTESTER, BANK, REGULATOR = "customs", "bank", "regulator"
NEVER_BLOCKED = 1 << 30
"""For tests that look at refusals one by one; blocks have tests of their own."""
ADMISSION = frozenset({"request_nonces", "counters", "refusals"})
"""Tables in which a request leaves a trace even where it is refused: that it was signed and counted, and that its headroom was
not proven. tests/service/institutions says exactly when."""
A = TypeVar("A", bound=BaseModel)
_OF_ATTESTERS = re.compile(r"/v1/(documents|credentials|documents/[^/]*/(status|amendments))")
_OF_REGULATORS = re.compile(r"/v1/documents/[^/]*/overdrawn")
_UNSIGNED = re.compile(r"/v1/(documents/[^/]*/view|statuses)")
JSON = {"Content-Type": "application/json"}
Dump = dict[str, list[tuple[Any, ...]]]


@dataclass
class Desk:
    """A service at work. `now` is its clock, which stands still."""

    world: World
    app: FastAPI
    client: TestClient
    database: Engine
    now: int = NOW
    _keys: Iterator[int] = field(default_factory=count)

    @property
    def verifier(self) -> Verifier:
        verifier: Verifier = self.app.state.verifier
        return verifier

    def key(self) -> str:
        """A fresh Idempotency-Key."""
        return f"test-request-{next(self._keys):08}"

    def dump(self) -> Dump:
        """Every row of every table that there is."""
        tables = MetaData()
        tables.reflect(self.database)
        with self.database.connect() as connection:
            rows = {table.name: [tuple(row) for row in connection.execute(table.select())] for table in tables.sorted_tables}
        return {name: sorted(found, key=repr) for name, found in rows.items()}

    def kept(self) -> Dump:
        """The same, without what tells only that a request was signed, counted and refused."""
        return {name: rows for name, rows in self.dump().items() if name not in ADMISSION}

    # --- calls that answer whatever comes -------------------------------------------------------------------------------

    def post(
        self,
        path: str,
        message: BaseModel | bytes,
        *,
        key: str | None = None,
        signed_by: RequestSecret | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Send a message, or bytes as they are, with a fresh Idempotency-Key unless one is given, signed by whoever usually
        does or by the holder of another request key."""
        body = message if isinstance(message, bytes) else canonical(message)
        sent = {**JSON, "Idempotency-Key": key or self.key(), **headers}
        auth = self.client.auth if signed_by is None else signer(signed_by, lambda: self.now)
        response: httpx.Response = self.client.post(path, content=body, headers=sent, auth=auth)
        return response

    def admit(self, holder: str, role: Role, **options: Any) -> RequestSecret:
        """A further institution, and its request key; `options` as for Registry.admit."""
        secret = RequestSecret(hashlib.sha256(holder.encode()).digest())
        self.verifier.institutions.registry.admit(holder, role, secret.public, self.now, **options)
        return secret

    def get(self, path: str, **headers: str) -> httpx.Response:
        response: httpx.Response = self.client.get(path, headers=headers)
        return response

    def export(self, query: str = "") -> httpx.Response:
        return self.get(f"/v1/entries{query}", Authorization=f"Bearer {TOKEN}")

    def send_documents(self, documents: Sequence[NewDocument], key: str | None = None) -> httpx.Response:
        return self.post("/v1/documents", registration_request(documents), key=key)

    def send_draws(
        self, draws: Sequence[NewDraw], key: str | None = None, signed_by: RequestSecret | None = None
    ) -> httpx.Response:
        return self.post("/v1/financings", financing_request(draws), key=key, signed_by=signed_by)

    def send_steps(self, *steps: Apply | Decide | Disburse | Reduce | Close, key: str | None = None) -> httpx.Response:
        return self.post("/v1/steps", steps_request(steps), key=key)

    def send_reduction(self, reduction: NewReduction, key: str | None = None) -> httpx.Response:
        return self.send_steps(reduction.operation, key=key)

    def send_close(self, operation: Close, key: str | None = None) -> httpx.Response:
        return self.send_steps(operation, key=key)

    def send_status(self, operation: ChangeStatus, key: str | None = None) -> httpx.Response:
        message = ChangeStatusMessage.of(operation)
        return self.post(f"/v1/documents/{encode_base64url(message.document)}/status", message, key=key)

    def send_amendment(self, operation: Amend, key: str | None = None) -> httpx.Response:
        message = AmendMessage.of(operation)
        return self.post(f"/v1/documents/{encode_base64url(message.document)}/amendments", message, key=key)

    def send_overdrawn(self, operation: Overdrawn, key: str | None = None) -> httpx.Response:
        message = OverdrawnMessage.of(operation)
        return self.post(f"/v1/documents/{encode_base64url(message.document)}/overdrawn", message, key=key)

    def send_view(self, operation: View) -> httpx.Response:
        message = ViewMessage.of(operation)
        return self.post(f"/v1/documents/{encode_base64url(message.document)}/view", message)

    # --- calls that must succeed ----------------------------------------------------------------------------------------

    def register(self, *limits: int, currency: str = "USD") -> list[Paper]:
        """Documents with these limits, registered together."""
        documents = [make_register(self.world, limit, currency=currency) for limit in limits]
        answer = accepted(self.send_documents(documents), RegistrationAnswer)
        return [document.committed(receipt.leaf) for document, receipt in zip(documents, answer.receipts, strict=True)]

    def finance(self, *draws: NewDraw) -> list[tuple[Paper, Loan]]:
        """Commit these draws together."""
        answer = accepted(self.send_draws(draws), FinancingAnswer)
        return [draw.committed(line.receipt.leaf) for draw, line in zip(draws, answer.draws, strict=True)]

    def draw(self, paper: Paper, amount: int) -> tuple[Paper, Loan]:
        """Draw this amount."""
        return self.finance(make_draw(self.world, paper, amount))[0]

    def disburse(self, paper: Paper, loan: Loan, rest: int = 0) -> tuple[Paper, Loan]:
        """Pay out all that is reserved but `rest`."""
        disbursement = make_disburse(self.world, paper, loan, rest)
        answer = accepted(self.send_steps(disbursement.operation), StepsAnswer)
        return disbursement.committed(paper, loan, answer.steps[0].receipt.leaf)

    def lend(self, paper: Paper, amount: int) -> tuple[Paper, Loan]:
        """Draw and disburse this amount."""
        return self.disburse(*self.draw(paper, amount))

    def reduce(self, reduction: NewReduction, paper: Paper, loan: Loan) -> tuple[Paper, Loan]:
        """Commit a reduction."""
        answer = accepted(self.send_reduction(reduction), StepsAnswer)
        return reduction.committed(self.world, paper, loan, answer.steps[0].receipt.leaf)

    def change(self, paper: Paper, status: str, replacement: bytes = ABSENT) -> Paper:
        """The attester says what became of a document."""
        operation = make_status(self.world, paper, status, replacement)
        answer = accepted(self.send_status(operation), DocumentReceipt)
        return replace(paper, state=ledger.status_changed(paper.state, operation, answer.receipt.leaf))

    def amend(self, paper: Paper, before: int, limit: int) -> Paper:
        """The attester replaces the limit of `before` minor units."""
        amendment = make_amend(self.world, paper, before, limit)
        answer = accepted(self.send_amendment(amendment.operation), DocumentReceipt)
        return amendment.committed(paper, answer.receipt.leaf)


@contextmanager
def make_desk(world: World, database: str, **options: Any) -> Iterator[Desk]:
    """A service over an empty database at this URL; `options` are Settings."""
    begin_anew(world, database)
    with open_desk(world, database, **options) as desk:
        yield desk


@contextmanager
def open_desk(world: World, database: str, **options: Any) -> Iterator[Desk]:
    """A service over a database that holds a log, as it is; `options` are Settings."""
    engine = create_engine(database_address(database))
    settings = replace(Settings(database, TOKEN, SERVICE_KEY, refusals=NEVER_BLOCKED, threads=8), **options)
    desk: Desk
    app = create_app(settings, world.suite, lambda: desk.now)
    try:
        with TestClient(app) as client:
            client.auth = SignedByRole(lambda: desk.now)
            desk = Desk(world, app, client, engine)
            yield desk
    finally:
        engine.dispose()


_FILES: dict[bytes, bytes] = {}
_ROWS: dict[tuple[str, bytes], tuple[str, list[tuple[Table, list[Any]]]]] = {}
"""Logs that were begun by this process: by genesis, the file of an SQLite database; by database and genesis, the shape of a
PostgreSQL database and all its rows. To make tables takes up to a second, and a thousand tests begin with new ones."""


def begin_anew(world: World, database: str) -> None:
    """A log with the world's genesis, and nothing else in the database."""
    file = _file_of(database)
    if file is not None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{file}{suffix}").unlink(missing_ok=True)
        begin_log(world, database)
        return
    key, engine = (database, canonical(world.genesis)), create_engine(database_address(database))
    with engine.begin() as connection:
        shape, content = _ROWS.get(key, ("", []))
        begun = shape == _shape(connection)
        if begun:
            for table, _ in reversed(content):
                connection.execute(delete(table))
            for table, rows in content:
                if rows:
                    connection.execute(insert(table), rows)
    if not begun:
        empty(engine)
        begin_log(world, database)
        with engine.begin() as connection:
            tables = MetaData()
            tables.reflect(connection)
            found = [(table, connection.execute(select(table)).mappings().all()) for table in tables.sorted_tables]
            _ROWS[key] = (_shape(connection), [(table, [dict(row) for row in rows]) for table, rows in found])
    engine.dispose()


def _file_of(database: str) -> Path | None:
    """Where an SQLite database is; None for any other."""
    address = database_address(database)
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


_SHAPE = """
SELECT md5(coalesce(string_agg(part, ',' ORDER BY part), '')) FROM (
    SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, is_nullable) AS part
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT concat_ws(' ', conrelid::regclass, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
) AS parts
"""


def _shape(connection: Connection) -> str:
    """A digest of what tables, columns, indices and constraints there are in a PostgreSQL database."""
    return str(connection.scalar(text(_SHAPE)))


def begin_log(world: World, database: str) -> None:
    """A log with the world's genesis in an empty database, and its attester and its bank admitted."""
    file, key = _file_of(database), canonical(world.genesis)
    new = file is not None and not file.exists()
    if file is not None and new and key in _FILES:
        file.touch(mode=0o600)
        file.write_bytes(_FILES[key])
        return
    with closing(open_storage(database, world.suite.group, workers=1)) as storage:
        store(storage, world.genesis)
        admit_parties(storage, world.genesis.time)
    if file is not None and new:
        _FILES[key] = file.read_bytes()


def admit_parties(storage: Storage, time: int) -> None:
    """The attester and the bank of every test."""
    registry = Registry(storage, Pseudonyms(SERVICE_KEY))
    registry.admit(ATTESTER, "attester", ATTESTER_KEY.public, time)
    registry.admit(BANK, "bank", BANK_KEY.public, time)
    registry.admit(REGULATOR, "regulator", REGULATOR_KEY.public, time)


def make_directory(directory: Path) -> None:
    """What `tradeveil serve run` needs in its directory where the database is elsewhere."""
    for name, content in ((TOKEN_NAME, TOKEN), (KEY_NAME, encode_base64url(SERVICE_KEY))):
        path = directory / name
        path.write_text(content)
        path.chmod(0o600)


def signer(secret: RequestSecret, clock: Callable[[], int], origin: str = ORIGIN) -> RequestSigner:
    """Signs requests with this key by this clock."""
    return RequestSigner(Requester(secret, origin), clock, SystemRandomness())


class SignedByRole(httpx.Auth):
    """Signs what is written as who may write it: the attester, the regulator, or the bank; and as the bank what only it may
    read. All else that is read needs no signature."""

    requires_request_body = True

    def __init__(self, clock: Callable[[], int]) -> None:
        self._attester, self._bank = signer(ATTESTER_KEY, clock), signer(BANK_KEY, clock)
        self._regulator = signer(REGULATOR_KEY, clock)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        path = request.url.path
        if _OF_ATTESTERS.fullmatch(path) and request.method == "POST":
            yield from self._attester.auth_flow(request)
        elif _OF_REGULATORS.fullmatch(path):
            yield from self._regulator.auth_flow(request)
        elif (request.method == "POST" and not _UNSIGNED.fullmatch(path)) or path.startswith("/v1/batches"):
            yield from self._bank.auth_flow(request)
        else:
            yield request


def empty(engine: Engine) -> None:
    """Drop every table."""
    tables = MetaData()
    tables.reflect(engine)
    tables.drop_all(engine)


def accepted(response: httpx.Response, form: type[A]) -> A:
    """The answer to a write that was accepted."""
    assert response.status_code == 201, response.text
    return form.model_validate(response.json())


def refused(response: httpx.Response, expected: ProblemType) -> Problem:
    """The problem document, after checking that it is this one in every respect."""
    assert response.status_code == expected.status, response.text
    assert response.headers["Content-Type"] == CONTENT_TYPE
    problem = Problem.model_validate(response.json())
    assert (problem.type, problem.status) == (expected.uri, expected.status)
    assert (problem.title, problem.detail) == (expected.title, expected.advice)
    assert response.headers["Content-Language"] == "en"
    assert "Accept-Language" in response.headers["Vary"]
    return problem


@contextmanager
def unchanged(desk: Desk) -> Iterator[None]:
    """Nothing of the database changes within, but what tells that a request was signed, counted and refused."""
    before = desk.kept()
    yield
    assert desk.kept() == before


def always_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every change of a document or a draw finds that another one was faster."""

    def moved(*arguments: object) -> None:
        raise Moved

    monkeypatch.setattr("service.storage.Rows.check", moved)


# --- a process of its own -------------------------------------------------------------------------------------------------


@contextmanager
def process(
    directory: Path, *more: str, database: str | None = None, patience: int = 180, quiet: bool = False
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running service, and the line it printed when it was ready. It is killed in the end, and after `patience` seconds.

    more: options of `serve run`, which replace those given here
    database: its URL, unless it is the directory's own
    quiet: for a service that logs much and is not asked for it, whose log would fill the pipe and stop it
    """
    code = "from service.cli import app; app()"
    command = [sys.executable, "-c", code, "run", "--directory", str(directory), "--port", "0", *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **({} if database is None else {DATABASE_VARIABLE: database})}
    errors = subprocess.DEVNULL if quiet else subprocess.PIPE
    service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, cwd=directory)
    watchdog = threading.Timer(patience, service.kill)
    watchdog.start()
    try:
        assert service.stdout is not None
        yield service, service.stdout.readline()
    finally:
        service.kill()
        service.communicate()
        watchdog.cancel()


@contextmanager
def running(directory: Path) -> Iterator[httpx.Client]:
    """A client of a running service."""
    with process(directory) as (_, ready), httpx.Client(base_url=address(ready)) as http:
        yield http


def address(ready: str) -> str:
    """Where a service is, from the line that it printed when it was ready."""
    found = re.search(r"http://127\.0\.0\.1:\d+", ready)
    assert found, ready
    return found[0]


def free_port() -> int:
    """A loopback port that nobody listens on, for what must be found again at the same one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
