"""What an operator can set, and the files of a service's directory."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

DATABASE_NAME = "service.db"
TOKEN_NAME = "export.token"  # noqa: S105 - the name of a file, not a token
DATABASE_VARIABLE = "TRADEVEIL_DATABASE"
_SHORTEST_TOKEN = 32


class SettingsError(Exception):
    """The directory of the service cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """How one service process runs. Nothing secret prints.

    database: SQLAlchemy URL, which may contain a password
    export_token: the bearer token of auditors
    maximum_body: bytes of a request
    maximum_requests: requests at work or waiting at one time; further ones are told to come back
    expiry_seconds: how often reservations whose time is over are looked for
    workers: threads that verify and talk to the database, each with a connection of its own
    """

    database: str = field(repr=False)
    export_token: str = field(repr=False)
    maximum_body: int = 1 << 20
    maximum_requests: int = 256
    expiry_seconds: float = 5.0
    workers: int = min(32, 2 * (os.cpu_count() or 1) + 2)


def database_url(directory: Path) -> str:
    """The environment's TRADEVEIL_DATABASE, else the SQLite file of the directory."""
    return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{(directory / DATABASE_NAME).resolve()}"


def load_settings(directory: Path) -> Settings:
    """Settings of a directory that `serve init` made. Raises SettingsError."""
    if DATABASE_VARIABLE not in os.environ and not (directory / DATABASE_NAME).is_file():
        raise SettingsError(f"{directory} has no {DATABASE_NAME}; make one with: tradeveil serve init --directory {directory}")
    return Settings(database_url(directory), read_token(directory / TOKEN_NAME))


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
