"""What an operator can set, and the files of a service's directory."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from schemas.wire import decode_base64url, encode_base64url
from service.institutions.pseudonyms import KEY_SIZE
from service.institutions.rules import Rules

DATABASE_NAME = "service.db"
TOKEN_NAME = "export.token"  # noqa: S105 - the name of a file, not a token
EVALUATION_KEYS_NAME = "evaluation-keys.json"
KEY_NAME = "service.key"
OVERLAP_VARIABLE = "TRADEVEIL_KEY_OVERLAP_HOURS"
_LONGEST_OVERLAP = 720
DATABASE_VARIABLE = "TRADEVEIL_DATABASE"
_SHORTEST_TOKEN = 32


class SettingsError(Exception):
    """The directory of the service cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """How one service process runs. Nothing secret prints.

    database: SQLAlchemy URL, which may contain a password
    export_token: the bearer token of auditors
    service_key: 32 bytes, under which the database names institutions
    rules: what holds for institutions
    maximum_body: bytes of a request
    maximum_requests: requests at work or waiting at one time; further ones are told to come back
    evaluation_keys: the file of the evaluation keys, or None where there are none
    workers: threads that verify and talk to the database, each with a connection of its own
    """

    database: str = field(repr=False)
    export_token: str = field(repr=False)
    service_key: bytes = field(repr=False)
    rules: Rules = field(default_factory=Rules)
    maximum_body: int = 1 << 20
    maximum_requests: int = 256
    evaluation_keys: Path | None = None
    workers: int = min(32, 2 * (os.cpu_count() or 1) + 2)


def database_url(directory: Path) -> str:
    """The environment's TRADEVEIL_DATABASE, else the SQLite file of the directory."""
    return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{(directory / DATABASE_NAME).resolve()}"


def load_settings(directory: Path) -> Settings:
    """Settings of a directory that `serve init` made. Raises SettingsError."""
    if DATABASE_VARIABLE not in os.environ and not (directory / DATABASE_NAME).is_file():
        raise SettingsError(f"{directory} has no {DATABASE_NAME}; make one with: tradeveil serve init --directory {directory}")
    token, key = read_token(directory / TOKEN_NAME), read_service_key(directory / KEY_NAME)
    keys = directory / EVALUATION_KEYS_NAME
    return Settings(database_url(directory), token, key, Rules(overlap=_overlap()), evaluation_keys=keys)


def _overlap() -> timedelta:
    """The environment's hours for which a request key is good beside the next one. Raises SettingsError."""
    hours = os.environ.get(OVERLAP_VARIABLE, "24")
    if not hours.isascii() or not hours.isdigit() or not 1 <= int(hours[:6]) <= _LONGEST_OVERLAP:
        raise SettingsError(f"{OVERLAP_VARIABLE} is a whole number of hours from 1 to {_LONGEST_OVERLAP}")
    return timedelta(hours=int(hours))


def make_service_key(path: Path) -> bytes:
    """A fresh key in a file that is its owner's alone; the one that is there stays. Raises OSError."""
    if not path.exists():
        key = secrets.token_bytes(KEY_SIZE)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(encode_base64url(key) + "\n")
    return read_service_key(path)


def read_service_key(path: Path) -> bytes:
    """The service's own key. Raises SettingsError when it is missing, no key, or readable by others than its owner."""
    try:
        mode, key = path.stat().st_mode, decode_base64url(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the service's key {path} cannot be read; bring back your copy of it, and only where institutions were never "
            "registered make one with: tradeveil serve migrate --directory …"
        ) from error
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"the service's key {path} can be read by others; run: chmod 600 {path}")
    if len(key) != KEY_SIZE:
        raise SettingsError(f"the service's key {path} is not one of {KEY_SIZE} bytes; bring back your copy of it")
    return key


def read_token(path: Path) -> str:
    """The export token. Raises SettingsError when it is missing, short, or readable by others than its owner."""
    try:
        mode, token = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the export token {path} cannot be read; see that it is there and yours") from error
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"the export token {path} can be read by others; run: chmod 600 {path}")
    if len(token) < _SHORTEST_TOKEN:
        raise SettingsError(f"the export token {path} is shorter than {_SHORTEST_TOKEN} characters; write a longer one")
    return token
