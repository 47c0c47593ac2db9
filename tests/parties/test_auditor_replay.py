"""An audit accepts an honest log, whatever the engine and the size of its batches, and always comes to the same state.

A failure would be a bent log that passes, or one whose first named failure is not where it was bent. It is no failure that
later entries are named too, or that an entry cut off at the end goes unseen: only signed checkpoints show that.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parties.auditor.cli import app
from parties.auditor.replay import MAXIMUM_LINE_SIZE, count_lines, read_lines, replay
from schemas.entries import Closed, Drawn, Genesis, Reduced, Registered
from tests.builders import flip, make_world
from tests.parties.logbook import Entry, Logbook, bent, export_lines
from zkcore import PROTOCOL_VERSION, engine
from zkcore.randomness import SeededRandomness
from zkcore.secret.keys import ViewSecret
from zkcore.suite import Suite

GENESIS, FIRST, SECOND, DRAW, CONSENTED, FULL, PAID_OUT, REDUCE, SETTLE, CLOSE = range(10)


@dataclass(frozen=True)
class Written:
    """An honest log with one entry of each kind, in the order of the names above."""

    suite: Suite
    entries: tuple[Entry, ...]

    def bend(self, index: int, **fields: object) -> list[bytes]:
        """The export with one entry changed."""
        entries = list(self.entries)
        entries[index] = bent(entries[index], **fields)
        return export_lines(entries)


@pytest.fixture(scope="module")
def log() -> Written:
    suite = engine.load()
    book = Logbook(make_world(suite))
    book.register(1_000_000_00)
    book.register(50_000)
    book.draw(0, 600_000_00)
    book.draw(0, 350_000_00, application=bytes(32))
    book.draw(1, 50_000)
    book.disburse(2)
    book.reduce(2, 20_000, "repaid-own-funds")
    book.reduce(2, 30_000, "repaid-proceeds")
    book.close(2)
    return Written(suite, tuple(book.entries))


def first_failure(suite: Suite, lines: list[bytes], genesis: bytes | None = None) -> tuple[int, str]:
    verdict = replay(suite, lines, expected_genesis=genesis)
    assert not verdict.ok
    assert verdict.state == b""
    return verdict.failures[0].index, verdict.failures[0].code


# --- honest logs ----------------------------------------------------------------------------------------------------------


def test_an_honest_log_passes(log: Written) -> None:
    verdict = replay(log.suite, export_lines(list(log.entries)))
    assert verdict.ok
    assert verdict.failures == ()
    assert verdict.entries == 10
    assert verdict.by_type == {"close": 1, "disburse": 1, "draw": 3, "genesis": 1, "reduce": 2, "register": 2}
    assert (verdict.documents, verdict.draws_open, verdict.draws_closed) == (2, 2, 1)
    assert (verdict.stages, verdict.statuses, verdict.overdrawn) == ({"reserved": 2, "settled": 1}, {"cleared": 2}, 0)
    # Two proofs of possession; 2 x 2 registrations; 3 x 3 draws and a consent; a disbursement; 2 x 2 reductions; one closure.
    assert verdict.claims == 2 + 4 + 10 + 1 + 4 + 1


def test_batches_of_any_size_come_to_the_same_state(log: Written) -> None:
    lines = export_lines(list(log.entries))
    assert len({replay(log.suite, lines, batch_claims=size).state for size in (1, 5, 1000)}) == 1


def test_the_reference_engine_comes_to_the_same_state(log: Written) -> None:
    lines = export_lines(list(log.entries))
    verdict = replay(engine.load("reference"), lines)
    assert verdict.ok
    assert verdict.engine == "reference"
    assert verdict.state == replay(log.suite, lines).state


def test_the_state_depends_on_every_entry(log: Written) -> None:
    lines = export_lines(list(log.entries))
    states = [replay(log.suite, lines[:count]).state for count in range(1, len(lines) + 1)]
    assert len(set(states)) == len(states)


def test_time_is_measured_over_the_proofs_too(log: Written) -> None:
    ticks = iter((10.0, 14.0))
    verdict = replay(log.suite, export_lines(list(log.entries)), clock=lambda: next(ticks))
    assert verdict.seconds == 4.0
    assert verdict.entries_per_second == 2.5


def test_a_genesis_can_be_pinned(log: Written) -> None:
    lines = export_lines(list(log.entries))
    genesis = replay(log.suite, lines).genesis
    assert replay(log.suite, lines, expected_genesis=genesis).ok
    verdict = replay(log.suite, lines, expected_genesis=bytes(32))
    assert (verdict.failures[0].index, verdict.failures[0].code) == (0, "genesis")


# --- bent proofs and figures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "index,part,code",
    [
        (FIRST, "proof", "sigma"),
        (FIRST, "range_proof", "range"),
        (PAID_OUT, "proof", "sigma"),
        (REDUCE, "proof", "sigma"),
        (REDUCE, "range_proof", "range"),
        (SETTLE, "proof", "sigma"),
        (CLOSE, "proof", "sigma"),
    ],
)
def test_a_flipped_bit_in_a_proof_is_found_where_it_is(log: Written, index: int, part: str, code: str) -> None:
    entry = log.entries[index]
    assert not isinstance(entry, Genesis)
    proof = getattr(entry.body, part)
    assert first_failure(log.suite, log.bend(index, **{part: flip(proof, 8 * len(proof) - 8)})) == (index, code)


@pytest.mark.parametrize(
    "part,field,code", [("draft", "proof", "sigma"), ("headroom", "proof", "sigma"), ("headroom", "range_proof", "range")]
)
@pytest.mark.parametrize("index", [DRAW, CONSENTED, FULL])
def test_a_flipped_bit_in_a_draw_is_found_where_it_is(log: Written, index: int, part: str, field: str, code: str) -> None:
    entry = log.entries[index]
    assert isinstance(entry, Drawn)
    message = getattr(entry.body, part)
    proof = getattr(message, field)
    changed = message.model_copy(update={field: flip(proof, 8 * len(proof) - 8)})
    assert first_failure(log.suite, log.bend(index, **{part: changed})) == (index, code)


def test_any_changed_byte_of_any_body_is_found_where_it_is(log: Written) -> None:
    generator = random.Random(20)
    lines = export_lines(list(log.entries))
    # Who holds which seal key is proven by nothing in the log itself; hence an auditor names the genesis that it expects.
    genesis = replay(log.suite, lines).genesis
    for index in range(len(lines)):
        # What the service adds after the body, who called and when, is bound by the heads of later entries alone.
        end = b',"caller":' if b',"caller":' in lines[index] else b',"time":'
        most = lines[index].rindex(end)
        for _ in range(4):
            position = generator.randrange(len(b'{"entry":{'), most)
            changed = bytearray(lines[index])
            changed[position] ^= 1 << generator.randrange(7)
            bent_lines = [*lines[:index], bytes(changed), *lines[index + 1 :]]
            assert first_failure(log.suite, bent_lines, genesis)[0] == index


def test_another_limit_is_found(log: Written) -> None:
    other = log.entries[SECOND]
    assert isinstance(other, Registered)
    assert first_failure(log.suite, log.bend(FIRST, limit=other.body.limit)) == (FIRST, "sigma")


def test_another_amount_is_found(log: Written) -> None:
    draw, other = log.entries[DRAW], log.entries[CONSENTED]
    assert isinstance(draw, Drawn)
    assert isinstance(other, Drawn)
    changed = draw.body.draft.model_copy(update={"amount": other.body.draft.amount})
    assert first_failure(log.suite, log.bend(DRAW, draft=changed)) == (DRAW, "sigma")


def test_another_rest_is_found(log: Written) -> None:
    draw, other = log.entries[DRAW], log.entries[CONSENTED]
    assert isinstance(draw, Drawn)
    assert isinstance(other, Drawn)
    changed = draw.body.headroom.model_copy(update={"left": other.body.headroom.left})
    assert first_failure(log.suite, log.bend(DRAW, headroom=changed)) == (DRAW, "sigma")


def test_exchanged_memos_are_found(log: Written) -> None:
    reduced = log.entries[REDUCE]
    assert isinstance(reduced, Reduced)
    memos = reduced.body.memos.model_copy(update={"regulator": bytes([1]) * len(reduced.body.memos.regulator)})
    assert first_failure(log.suite, log.bend(REDUCE, memos=memos)) == (REDUCE, "sigma")


def test_a_headroom_proof_by_the_regulator_without_consent_is_found(log: Written) -> None:
    draw = log.entries[CONSENTED]
    assert isinstance(draw, Drawn)
    changed = draw.body.draft.model_copy(update={"consent": None})
    assert first_failure(log.suite, log.bend(CONSENTED, draft=changed)) == (CONSENTED, "state")


def test_another_reason_is_found(log: Written) -> None:
    # "repaid-own-funds" gives headroom back and "repaid-proceeds" does not: exchanging them would move the balance.
    assert first_failure(log.suite, log.bend(SETTLE, reason="repaid-own-funds")) == (SETTLE, "sigma")


# --- rules of the log -----------------------------------------------------------------------------------------------------


def test_a_missing_entry_is_found(log: Written) -> None:
    lines = export_lines(list(log.entries))
    assert first_failure(log.suite, lines[:DRAW] + lines[DRAW + 1 :]) == (DRAW, "index")
    # Renumbered, it shows in the next proof against the document's head.
    assert first_failure(log.suite, export_lines([*log.entries[:DRAW], *log.entries[DRAW + 1 :]])) == (DRAW, "sigma")


def test_a_repeated_entry_is_found(log: Written) -> None:
    lines = export_lines(list(log.entries))
    assert first_failure(log.suite, lines[: DRAW + 1] + lines[DRAW:]) == (DRAW + 1, "index")
    for index in range(FIRST, CLOSE + 1):
        renumbered = export_lines([*log.entries[: index + 1], log.entries[index]])
        code = "sigma" if isinstance(log.entries[index], Reduced) else "state"
        assert first_failure(log.suite, renumbered) == (index + 1, code)


def test_exchanged_entries_are_found(log: Written) -> None:
    lines = export_lines(list(log.entries))
    lines[DRAW], lines[CONSENTED] = lines[CONSENTED], lines[DRAW]
    assert first_failure(log.suite, lines) == (DRAW, "index")
    entries = list(log.entries)
    entries[DRAW], entries[CONSENTED] = entries[CONSENTED], entries[DRAW]
    assert first_failure(log.suite, export_lines(entries))[0] == DRAW
    same_times = [entry.model_copy(update={"time": 1}) for entry in entries]
    assert first_failure(log.suite, export_lines(same_times))[0] == DRAW


def test_time_runs_forward(log: Written) -> None:
    entries = list(log.entries)
    entries[SECOND] = entries[SECOND].model_copy(update={"time": entries[FIRST].time - 1})
    assert first_failure(log.suite, export_lines(entries)) == (SECOND, "time")


def test_a_changed_time_moves_the_head(log: Written) -> None:
    entries = list(log.entries)
    entries[FIRST] = entries[FIRST].model_copy(update={"time": entries[GENESIS].time})
    assert first_failure(log.suite, export_lines(entries)) == (DRAW, "sigma")


@pytest.mark.parametrize(
    "index,fields,code",
    [
        (FIRST, {"kind": "import-declaration"}, "state"),
        (FIRST, {"epoch": 2}, "state"),
        (FIRST, {"currency": "EUR"}, "sigma"),
        (FIRST, {"document": bytes(32)}, "context"),
        (FIRST, {"document": bytes([1]) * 32}, "sigma"),
        (REDUCE, {"draw": bytes([1]) * 32}, "state"),
        (CLOSE, {"draw": bytes([1]) * 32}, "state"),
    ],
)
def test_what_is_not_known_is_found(log: Written, index: int, fields: dict[str, object], code: str) -> None:
    assert first_failure(log.suite, log.bend(index, **fields)) == (index, code)


def test_an_unknown_attester_is_found(log: Written) -> None:
    registered = log.entries[FIRST]
    assert isinstance(registered, Registered)
    assert first_failure(log.suite, log.bend(FIRST, attester=registered.body.owner)) == (FIRST, "key")


def test_a_draw_on_an_unknown_document_is_found(log: Written) -> None:
    draw = log.entries[DRAW]
    assert isinstance(draw, Drawn)
    changed = draw.body.draft.model_copy(update={"document": bytes([7]) * 32})
    assert first_failure(log.suite, log.bend(DRAW, draft=changed)) == (DRAW, "state")


def test_a_step_on_a_closed_draw_is_found(log: Written) -> None:
    closed = log.entries[CLOSE]
    assert isinstance(closed, Closed)
    later = closed.model_copy(update={"time": closed.time + 1})
    assert first_failure(log.suite, export_lines([*log.entries, later])) == (CLOSE + 1, "state")


def test_expired_drafts_and_used_consents_are_found(log: Written) -> None:
    book = Logbook(make_world(log.suite, b"another log"))
    book.register(1_000)
    book.draw(0, 1, expires=book.now + 1)
    book.draw(0, 1, application=bytes(32))
    book.draw(0, 1, application=bytes(32))
    assert first_failure(log.suite, book.lines()) == (4, "state")
    late = Logbook(make_world(log.suite, b"a third log"))
    late.register(1_000)
    late.draw(0, 1, expires=late.now)
    assert first_failure(log.suite, late.lines()) == (2, "state")


def test_a_forged_genesis_is_found(log: Written) -> None:
    genesis = log.entries[GENESIS]
    assert isinstance(genesis, Genesis)
    randomness = SeededRandomness(b"forger")
    forged = ViewSecret.generate(log.suite, randomness)
    key = forged.public(log.suite).encode()
    without_proof = genesis.regulator.model_copy(update={"key": key})
    assert first_failure(log.suite, log.bend(GENESIS, regulator=without_proof)) == (GENESIS, "batch")
    proof = forged.prove_possession(log.suite, genesis.origin, "regulator", genesis.regulator.seal_key, randomness)
    with_proof = without_proof.model_copy(update={"proof": proof})
    assert first_failure(log.suite, log.bend(GENESIS, regulator=with_proof)) == (FIRST, "sigma")
    assert first_failure(log.suite, log.bend(GENESIS, origin="test.example/other")) == (GENESIS, "batch")
    other_seal = genesis.regulator.model_copy(update={"seal_key": genesis.attesters[0].seal_key[::-1]})
    assert first_failure(log.suite, log.bend(GENESIS, regulator=other_seal)) == (GENESIS, "batch")
    assert first_failure(log.suite, log.bend(GENESIS, protocol=PROTOCOL_VERSION + 1)) == (GENESIS, "encoding")
    assert first_failure(log.suite, log.bend(GENESIS, attesters=[*genesis.attesters, *genesis.attesters])) == (GENESIS, "key")


def test_one_genesis_and_it_stands_first(log: Written) -> None:
    assert first_failure(log.suite, export_lines(list(log.entries[1:]))) == (0, "genesis")
    again = log.entries[GENESIS].model_copy(update={"time": log.entries[CLOSE].time})
    assert first_failure(log.suite, export_lines([*log.entries, again])) == (CLOSE + 1, "genesis")
    assert first_failure(log.suite, []) == (0, "genesis")


def test_an_earlier_false_proof_is_named_before_a_later_break(log: Written) -> None:
    entry = log.entries[FIRST]
    assert isinstance(entry, Registered)
    lines = log.bend(FIRST, proof=flip(entry.body.proof, 8 * len(entry.body.proof) - 8))
    del lines[SECOND]
    verdict = replay(log.suite, lines)
    assert [(failure.index, failure.code) for failure in verdict.failures] == [(FIRST, "sigma"), (SECOND, "index")]


# --- files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: b"",
        lambda line: b"{}",
        lambda line: b" " + line,
        lambda line: line + b" ",
        lambda line: line.replace(b',"index":', b', "index":'),
        lambda line: line[:-20],
        lambda line: line + b"\r",
        lambda line: b"\xff" + line,
        lambda line: b"[" * 100_000,
        lambda line: b'{"entry":' + b"[" * 60_000 + b',"index":3}',
        lambda line: line.replace(b'"type":"draw"', b'"type":"drew"'),
        lambda line: line.replace(b'"type":"draw"', b'"type":"draw","type":"draw"'),
        lambda line: line.replace(b'"time":', b'"more":1,"time":'),
    ],
)
def test_what_is_not_canonical_is_found(log: Written, spoil: Callable[[bytes], bytes]) -> None:
    lines = export_lines(list(log.entries))
    lines[DRAW] = spoil(lines[DRAW])
    index, code = first_failure(log.suite, lines)
    assert index == DRAW
    assert code in ("encoding", "index")


def test_lines_are_read_in_bounded_memory() -> None:
    endless = io.BytesIO(b"x" * (3 * MAXIMUM_LINE_SIZE))
    assert max(map(len, read_lines(endless))) <= MAXIMUM_LINE_SIZE + 2
    assert list(read_lines(io.BytesIO(b"a\nb\n\nc"))) == [b"a", b"b", b"", b"c"]
    assert count_lines(io.BytesIO(b"a\nb\n")) == 2


@pytest.fixture
def export_file(log: Written, tmp_path: Path) -> Path:
    path = tmp_path / "log.ndjson"
    path.write_bytes(b"".join(line + b"\n" for line in export_lines(list(log.entries))))
    return path


def test_the_command_says_that_all_is_right(export_file: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(export_file), "--json"])
    assert result.exit_code == 0
    verdict = json.loads(result.stdout)
    assert verdict["ok"]
    assert verdict["entries"] == 10
    table = CliRunner().invoke(app, ["replay", str(export_file), "--genesis", verdict["genesis"]])
    assert table.exit_code == 0
    assert "All is right" in table.stdout


def test_the_command_says_what_is_wrong(export_file: Path) -> None:
    lines = export_file.read_bytes().splitlines(keepends=True)
    export_file.write_bytes(b"".join(lines[:DRAW] + lines[DRAW + 1 :]))
    result = CliRunner().invoke(app, ["replay", str(export_file)])
    assert result.exit_code == 1
    assert "NOT right from entry 3" in result.stdout
    as_json = CliRunner().invoke(app, ["replay", str(export_file), "--json"])
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["failures"][0]["code"] == "index"


@pytest.mark.parametrize(
    "arguments", [["missing.ndjson"], [".", "--engine", "no-such-engine"], ["."], [".", "--genesis", "12"], []]
)
def test_a_wrong_call_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["replay", *arguments]).exit_code == 2


def test_the_auditor_loads_no_code_that_uses_secrets() -> None:
    secret = ("zkcore.secret", "schemas.sealed", "parties.common.keyring", "parties.common.request_keys")
    program = f"import sys, parties.auditor.cli; print([m for m in sys.modules if m.startswith({secret!r})])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
