"""`tradeveil serve`: begin a log, and run its service."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from schemas.entries import encode_entry
from schemas.kinds import load_kinds
from service.app import create_app
from service.genesis import GenesisError, compose, read_identity, store
from service.logs import configure_logs
from service.metrics import serve_metrics
from service.settings import DATABASE_NAME, DATABASE_VARIABLE, TOKEN_NAME, Settings, SettingsError, database_url, load_settings
from service.storage import open_storage
from service.verifier import Verifier
from tlog.leaf import leaf_hash
from zkcore import engine
from zkcore.errors import ZkError

_USAGE = 2
_USUAL_ROLE = "customs"
_PRIVATE_UMASK = 0o077
_TOKEN_BYTES = 32
_GRACE_SECONDS = 30
_LARGEST_PORT = 65_535

app = typer.Typer(no_args_is_help=True, help="The verifier service: it checks every proof and sees no amount.")

Directory = Annotated[Path, typer.Option(help="Where the service keeps its database and its export token.", file_okay=False)]


@app.command()
def init(
    directory: Directory,
    origin: Annotated[str, typer.Option(help="The log's name, for example log.example/export.")],
    attester: Annotated[
        list[str],
        typer.Option(
            metavar="[ROLE=]FILE",
            help="An attester's identity.json and the role in which it attests (customs, unless told); once for each.",
        ),
    ],
    regulator: Annotated[Path, typer.Option(help="The regulator's identity.json.")],
    kinds: Annotated[
        Path | None, typer.Option(help="A file of document kinds, instead of the one that ships with this.")
    ] = None,
) -> None:
    """Begin a log: its first entry, its database, and the token for auditors."""
    os.umask(_PRIVATE_UMASK)
    try:
        path, genesis = begin(directory, origin, attester, regulator, kinds)
    except (GenesisError, SettingsError, ZkError, ValueError, OSError) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail_database(error)
    typer.echo(f"The log {origin} is begun in {directory}.")
    typer.echo(f"Its genesis digest, which every party should compare: {genesis.hex()}")
    typer.echo(f"Auditors and the regulator need the token in {path}; nobody else does.")
    typer.echo(f"Next: tradeveil serve run --directory {directory}")


def begin(
    directory: Path, origin: str, attesters: Sequence[str | Path], regulator: Path, kinds: Path | None = None
) -> tuple[Path, bytes]:
    """Begin a log in a directory. Returns the path of its export token and the digest of its genesis (its leaf hash, 32 bytes).

    `attesters` are files, or `ROLE=FILE`. Everything is checked before anything is written.

    Raises GenesisError, SettingsError, ValueError (kinds), OSError.
    """
    if any((directory / name).exists() for name in (DATABASE_NAME, TOKEN_NAME)):
        raise SettingsError(f"{directory} is a service's directory already; choose another, or remove it if it was never used")
    suite = engine.load()
    identities = [(role, read_identity(path)) for role, path in map(_attester, attesters)]
    genesis = compose(suite, origin, read_identity(regulator), identities, load_kinds(kinds), int(time.time()))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = open_storage(database_url(directory), suite.group, workers=1)
    try:
        store(storage, genesis)
    finally:
        storage.close()
    token = directory / TOKEN_NAME
    with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_TOKEN_BYTES) + "\n")
    return token, leaf_hash(encode_entry(genesis))


def _attester(given: str | Path) -> tuple[str, Path]:
    """The role and the file of an attester as the command line gives them."""
    role, separator, path = str(given).partition("=")
    return (role, Path(path)) if separator else (_USUAL_ROLE, Path(given))


@app.command()
def migrate(directory: Directory) -> None:
    """Move the database's tables to the version of this program, while services of the version before go on.

    Back the database up first. Afterwards restart the services one by one. Tables that are of this version already are left.
    """
    os.umask(_PRIVATE_UMASK)
    try:
        before, after = _migrate(load_settings(directory))
    except (SettingsError, ZkError, OSError) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail_database(error)
    typer.echo(f"The tables are of version {after}" + (" already." if before == after else f" now; they were of {before}."))


def _migrate(settings: Settings) -> tuple[int, int]:
    """The versions before and after. Raises SettingsError without a log."""
    storage = open_storage(settings.database, engine.load().group, workers=1)
    try:
        if not storage.holds_log():
            raise SettingsError("the database holds no log; begin one with: tradeveil serve init")
        before = storage.version()
        storage.migrate()
        return before, storage.version()
    finally:
        storage.close()


@app.command()
def run(
    directory: Directory,
    host: Annotated[str, typer.Option(help="Loopback unless told; put TLS in front of anything else.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=_LARGEST_PORT, help="0 for any free one.")] = 8440,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=_LARGEST_PORT, help="Serve Prometheus metrics on this loopback port.")
    ] = None,
) -> None:
    """Run the service until it is told to stop (Ctrl-C, or SIGTERM); requests that are being worked on are finished."""
    os.umask(_PRIVATE_UMASK)
    configure_logs()
    try:
        settings = load_settings(directory)
        listening = _listen(host, port)
        if metrics_port is not None:
            _serve_metrics(metrics_port)
        serve(settings, listening)
    except (SettingsError, ZkError, OSError) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail_database(error)


def serve(settings: Settings, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then exit 0."""
    suite = engine.load()
    service = create_app(settings, suite, lambda: int(time.time()))
    verifier: Verifier = service.state.verifier
    name, port = listening.getsockname()[:2]
    address = f"http://[{name}]:{port}" if listening.family == socket.AF_INET6 else f"http://{name}:{port}"
    ready = f"tradeveil: the log {verifier.parameters.origin} is served at {address} (engine {suite.engine}); Ctrl-C stops it"
    config = uvicorn.Config(
        service, access_log=False, log_config=None, server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS
    )
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, _exit)
    _Server(config, lambda: typer.echo(ready)).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _exit(signal_number: int, frame: FrameType | None) -> NoReturn:
    """The server raises its signal again once it has stopped: then, and before it has started, this ends the process."""
    raise SystemExit(0)


def _listen(host: str, port: int) -> socket.socket:
    """Bound before anything else is done, so that a port in use is told at once. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port") from error
    # asyncio turns Nagle's algorithm off only where a socket names its protocol. With it on, every answer would wait for the
    # caller's delayed acknowledgement: some 40 ms each.
    return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=bound.detach())


def _serve_metrics(port: int) -> None:
    try:
        serve_metrics(port)
    except OSError as error:
        raise SettingsError(f"cannot serve metrics on port {port}: {error.strerror}; choose another --metrics-port") from error


def _fail_database(error: SQLAlchemyError) -> NoReturn:
    """Without the error's own text, which may show the address and the user of a database server."""
    _fail(f"the database cannot be used ({type(error).__name__}); see that it is one, and that {DATABASE_VARIABLE} is right")


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(_USAGE)
