"""The stage: a directory with a home for everybody, the service in a process of its own, and the wire between them.

Leaving the stage ends the service and removes the directory, also after a failure or Ctrl-C.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx

import tradeveil
from parties.common import runtime
from parties.common.client import Backoff, ServiceClient
from parties.common.request_keys import Requester
from schemas.problems import TYPE_PREFIX
from service.settings import DATABASE_VARIABLE
from tradeveil.demo.commands import Commands, routed_output
from tradeveil.demo.kept import DatabaseServer
from zkcore import engine

_READY_SECONDS = 60
_STOP_SECONDS = 15
_RENDEZVOUS_SECONDS = 30
_POLL_SECONDS = 0.02
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[0-9]+")
_FINANCINGS = "/v1/financings"
_PERSONAL = (DATABASE_VARIABLE, "TRADEVEIL_HOME", "TRADEVEIL_SERVICE")
"""Settings of whoever runs the demonstration, which must touch neither their database nor their keys."""


class StageError(Exception):
    """The stage cannot be built; the message says why."""


@dataclass(frozen=True)
class Exchange:
    """A call that a party made: what was sent, and the answer's status, problem (its slug), and whether it was a repetition."""

    method: str
    path: str
    key: str
    body: bytes
    status: int
    problem: str
    replayed: bool


class Wire:
    """The one HTTP client that all commands use here. It keeps what was sent, so that a demonstration can send it again."""

    def __init__(self, address: str) -> None:
        self.exchanges: list[Exchange] = []
        self._rendezvous: Barrier | None = None
        hooks: dict[str, list[Callable[..., Any]]] = {"request": [self._before], "response": [self._after]}
        self.http = httpx.Client(base_url=address, timeout=60.0, event_hooks=hooks, trust_env=False)

    def connect(self, address: str, who: Requester | None = None) -> ServiceClient:
        """Stands in for parties.common.runtime.connect."""
        if httpx.URL(address) != self.http.base_url and httpx.URL(f"{address}/") != self.http.base_url:
            raise StageError(f"a command was sent to {address}, and the stage's service is at {self.http.base_url}")
        return ServiceClient(self.http, Backoff(), None if who is None else runtime.request_signer(who))

    @contextmanager
    def simultaneous(self, parties: int) -> Iterator[None]:
        """Inside, the first financings of so many parties wait for each other, and reach the service at the same moment."""
        self._rendezvous = Barrier(parties)
        try:
            yield
        finally:
            self._rendezvous = None

    def financings(self) -> list[Exchange]:
        """The financings that were sent so far, accepted or not."""
        return [item for item in self.exchanges if item.path == _FINANCINGS]

    def writes(self) -> list[Exchange]:
        """Everything that was sent to be committed: whatever has an Idempotency-Key."""
        return [item for item in self.exchanges if item.key]

    def sent(self) -> bytes:
        """Every path and every body that the service was sent."""
        return b"\n".join(item.path.encode() + b"\n" + item.body for item in self.exchanges)

    def post(self, path: str, body: bytes, key: str, who: Requester) -> httpx.Response:
        """A write as an institution could send it, without its program."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        return self.http.post(path, content=body, headers=headers, auth=runtime.request_signer(who))

    def _before(self, request: httpx.Request) -> None:
        rendezvous = self._rendezvous
        if rendezvous is not None and request.url.path == _FINANCINGS and rendezvous.wait(_RENDEZVOUS_SECONDS) == 0:
            self._rendezvous = None  # They have met; whoever has to send again does not wait for another.

    def _after(self, response: httpx.Response) -> None:
        request, problem = response.request, ""
        if response.is_error:
            problem = str(json.loads(response.read()).get("type", "")).removeprefix(TYPE_PREFIX)
        key = request.headers.get("Idempotency-Key", "")
        replayed = response.headers.get("Idempotency-Replayed") == "true"
        path, body = request.url.path, request.read()
        self.exchanges.append(Exchange(request.method, path, key, body, response.status_code, problem, replayed))


class Service:
    """The service as `tradeveil serve run` in a process of its own, its output in files."""

    def __init__(self, directory: Path, logs: Path) -> None:
        logs.mkdir(mode=0o700, exist_ok=True)
        self.directory, self.stdout, self.stderr = directory, logs / "service.out", logs / "service.err"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it, and return the address that it listens at. Raises StageError when it ends, or says nothing in time."""
        command = [sys.executable, "-m", "tradeveil", "serve", "run", "--directory", str(self.directory), "--port", "0"]
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            # A session of its own: Ctrl-C reaches the demonstration alone, which then ends the service in order.
            self._process = process = subprocess.Popen(  # noqa: S603 - our own command, without a shell
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=_path_to_us(), start_new_session=True
            )
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            found = _ADDRESS.search(self.stdout.read_text("utf-8", "replace"))
            if found is not None:
                return found[0]
            if process.poll() is not None:
                break
            time.sleep(_POLL_SECONDS)
        raise StageError(f"the service did not start: {self.stderr.read_text('utf-8', 'replace').strip()}")

    def peak_memory(self) -> int:
        """The most memory it has held so far, in bytes (VmHWM); 0 where the system does not tell."""
        if self._process is None:
            return 0
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text("ascii", "replace")
        except OSError:
            return 0
        found = re.search(r"^VmHWM:\s+([0-9]+) kB$", status, re.MULTILINE)
        return 0 if found is None else int(found[1]) * 1024

    def stop(self) -> int:
        """End it as an operator does, by SIGTERM; by force when it does not end. Its exit code; 0 if it was never started."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _path_to_us() -> dict[str, str]:
    """Our environment, with the checkout that we run from on the path."""
    root = str(Path(tradeveil.__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Stage:
    """Where the demonstration takes place. `root` holds a home for everybody and the papers that they hand each other."""

    root: Path
    commands: Commands
    service: Service
    wire: Wire
    server: DatabaseServer | None = None

    @property
    def address(self) -> str:
        return str(self.wire.http.base_url).rstrip("/")

    @property
    def token_file(self) -> Path:
        return self.service.directory / "export.token"

    def home(self, who: str) -> Path:
        return self.root / "homes" / who

    def paper(self, name: str) -> Path:
        """A file on its way from one party to another."""
        return self.root / "papers" / name

    def entries(self) -> int:
        """How many entries the log has."""
        return int(self.wire.http.get("/v1/ready").raise_for_status().json()["entries"])


Prepare = Callable[[Commands, Path], Path]
"""Makes the keys and begins the log below a root, before there is a service; returns the service's directory."""


