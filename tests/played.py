"""The demonstration, played once for all tests that ask what came of it.

Where tests run in several processes, the first one plays and the others wait for it and read what it left.
"""

from __future__ import annotations

import fcntl
import pickle
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tradeveil.demo.narrative import Narrator
from tradeveil.demo.perform import Options, Played, perform


@dataclass(frozen=True)
class Performance:
    """What was played, and the directory with everything that it made."""

    played: Played
    root: Path


def performance(factory: pytest.TempPathFactory) -> Performance:
    """The one performance of this test run."""
    return _perform_once(_shared_folder(factory))


def _shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share, and no other run."""
    base = factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


@cache
def _perform_once(folder: Path) -> Performance:
    root, result = folder / "demonstration", folder / "demonstration.pickle"
    with (folder / "demonstration.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not result.exists():
            played = perform(Options(keep=root), Narrator(quiet=True))
            result.write_bytes(pickle.dumps(played))
        return Performance(pickle.loads(result.read_bytes()), root)  # noqa: S301 - our own file of a minute ago
