"""Every engine replays every test vector: the same bytes from the same seeds, the accepts accepted, the rejects refused.

A failure would be: another byte than the file has, a reject that is accepted or refused for another reason, a reject that
does not say what it is a mutation of, or files that are not what the code writes. Order of JSON fields is no failure; the
drift check compares text all the same, so that a diff stays readable.

The reference engine is several times slower. It proves range proofs of up to 64 bits in all and one operation of each kind,
and of the rejected range proofs and operations it verifies every third. All else it replays whole, like the other engines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, get_args

import pytest

from schemas.entries import AnyEntry
from schemas.vectors.generate import DIRECTORY, drifted, main
from schemas.vectors.replay import OPERATIONS, REPLAYS, patched
from zkcore import PROTOCOL_VERSION, engine, statements
from zkcore.errors import BatchRejected, ZkError
from zkcore.ledger.state import APPLICATION_STAGES, DRAW_STAGES, STATUSES_AFTER
from zkcore.suite import SUITE_IDENTIFIER

ENGINES = engine.available()
FILES = list(REPLAYS)

SLOW = {"ranges", "operations"}
"""Files of range proofs, of which the reference engine replays a sample."""

PROVEN_BY_ALL = {
    "register/first",
    "draw/consented",
    "draw/moved",
    "reduce/own-funds",
    "amend/down",
    "overdrawn",
    "disburse/part",
}
"""Operations with range proofs that the slow engine proves too."""

ENTRY_TYPES = [entry.model_fields["type"].default for entry in get_args(AnyEntry)]

CODES = {error.code for error in ZkError.__subclasses__()}


@cache
def read(name: str) -> dict[str, Any]:
    """The content of a file of vectors."""
    content: dict[str, Any] = json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))
    return content


def accepts(name: str) -> Iterable[dict[str, Any]]:
    return read(name)["accept"]  # type: ignore[no-any-return]


CASES = [
    pytest.param(engine_name, name, vector["id"], id=f"{engine_name}-{name}-{vector['id']}")
    for engine_name in ENGINES
    for name in FILES
    for vector in accepts(name)
]


def vector_of(name: str, identifier: str) -> dict[str, Any]:
    return next(vector for vector in accepts(name) if vector["id"] == identifier)


def too_slow_to_prove(engine_name: str, name: str, vector: dict[str, Any]) -> bool:
    if engine_name != "reference" or name not in SLOW:
        return False
    if name == "ranges":
        return bool(vector["bits"] * len(vector["values"]) > 64)
    return "range_proof" in json.dumps(vector["message"]) and vector["id"] not in PROVEN_BY_ALL


@pytest.mark.parametrize("engine_name, name, identifier", CASES)
def test_accepted(engine_name: str, name: str, identifier: str) -> None:
    suite, vector, replay = engine.load(engine_name), vector_of(name, identifier), REPLAYS[name]
    if not too_slow_to_prove(engine_name, name, vector):
        derived = replay.derive(suite, vector)
        assert derived == {key: vector[key] for key in derived}
    replay.verify(suite, vector)


@pytest.mark.parametrize("engine_name, name, identifier", CASES)
def test_rejected(engine_name: str, name: str, identifier: str) -> None:
    suite, base, replay = engine.load(engine_name), vector_of(name, identifier), REPLAYS[name]
    rejects = [vector for vector in read(name)["reject"] if vector["base"] == identifier]
    step = 3 if engine_name == "reference" and name in SLOW else 1
    for vector in rejects[::step]:
        changed = patched(base, vector["patch"])
        assert changed != base, vector["id"]
        with pytest.raises(ZkError) as refused:
            replay.verify(suite, changed)
        assert refused.value.code == vector["error"], vector["id"]
        if isinstance(refused.value, BatchRejected):
            failures = {label: error.code for label, error in refused.value.failures}
            assert failures == vector["failures"], vector["id"]


# --- the files themselves -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_files_are_what_the_code_writes() -> None:
    assert drifted(engine.load()) == []


def test_drift_is_an_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("schemas.vectors.generate.drifted", lambda suite: ["keys.json"])
    assert main(["--check"]) == 1
    assert "keys.json" in capsys.readouterr().err
    monkeypatch.setattr("schemas.vectors.generate.drifted", lambda suite: [])
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_what_it_is(name: str) -> None:
    content = read(name)
    assert (content["protocol"], content["suite"]) == (PROTOCOL_VERSION, SUITE_IDENTIFIER)
    identifiers = [vector["id"] for vector in content["accept"] + content["reject"]]
    assert len(set(identifiers)) == len(identifiers)
    bases = {vector["id"] for vector in content["accept"]}
    for vector in content["reject"]:
        assert vector["base"] in bases
        assert vector["id"].startswith(f"{vector['base']}/")
        assert vector["mutation"]
        assert vector["error"] in CODES
        assert set(vector.get("failures", {}).values()) <= CODES


def test_every_statement_and_operation_has_vectors() -> None:
    sigma = {statement.name for statement in statements.ALL}
    assert {vector["statement"] for vector in accepts("statements")} == sigma
    ranges = {statement.name for statement in statements.ALL_RANGES}
    assert {vector["statement"] for vector in accepts("ranges") if "statement" in vector} == ranges
    assert {vector["operation"] for vector in accepts("operations")} == set(OPERATIONS)
    assert set(OPERATIONS) == {name for name in ENTRY_TYPES if name != "genesis"} | {"view"}
    for name in ("statements", "ranges", "operations"):
        refused = {vector["error"] for vector in read(name)["reject"]}
        assert refused >= {"context"}, name
    failing = {code for vector in read("operations")["reject"] for code in vector.get("failures", {}).values()}
    assert failing == {"sigma", "range", "length", "identity"}


def test_every_stage_and_status_has_a_vector() -> None:
    """Every stage of a draw and an application and every status of a document is where some accepted operation leads."""
    seen = set()
    for vector in accepts("operations"):
        for name in ("draw", "application", "document"):
            before, after = vector["state"].get(name), vector["after"].get(name)
            if after is not None:
                key = "status" if name == "document" else "stage"
                seen.add((name, None if before is None else before[key], after[key]))
    stages = {after for name, _, after in seen if name == "draw"}
    assert stages == set(DRAW_STAGES) - {"moved"}
    assert {after for name, _, after in seen if name == "application"} == set(APPLICATION_STAGES)
    assert {after for name, _, after in seen if name == "document"} == set(STATUSES_AFTER)
    assert any(vector["after"]["moved"]["stage"] == "moved" for vector in accepts("operations") if "moved" in vector["after"])
