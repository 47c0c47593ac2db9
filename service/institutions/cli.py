"""`tradeveil serve institutions`: who may call. Works on the database, with the service running or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from schemas.entries import Genesis, decode_entry
from schemas.identities import Identity
from schemas.wire import decode_base64url, encode_base64url
from service.genesis import GenesisError, read_identity
from service.institutions.desk import Institutions
from service.institutions.pseudonyms import PseudonymError
from service.institutions.registry import ROLES, Institution, KeyState, Registry, RegistryError, Role
from service.settings import SettingsError, load_settings
from service.storage import open_storage
from zkcore import engine
from zkcore.errors import ZkError

_USAGE = 2
_REQUESTS, _DRAWS = 6_000, 20_000
_OF_ANY_IDENTITY = ("auditor", "operator")
"""Roles for which there is no identity of their own: any institution's tools make the keys."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Who may call the service: institutions, their request keys and limits.

\b
    tradeveil serve institutions add bankA/identity.json --directory service
    tradeveil serve institutions add outlet/identity.json --directory service --parent BANKA --draws-per-day 200
    tradeveil serve institutions list --directory service
    tradeveil serve institutions limits BANKA --directory service --draws-per-day 5000 --requests-per-minute 1200
    tradeveil serve institutions revoke BANKA --directory service --key jKp0…
    tradeveil serve institutions unblock BANKA --directory service --document q8S0…
