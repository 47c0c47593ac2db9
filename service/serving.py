"""A service at work: in this process, or in several on one listening socket, until it is told to stop.

SIGTERM and SIGINT stop it. For `drain_seconds` it goes on while /v1/ready already says no, so that whatever sends it requests
can turn elsewhere; then it listens no more, answers what is at work, for `grace_seconds` at most, and ends. A second signal
ends the draining.

With several workers this process only watches them: one that dies or hangs is replaced; SIGHUP replaces them one by one, each
once its successor is ready. A connection opened at that very moment may be cut, as at any stop; its caller sends again.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from service.app import create_app
from service.connections import BoundedConnection
from service.logs import configure_logs
from service.metrics import SHARED_VARIABLE, serve_metrics
from service.settings import Settings, SettingsError
from service.storage import open_storage
from service.verifier import open_verifier
from zkcore import engine

DRAIN = signal.SIGUSR1
"""Tells a worker to be ready no more, and to go on."""
_READY_SECONDS = 60
_PARENT_SECONDS = 1.0


def listen(host: str, port: int) -> socket.socket:
    """Bound before anything else is done, so that a port in use is told at once. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port") from error
    # asyncio turns Nagle's algorithm off only where a socket names its protocol. With it on, every answer would wait for the
    # caller's delayed acknowledgement: some 40 ms each.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=bound.detach())


def serve(settings: Settings, listening: socket.socket, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then exit 0. `say` is told where, once all is ready.

    Raises SettingsError, ZkError, SQLAlchemyError when it cannot start.
    """
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, _exit)
    if settings.workers == 1:
        _serve_alone(settings, listening, say)
    else:
        _serve_with_workers(settings, listening, say)


def _exit(signal_number: int, frame: FrameType | None) -> NoReturn:
    """The server raises its signal again once it has stopped: then, and before it has started, this ends the process."""
    raise SystemExit(0)


def _ready_line(origin: str, listening: socket.socket, engine_name: str) -> str:
    name, port = listening.getsockname()[:2]
    address = f"http://[{name}]:{port}" if listening.family == socket.AF_INET6 else f"http://{name}:{port}"
    return f"tradeveil: the log {origin} is served at {address} (engine {engine_name}); Ctrl-C stops it"


def _config(app: FastAPI | Worker, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, Worker),
        http=BoundedConnection,
        ws="none",
        workers=settings.workers,
        access_log=False,
        log_config=None,
        proxy_headers=False,  # nobody asks where a request came from
        server_header=False,
        timeout_graceful_shutdown=settings.grace_seconds,
        timeout_worker_healthcheck=_READY_SECONDS,
    )


def _clock() -> int:
    return int(time.time())


def _spare_the_collector() -> None:
    """What was made up to now stays: to look through all of it for garbage stops every request for a tenth of a second, and
    finds nothing. What requests leave in circles is little, and is looked for less often."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


# --- one process ----------------------------------------------------------------------------------------------------------


def _serve_alone(settings: Settings, listening: socket.socket, say: Callable[[str], None]) -> None:
    suite = engine.load()
    service = create_app(settings, suite, _clock)
    _spare_the_collector()
    _start_metrics(settings)
    signal.signal(DRAIN, lambda number, frame: _stop_being_ready(service))
    line = _ready_line(service.state.verifier.parameters.origin, listening, suite.engine)
    _Server(_config(service, settings), service, settings.drain_seconds, lambda: say(line)).run(sockets=[listening])


def _stop_being_ready(service: FastAPI) -> None:
    service.state.draining = True


class _Server(uvicorn.Server):
    """Says when it is ready, and drains before it stops."""

    def __init__(self, config: uvicorn.Config, service: FastAPI, drain: int, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._service, self._drain, self._ready = service, drain, ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        draining, self._service.state.draining = self._service.state.draining, True
        if self._drain and not draining and self._loop is not None:
            self._loop.call_later(self._drain, super().handle_exit, sig, frame)
        else:
            super().handle_exit(sig, frame)


# --- several workers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Worker:
    """Makes the application in a process of its own, which starts from nothing and gets this."""

    settings: Settings
    supervisor: int

    def __call__(self) -> FastAPI:
        os.umask(0o077)
        configure_logs()
        threading.Thread(target=self._end_with_supervisor, daemon=True).start()
        service = create_app(self.settings, engine.load(), _clock)
        _spare_the_collector()
        signal.signal(DRAIN, lambda number, frame: _stop_being_ready(service))
        return service

    def _end_with_supervisor(self) -> None:
        """Whoever starts the service anew after its supervisor was killed must not find workers of the old one at work."""
        while os.getppid() == self.supervisor:
            time.sleep(_PARENT_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)


def _serve_with_workers(settings: Settings, listening: socket.socket, say: Callable[[str], None]) -> None:
    origin, engine_name = _check(settings)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)  # which worker died, and which took its place
    shared = tempfile.mkdtemp(prefix="tradeveil-metrics-")
    os.environ[SHARED_VARIABLE] = shared
    try:
        _start_metrics(settings, Path(shared))
        config = _config(Worker(settings, os.getpid()), settings)
        line = _ready_line(origin, listening, engine_name)
        _Supervisor(config, listening, settings.drain_seconds, lambda: say(line)).run()
    finally:
        del os.environ[SHARED_VARIABLE]
        shutil.rmtree(shared, ignore_errors=True)


def _check(settings: Settings) -> tuple[str, str]:
    """The log's origin and the engine's name, after finding out here, once, whether workers will be able to start."""
    suite = engine.load()
    with closing(open_storage(settings.database, suite.group, 1)) as storage:
        return open_verifier(suite, storage, _clock, settings.service_key).parameters.origin, suite.engine


class _Supervisor(Multiprocess):
    """Says when all workers are ready, and drains them before they stop."""

    def __init__(self, config: uvicorn.Config, listening: socket.socket, drain: int, ready: Callable[[], None]) -> None:
        super().__init__(config, [listening])
        self._drain, self._ready, self._draining = drain, ready, False

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(_READY_SECONDS, self.should_exit) for process in self.processes):
            self._ready()

    def keep_subprocess_alive(self) -> None:
        if not self._draining:
            super().keep_subprocess_alive()

    def terminate_all(self) -> None:
        """Listens no more, first: otherwise connections would go on queueing at this process, which answers none."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()

    def handle_term(self) -> None:
        if not self._drain or self._draining:
            self.should_exit.set()
            return
        self._draining = True
        for process in self.processes:
            if process.pid is not None and process.process.is_alive():
                os.kill(process.pid, DRAIN)
        last = threading.Timer(self._drain, self.should_exit.set)
        last.daemon = True
        last.start()

    handle_int = handle_term


def _start_metrics(settings: Settings, shared: Path | None = None) -> None:
    if not settings.metrics_port:
        return
    try:
        serve_metrics(settings.metrics_port, shared)
    except OSError as error:
        port = settings.metrics_port
        raise SettingsError(f"cannot serve metrics on port {port}: {error.strerror}; choose another --metrics-port") from error
