"""Evaluations, sealed records and lookups: the service gives what was asked for and cannot know what that was.

Must hold: an evaluation is the RFC's and its proof holds; a lookup answers every token with as many bytes, always the same for
one token, and nothing but the right key tells a record from noise; a budget is one sum over everything that a caller asks; an
epoch that has ended answers nobody; a rotation needs no stop. A failure would be a refusal, a size or a change between two
answers by which a stranger learns which tokens are known. That it sees when a record is replaced is no failure: SPEC says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from schemas import problems
from schemas.answers import DocumentStatus
from schemas.authenticity import (
    EvaluationAnswer,
    EvaluationKeys,
    EvaluationRequest,
    LookupAnswer,
    LookupRequest,
    PublicationRequest,
    RecordMessage,
    StatusesAnswer,
    StatusesRequest,
)
from schemas.canonical import canonical
from schemas.wire import encode_base64url
from service.authenticity import answering
from service.authenticity.answering import decoy
from service.authenticity.keys import KeyRing, add_key, create_keys, end_key, read_keys
from service.cli import app as serve
from service.institutions.counting import EVALUATIONS
from service.settings import EVALUATION_KEYS_NAME, SettingsError
from tests.builders import NOW, World
from tests.service.harness import ATTESTER_KEY, BANK, BANK_KEY, Desk, make_desk, make_directory, open_desk, refused, unchanged
from zkcore.authenticity import RECORD_SIZE, PaperFields, record_key, token
from zkcore.errors import MemoError
from zkcore.oprf import client as oblivious
from zkcore.oprf import suite
from zkcore.randomness import SystemRandomness
from zkcore.secret.records import open_record, seal_record

RANDOM = SystemRandomness()
GROUP = suite.group()
PAPER = PaperFields("export-declaration", "232520260028296053", "91320581MA1P3K7L9H", "USD", 100_000_000, "2026-03-02")
FORGED = PaperFields("export-declaration", "232520260028296053", "91320581MA1P3K7L9H", "USD", 100_000_001, "2026-03-02")
UNKNOWN = PaperFields("export-declaration", "232520260028296054", "91320581MA1P3K7L9H", "USD", 100_000_000, "2026-03-02")
BUDGET = 40


@dataclass
class Place:
    """A service with evaluation keys in its directory."""

    desk: Desk
    keys: Path

    def post(self, path: str, message: BaseModel | bytes) -> httpx.Response:
        return self.desk.post(path, message)

    def public(self) -> EvaluationKeys:
        return EvaluationKeys.model_validate(self.desk.get("/v1/evaluation-keys").json())

    def found(self, paper: PaperFields, epoch: int = 1) -> tuple[bytes, bytes]:
        """Token and record key of a paper, as a client gets them."""
        blinding = oblivious.blind([paper.token_input(), paper.key_input()], RANDOM)
        answer = self.evaluated(EvaluationRequest(epoch=epoch, blinded=[point.encode() for point in blinding.elements]))
        key = GROUP.decode(next(item.key for item in self.public().keys if item.epoch == epoch))
        elements = [GROUP.decode(data) for data in answer.evaluated]
        outputs = oblivious.finalize(blinding, key, elements, answer.proof)
        return token(outputs[0]), record_key(outputs[1])

    def evaluated(self, request: EvaluationRequest) -> EvaluationAnswer:
        response = self.post("/v1/evaluations", request)
        assert response.status_code == 200, response.text
        return EvaluationAnswer.model_validate(response.json())

    def publish(self, *records: tuple[bytes, bytes], epoch: int = 1) -> httpx.Response:
        made = [RecordMessage(token=found, record=record) for found, record in records]
        return self.post("/v1/credentials", PublicationRequest(epoch=epoch, records=made))

    def look_up(self, *tokens: bytes, epoch: int = 1) -> list[bytes]:
        response = self.post("/v1/credentials/lookups", LookupRequest(epoch=epoch, tokens=list(tokens)))
        assert response.status_code == 200, response.text
        return LookupAnswer.model_validate(response.json()).records


@pytest.fixture
def place(world: World, database: str, tmp_path: Path) -> Iterator[Place]:
    keys = tmp_path / EVALUATION_KEYS_NAME
    create_keys(keys, NOW)
    with make_desk(world, database, evaluation_keys=keys) as desk:
        desk.verifier.institutions.registry.set_limits(BANK, {"evaluations-per-day": BUDGET})
        yield Place(desk, keys)


def points(count: int) -> list[bytes]:
    return [element.encode() for element in oblivious.blind([bytes([i]) for i in range(count)], RANDOM).elements]


# --- the whole way --------------------------------------------------------------------------------------------------------


def test_the_right_fields_find_and_open_and_no_others(place: Place) -> None:
    found, key = place.found(PAPER)
    assert place.publish((found, seal_record(key, found, b"authentic", RANDOM))).json() == {"stored": 1}
    again, same_key = place.found(PAPER)
    assert (again, same_key) == (found, key)
    assert open_record(key, found, place.look_up(found)[0]) == b"authentic"
    for paper in (FORGED, UNKNOWN):
        other, wrong = place.found(paper)
        assert (other == found) == (paper is FORGED)
        with pytest.raises(MemoError):
            open_record(wrong, other, place.look_up(other)[0])


def test_a_lookup_says_nothing_but_to_the_right_key(place: Place) -> None:
    """Known and unknown: as many bytes, always the same, in the order asked for, with no byte that is likelier than others."""
    found, key = place.found(PAPER)
    place.publish((found, seal_record(key, found, b"", RANDOM)))
    unknown = bytes(32)
    known_record, noise = place.look_up(found, unknown)
    assert place.look_up(unknown, found, unknown) == [noise, known_record, noise]
    assert len(known_record) == len(noise) == RECORD_SIZE
    assert known_record != noise
    for record in (known_record, noise):
        assert max(Counter(record).values()) < 30
        assert len(set(record)) > 240


def test_noise_depends_on_the_secret_and_the_token(place: Place) -> None:
    secret = read_keys(place.keys).decoys
    assert place.look_up(b"t" * 32) == [decoy(secret, b"t" * 32)]
    made = {decoy(key, item) for key in (secret, bytes(32)) for item in (b"t" * 32, b"u" * 32)}
    assert len(made) == 4


def test_a_record_replaces_the_one_of_its_token(place: Place) -> None:
    """An amendment. Sent again it is stored again and nothing changes."""
    found, key = place.found(PAPER)
    old, new = (seal_record(key, found, content, RANDOM) for content in (b"old", b"new"))
    for record in (old, old, new, new):
        assert place.publish((found, record)).status_code == 200
        assert place.look_up(found) == [record]


def test_an_evaluation_of_many_has_one_proof(place: Place) -> None:
    inputs = [bytes([i]) for i in range(9)]
    blinding = oblivious.blind(inputs, RANDOM)
    answer = place.evaluated(EvaluationRequest(epoch=1, blinded=[point.encode() for point in blinding.elements]))
    assert len(answer.proof) == 64
    key = GROUP.decode(place.public().keys[0].key)
    elements = [GROUP.decode(data) for data in answer.evaluated]
    assert len(set(oblivious.finalize(blinding, key, elements, answer.proof))) == 9


# --- what is refused ------------------------------------------------------------------------------------------------------


def bad_requests() -> dict[str, tuple[str, bytes]]:
    good = encode_base64url(points(1)[0])
    record = encode_base64url(bytes(RECORD_SIZE))
    name = encode_base64url(bytes(32))

    def evaluation(*blinded: str) -> tuple[str, bytes]:
        return "/v1/evaluations", json.dumps({"epoch": 1, "blinded": blinded}).encode()

    def raw(data: bytes) -> str:
        return encode_base64url(data)

    return {
        "no elements": evaluation(),
        "too many elements": evaluation(*[good] * 10_001),
        "identity": evaluation(good, raw(bytes(33))),
        "identity of one byte": evaluation(raw(bytes(1))),
        "uncompressed": evaluation(raw(b"\x04" + bytes(64))),
        "another prefix": evaluation(raw(b"\x05" + GROUP.generator().encode()[1:])),
        "x not below the prime": evaluation(raw(b"\x02" + b"\xff" * 32)),
        "not on the curve": evaluation(raw(b"\x02" + bytes(31) + b"\x01"), raw(b"\x02" + bytes(31) + b"\x02")),
        "a byte too many": evaluation(raw(GROUP.generator().encode() + b"\0")),
        "padded": evaluation(good + "="),
        "no tokens": ("/v1/credentials/lookups", b'{"epoch":1,"tokens":[]}'),
        "a short token": ("/v1/credentials/lookups", json.dumps({"epoch": 1, "tokens": [name[:-2]]}).encode()),
        "too many tokens": ("/v1/credentials/lookups", json.dumps({"epoch": 1, "tokens": [name] * 5_001}).encode()),
        "no records": ("/v1/credentials", b'{"epoch":1,"records":[]}'),
        "a short record": (
            "/v1/credentials",
            json.dumps({"epoch": 1, "records": [{"token": name, "record": record[:-4]}]}).encode(),
        ),
        "epoch zero": ("/v1/credentials/lookups", json.dumps({"epoch": 0, "tokens": [name]}).encode()),
        "no documents": ("/v1/statuses", b'{"documents":[]}'),
    }


@pytest.mark.parametrize("name", bad_requests())
def test_what_is_malformed_is_refused(place: Place, name: str) -> None:
    path, body = bad_requests()[name]
    with unchanged(place.desk):
        refused(place.post(path, body), problems.MALFORMED)


def test_a_token_twice_in_one_publication_is_refused(place: Place) -> None:
    with unchanged(place.desk):
        refused(place.publish((bytes(32), bytes(RECORD_SIZE)), (bytes(32), b"x" * RECORD_SIZE)), problems.RECORD_REPEATED)


@pytest.mark.parametrize("epoch", [2, 2**32 - 1])
def test_an_epoch_that_is_not_there_answers_nobody(place: Place, epoch: int) -> None:
    with unchanged(place.desk):
        _refused_in(place, epoch)


def _refused_in(place: Place, epoch: int) -> None:
    refused(place.post("/v1/evaluations", EvaluationRequest(epoch=epoch, blinded=points(1))), problems.EVALUATION_EPOCH)
    refused(place.publish((bytes(32), bytes(RECORD_SIZE)), epoch=epoch), problems.EVALUATION_EPOCH)
    refused(place.post("/v1/credentials/lookups", LookupRequest(epoch=epoch, tokens=[bytes(32)])), problems.EVALUATION_EPOCH)


# --- budget ---------------------------------------------------------------------------------------------------------------


def test_a_budget_is_for_everything_that_is_asked_in_a_day(place: Place) -> None:
    place.evaluated(EvaluationRequest(epoch=1, blinded=points(30)))
    place.look_up(*(bytes([i]) * 32 for i in range(9)))
    with unchanged(place.desk):
        answer = place.post("/v1/evaluations", EvaluationRequest(epoch=1, blinded=points(2)))
        refused(answer, problems.BUDGET_SPENT)
        assert 0 < int(answer.headers["Retry-After"]) <= 86_400
    place.look_up(bytes(32))
    refused(place.post("/v1/credentials/lookups", LookupRequest(epoch=1, tokens=[bytes(32)])), problems.BUDGET_SPENT)
    place.desk.now += int(answer.headers["Retry-After"])
    place.look_up(bytes(32))


def test_more_than_a_day_has_is_refused_at_once(place: Place) -> None:
    with unchanged(place.desk):
        refused(place.post("/v1/evaluations", EvaluationRequest(epoch=1, blinded=points(BUDGET + 1))), problems.BUDGET_SPENT)


def test_what_is_malformed_costs_nothing(place: Place) -> None:
    for name in ("identity", "no tokens"):
        place.post(*bad_requests()[name])
    place.evaluated(EvaluationRequest(epoch=1, blinded=points(BUDGET)))


def test_days_that_are_over_are_forgotten(place: Place) -> None:
    for _ in range(4):
        place.look_up(bytes(32))
        place.desk.now += 86_400
    assert len([row for row in place.desk.dump()["counters"] if "evaluations-per-day" in row]) == 1


def test_an_outlet_spends_what_its_bank_has(place: Place) -> None:
    outlet = place.desk.admit("outlet", "bank", parent=BANK)
    request = LookupRequest(epoch=1, tokens=[bytes([i]) * 32 for i in range(30)])
    assert place.desk.post("/v1/credentials/lookups", request, signed_by=outlet).status_code == 200
    refused(place.post("/v1/credentials/lookups", request), problems.BUDGET_SPENT)


def test_without_a_limit_of_its_own_a_bank_has_the_default(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    other = place.desk.admit("other", "bank")
    request = LookupRequest(epoch=1, tokens=[bytes([i]) * 32 for i in range(BUDGET + 1)])
    assert place.desk.post("/v1/credentials/lookups", request, signed_by=other).status_code == 200
    monkeypatch.setattr(answering, "EVALUATIONS", replace(EVALUATIONS, most=2 * BUDGET + 1))
    refused(place.desk.post("/v1/credentials/lookups", request, signed_by=other), problems.BUDGET_SPENT)


# --- who may call ---------------------------------------------------------------------------------------------------------


def test_only_attesters_publish_and_only_banks_look_up(place: Place) -> None:
    """A record is replaced by whoever may publish, so that is nobody but an attester whose signature is fresh."""
    publication = PublicationRequest(epoch=1, records=[RecordMessage(token=bytes(32), record=bytes(RECORD_SIZE))])
    lookup = LookupRequest(epoch=1, tokens=[bytes(32)])
    auditor = place.desk.admit("auditor", "auditor")
    with unchanged(place.desk):
        for secret in (BANK_KEY, auditor):
            refused(place.desk.post("/v1/credentials", publication, signed_by=secret), problems.NOT_PERMITTED)
        for secret in (ATTESTER_KEY, auditor):
            refused(place.desk.post("/v1/credentials/lookups", lookup, signed_by=secret), problems.NOT_PERMITTED)
        evaluation = EvaluationRequest(epoch=1, blinded=points(1))
        refused(place.desk.post("/v1/evaluations", evaluation, signed_by=auditor), problems.NOT_PERMITTED)
    for path, message in (
        ("/v1/evaluations", evaluation),
        ("/v1/credentials", publication),
        ("/v1/credentials/lookups", lookup),
    ):
        unsigned = httpx.Client(transport=place.desk.client._transport, base_url="http://testserver")
        answer = unsigned.post(path, content=canonical(message), headers={"Content-Type": "application/json"})
        refused(answer, problems.SIGNATURE_INVALID)


def test_an_attester_publishes_as_much_as_it_has(place: Place) -> None:
    request = EvaluationRequest(epoch=1, blinded=points(2 * BUDGET))
    assert place.desk.post("/v1/evaluations", request, signed_by=ATTESTER_KEY).status_code == 200


# --- keys -----------------------------------------------------------------------------------------------------------------


def test_a_rotation_from_beginning_to_end(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the service up: a second epoch, both answer, records published anew, the first ends and is forgotten."""
    monkeypatch.setenv("TRADEVEIL_DATABASE", place.desk.database.url.render_as_string(hide_password=False))
    make_directory(tmp_path)
    first, key = place.found(PAPER)
    place.publish((first, seal_record(key, first, b"first", RANDOM)))
    _rotate(tmp_path)
    assert [(item.epoch, item.until) for item in place.public().keys] == [(1, None), (2, None)]
    second, other = place.found(PAPER, epoch=2)
    assert (second, other) != (first, key)
    assert open_record(key, first, place.look_up(first)[0]) == b"first"
    with pytest.raises(MemoError):
        open_record(other, second, place.look_up(second, epoch=2)[0])
    assert place.look_up(first, epoch=2) != place.look_up(first, epoch=1)
    place.publish((second, seal_record(other, second, b"second", RANDOM)), epoch=2)
    assert open_record(other, second, place.look_up(second, epoch=2)[0]) == b"second"
    assert "1 records" in _rotate(tmp_path, "--retire", "1")
    with unchanged(place.desk):
        _refused_in(place, 1)
    assert [row[0] for row in place.desk.dump()["records"]] == [second]
    ended = read_keys(place.keys).keys[0]
    assert ended.secret is None
    assert ended.until is not None
    assert place.public().keys[0].until == ended.until
    assert open_record(other, second, place.look_up(second, epoch=2)[0]) == b"second"


