"""Customs enrols enterprises and registers declarations: each once, whatever happens to the line, the power or the directory.

Must hold: a declaration gives one document a currency, readable by its owner and the regulator; after a lost request, a lost
answer or a crash the same run again registers nothing twice; a refusal leaves no gap in an owner's row; faulty rows come back
with a reason. A failure would be a doubled limit, a document that its owner cannot find, or a row lost silently. Not a failure:
that a batch is refused as a whole.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parties.common.errors import InputError, PartyError, Refused, ServiceRefused, ServiceUnreachable
from parties.common.home import Home
from parties.common.keyring import About, create_signer
from parties.common.sheet import REASON_COLUMN, Sheet
from parties.customs import register as register_module
from parties.customs.enrol import Enterprise, enrol, enterprise_file
from parties.customs.publish import RecordDraft
from parties.customs.register import (
    PENDING_FILE,
    DocumentRecord,
    Office,
    Report,
    record_file,
    register_declarations,
)
from parties.enterprise.seed import create_wallet, new_words
from parties.enterprise.wallet import discover
from parties.regulator.open import fetch_entries, open_log
from schemas import problems
from schemas.domain.errors import DomainError
from schemas.identities import Identity
from schemas.problems import Problem, ProblemType
from tests.parties.scene import HOLDER, ORIGIN, TOKEN, Scene, declarations_csv
from zkcore.randomness import SeededRandomness

FIRST, SECOND, THIRD = "310420260083605699", "310420260091484937", "310420260000000017"
STRANGER = "91320581MA1P3K7L9H"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def office(scene: Scene) -> Office:
    return Office(scene.suite, scene.home("customs"), scene.customs, scene.customs_client, scene.randomness)


def register(scene: Scene, *declarations: tuple[str, str], **changes: Any) -> Report:
    return register_declarations(replace(office(scene), **changes), declarations_csv(declarations))


def numbers(records: list[DocumentRecord]) -> list[str]:
    return [record.number for record in records]


def wallet(scene: Scene) -> list[tuple[str, str, int]]:
    """What the owner finds: (number, currency, limit)."""
    found = discover(scene.owner())
    assert found.doubts == ()
    return [(item.credential.number, item.credential.currency, item.credential.limit) for item in found.documents]


def another_enterprise(scene: Scene, holder: str = STRANGER, seed: bytes = b"another") -> Identity:
    randomness = SeededRandomness(seed)
    home = scene.home(f"enterprise-{seed.hex()}")
    words = new_words(randomness)
    return create_wallet(
        home, scene.suite, origin=ORIGIN, holder=holder, name="Suzhou", words=words, randomness=randomness
    ).identity


# --- enrolment ------------------------------------------------------------------------------------------------------------


def test_an_enterprise_is_enrolled_once(scene: Scene) -> None:
    identity = another_enterprise(scene)
    customs = scene.home("customs")
    assert [item.state for item in enrol(customs, scene.suite, scene.customs, [identity, identity])] == ["enrolled", "already"]
    assert customs.load(enterprise_file(STRANGER), Enterprise).next == 0


def refused(scene: Scene, identity: Identity) -> PartyError | DomainError:
    (result,) = enrol(scene.home("customs"), scene.suite, scene.customs, [identity])
    assert result.state == "refused"
    assert result.error is not None
    return result.error


@pytest.mark.parametrize(
    "change,code",
    [
        ({"role": "regulator"}, "another-role"),
        ({"origin": "another.example/log"}, "another-log"),
        ({"holder": "91320581MA1P3K7L9X"}, "credit-code"),
        ({"holder": "91500106MA5U7RGD35"}, "possession-not-proven"),
        ({"proof": b"x" * 65}, "possession-not-proven"),
        ({"key": b"\x02" + b"\x00" * 31 + b"\x05"}, "possession-not-proven"),
        ({"seal_key": bytes(32)}, "possession-not-proven"),
    ],
)
def test_identities_that_are_refused(scene: Scene, change: dict[str, Any], code: str) -> None:
    assert refused(scene, another_enterprise(scene).model_copy(update=change)).code == code


def test_other_keys_for_the_same_holder_are_refused(scene: Scene) -> None:
    assert refused(scene, another_enterprise(scene, HOLDER)).code == "holder-enrolled"


def test_the_same_key_for_another_holder_is_refused(scene: Scene) -> None:
    identity = another_enterprise(scene)
    stolen = identity.model_copy(update={"seal_key": scene.exporter.identity.seal_key})
    assert refused(scene, stolen).code == "possession-not-proven"
    randomness = SeededRandomness(b"copy")
    proof = scene.exporter.secret.prove_possession(scene.suite, ORIGIN, STRANGER, identity.seal_key, randomness)
    same_key = identity.model_copy(update={"key": scene.exporter.identity.key, "proof": proof})
    assert refused(scene, same_key).code == "key-enrolled"


def test_a_bad_identity_does_not_hinder_a_good_one(scene: Scene) -> None:
    good = another_enterprise(scene)
    bad = good.model_copy(update={"role": "bank"})
    assert [item.state for item in enrol(scene.home("customs"), scene.suite, scene.customs, [bad, good])] == [
        "refused",
        "enrolled",
    ]


# --- registration ---------------------------------------------------------------------------------------------------------


def test_a_declaration_is_registered_for_owner_and_regulator(scene: Scene) -> None:
    report = register(scene, (FIRST, "USD 500,000.00"), (SECOND, "JPY 18500000"))
    assert numbers(report.registered) == [FIRST, SECOND]
    assert wallet(scene) == [(FIRST, "USD", 500_000_00), (SECOND, "JPY", 18_500_000)]
    opened = open_log(scene.suite, scene.regulator, fetch_entries(scene.client, TOKEN))
    assert [document.limit for document in opened.documents] == [500_000_00, 18_500_000]
    assert opened.alerts == ()


def test_one_document_a_currency(scene: Scene) -> None:
    rows = list(csv.DictReader(io.StringIO(declarations_csv([(FIRST, "USD 10"), (FIRST, "EUR 20")]).decode())))
    rows[1]["item_number"] = "2"
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    report = register_declarations(office(scene), text.getvalue().encode())
    assert {(record.number, record.currency) for record in report.registered} == {(FIRST, "USD"), (FIRST, "EUR")}
    assert len(wallet(scene)) == 2


def test_what_is_registered_is_skipped(scene: Scene) -> None:
    register(scene, (FIRST, "USD 1"))
    report = register(scene, (FIRST, "USD 1"), (SECOND, "USD 2"))
    assert (numbers(report.already), numbers(report.registered), report.errors) == ([FIRST], [SECOND], [])
    assert scene.client.ready().entries == 3


def test_another_value_for_the_same_declaration_is_no_amendment(scene: Scene) -> None:
    register(scene, (FIRST, "USD 1"))
    report = register(scene, (FIRST, "USD 2"))
    assert (report.registered, report.already, report.refused_rows) == ([], [], [2])
    assert report.errors[0].error.code == "contradiction"


def test_a_declaration_registered_for_one_owner_is_not_for_another(scene: Scene) -> None:
    """The same number, value and all, from another applicant is no second document to finance."""
    register(scene, (FIRST, "USD 1"))
    enrol(scene.home("customs"), scene.suite, scene.customs, [another_enterprise(scene)])
    content = declarations_csv([(FIRST, "USD 1"), (SECOND, "USD 1")]).replace(HOLDER.encode(), STRANGER.encode())
    report = register_declarations(office(scene), content)
    assert [(error.row, error.error.code) for error in report.errors] == [(2, "contradiction")]
    assert (numbers(report.registered), report.already) == ([SECOND], [])
    assert scene.client.ready().entries == 3


def test_batches(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register_module, "BATCH", 2)
    declarations = [(str(int(FIRST) + step), f"USD {step + 1}") for step in range(5)]
    seen: list[tuple[int, int]] = []
    report = register_declarations(office(scene), declarations_csv(declarations), lambda done, size: seen.append((done, size)))
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert [record.index for record in report.registered] == [0, 1, 2, 3, 4]
    paths = [path for path, _, _ in scene.wire.sent]
    assert paths == [*["/v1/documents"] * 3, "/v1/evaluations", "/v1/credentials"]
    assert len({key for path, _, key in scene.wire.sent if path == "/v1/documents"}) == 3
    assert [number for number, _, _ in wallet(scene)] == [number for number, _ in declarations]


def test_a_file_without_declarations_sends_nothing(scene: Scene) -> None:
    for content in (b"", b"\x00\xff\x00", declarations_csv([])):
        report = register_declarations(office(scene), content)
        assert report.registered == []
    assert scene.wire.sent == []


def test_nothing_that_is_sent_names_anything(scene: Scene) -> None:
    register(scene, (FIRST, "USD 123456.78"))
    assert len(scene.wire.sent) == 3
    for _, body, _ in scene.wire.sent:
        for planted in (FIRST, HOLDER, "Ningbo", "12345678", "123456.78"):
            assert planted.encode() not in body


def test_an_office_that_is_no_attester_is_told_so(scene: Scene) -> None:
    home = scene.home("other-customs")
    signer = create_signer(home, scene.suite, About("attester", "customs", "C", ORIGIN), scene.randomness)
    with pytest.raises(Refused, match="attester of this service"):
        register(scene, (FIRST, "USD 1"), home=home, signer=signer)


# --- rows that are refused ------------------------------------------------------------------------------------------------


def test_rows_of_an_enterprise_that_is_not_enrolled(scene: Scene) -> None:
    content = declarations_csv([(FIRST, "USD 1"), (SECOND, "USD 2")]).replace(HOLDER.encode(), STRANGER.encode(), 2)
    report = register_declarations(office(scene), content)
    assert numbers(report.registered) == [SECOND]
    assert [(error.row, error.error.code) for error in report.errors] == [(2, "credit-code")]
    assert "tradeveil customs enrol" in str(report.errors[0])


def test_refused_rows_come_back_with_reasons_and_can_be_used_again(scene: Scene, tmp_path: Path) -> None:
    good = declarations_csv([(FIRST, "USD 1"), (SECOND, "USD 2"), (THIRD, "USD 3")])
    bad = good.replace(SECOND.encode(), b"3.10420E+17").replace(f"{THIRD},Ningbo".encode(), f"{THIRD},N\u200bngbo".encode())
    report = register_declarations(office(scene), bad)
    assert numbers(report.registered) == [FIRST]
    failed = tmp_path / "failed.csv"
    Sheet.read(bad).write_refused(failed, report.refused_rows, report.errors)
    content = failed.read_bytes()
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["declaration_number"] for row in rows] == ["3.10420E+17", THIRD]
    assert "spreadsheet" in rows[0][REASON_COLUMN]
    assert rows[1][REASON_COLUMN].startswith("[consignor_name]")
    mended = content.replace(b"3.10420E+17", SECOND.encode()).replace("N\u200bngbo".encode(), b"Ningbo")
    assert numbers(register_declarations(office(scene), mended).registered) == [SECOND, THIRD]


def test_the_reason_column_is_written_anew(tmp_path: Path) -> None:
    content = f"declaration_number,{REASON_COLUMN}\n1,old\n2,old\n".encode("gb18030")
    sheet = Sheet.read(content)
    path = tmp_path / "failed.csv"
    sheet.write_refused(path, [3, 2], [])
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"))))
    assert rows[0] == ["declaration_number", REASON_COLUMN]
    assert [row[0] for row in rows[1:]] == ["1", "2"]
    assert "old" not in path.read_text("utf-8-sig")


def test_a_sheet_takes_what_it_can_read() -> None:
    assert Sheet.read(b"").rows_of_declarations() == {}
    assert Sheet.read(b"other,header\n1,2\n").rows_of_declarations() == {}
    sheet = Sheet.read(f"海关编号,x\n{FIRST},1\n\n{FIRST}001,2\nshort\n{SECOND},3\n".encode())
    assert sheet.rows_of_declarations() == {FIRST: [2, 4], SECOND: [6]}


# --- lost on the way, and crashes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("losing", ["lose_requests", "lose_answers"])
def test_what_is_lost_on_the_way_is_sent_again_and_registered_once(scene: Scene, losing: str) -> None:
    with pytest.raises(ServiceUnreachable):
        _lose_the_registration(scene, losing)
    assert scene.home("customs").exists(PENDING_FILE)
    report = register(scene, (FIRST, "USD 1"), (SECOND, "USD 2"))
    assert (numbers(report.resumed), numbers(report.already), numbers(report.registered)) == ([FIRST], [FIRST], [SECOND])
    assert scene.client.ready().entries == 3
    assert not scene.home("customs").exists(PENDING_FILE)
    registrations = [(body, key) for path, body, key in scene.wire.sent if path == "/v1/documents"]
    assert len(set(registrations[:-1])) == 1
    assert wallet(scene) == [(FIRST, "USD", 100), (SECOND, "USD", 200)]


def _lose_the_registration(scene: Scene, losing: str) -> None:
    """The parameters arrive, and then the line fails."""
    working = office(scene)
    log = scene.client.parameters(scene.suite, ORIGIN)
    setattr(scene.wire, losing, 1)

    class Known:
        def __init__(self) -> None:
            self.register = scene.customs_client.register

        def parameters(self, *_: object) -> object:
            return log

    register_declarations(replace(working, client=Known()), declarations_csv([(FIRST, "USD 1")]))  # type: ignore[arg-type]


class Power:
    """Lets a home be written to so many times, and then no more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
        self.left = writes
        monkeypatch.setattr(Home, "save", self._limited(Home.save))
        monkeypatch.setattr(Home, "remove", self._limited(Home.remove))

    def _limited(self, write: Callable[..., None]) -> Callable[..., None]:
        def limited(*arguments: Any) -> None:
            if self.left == 0:
                raise OSError("power failed")
            self.left -= 1
            write(*arguments)

        return limited


