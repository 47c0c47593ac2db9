"""A bank commits many approvals at once: an answer for every file, nothing twice however the connection or the program fails.

A failure would be a file without a result, a financing that another's refusal holds back, two draws for one approval, or a
batch that cannot be gone on with.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parties.bank import batch
from parties.bank.batch import Result, approval_files, commit_files
from parties.bank.cli import app
from parties.bank.commit import commit_file
from parties.bank.desk import Desk
from parties.bank.draft import Terms
from parties.common import runtime
from parties.common.errors import Refused, ServiceUnreachable
from parties.common.home import Home
from parties.common.sealed_files import write_sealed
from tests.parties.scene import FIRST, NOW, SECOND, Scene


@pytest.fixture
def at_work(scene: Scene) -> Iterator[Scene]:
    """The scene with a service that works batches off."""
    batches: Any = scene.wire.app.state.batches  # type: ignore[attr-defined]
    batches.start()
    yield scene
    batches.stop()


def approval(scene: Scene, bank: Desk, line: str, reference: str) -> Path:
    """An approval of a draw of its own, in the folder `approvals`."""
    _, draft = scene.draft(bank, scene.apply(bank, [line]), Terms(reference=reference))
    folder = scene.path("approvals")
    folder.mkdir(exist_ok=True)
    path = folder / f"{reference}.tv"
    write_sealed(path, scene.approve(draft), bank.signer.identity.seal_key)
    return path


def run(bank: Desk, *paths: Path) -> dict[str, Result]:
    results = commit_files(bank, approval_files(paths), lambda done, total: None)
    return {result.path.stem: result for result in results}


def codes(results: dict[str, Result]) -> dict[str, str]:
    return {name: "committed" if item.error is None else str(item.error.code) for name, item in results.items()}


def test_every_file_has_its_result_and_none_hinders_another(at_work: Scene) -> None:
    scene, bank = at_work, at_work.bank("A")
    approval(scene, bank, f"{FIRST}=USD 100.00", "A-1")
    approval(scene, bank, f"{SECOND}=USD 5.00", "A-2")
    approval(scene, bank, f"{FIRST}=USD 300.00", "A-3")  # proven on the same head as A-1: one of them can hold
    scene.path("approvals").joinpath("B-1.tv").write_text("no approval")
    scene.path("approvals").joinpath(".hidden").write_text("not looked at")
    found = codes(run(bank, scene.path("approvals")))
    assert sorted(found) == ["A-1", "A-2", "A-3", "B-1"]
    assert found["A-2"] == "committed"
    assert sorted((found["A-1"], found["A-3"])) == ["committed", "headroom-not-proven"]
    assert found["B-1"] not in ("committed", "headroom-not-proven")
    assert len([sent for sent in scene.wire.sent if sent[0] == "/v1/batches"]) == 1
    entries = scene.client.ready().entries
    again = codes(run(bank, scene.path("approvals")))
    assert {name: code for name, code in again.items() if code == "committed"} == {
        name: code for name, code in found.items() if code == "committed"
    }
    assert scene.client.ready().entries == entries, "nothing is done twice"


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_batch_whose_connection_is_lost_is_sent_again_as_it_was(at_work: Scene, lost: str) -> None:
    scene, bank = at_work, at_work.bank("A")
    paths = [approval(scene, bank, f"{number}=USD 5.00", name) for number, name in ((FIRST, "A-1"), (SECOND, "A-2"))]
    assert bank.log is not None
    setattr(scene.wire, f"lose_{lost}s", 1)
    with pytest.raises(ServiceUnreachable):
        run(bank, *paths)
    with pytest.raises(Refused, match="part of a batch"):
        commit_file(bank, paths[0])
    assert set(codes(run(scene.bank("A"), *paths)).values()) == {"committed"}
    sent = [(body, key) for path, body, key in scene.wire.sent if path == "/v1/batches"]
    assert len(sent) == (2 if lost == "answer" else 1)
    assert len(set(sent)) == 1
    assert not bank.home.names(batch.FOLDER)


@pytest.mark.parametrize("steps", [[1] * 20, [2] * 15, [0, 1, 2, 3, 4, 5, 6, 7]], ids=["each", "every other", "growing"])
def test_a_program_that_ends_anywhere_goes_on(at_work: Scene, monkeypatch: pytest.MonkeyPatch, steps: list[int]) -> None:
    """It dies after so many files that it has written, again and again: in the end both are committed, once."""
    scene, bank = at_work, at_work.bank("A")
    paths = [approval(scene, bank, f"{number}=USD 5.00", name) for number, name in ((FIRST, "A-1"), (SECOND, "A-2"))]
    save, left, ended = Home.save, [0], 0

    class EndedError(Exception):
        """The program."""

    def ending(self: Home, name: str, message: Any) -> None:
        if not left[0]:
            raise EndedError
        left[0] -= 1
        save(self, name, message)

    entries = scene.client.ready().entries
    for step in steps:
        left[0] = step
        with monkeypatch.context() as patched:
            patched.setattr(Home, "save", ending)
            try:
                run(scene.bank("A"), *paths)
            except EndedError:
                ended += 1
    assert ended
    assert set(codes(run(scene.bank("A"), *paths)).values()) == {"committed"}
    assert scene.client.ready().entries == entries + 2


def test_what_was_sent_by_itself_before_is_not_sent_in_a_batch(at_work: Scene) -> None:
    scene, bank = at_work, at_work.bank("A")
    paths = [approval(scene, bank, f"{number}=USD 5.00", name) for number, name in ((FIRST, "A-1"), (SECOND, "A-2"))]
    assert bank.log is not None
    scene.wire.lose_answers = 1
    with pytest.raises(ServiceUnreachable):
        commit_file(bank, paths[0])
    assert set(codes(run(bank, *paths)).values()) == {"committed"}
    keys = [key for path, _, key in scene.wire.sent if path == "/v1/financings"]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_the_command_shows_a_line_a_file(at_work: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, bank = at_work, at_work.bank("A")
    approval(scene, bank, f"{FIRST}=USD 5.00", "A-1")
    approval(scene, bank, f"{SECOND}=USD 6.00", "A-2")
    scene.path("approvals").joinpath("B-1.tv").write_text("no approval")
    monkeypatch.setattr(runtime, "connect", scene.connect)
    monkeypatch.setattr(runtime, "now", lambda: NOW)
    arguments = ["commit", "--home", str(bank.home.path("x").parent), "--service", "http://test", str(scene.path("approvals"))]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 1
    results = json.loads(done.stdout)["results"]
    assert [(Path(item["file"]).name, item["committed"]) for item in results] == [
        ("A-1.tv", True),
        ("A-2.tv", True),
        ("B-1.tv", False),
    ]
    assert results[2]["error"]["code"]
    scene.path("approvals").joinpath("B-1.tv").unlink()
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0
    assert "Committed: 2 of 2." in shown.stdout