def _rotate(directory: Path, *arguments: str) -> str:
    result = CliRunner().invoke(serve, ["rotate-evaluation-key", "--directory", str(directory), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_the_newest_epoch_does_not_end(tmp_path: Path, epoch: int) -> None:
    create_keys(tmp_path / "keys", NOW)
    with pytest.raises(SettingsError, match="cannot end"):
        end_key(tmp_path / "keys", epoch, NOW)


def test_a_directory_without_keys_gets_its_first_and_the_service_sees_it(
    world: World, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEVEIL_DATABASE", database)
    make_directory(tmp_path)
    keys = tmp_path / EVALUATION_KEYS_NAME
    with make_desk(world, database, evaluation_keys=keys) as desk:
        place = Place(desk, keys)
        assert place.public().keys == []
        _refused_in(place, 1)
        _rotate(tmp_path)
        assert [item.epoch for item in place.public().keys] == [1]
        place.found(PAPER)


def test_after_a_lost_file_the_epochs_go_on(
    world: World, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever saw the lost key of an epoch would take another key of the same epoch for a service that misbehaves."""
    monkeypatch.setenv("TRADEVEIL_DATABASE", database)
    make_directory(tmp_path)
    keys = tmp_path / EVALUATION_KEYS_NAME
    create_keys(keys, NOW)
    with make_desk(world, database, evaluation_keys=keys) as desk:
        place = Place(desk, keys)
        found, key = place.found(PAPER)
        place.publish((found, seal_record(key, found, b"", RANDOM)))
    keys.unlink()
    assert "Epoch 2 has begun" in _rotate(tmp_path)
    with open_desk(world, database, evaluation_keys=keys) as desk:
        place = Place(desk, keys)
        assert [item.epoch for item in place.public().keys] == [2]
        _refused_in(place, 1)
        found, key = place.found(PAPER, epoch=2)
        place.publish((found, seal_record(key, found, b"", RANDOM)), epoch=2)
    assert "Epoch 3 has begun" in _rotate(tmp_path)
    assert "Epoch 2 has ended" in _rotate(tmp_path, "--retire", "2")


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    create_keys(path, NOW)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="never overwritten"):
        create_keys(path, NOW)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600


def _json(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        content = json.loads(path.read_bytes())
        change(content)
        path.write_text(json.dumps(content))

    return spoil


SPOILT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "open to others": (lambda path: path.chmod(0o640), "chmod 600"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-30]), "damaged"),
    "empty": (lambda path: path.write_bytes(b""), "damaged"),
    "another secret": (_json(lambda keys: keys["keys"][0].update(secret=keys["keys"][1]["secret"])), "another than it was"),
    "a secret that is zero": (_json(lambda keys: keys["keys"][0].update(secret="A" * 43)), "malformed"),
    "a gap": (_json(lambda keys: keys["keys"].pop(1)), "one epoch after another"),
    "an epoch twice": (_json(lambda keys: keys["keys"][1].update(epoch=1)), "one epoch after another"),
    "a field more": (_json(lambda keys: keys.update(more=1)), "damaged"),
}


@pytest.mark.parametrize("spoil,said", SPOILT.values(), ids=SPOILT.keys())
def test_a_file_that_cannot_be_right_is_refused_and_not_shown(tmp_path: Path, spoil: Callable[[Path], Any], said: str) -> None:
    path = tmp_path / "keys"
    create_keys(path, NOW)
    add_key(path, NOW)
    add_key(path, NOW)
    secrets = [encode_base64url(key.secret or b"") for key in read_keys(path).keys]
    spoil(path)
    with pytest.raises(SettingsError, match=said) as caught:
        KeyRing(path)
    assert not any(secret in str(caught.value) + repr(caught.value.__cause__) for secret in secrets)


def test_a_file_that_goes_while_the_service_runs_stops_evaluations(place: Place) -> None:
    place.keys.rename(place.keys.with_name("elsewhere"))
    assert place.desk.client.get("/v1/health").status_code == 200
    refused(place.post("/v1/evaluations", EvaluationRequest(epoch=1, blinded=points(1))), problems.INTERNAL)


def test_neither_keys_nor_their_file_print(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    create_keys(path, NOW)
    file = read_keys(path)
    shown = repr(file) + repr(file.keys) + repr(KeyRing(path).now())
    assert encode_base64url(file.keys[0].secret or b"?") not in shown
    assert encode_base64url(file.decoys) not in shown


# --- statuses -------------------------------------------------------------------------------------------------------------


def test_statuses_of_those_that_there_are(place: Place) -> None:
    papers = place.desk.register(500, 600)
    ids = [paper.state.document for paper in papers]
    answer = place.post("/v1/statuses", StatusesRequest(documents=[ids[1], bytes(32), ids[0], ids[1]]))
    found = StatusesAnswer.model_validate(answer.json()).statuses
    alone = [place.desk.get(f"/v1/documents/{encode_base64url(item)}").json() for item in (ids[1], ids[0])]
    assert found == [DocumentStatus.model_validate(item) for item in alone]


# --- nothing is left behind -----------------------------------------------------------------------------------------------


def test_the_database_has_tokens_and_noise_alone(place: Place) -> None:
    found, key = place.found(PAPER)
    place.publish((found, seal_record(key, found, b"authentic", RANDOM)))
    dump = place.desk.dump()
    assert [row[:2] for row in dump["records"]] == [(found, 1)]
    text = repr(dump)
    for word in (PAPER.number, PAPER.holder, str(PAPER.total), PAPER.date, "authentic"):
        assert word not in text


def test_tokens_of_currencies_and_kinds_have_nothing_in_common(place: Place) -> None:
    variants = [
        PAPER,
        PaperFields("import-declaration", *_rest(PAPER)),
        PaperFields(PAPER.kind, PAPER.number, PAPER.holder, "EUR", PAPER.total, PAPER.date),
    ]
    tokens = [place.found(paper)[0] for paper in variants]
    assert all(left != right for left, right in pairwise(sorted(tokens)))


def _rest(paper: PaperFields) -> tuple[str, str, str, int, str]:
    return paper.number, paper.holder, paper.currency, paper.total, paper.date