@pytest.mark.parametrize("writes", range(12))
def test_a_crash_at_any_write_is_mended_by_running_again(scene: Scene, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """A run writes the batch, the owner's count, what to publish of two papers, two records, and removes the batch.
    Then it writes the evaluation key it sees, and for each paper that it is published. Each of twelve steps is cut off."""
    declarations = [(FIRST, "USD 1"), (SECOND, "USD 2")]
    power = Power(monkeypatch, writes)
    with pytest.raises(OSError, match="power failed"):
        register(scene, *declarations)
    assert power.left == 0
    monkeypatch.undo()
    report = register(scene, *declarations)
    assert report.errors == []
    assert {*numbers(report.resumed), *numbers(report.already), *numbers(report.registered)} == {FIRST, SECOND}
    assert scene.client.ready().entries == 3
    assert scene.home("customs").names("unpublished") == []
    drafts = [scene.home("customs").load(name, RecordDraft) for name in scene.home("customs").names("records")]
    assert [(draft.number, draft.epoch) for draft in drafts] == [(FIRST, 1), (SECOND, 1)]
    assert wallet(scene) == [(FIRST, "USD", 100), (SECOND, "USD", 200)]
    assert scene.home("customs").load(enterprise_file(HOLDER), Enterprise).next == 2


def refusal(kind: ProblemType) -> ServiceRefused:
    return ServiceRefused(Problem.of(kind))


def test_a_refusal_leaves_no_gap(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    register(scene, (FIRST, "USD 1"))

    def refuse(*_: object) -> None:
        raise refusal(problems.REGISTRATION_REFUSED)

    monkeypatch.setattr(scene.customs_client, "register", refuse)
    with pytest.raises(ServiceRefused):
        register(scene, (SECOND, "USD 2"))
    monkeypatch.undo()
    assert not scene.home("customs").exists(PENDING_FILE)
    assert not scene.home("customs").exists(record_file(SECOND, "USD"))
    assert [record.index for record in register(scene, (SECOND, "USD 2")).registered] == [1]


@pytest.mark.parametrize("kind", [problems.INTERNAL, problems.UNAVAILABLE, problems.IN_FLIGHT])
def test_a_service_that_cannot_tell_leaves_the_batch_pending(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: ProblemType
) -> None:
    def fail(*_: object) -> None:
        raise refusal(kind)

    monkeypatch.setattr(scene.customs_client, "register", fail)
    with pytest.raises(ServiceRefused):
        register(scene, (FIRST, "USD 1"))
    monkeypatch.undo()
    assert scene.home("customs").exists(PENDING_FILE)
    assert numbers(register(scene, (FIRST, "USD 1")).resumed) == [FIRST]


def test_an_old_copy_of_the_directory_cannot_double_a_limit(scene: Scene, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(scene.home("customs").directory, backup)
    register(scene, (FIRST, "USD 1"))
    current = scene.home("customs").directory
    shutil.rmtree(current)
    shutil.copytree(backup, current)
    with pytest.raises(Refused, match="newest copy") as caught:
        register(scene, (FIRST, "USD 1"))
    assert caught.value.code == "home-outdated"
    assert scene.client.ready().entries == 2


def test_a_directory_without_keys(scene: Scene) -> None:
    with pytest.raises(InputError):
        register_declarations(replace(office(scene), home=Home(Path("/nowhere"))), b"")
