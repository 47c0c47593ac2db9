"""`tradeveil serve`: begin a log, run its service, and show what it runs with."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from schemas.entries import encode_entry
from schemas.kinds import load_kinds
from service.authenticity.keys import add_key, create_keys, end_key
from service.authenticity.storage import drop_records, newest_epoch
from service.genesis import GenesisError, compose, read_identity, store
from service.institutions.cli import admit_identity
from service.institutions.cli import app as institutions
from service.institutions.pseudonyms import PseudonymError, Pseudonyms
from service.institutions.registry import Registry, RegistryError
from service.institutions.tables import INSTITUTIONS
from service.logs import configure_logs
from service.serving import listen, serve
from service.settings import (
    DATABASE_NAME,
    EVALUATION_KEYS_NAME,
    FILE_NAME,
    KEY_NAME,
    TOKEN_NAME,
    Settings,
    SettingsError,
    database_url,
    effective,
    load_settings,
    make_service_key,
    sample,
)
from service.storage import Storage, open_storage
from tlog.leaf import leaf_hash
from zkcore import engine
from zkcore.errors import ZkError

_USAGE = 2
_USUAL_ROLE = "customs"
_PRIVATE_UMASK = 0o077
_TOKEN_BYTES = 32

app = typer.Typer(no_args_is_help=True, help="The verifier service: it checks every proof and sees no amount.")

app.add_typer(institutions, name="institutions")

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
    """Begin a log: its first entry, its database, the token for auditors, and the first evaluation key."""
    os.umask(_PRIVATE_UMASK)
    try:
        path, genesis = begin(directory, origin, attester, regulator, kinds)
    except (GenesisError, SettingsError, RegistryError, ZkError, ValueError, OSError) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail_database(error)
    typer.echo(f"The log {origin} is begun in {directory}.")
    typer.echo(f"Its genesis digest, which every party should compare: {genesis.hex()}")
    typer.echo(f"Auditors and the regulator need the token in {path}; nobody else does.")
    typer.echo(f"Keep a copy of {directory / KEY_NAME}: the database names institutions under it.")
    typer.echo(f"And one of {directory / EVALUATION_KEYS_NAME}, apart from the database: papers are checked under it.")
    typer.echo("Attesters and the regulator are admitted; admit each bank:")
    typer.echo(f"  tradeveil serve institutions add bank/identity.json --directory {directory}")
    typer.echo(f"Next: tradeveil serve run --directory {directory}")


def begin(
    directory: Path, origin: str, attesters: Sequence[str | Path], regulator: Path, kinds: Path | None = None
) -> tuple[Path, bytes]:
    """Begin a log in a directory. Returns the path of its export token and the digest of its genesis (its leaf hash, 32 bytes).

    `attesters` are files, or `ROLE=FILE`. Everything is checked before anything is written.

    Raises GenesisError, SettingsError, ValueError (kinds), OSError.
    """
    if any((directory / name).exists() for name in (DATABASE_NAME, TOKEN_NAME, KEY_NAME, EVALUATION_KEYS_NAME)):
        raise SettingsError(f"{directory} is a service's directory already; choose another, or remove it if it was never used")
    database, suite = database_url(directory), engine.load()
    bureau = read_identity(regulator)
    identities = [(role, read_identity(path)) for role, path in map(_attester, attesters)]
    genesis = compose(suite, origin, bureau, identities, load_kinds(kinds), int(time.time()))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _open(database) as storage:
        store(storage, genesis)
        registry = Registry(storage, Pseudonyms(make_service_key(directory / KEY_NAME)))
        for identity in (bureau, *(attester for _, attester in identities)):
            admit_identity(registry, identity, genesis.time)
    token = directory / TOKEN_NAME
    with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_TOKEN_BYTES) + "\n")
    create_keys(directory / EVALUATION_KEYS_NAME, genesis.time)
    if not (directory / FILE_NAME).exists():
        (directory / FILE_NAME).write_text(sample(), encoding="utf-8")
    return token, leaf_hash(encode_entry(genesis))


def _attester(given: str | Path) -> tuple[str, Path]:
    """The role and the file of an attester as the command line gives them."""
    role, separator, path = str(given).partition("=")
    return (role, Path(path)) if separator else (_USUAL_ROLE, Path(given))


@app.command("rotate-evaluation-key")
def rotate_evaluation_key(
    directory: Directory,
    retire: Annotated[int | None, typer.Option(min=1, help="End this epoch instead, and forget its key and records.")] = None,
) -> None:
    """Add an evaluation key, while the service runs; both evaluate until the old one is ended with --retire.

    Between the two every attester publishes its records again (tradeveil customs publish). docs/DEPLOYING.md has the procedure.
    A directory without evaluation keys gets its first, of the epoch after those that there are records of.
    """
    os.umask(_PRIVATE_UMASK)
    try:
        settings = load_settings(directory)
        said = _add_key(directory, settings) if retire is None else _retire(directory, settings, retire)
    except (SettingsError, ZkError, OSError) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail_database(error)
    typer.echo(said)


def _add_key(directory: Path, settings: Settings) -> str:
    path, now = directory / EVALUATION_KEYS_NAME, int(time.time())
    if not path.exists():
        with _open(settings.database) as storage:
            epoch = 1 + newest_epoch(storage)
        create_keys(path, now, epoch)
        return f"Epoch {epoch} has begun in {path}. Attesters publish their records next: tradeveil customs publish."
    epoch = add_key(path, now)
    return f"Epoch {epoch} has begun, and those before go on. Attesters publish their records next: tradeveil customs publish."


def _retire(directory: Path, settings: Settings, epoch: int) -> str:
    """First nobody is answered under it any more, then its records go."""
    end_key(directory / EVALUATION_KEYS_NAME, epoch, int(time.time()))
    with _open(settings.database) as storage:
        dropped = drop_records(storage, epoch)
    return f"Epoch {epoch} has ended; {dropped} records of it are forgotten."


@app.command()
def migrate(directory: Directory) -> None:
    """Move the database's tables to the version of this program, while services of the version before go on.

    Back the database up first. Afterwards restart the services one by one. Tables that are of this version already are left.
    """
    os.umask(_PRIVATE_UMASK)
    try:
        _make_missing_key(directory)
        with _open(load_settings(directory).database) as storage:
            before, after = _migrate(storage)
    except (SettingsError, ZkError, OSError) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail_database(error)
    typer.echo(f"The tables are of version {after}" + (" already." if before == after else f" now; they were of {before}."))


def _migrate(storage: Storage) -> tuple[int, int]:
    """The versions before and after. Raises SettingsError without a log."""
    if not storage.holds_log():
        raise SettingsError("the database holds no log; begin one with: tradeveil serve init")
    before = storage.version()
    storage.migrate()
    return before, storage.version()


def _make_missing_key(directory: Path) -> None:
    """For a directory from before there was one. Raises SettingsError where one is lost that institutions are under."""
    path, database = directory / KEY_NAME, effective(directory)["database"]
    absent = database.source == "default" and not (directory / DATABASE_NAME).is_file()
    if not path.exists() and not absent:
        with _open(str(database.value)) as storage:
            if storage.holds(INSTITUTIONS):
                raise SettingsError(
                    f"{path} is missing, and the database names institutions under it; bring the file back from its backup"
                )
    make_service_key(path)


def _open(database: str) -> closing[Storage]:
    """The database, for a `with`."""
    return closing(open_storage(database, engine.load().group, workers=1))


Host = Annotated[str | None, typer.Option(help="The address to listen on: loopback, unless told.", show_default=False)]
Port = Annotated[int | None, typer.Option(help="The port to listen on; 0 for any free one.", show_default="8440")]
Workers = Annotated[int | None, typer.Option(help="Processes that serve.", show_default="1")]
MetricsPort = Annotated[
    int | None, typer.Option(help="Serve Prometheus metrics on this loopback port; 0 for none.", show_default="none")
]


@app.command()
def run(
    directory: Directory, host: Host = None, port: Port = None, workers: Workers = None, metrics_port: MetricsPort = None
) -> None:
    """Run the service until it is told to stop (Ctrl-C, or SIGTERM); requests that are being worked on are finished.

    What is not given here is taken from the environment (TRADEVEIL_PORT), else from service.toml of the directory.
    """
    os.umask(_PRIVATE_UMASK)
    configure_logs()
    try:
        settings = load_settings(directory, {"host": host, "port": port, "workers": workers, "metrics_port": metrics_port})
        serve(settings, listen(settings.host, settings.port), typer.echo)
    except (SettingsError, PseudonymError, ZkError, OSError) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail_database(error)


@app.command()
def config(
    directory: Directory, host: Host = None, port: Port = None, workers: Workers = None, metrics_port: MetricsPort = None
) -> None:
    """Show what `run` with the same options would run with, and where each value comes from. Passwords are hidden."""
    try:
        found = effective(directory, {"host": host, "port": port, "workers": workers, "metrics_port": metrics_port})
    except SettingsError as error:
        _fail(str(error))
    for item in found.values():
        typer.echo(f"{item.setting.name} = {item.shown}  ({item.source}): {item.setting.comment}")


def _fail_database(error: SQLAlchemyError) -> NoReturn:
    """Without the error's own text, which may show the address and the user of a database server."""
    _fail(f"the database cannot be used ({type(error).__name__}); see that it is one, and that its address is right")


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(_USAGE)
