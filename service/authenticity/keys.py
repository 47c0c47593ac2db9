"""The evaluation keys: a file of the service's directory, read anew when it changes, so that a rotation needs no stop.

The file holds the only secrets that a service has besides its tokens: the keys of the oblivious function, and 32 bytes from
which answers to unknown tokens are made. Whoever has both keys and database can test guesses of numbers; SECURITY.md says what
follows. A key is a scalar of P-256, 32 bytes, and its point 33 (RFC 9497, section 3.2; SPEC.md, section 15).
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from schemas import problems
from schemas.authenticity import EvaluationKeyMessage
from schemas.canonical import parse_strict
from schemas.wire import Base64Url, Epoch, Point, Scalar, Seconds, SecretMessage
from service.problems import Refusal
from service.settings import SettingsError
from zkcore.errors import ZkError
from zkcore.oprf.evaluator import EvaluationKey
from zkcore.randomness import SystemRandomness

_DECOYS_SIZE = 32
_LARGEST_FILE = 1 << 20


class StoredKey(SecretMessage):
    """One epoch. `secret` is null when the epoch has ended: then nobody evaluates under it ever again."""

    epoch: Epoch
    key: Point
    secret: Scalar | None
    since: Seconds
    until: Seconds | None


class KeysFile(SecretMessage):
    """`decoys`: the secret that answers to unknown tokens are made from. `keys`: one epoch after another, from 1 on; or from
    the one after those that a file had that was lost."""

    tradeveil: Literal["evaluation-keys"] = "evaluation-keys"
    decoys: Annotated[bytes, Base64Url(_DECOYS_SIZE)]
    keys: list[StoredKey] = Field(min_length=1, max_length=1_000)


class Keys:
    """The file's keys, ready to evaluate. Does not print."""

    def __init__(self, file: KeysFile) -> None:
        """Raises SettingsError for epochs out of order, or a secret that is not that of its public key."""
        first = file.keys[0].epoch
        if [key.epoch for key in file.keys] != list(range(first, first + len(file.keys))):
            raise SettingsError("the evaluation keys are not of one epoch after another; restore the file from its backup")
        self.decoys = file.decoys
        self.public = [
            EvaluationKeyMessage(epoch=key.epoch, key=key.key, since=key.since, until=key.until) for key in file.keys
        ]
        self._secrets = {key.epoch: _secret(key) for key in file.keys if key.secret is not None and key.until is None}

    def find(self, epoch: int) -> EvaluationKey:
        """The key of an epoch. Raises Refusal when there is none or the epoch has ended."""
        if epoch not in self._secrets:
            raise Refusal(problems.EVALUATION_EPOCH)
        return self._secrets[epoch]

    def __repr__(self) -> str:
        return f"Keys({len(self.public)} epochs, hidden)"


def _secret(stored: StoredKey) -> EvaluationKey:
    try:
        key = EvaluationKey.decode(stored.secret or b"")
    except ZkError as error:
        raise SettingsError(
            f"the evaluation key of epoch {stored.epoch} is malformed; restore the file from its backup"
        ) from error
    if key.public().encode() != stored.key:
        raise SettingsError(
            f"the evaluation key of epoch {stored.epoch} is another than it was; restore the file from its backup"
        )
    return key


class KeyRing:
    """The keys of a file as it is now. Several threads may use one."""

    def __init__(self, path: Path | None) -> None:
        """Without a path there are no keys, and whoever asks for one is refused. Raises SettingsError."""
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: Keys | None = None
        self.now()

    def now(self) -> Keys:
        """Raises SettingsError for a file that cannot be used, Refusal where there is none."""
        if self._path is None or not self._path.exists():
            if self._keys is not None:
                raise SettingsError("the evaluation keys have been removed while the service ran")
            return _NONE
        found = self._path.stat()
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        keys = self._keys
        if keys is None or seen != self._seen:
            keys = Keys(read_keys(self._path))
            self._seen, self._keys = seen, keys
        return keys


class _NoKeys(Keys):
    """Before there is a file."""

    def __init__(self) -> None:
        self.decoys, self.public, self._secrets = b"", [], {}


_NONE = _NoKeys()


# --- the file -------------------------------------------------------------------------------------------------------------


def read_keys(path: Path) -> KeysFile:
    """Raises SettingsError when the file is missing, readable by others than its owner, or damaged. Shows nothing of it."""
    try:
        with path.open("rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read(_LARGEST_FILE)
    except OSError as error:
        raise SettingsError(f"the evaluation keys {path} cannot be read; see that they are there and yours") from error
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"the evaluation keys {path} can be read by others; run: chmod 600 {path}")
    try:
        return KeysFile.model_validate(parse_strict(content))
    except (ValidationError, ValueError):
        # Not chained: what the cause quotes may be a key.
        raise SettingsError(f"the evaluation keys {path} are damaged; restore the file from its backup") from None


def create_keys(path: Path, now: int, epoch: int = 1) -> None:
    """A first key, in a new file, of this epoch. Raises SettingsError when there is a file."""
    if path.exists():
        raise SettingsError(f"{path} is there already; keys are never overwritten")
    _write(path, KeysFile(decoys=secrets.token_bytes(_DECOYS_SIZE), keys=[_fresh(epoch, now)]))


def add_key(path: Path, now: int) -> int:
    """A further key; those before go on. Returns its epoch. Raises SettingsError."""
    file = read_keys(path)
    epoch = file.keys[-1].epoch + 1
    _write(path, file.model_copy(update={"keys": [*file.keys, _fresh(epoch, now)]}))
    return epoch


def end_key(path: Path, epoch: int, now: int) -> None:
    """Ends an epoch and forgets its secret. Raises SettingsError for the newest, or one that is not there."""
    file = read_keys(path)
    if not file.keys[0].epoch <= epoch < file.keys[-1].epoch:
        raise SettingsError(f"epoch {epoch} cannot end: only those before the newest, {file.keys[-1].epoch}, can")
    ended = [
        key.model_copy(update={"secret": None, "until": key.until or now}) if key.epoch == epoch else key for key in file.keys
    ]
    _write(path, file.model_copy(update={"keys": ended}))


def _fresh(epoch: int, now: int) -> StoredKey:
    key = EvaluationKey.generate(SystemRandomness())
    return StoredKey(epoch=epoch, key=key.public().encode(), secret=key.encode(), since=now, until=None)


def _write(path: Path, file: KeysFile) -> None:
    """Whole or not at all, for its owner alone."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as handle:
        handle.write(file.model_dump_json(indent=2).encode() + b"\n")
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
