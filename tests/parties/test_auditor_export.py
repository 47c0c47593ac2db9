"""An export of the real service replays, and every way of bending it is found.

A failure would be an export that lacks an entry without anybody noticing, a file that stands there half-written, or a log that
the service accepted and an audit refuses (or the reverse).
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parties.auditor.cli import app
from parties.auditor.export import export_log, write_export
from parties.auditor.replay import read_lines, replay
from parties.bank.commit import commit
from parties.bank.draft import Terms
from parties.bank.repayment import Instruction, repay
from parties.common import runtime
from parties.common.errors import InputError, ServiceMisbehaved, ServiceRefused
from parties.common.money import Money
from parties.regulator.approve import approve, read_draft
from schemas.answers import ExportedEntry
from tests.parties.scene import TOKEN, Scene
from zkcore import engine

FIRST, SECOND = "310120260512345678", "310120260512345679"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """One entry of each kind, and headroom proofs by both provers."""
    made = Scene(tmp_path_factory.mktemp("scene"))
    made.register((FIRST, "USD 1000000.00"), (SECOND, "USD 48200.00"))
    bank = made.bank("A")
    made.lend(bank, [f"{FIRST}=USD 600000.00", f"{SECOND}=USD 8200.00"], Terms(reference="L-1"), disbursed=True)
    made.now += 60
    repay(bank, Instruction("repaid-own-funds", Money.parse("USD 100000.00"), reference="L-1", number=FIRST))
    repay(bank, Instruction("repaid-proceeds", settle=True, reference="L-1", number=SECOND))
    _, draft = made.draft(bank, made.apply(bank, [f"{FIRST}=USD 500000.00"], consent=True))
    commit(bank, approve(made.bureau(), read_draft(draft, made.regulator)))
    return made


@pytest.fixture(scope="module")
def export(scene: Scene) -> Path:
    path = scene.path("log.ndjson")
    export_log(scene.client, TOKEN, path)
    return path


def lines_of(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return list(read_lines(file))


def test_the_export_replays_on_every_engine(scene: Scene, export: Path) -> None:
    verdicts = [replay(engine.load(name), lines_of(export)) for name in engine.available()]
    assert all(verdict.ok for verdict in verdicts), verdicts[0].failures
    assert len({verdict.state for verdict in verdicts}) == 1
    assert verdicts[0].by_type == {
        "genesis": 1,
        "register": 2,
        "apply": 3,
        "decide": 6,
        "draw": 3,
        "disburse": 2,
        "reduce": 2,
        "close": 1,
    }
    assert verdicts[0].entries == scene.client.ready().entries
    assert (verdicts[0].draws_open, verdicts[0].draws_closed) == (2, 1)


def test_the_export_is_fetched_page_by_page(scene: Scene, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, calls = scene.client.entries, list[tuple[int, int]]()
    monkeypatch.setattr(scene.client, "entries", lambda token, start: whole(token, start, 2))
    path = scene.path("pages.ndjson")
    count = export_log(scene.client, TOKEN, path, lambda done, total: calls.append((done, total)))
    assert path.read_bytes() == export.read_bytes()
    assert calls[:2] == [(2, count), (4, count)]
    assert calls[-1] == (count, count)
    assert path.stat().st_mode & 0o077 == 0


def test_a_bent_export_is_found_where_it_was_bent(scene: Scene, export: Path) -> None:
    lines, generator = lines_of(export), random.Random(5)
    # Who holds which seal key is proven by nothing in the log itself; hence an auditor names the genesis that it expects.
    genesis = replay(scene.suite, lines).genesis
    for index in range(len(lines)):
        for _ in range(3):
            changed = bytearray(lines[index])
            # Time and caller, which stand last, are the service's own and are bound by the heads of later entries alone.
            end = min(place for name in (b',"caller":', b',"time":') if (place := lines[index].rfind(name)) > 0)
            changed[generator.randrange(len(b'{"entry":{'), end)] ^= 1 << generator.randrange(7)
            bent = [*lines[:index], bytes(changed), *lines[index + 1 :]]
            verdict = replay(scene.suite, bent, expected_genesis=genesis)
            assert not verdict.ok
            assert verdict.failures[0].index == index


def test_a_file_appears_only_when_it_is_whole(scene: Scene) -> None:
    def failing() -> Any:
        yield next(scene.client.all_entries(TOKEN))
        raise ServiceRefusedForTest

    class ServiceRefusedForTest(Exception):
        pass

    path = scene.path("half.ndjson")
    path.write_text("old")
    with pytest.raises(ServiceRefusedForTest):
        write_export(path, failing())
    assert path.read_text() == "old"
    assert list(scene.directory.glob(".*partial")) == []
    with pytest.raises(InputError):
        write_export(scene.path("no-such-directory") / "x", [])


@pytest.mark.parametrize("entry", [{"a": 1 << 53}, {"a": float("inf")}, {"\ud800": 1}, {"a": "\ud800"}])
def test_an_entry_without_an_encoding_is_not_exported(tmp_path: Path, entry: dict[str, Any]) -> None:
    """Nor mended on its way: an export holds what the service said, or there is none."""
    path = tmp_path / "export.ndjson"
    with pytest.raises(ServiceMisbehaved):
        write_export(path, [ExportedEntry(index=0, entry=entry)])
    assert list(tmp_path.iterdir()) == []


def test_the_token_is_needed(scene: Scene) -> None:
    with pytest.raises(ServiceRefused) as refused:
        export_log(scene.client, "x" * 40, scene.path("nothing.ndjson"))
    assert refused.value.slug == "unauthorised"
    assert not scene.path("nothing.ndjson").exists()


def test_the_commands(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "connect", scene.connect)
    token, path = scene.path("token"), scene.path("by-command.ndjson")
    token.write_text(TOKEN)
    run = CliRunner().invoke
    arguments = ["--service", "http://127.0.0.1", "--token-file", str(token), "-o", str(path)]
    exported = run(app, ["export", *arguments])
    assert exported.exit_code == 0, exported.output
    verdict = run(app, ["replay", str(path), "--engine", "reference", "--json"])
    assert verdict.exit_code == 0
    assert json.loads(verdict.stdout)["engine"] == "reference"
    token.write_text("x" * 40)
    assert run(app, ["export", *arguments]).exit_code == 1
    scene.wire.lose_requests = 1
    assert run(app, ["export", *arguments]).exit_code == 3
