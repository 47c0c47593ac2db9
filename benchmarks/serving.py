"""A service at work on this machine, and clients of it: the real command over loopback, on a database of its own.

The client is a few lines over an event loop and no library, because it shares the processor with what is measured.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import cast

import httpx
from sqlalchemy import create_engine, make_url, text
from uvicorn.loops.auto import auto_loop_factory

from benchmarks.scenario import ORIGIN, World
from parties.common.request_keys import Requester, RequestSecret, RequestSigner
from schemas.wire import encode_base64url
from service.authenticity.keys import create_keys
from service.genesis import store
from service.institutions.pseudonyms import Pseudonyms
from service.institutions.registry import Registry
from service.settings import DATABASE_VARIABLE, EVALUATION_KEYS_NAME, KEY_NAME, TOKEN_NAME
from service.storage import database_address, open_storage
from zkcore.randomness import SystemRandomness

SERVER_VARIABLE = "TRADEVEIL_TEST_DATABASE"
"""The URL of a PostgreSQL that benchmarks may make databases in, as tools/with-postgres sets it."""

ATTESTER, BANK = RequestSecret(b"a" * 32), RequestSecret(b"b" * 32)
"""Request keys of the institutions that may call."""
_SERVICE_KEY = bytes(range(32))
_PATIENCE = 60
_CLIENTS = 2


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """An empty database of each kind that there is here, by name: its URL. They are removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        found = {"sqlite": f"sqlite:///{Path(folder) / 'service.db'}"}
        server = os.environ.get(SERVER_VARIABLE)
        if not server:
            yield found
            return
        name = f"tradeveil_benchmark_{secrets.token_hex(4)}"
        _administer(server, f"CREATE DATABASE {name}")
        try:
            yield {**found, "postgresql": make_url(server).set(database=name).render_as_string(hide_password=False)}
        finally:
            _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server: str, statement: str) -> None:
    engine = create_engine(database_address(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def begin(world: World, database: str) -> None:
    """The world's log in an empty database, with an attester and a bank that may call."""
    with closing(open_storage(database, world.suite.group, workers=1)) as storage:
        store(storage, world.genesis)
        registry = Registry(storage, Pseudonyms(_SERVICE_KEY))
        registry.admit("customs", "attester", ATTESTER.public, world.genesis.time)
        registry.admit("bank", "bank", BANK.public, world.genesis.time)


def requester(secret: RequestSecret) -> Requester:
    """Who signs requests to the service with this key."""
    return Requester(secret, ORIGIN)


@dataclass
class Service:
    """`tradeveil serve run` over a database. `ready` is how many seconds it took to be so."""

    port: int
    ready: float
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def workers_for(database: str) -> int:
    """Processes that an operator would have: one for each core, and one alone on SQLite, where only one at a time can write."""
    return 1 if database.startswith("sqlite") else os.cpu_count() or 1


@contextmanager
def running(database: str, workers: int = 1) -> Iterator[Service]:
    """A service of so many processes until it is ready, and ended afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ((TOKEN_NAME, secrets.token_urlsafe(32)), (KEY_NAME, encode_base64url(_SERVICE_KEY))):
            path = Path(folder) / name
            path.touch(mode=0o600)
            path.write_text(content)
        create_keys(Path(folder) / EVALUATION_KEYS_NAME, int(time.time()))
        options = ["--directory", folder, "--port", "0", "--workers", str(workers)]
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "tradeveil", "serve", "run", *options],
            env={**os.environ, DATABASE_VARIABLE: database},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            ready = time.perf_counter() - started
            if " is served at " not in said:
                raise RuntimeError("the service does not start; run `tradeveil serve run` and read what it says")
            yield Service(int(said.partition(" is served at ")[2].split()[0].rpartition(":")[2]), ready, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE)
            if process.stdout is not None:
                process.stdout.close()


# --- clients --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came for one request, and when it was sent and answered by the machine's clock, in seconds."""

    status: int
    body: bytes
    sent: float
    answered: float

    @property
    def milliseconds(self) -> float:
        return (self.answered - self.sent) * 1000


@dataclass(frozen=True)
class Request:
    """A call, with a fresh key for a write."""

    path: str
    body: bytes
    method: str = "POST"
    media_type: str = "application/json"
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    def encoded(self) -> bytes:
        """As it goes over the connection, signed now: it is good for five minutes."""
        headers = {"Content-Type": self.media_type, "Idempotency-Key": self.key}
        request = httpx.Request(self.method, f"http://localhost{self.path}", content=self.body, headers=headers)
        secret = ATTESTER if self.path == "/v1/documents" else BANK
        signer = RequestSigner(requester(secret), lambda: int(time.time()), SystemRandomness())
        next(signer.auth_flow(request))
        fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{fields}\r\n".encode("ascii") + self.body


class Connection(asyncio.Protocol):
    """One connection that is kept, for one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received, self._sent = bytearray(), 0.0
        self._answer: asyncio.Future[Answer] = self._loop.create_future()

    @classmethod
    async def open(cls, port: int) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def send(self, encoded: bytes) -> asyncio.Future[Answer]:
        """Send a request; its answer is to be waited for."""
        assert self._transport is not None
        self._received.clear()
        self._answer, self._sent = self._loop.create_future(), time.perf_counter()
        self._transport.write(encoded)
        return self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        lines = self._received[:end].lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(self._received) >= end + length:
            status, body = int(self._received[9:12]), bytes(self._received[end : end + length])
            self._answer.set_result(Answer(status, body, self._sent, time.perf_counter()))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(error or ConnectionError("the service closed the connection"))


def in_turn(port: int, requests: Sequence[Request]) -> list[Answer]:
    """One request after the other, over one connection."""
    return _run(port, [request.encoded() for request in requests], 1)


def together(port: int, requests: Sequence[Request], connections: int) -> list[Answer]:
    """So many requests at a time, from this process. Answers in the order of the requests."""
    return _run(port, [request.encoded() for request in requests], connections)


def under_load(port: int, requests: Sequence[Request], connections: int) -> list[Answer]:
    """So many requests at a time, from processes of their own, which begin when each has signed all of its requests."""
    context = get_context("spawn")
    shares = [requests[first::_CLIENTS] for first in range(_CLIENTS)]
    start = context.Barrier(_CLIENTS)
    with ProcessPoolExecutor(_CLIENTS, context, _begin_at, (start,)) as pool:
        parts = pool.map(_client, [port] * _CLIENTS, shares, [connections // _CLIENTS] * _CLIENTS)
        return [answer for part in parts for answer in part]


_start: list[Barrier] = []
"""Of a client's process: where it waits for the others."""


def _begin_at(start: Barrier) -> None:
    _start.append(start)


def _client(port: int, requests: Sequence[Request], connections: int) -> list[Answer]:
    encoded = [request.encoded() for request in requests]
    _start[-1].wait(_PATIENCE)
    return _run(port, encoded, connections)


def _run(port: int, encoded: Sequence[bytes], connections: int) -> list[Answer]:
    """On the event loop that the server has: the cheapest that there is."""
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        return runner.run(_send(port, encoded, connections))


async def _send(port: int, encoded: Sequence[bytes], connections: int) -> list[Answer]:
    answers: list[Answer | None] = [None] * len(encoded)
    waiting = iter(range(len(encoded)))
    opened = [await Connection.open(port) for _ in range(min(connections, len(encoded)))]

    async def work(connection: Connection) -> None:
        for number in waiting:
            answers[number] = await connection.send(encoded[number])

    await asyncio.gather(*map(work, opened))
    for connection in opened:
        connection.close()
    return [answer for answer in answers if answer is not None]