""",
)

Directory = Annotated[Path, typer.Option(help="The service's directory.", file_okay=False)]
Holder = Annotated[str, typer.Argument(help="The institution's identifier, as `list` shows it.")]
Draws = Annotated[int | None, typer.Option(min=0, help="Draws a day (UTC), of it and all below it together.")]
Requests = Annotated[int | None, typer.Option(min=0, help="Signed requests a minute, of it and all below it together.")]

Evaluations = Annotated[
    int | None, typer.Option(min=0, help="Elements evaluated and looked up a day (UTC): three for each paper checked.")
]


@app.command()
def add(
    identity: Annotated[Path, typer.Argument(help="The institution's identity.json.")],
    directory: Directory,
    role: Annotated[str | None, typer.Option(help=f"One of {', '.join(ROLES)}; that of the identity unless told.")] = None,
    parent: Annotated[str | None, typer.Option(help="Identifier of the bank or branch above it.")] = None,
    draws_per_day: Draws = _DRAWS,
    requests_per_minute: Requests = _REQUESTS,
    evaluations_per_day: Evaluations = None,
) -> None:
    """Admit an institution. Make sure by another channel that the identity file is its own.

    \b
    Example: tradeveil serve institutions add bankA/identity.json --directory service --role bank
    """
    with _registry(directory) as (institutions, origin):
        limits = {
            "draws-per-day": draws_per_day,
            "requests-per-minute": requests_per_minute,
            "evaluations-per-day": evaluations_per_day,
        }
        found = read_identity(identity)
        if found.origin != origin:
            raise RegistryError(f"the identity of {found.holder} is for the log {found.origin}, not for {origin}")
        found.check(engine.load())
        given = {what: most for what, most in limits.items() if most is not None}
        admitted = admit_identity(institutions.registry, found, int(time.time()), role=role, parent=parent, limits=given)
    typer.echo(f"{found.holder} is admitted in the role {admitted}. Its requests are accepted from now on.")


def admit_identity(
    registry: Registry,
    identity: Identity,
    now: int,
    *,
    role: str | None = None,
    parent: str | None = None,
    limits: dict[str, int] | None = None,
) -> Role:
    """Register the holder of an identity that was checked, and return its role. Raises RegistryError."""
    if identity.request_key is None:
        raise RegistryError(f"{identity.holder} is an enterprise, which needs no account: it signs no requests")
    wanted = role or identity.role
    known = next((each for each in ROLES if each == wanted), None)
    if known is None:
        raise RegistryError(f"a role is one of: {', '.join(ROLES)}")
    if known != identity.role and known not in _OF_ANY_IDENTITY:
        raise RegistryError(
            f"the identity of {identity.holder} is in the role {identity.role}, and cannot be admitted as {known}"
        )
    registry.admit(identity.holder, known, identity.request_key.key, now, parent=parent, limits=limits)
    return known


@app.command("list")
def list_command(directory: Directory) -> None:
    """Show every institution with its keys and limits, those below another indented.

    \b
    Example: tradeveil serve institutions list --directory service
    """
    with _registry(directory) as (institutions, _):
        found, now = institutions.registry.everyone(), int(time.time())
        depths: dict[str | None, int] = {None: -1}
        for item in found:
            depths[item.holder] = depths[item.parent] + 1
            for line in _describe(item, now):
                typer.echo("    " * depths[item.holder] + line)


def _describe(item: Institution, now: int) -> Iterator[str]:
    state = "" if item.revoked is None else f", revoked {_when(item.revoked)}"
    limits = ", ".join(f"{what} {most}" for what, most in sorted(item.limits.items())) or "no limits of its own"
    yield f"{item.holder}: {item.role}, since {_when(item.admitted)}{state}; {limits}"
    for key in item.keys:
        yield f"  key {encode_base64url(key.key)} {_state(key, now)}"


def _state(key: KeyState, now: int) -> str:
    if key.revoked is not None:
        return f"revoked {_when(key.revoked)}"
    ends = "" if key.active_until is None else f" until {_when(key.active_until)}"
    return f"{'good' if key.good(now) else 'ended'} from {_when(key.active_from)}{ends}"


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@app.command()
def revoke(
    holder: Holder,
    directory: Directory,
    key: Annotated[str | None, typer.Option(help="Only this request key, as `list` shows it; at once and for ever.")] = None,
    restore: Annotated[bool, typer.Option("--restore", help="Take a revocation of the institution back.")] = False,
) -> None:
    """Revoke an institution and all below it, or one of its keys. Its draws and documents stay as they are.

    \b
    Example: tradeveil serve institutions revoke BANKA --directory service
    Example: tradeveil serve institutions revoke BANKA --directory service --key jKp0…
    """
    with _registry(directory) as (institutions, _):
        registry, now = institutions.registry, int(time.time())
        if key is not None:
            registry.revoke_key(holder, _octets(key, "--key"), now)
        elif restore:
            registry.restore(holder)
        else:
            registry.revoke(holder, now)
    typer.echo(f"{holder}: {'restored' if restore and key is None else 'revoked'}.")


@app.command()
def key(
    identity: Annotated[Path, typer.Argument(help="The institution's identity.json with its new request key.")],
    directory: Directory,
) -> None:
    """Give an institution the request key that its identity file names, as when it has lost the use of all it had.

    An institution that still has a good key changes it by itself: `tradeveil bank rotate-key`.

    \b
    Example: tradeveil serve institutions key bankA/identity.json --directory service
    """
    with _registry(directory) as (institutions, origin):
        found = read_identity(identity)
        if found.origin != origin or found.request_key is None:
            raise RegistryError("this is no institution's identity of this log")
        found.check(engine.load())
        institutions.registry.give_key(found.holder, found.request_key.key, int(time.time()))
    typer.echo(f"{found.holder} has the key {encode_base64url(found.request_key.key)} too.")


@app.command()
def limits(
    holder: Holder,
    directory: Directory,
    draws_per_day: Draws = None,
    requests_per_minute: Requests = None,
    evaluations_per_day: Evaluations = None,
) -> None:
    """Set limits; those that are not named stay. A limit holds for an institution with all below it.

    \b
    Example: tradeveil serve institutions limits BANKA --directory service --draws-per-day 5000
    """
    given = {
        "draws-per-day": draws_per_day,
        "requests-per-minute": requests_per_minute,
        "evaluations-per-day": evaluations_per_day,
    }
    named = {what: most for what, most in given.items() if most is not None}
    with _registry(directory) as (institutions, _):
        if not named:
            raise RegistryError("name a limit: --draws-per-day, --requests-per-minute, --evaluations-per-day")
        institutions.registry.set_limits(holder, named)
    typer.echo(f"{holder}: {', '.join(f'{what} {most}' for what, most in sorted(named.items()))}.")


@app.command()
def unblock(
    holder: Holder,
    directory: Directory,
    document: Annotated[str | None, typer.Option(help="Only on this document (its id); on every one unless told.")] = None,
) -> None:
    """Let a legal person draw again on documents on which it was blocked for asking too often.

    \b
    Example: tradeveil serve institutions unblock BANKA --directory service --document q8S0…
    """
    with _registry(directory) as (institutions, _):
        lifted = institutions.unblock(holder, None if document is None else _octets(document, "--document"))
    typer.echo(f"{holder}: {lifted} block(s) lifted.")


def _octets(text: str, option: str) -> bytes:
    try:
        found = decode_base64url(text)
    except ValueError as error:
        raise RegistryError(f"{option}: {error}") from error
    if len(found) != 32:
        raise RegistryError(f"{option}: 32 bytes as base64url (43 characters)")
    return found


@contextmanager
def _registry(directory: Path) -> Iterator[tuple[Institutions, str]]:
    """The institutions of a service's database, and its log's origin; whatever is wrong becomes one line and an exit code."""
    try:
        settings = load_settings(directory)
        with closing(open_storage(settings.database, engine.load().group, workers=1)) as storage:
            genesis = _genesis(storage.entries(0, 1)[1] if storage.holds_log() else [])
            yield Institutions(storage, settings.service_key, genesis.regulator.seal_key, settings.rules), genesis.origin
    except (SettingsError, GenesisError, RegistryError, PseudonymError, ZkError, OSError) as error:
        _fail(str(error))
    except SQLAlchemyError as error:
        _fail(f"the database cannot be used ({type(error).__name__}); see that it is one, and run: tradeveil serve migrate")


def _genesis(entries: list[tuple[int, bytes]]) -> Genesis:
    first = decode_entry(entries[0][1]) if entries else None
    if not isinstance(first, Genesis):
        raise SettingsError("the database holds no log; begin one with: tradeveil serve init")
    return first


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(_USAGE)
