"""What an operator can set, and the files of a service's directory.

A setting is taken from the first of these that has it: an option of the command, the environment (TRADEVEIL_PORT for `port`),
the file service.toml of the directory, its default. What is wrong is said with where it stands and what to write instead.
"""

from __future__ import annotations

import difflib
import os
import secrets
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from schemas.wire import decode_base64url, encode_base64url
from service.institutions.pseudonyms import KEY_SIZE
from service.institutions.rules import Rules

DATABASE_NAME = "service.db"
TOKEN_NAME = "export.token"  # noqa: S105 - the name of a file, not a token
EVALUATION_KEYS_NAME = "evaluation-keys.json"
FILE_NAME = "service.toml"
KEY_NAME = "service.key"
_PREFIX = "TRADEVEIL_"
DATABASE_VARIABLE = _PREFIX + "DATABASE"
_SHORTEST_TOKEN = 32
_LARGEST_PORT = 65_535
_HIDDEN = "***"
_SECRET_OPTIONS = frozenset({"password", "sslpassword"})

Value = str | int
Source = Literal["option", "environment", "file", "default"]


class SettingsError(Exception):
    """The directory of the service cannot be used as it is; the message says what to do."""


@dataclass(frozen=True)
class Settings:
    """How one service runs. Nothing secret prints. The units and bounds of each are in SETTINGS.

    export_token: the bearer token of auditors
    service_key: 32 bytes, under which the database names institutions
    evaluation_keys: the file of the evaluation keys, or None where there are none
    """

    database: str = field(repr=False)
    export_token: str = field(repr=False)
    service_key: bytes = field(repr=False)
    refusals: int = 3
    key_overlap_hours: int = 24
    host: str = "127.0.0.1"
    port: int = 8440
    workers: int = 1
    threads: int = 64
    maximum_body: int = 1 << 20
    maximum_batch: int = 48 << 20
    maximum_requests: int = 256
    metrics_port: int = 0
    expiry_seconds: int = 5
    drain_seconds: int = 0
    grace_seconds: int = 30
    evaluation_keys: Path | None = None

    @property
    def rules(self) -> Rules:
        """What holds for institutions."""
        return Rules(timedelta(hours=self.key_overlap_hours), self.refusals)


@dataclass(frozen=True)
class Setting:
    """One thing that can be set: a whole number from `least` to `most`, or text where these are None."""

    name: str
    comment: str
    default: Value
    least: int | None = None
    most: int | None = None

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return _PREFIX + self.name.upper()

    def check(self, value: object, where: str) -> Value:
        """The value, if it can be one of this setting. Raises SettingsError, without the value, which may be a secret."""
        if self.least is None or self.most is None:
            if isinstance(value, str) and value:
                return value
            raise SettingsError(f"{self.name} in {where} is text in quotes; {self.comment}")
        if isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most:
            return value
        raise SettingsError(f"{self.name} in {where} is a whole number from {self.least} to {self.most}; {self.comment}")

    def read(self, text: str) -> Value:
        """The value that the environment gives. Raises SettingsError."""
        where = f"the environment ({self.variable})"
        number = self.least is not None and text.isascii() and text.isdecimal() and len(text) < 20
        return self.check(int(text) if number else text if self.least is None else None, where)


def _number(name: str, least: int, most: int, comment: str) -> Setting:
    default: int = getattr(Settings, name)
    return Setting(name, comment, default, least, most)


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "database",
        "the database's address, like postgresql://user@/name?host=/var/run/postgresql; else the SQLite file of the directory",
        "",
    ),
    Setting("host", "the address to listen on; put TLS in front of anything but loopback", Settings.host),
    _number("port", 0, _LARGEST_PORT, "the port to listen on; 0 for any free one"),
    _number("workers", 1, 256, "processes that serve; one for each core that the service may use"),
    _number(
        "threads",
        1,
        256,
        "reads and batches that each worker works on at a time, each in a thread with a connection; other writes need none",
    ),
    _number("maximum_body", 1 << 12, 1 << 30, "bytes of a request"),
    _number(
        "maximum_requests", 1, 1 << 16, "requests at work or waiting in a worker at one time; others are told to come back"
    ),
    _number("maximum_batch", 1 << 12, 1 << 30, "bytes of a batch; 5,000 financings of one draw each are some 32 million"),
    _number("expiry_seconds", 1, 3_600, "seconds between looks for reservations whose time is over"),
    _number("refusals", 1, 1 << 30, "headroom refusals within a day after which a bank is blocked on a document for a day"),
    _number("key_overlap_hours", 1, 720, "hours for which a request key is good beside the one that follows it"),
    _number("metrics_port", 0, _LARGEST_PORT, "the loopback port of the Prometheus metrics; 0 for none"),
    _number("drain_seconds", 0, 600, "seconds that the service goes on after SIGTERM while /v1/ready already says no"),
    _number("grace_seconds", 1, 600, "seconds that requests at work have to end when the service stops"),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Effective:
    """The value that holds for a setting, and where it comes from."""

    setting: Setting
    value: Value = field(repr=False)
    source: Source

    @property
    def shown(self) -> str:
        """The value for an operator's eyes: passwords are hidden."""
        return _without_password(str(self.value)) if self.setting.name == "database" else str(self.value)


