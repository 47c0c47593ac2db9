"""The locks that `make setup` installs from.

Must hold: every package is pinned to one version with its hashes, the three locks agree, and no file names a package index or
any host. A failure: a line that pip would resolve anew. Not a failure: an old version.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements-build.lock", "requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^([a-z0-9-]+)==([0-9][^ ;]*)(?: ; [^\\]*)? \\$")


def pins(lock: str) -> dict[str, str]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    found = [PIN.match(line) for line in lines if line and not line.startswith((" ", "#"))]
    assert all(found), f"{lock} has a line that is not a pin"
    return {match[1]: match[2] for match in found if match}


def required(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    names = (re.match(r"[A-Za-z0-9_-]+", line) for line in lines)
    return {match[0].lower().replace("_", "-") for match in names if match}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert len(pins(lock)) == len(re.findall(r"^[a-z0-9-]+==.* \\\n {4}--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_host(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_is_required(lock: str) -> None:
    assert required(lock.replace(".lock", ".in")) <= pins(lock).keys()


def test_the_locks_agree() -> None:
    together: dict[str, str] = {}
    for lock in LOCKS:
        for name, version in pins(lock).items():
            assert together.setdefault(name, version) == version