@contextmanager
def open_stage(
    commands: Commands,
    prepare: Prepare,
    *,
    keep: Path | None,
    engine_name: str | None,
    server: DatabaseServer | None = None,
) -> Iterator[Stage]:
    """The stage, built and running. `keep`: an empty or new directory that stays afterwards; else a temporary one. `server`:
    where the service keeps its tables; else in its directory.

    Raises StageError, CommandFailed.
    """
    with ExitStack() as leaving:
        leaving.enter_context(_environment(engine_name, server))
        leaving.enter_context(routed_output())
        leaving.callback(os.umask, os.umask(0o077))  # What commands leave set in this process is put back.
        root = leaving.enter_context(_directory(keep))
        for name in ("homes", "papers"):
            (root / name).mkdir(mode=0o700)
        service = Service(prepare(commands, root), root / "logs")
        leaving.callback(service.stop)
        wire = Wire(service.start())
        leaving.callback(wire.http.close)
        leaving.enter_context(_connecting(wire))
        yield Stage(root, commands, service, wire, server)


@contextmanager
def _directory(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise StageError(f"{keep} is there and is not an empty directory; choose another for --keep")
        keep.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield keep.resolve()
        return
    root = Path(tempfile.mkdtemp(prefix="tradeveil-demo-"))
    try:
        yield root
    finally:
        shutil.rmtree(root)


@contextmanager
def _environment(engine_name: str | None, server: DatabaseServer | None) -> Iterator[None]:
    """The environment variables that commands and the service obey: ours alone, and what was asked for."""
    before = dict(os.environ)
    for name in _PERSONAL:
        os.environ.pop(name, None)
    if engine_name is not None:
        os.environ[engine.ENVIRONMENT_VARIABLE] = engine_name
    if server is not None:
        os.environ[DATABASE_VARIABLE] = server.url
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _connecting(wire: Wire) -> Iterator[None]:
    """Commands take their connection from parties.common.runtime, and here they all get the one wire."""
    before = runtime.connect
    runtime.connect = wire.connect  # type: ignore[assignment]  # the place that is meant to be replaced
    try:
        yield
    finally:
        runtime.connect = before