def effective(directory: Path, options: Mapping[str, Value | None] | None = None) -> dict[str, Effective]:
    """What holds for the service of this directory, by name. `options` that are None were not given. Raises SettingsError."""
    given = {name: value for name, value in (options or {}).items() if value is not None}
    file = _read_file(directory / FILE_NAME)
    found: dict[str, Effective] = {}
    for setting in SETTINGS:
        name = setting.name
        if name in given:
            found[name] = Effective(setting, setting.check(given[name], f"the option --{name.replace('_', '-')}"), "option")
        elif os.environ.get(setting.variable):
            found[name] = Effective(setting, setting.read(os.environ[setting.variable]), "environment")
        elif name in file:
            found[name] = Effective(setting, setting.check(file[name], str(directory / FILE_NAME)), "file")
        else:
            found[name] = Effective(setting, setting.default or _default_database(directory, name), "default")
    return found


def _default_database(directory: Path, name: str) -> Value:
    return f"sqlite:///{(directory / DATABASE_NAME).resolve()}" if name == "database" else 0


def load_settings(directory: Path, options: Mapping[str, Value | None] | None = None) -> Settings:
    """Settings of a directory that `serve init` made. Raises SettingsError."""
    found = effective(directory, options)
    if found["database"].source == "default" and not (directory / DATABASE_NAME).is_file():
        raise SettingsError(f"{directory} has no {DATABASE_NAME}; make one with: tradeveil serve init --directory {directory}")
    values = {name: item.value for name, item in found.items()}
    token, key = read_token(directory / TOKEN_NAME), read_service_key(directory / KEY_NAME)
    keys = directory / EVALUATION_KEYS_NAME
    return Settings(export_token=token, service_key=key, evaluation_keys=keys, **values)  # type: ignore[arg-type]  # checked by `check`


def database_url(directory: Path) -> str:
    """The database of a directory, which need not have a log yet. Raises SettingsError."""
    return str(effective(directory)["database"].value)


def sample() -> str:
    """A service.toml in which everything is explained and nothing is set."""
    head = (
        "# How the service of this directory runs. What stands behind a # is the default; take the # away to set another.\n"
        "# An option of `tradeveil serve run` goes before the environment (TRADEVEIL_PORT for port), that before this file.\n"
        "# `tradeveil serve config --directory …` shows what holds and where it is from. Restart the service after a change.\n"
    )
    lines = []
    for setting in SETTINGS:
        bounds = "" if setting.least is None else f" ({setting.least} to {setting.most})"
        value = f'"{setting.default}"' if setting.least is None else str(setting.default)
        lines.append(f"\n# {setting.comment[0].upper()}{setting.comment[1:]}{bounds}.\n# {setting.name} = {value}\n")
    return head + "".join(lines)


def _read_file(path: Path) -> dict[str, object]:
    """What service.toml sets. Raises SettingsError."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read; see that it is text and yours") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}; write lines like: port = 8440") from error
    for name in content:
        if name not in _BY_NAME:
            near = difflib.get_close_matches(name, _BY_NAME, 1)
            advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join(_BY_NAME)}"
            raise SettingsError(f"{path} has a setting {name!r} that does not exist; {advice}")
    database = content.get("database")
    if stat.S_IMODE(mode) & 0o077 and isinstance(database, str) and database and _without_password(database) != database:
        raise SettingsError(f"{path} has a password in it and can be read by others; run: chmod 600 {path}")
    return content


def _without_password(database: str) -> str:
    """The address of a database, with its passwords hidden; hidden as a whole when it is no address."""
    try:
        address = make_url(database)
    except ArgumentError:
        return _HIDDEN
    secret = {name: _HIDDEN for name in address.query if name in _SECRET_OPTIONS}
    if address.password is None and not secret:
        return database
    return address.update_query_dict(secret).render_as_string(hide_password=True)


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
