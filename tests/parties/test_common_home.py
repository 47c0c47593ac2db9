"""A home keeps secrets for one person and survives a crash at any moment.

Must hold: directory 0700, files 0600; a write that fails leaves the old file and no litter; keys are never overwritten; two
commands in one home take turns; what is damaged is refused without quoting it. A failure would be a half-written file, a file
that others can read, or a secret in a message. Not a failure: that a home is not encrypted; the disk is the owner's.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from parties.common import home as home_module
from parties.common.errors import EXIT_INPUT, HomeError, InputError
from parties.common.home import Home, read_bytes, read_message, write_private
from schemas.sealed import OpeningMessage

OPENING = OpeningMessage(amount=12345678, blinding=b"\x07" * 32)
OTHER = OpeningMessage(amount=87654321, blinding=b"\x08" * 32)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create(tmp_path / "party")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directory_and_files_are_for_their_owner_alone(home: Home) -> None:
    home.save("folder/opening.json", OPENING)
    assert mode(home.directory) == 0o700
    assert mode(home.path("folder/opening.json")) == 0o600
    assert mode(home.path("folder")) == 0o700


def test_an_open_directory_is_closed(tmp_path: Path) -> None:
    (tmp_path / "party").mkdir(mode=0o755)
    assert mode(Home.create(tmp_path / "party").directory) == 0o700


def test_a_directory_that_serves_others_is_not_closed_to_them(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "file").write_bytes(b"")
    with pytest.raises(HomeError, match="choose a new directory"):
        Home.create(shared)
    assert mode(shared) == 0o755
    shared.chmod(0o700)
    Home.create(shared)


def test_round_trip_replaces(home: Home) -> None:
    home.save("opening.json", OPENING)
    home.save("opening.json", OTHER)
    assert home.load("opening.json", OpeningMessage) == OTHER


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(home: Home, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    home.save("opening.json", OPENING)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*(("os.fsync",) if failing == "fsync" else ("pathlib.Path.replace",)), fail)
    with pytest.raises(InputError, match="No space left"):
        home.save("opening.json", OTHER)
    monkeypatch.undo()
    assert home.load("opening.json", OpeningMessage) == OPENING
    assert [path.name for path in home.directory.iterdir()] == ["opening.json"]


def test_keys_are_never_overwritten(home: Home) -> None:
    home.save_new("keys.json", OPENING)
    with pytest.raises(HomeError, match="not overwritten"):
        home.save_new("keys.json", OTHER)
    assert home.load("keys.json", OpeningMessage) == OPENING


def test_what_is_missing_names_the_command_that_makes_it(home: Home) -> None:
    with pytest.raises(HomeError, match="first run: tradeveil bank keys") as caught:
        home.load("keys.json", OpeningMessage, "tradeveil bank keys")
    assert caught.value.exit_code == EXIT_INPUT


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"amount": 12345678}', b'{"amount": 12345678, "amount": 1}', b"\xff\xfe", b"[" * 100_000, b'"12345678"'],
)
def test_damaged_files_are_refused_without_being_quoted(home: Home, content: bytes) -> None:
    path = home.path("opening.json")
    write_private(path, content)
    with pytest.raises(InputError) as caught:
        home.load("opening.json", OpeningMessage)
    assert "12345678" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["", "..", "../keys.json", "/etc/passwd", "a//b", "A.json", ".lock", "a/../b", "a\x00b"])
def test_no_name_leads_out_of_the_home(home: Home, name: str) -> None:
    with pytest.raises(HomeError):
        home.path(name)


def test_names_of_a_folder_are_sorted_and_hide_unfinished_writes(home: Home) -> None:
    assert home.names("folder") == []
    for name in ("b", "a"):
        home.save(f"folder/{name}.json", OPENING)
    (home.directory / "folder" / ".c.json.1234").write_bytes(b"{")
    assert home.names("folder") == ["folder/a.json", "folder/b.json"]


def test_two_commands_take_turns(home: Home) -> None:
    inside, trace = threading.Event(), []

    def first() -> None:
        with home.lock():
            inside.set()
            threading.Event().wait(0.3)
            trace.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(5)
    with home.lock():
        trace.append("second")
    thread.join()
    assert trace == ["first", "second"]


def test_another_process_waits_too_and_not_for_ever(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_module, "_LOCK_ATTEMPTS", 2)
    code = f"import fcntl, os; f = os.open({str(home.directory / '.lock')!r}, os.O_RDWR | os.O_CREAT, 0o600); "
    code += "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HomeError, match="another command is working"), home.lock():
            pass
        holder.communicate(b"\n")
    with home.lock():
        pass


def test_the_lock_is_free_again_after_a_failure(home: Home) -> None:
    with pytest.raises(RuntimeError), home.lock():
        raise RuntimeError
    with home.lock():
        pass


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="make keys first"), Home(tmp_path / "nowhere").lock():
        pass
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HomeError):
        Home.create(tmp_path / "file")


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(InputError, match="larger"):
        read_bytes(path, 4)
    with pytest.raises(InputError, match="cannot be read"):
        read_message(tmp_path, OpeningMessage)
    with pytest.raises(InputError, match="cannot be written"):
        write_private(tmp_path / "nowhere" / "file", b"")


def test_nothing_in_a_home_prints(home: Home) -> None:
    assert os.fspath(home.directory) in repr(home)
    assert "12345678" not in repr(OPENING)
