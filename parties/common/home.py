"""A party's directory of secrets: created for its owner alone, written so that a crash leaves the old file or the new one.

Files are JSON of typed messages. Keys are written once and never overwritten. Two terminals that work in one home take turns.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from parties.common.errors import HomeError, InputError
from schemas.canonical import parse_strict
from schemas.identities import Identity

IDENTITY_FILE = "identity.json"
KEYS_FILE = "keys.json"
_LOCK_FILE = ".lock"
M = TypeVar("M", bound=BaseModel)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LOCK_PAUSE = 0.1
_LOCK_ATTEMPTS = 1200
MAXIMUM_FILE_SIZE = 64 * 1024 * 1024


class Home:
    """One directory (mode 0700) of one party. Its methods raise HomeError with what to do."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __repr__(self) -> str:
        return f"Home({str(self.directory)!r})"

    @classmethod
    def create(cls, directory: Path) -> Home:
        """The home, made if it does not exist. Raises HomeError where it cannot be made, or others can look into it.

        An empty directory is closed to others; one with something in it is left as it is, since it may serve others too.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(directory.stat().st_mode) & _OTHERS:
                _refuse_shared(directory)
                directory.chmod(0o700)
        except OSError as error:
            raise HomeError(
                "home-not-writable",
                f"the directory {directory} cannot be made or is not yours: {error.strerror}",
                f"无法创建或使用目录 {directory}：{error.strerror}",
            ) from error
        return cls(directory)

    def path(self, name: str) -> Path:
        """The path of a file in the home; folders are separated by a slash. Raises HomeError for any other kind of name."""
        parts = name.split("/")
        if not all(_NAME.fullmatch(part) for part in parts):
            raise HomeError("file-name", f"{name!r} is not a file of a home", f"{name!r} 不是有效的文件名")
        return self.directory.joinpath(*parts)

    def exists(self, name: str) -> bool:
        return self.path(name).is_file()

    def names(self, folder: str) -> list[str]:
        """Names ("folder/file") of the JSON files of a folder of the home, sorted; none when there is no such folder."""
        return sorted(f"{folder}/{found.name}" for found in self.path(folder).glob("*.json"))

    def save(self, name: str, message: BaseModel) -> None:
        """Writes a file, mode 0600, whole or not at all, over the one of that name."""
        path = self.path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, message.model_dump_json(indent=2).encode() + b"\n")

    def save_new(self, name: str, message: BaseModel) -> None:
        """Like `save`, and raises HomeError when the file exists: keys are never overwritten. Take the lock around it."""
        if self.path(name).exists():
            raise HomeError(
                "already-there",
                f"{self.path(name)} exists and is not overwritten; choose another --home, or move it away to start anew",
                f"{self.path(name)} 已存在，不会覆盖；请另选 --home，或先将其移走",
            )
        self.save(name, message)

    def load(self, name: str, form: type[M], hint: str = "") -> M:
        """A file of this form. Raises HomeError when it is not there (`hint` is the command that makes it) or is damaged."""
        path = self.path(name)
        if not path.is_file():
            raise HomeError(
                "not-there",
                f"{path} is not there" + (f"; first run: {hint}" if hint else ""),
                f"找不到 {path}" + (f"；请先运行：{hint}" if hint else ""),
            )
        return read_message(path, form)

    def remove(self, name: str) -> None:
        """Removes a file that may be there."""
        self.path(name).unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the home for one command at a time: a second terminal waits for the first, up to two minutes.

        Raises HomeError without a home, or when the other command does not end. Not to be nested.
        """
        try:
            descriptor = os.open(self.directory / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(
                "no-home",
                f"there is no directory {self.directory} of yours; make keys first, or check --home",
                f"目录 {self.directory} 不存在或无权访问；请先生成密钥，或检查 --home",
            ) from error
        try:
            self._take_turn(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _take_turn(self, descriptor: int) -> None:
        for _ in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
            else:
                return
        raise HomeError(
            "home-in-use",
            f"another command is working in {self.directory}; wait until it is done, then run this one again",
            f"另一命令正在使用 {self.directory}；请待其完成后重试",
        )


def _refuse_shared(directory: Path) -> None:
    if any(directory.iterdir()):
        raise HomeError(
            "home-open",
            f"{directory} has files in it and others can look into it; choose a new directory, or run: chmod 700 {directory}",
            f"{directory} 非空且他人可访问；请另选新目录，或运行：chmod 700 {directory}",
        )


def write_private(path: Path, content: bytes) -> None:
    """Writes a file with mode 0600 so that a crash leaves the old content or the new. Raises InputError where it cannot."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_through(temporary, content)
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            "not-written", f"{path} cannot be written: {error.strerror}", f"无法写入 {path}：{error.strerror}"
        ) from error


def _write_through(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    """A rename survives a loss of power only when the directory itself has reached the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bytes(path: Path, most: int = MAXIMUM_FILE_SIZE) -> bytes:
    """A file's content. Raises InputError when it cannot be read or is larger than `most` bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise InputError(
            "not-readable", f"{path} cannot be read: {error.strerror}", f"无法读取 {path}：{error.strerror}"
        ) from error
    if len(content) > most:
        raise InputError("too-large", f"{path} is larger than {most >> 20} MiB", f"{path} 超过 {most >> 20} MiB")
    return content


def read_message(path: Path, form: type[M]) -> M:
    """A JSON file of this form. Raises InputError, naming no content, when it is not one."""
    try:
        return form.model_validate(parse_strict(read_bytes(path)))
    except (ValidationError, ValueError):
        # The cause is not chained: what it quotes may be a secret, and a traceback would print it.
        raise InputError(
            "damaged",
            f"{path} is not a file of the expected form ({form.__name__}), or is damaged",
            f"{path} 的格式不符（应为 {form.__name__}），或文件已损坏",
        ) from None


def read_identity(path: Path) -> Identity:
    """An identity file, its keys not checked yet (Identity.check does). Raises InputError."""
    return read_message(path, Identity)
