"""A bank checks 500 papers at once (story): 487 pass, 13 do not, and each of these says why and nothing more.

Must hold: every row has the outcome that it deserves; an unknown number and another's paper are one answer, word for word; what
was asked and stored at the service contains no number, code, amount or date; the failed rows come back with their reasons in
both languages, and pass once they are mended. A failure would be a row that passes and should not, a genuine paper that is
called unknown, or a reason that says whose a paper is. That a bank learns how many of its own rows failed is no failure.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parties.bank import cli as bank_cli
from parties.bank.check import CheckReport, check_papers
from parties.bank.desk import Desk as BankDesk
from parties.common import runtime
from parties.common.errors import ServiceMisbehaved
from parties.common.sheet import REASON_COLUMN, Sheet
from parties.customs.enrol import enrol
from parties.customs.publish import publish_all
from parties.customs.register import Office, register_declarations
from parties.enterprise.seed import create_wallet, new_words
from parties.regulator import cli as regulator_cli
from service.authenticity.keys import add_key, create_keys, end_key
from tests.parties.scene import HOLDER, ORIGIN, TOKEN, Scene, declarations_csv

OTHER_HOLDER = "91350211MA31QW5E9P"
PASSING = 487
GOOD = [f"31042026{0}{serial:09}" for serial in range(1, PASSING + 1)]
OTHERS = ["310420260700000001", "310420260700000002"]
UNCLEARED = ["310420260800000001", "310420260800000002"]
UNKNOWN = ["310420260900000001", "310420260900000002", "310420260900000003"]
TOTAL, DATE = "12,345.67", "2026-01-05"
COLUMNS = ["海关编号", "生产销售单位统一社会信用代码", "币制", "总价", "申报日期"]


@pytest.fixture(scope="module")
def customs(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Customs has registered what passes, another exporter's papers, and two that are not cleared."""
    scene = Scene(tmp_path_factory.mktemp("checks"))
    rng = scene.randomness
    words = new_words(rng)
    home = scene.home("xiamen")
    other = create_wallet(home, scene.suite, origin=ORIGIN, holder=OTHER_HOLDER, name="Xiamen", words=words, randomness=rng)
    enrol(scene.home("customs"), scene.suite, scene.customs, [other.identity])
    office = Office(scene.suite, scene.home("customs"), scene.customs, scene.customs_client, rng)
    content = declarations_csv([(number, f"USD {TOTAL}") for number in [*GOOD, *OTHERS, *UNCLEARED]])
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    for row in rows:
        if row["declaration_number"] in OTHERS:
            row |= {"owner_credit_code": OTHER_HOLDER, "owner_name": "Xiamen"}
        if row["declaration_number"] in UNCLEARED:
            row |= {"status": "declared", "exported_on": ""}
    report = register_declarations(office, as_csv(rows))
    assert report.published == len(rows)
    scene.close()
    return scene


@pytest.fixture
def scene(customs: Scene, tmp_path: Path) -> Iterator[Scene]:
    copied = customs.copy(tmp_path / "scene")
    yield copied
    copied.close()


def as_csv(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def row(number: str, **other: str) -> dict[str, str]:
    return dict(zip(COLUMNS, [number, HOLDER, "USD", TOTAL, DATE], strict=True)) | other


def story() -> tuple[bytes, dict[int, str]]:
    """The file, and what each of its failing rows deserves. A 21-digit number, lower case and Customs' currency code pass."""
    rows = [row(number) for number in GOOD]
    rows[0] |= {"海关编号": GOOD[0] + "001", "生产销售单位统一社会信用代码": HOLDER.lower(), "币制": "502", "总价": "12345.67"}
    failing = [
        (row("2.2332E+17"), "malformed"),
        (row("31042026000000488"), "malformed"),
        (row("310420260000000489", 总价="12,345.678"), "malformed"),
        (row("310420260000000490", 生产销售单位统一社会信用代码=HOLDER[:-1] + "9"), "malformed"),
        *((row(number), "not-confirmed") for number in UNKNOWN),
        *((row(number), "not-confirmed") for number in OTHERS),
        *((row(number), "not-financeable") for number in UNCLEARED),
        (row("310420261000000001"), "import"),
        (row(GOOD[5]), "repeated"),
    ]
    expected: dict[int, str] = {}
    for place, (content, outcome) in enumerate(failing):
        at = 20 + 37 * place
        rows.insert(at, content)
        expected[at + 2] = outcome
    assert len(rows) == 500
    return as_csv(rows), expected


def outcomes(report: CheckReport) -> Mapping[int, str]:
    return {row: outcome for row, outcome in report.outcomes.items() if outcome != "financeable"}


@pytest.mark.slow
def test_500_rows(scene: Scene) -> None:
    content, expected = story()
    bank = scene.bank("A")
    before = len(scene.wire.sent)
    report = check_papers(bank, content)
    assert outcomes(report) == expected
    assert report.counts()["financeable"] == PASSING
    assert Counter(expected.values()) == {
        "malformed": 4,
        "not-confirmed": 5,
        "not-financeable": 2,
        "import": 1,
        "repeated": 1,
    }
    assert len(report.outcomes) == 500
    assert [path for path, *_ in scene.wire.sent[before:]] == [
        "/v1/evaluations",
        "/v1/credentials/lookups",
        "/v1/statuses",
    ]


@pytest.mark.slow
def test_unknown_and_anothers_are_word_for_word_the_same(scene: Scene) -> None:
    report = check_papers(scene.bank("A"), story()[0])
    said = {str(item.error) for item in report.checked if item.outcome == "not-confirmed"}
    assert len(said) == 1
    assert not any(item.credential for item in report.checked if item.outcome == "not-confirmed")
    assert OTHER_HOLDER not in "".join(str(error) for error in report.errors)


@pytest.mark.slow
def test_the_failed_rows_can_be_mended_and_pass(scene: Scene, tmp_path: Path) -> None:
    content, expected = story()
    bank = scene.bank("A")
    report = check_papers(bank, content)
    failed = tmp_path / "failed.csv"
    Sheet.read(content).write_refused(failed, report.failed_rows, report.errors)
    rows = list(csv.DictReader(io.StringIO(failed.read_bytes().decode("utf-8-sig"))))
    assert len(rows) == len(expected) == 13
    for each, outcome in zip(rows, expected.values(), strict=True):
        reason = each[REASON_COLUMN]
        assert " / " in reason
        assert any("一" <= character <= "鿿" for character in reason), outcome
    spreadsheet = rows[0][REASON_COLUMN]
    assert "2.2332E+17" in spreadsheet
    assert "spreadsheet" in spreadsheet
    rows[0]["海关编号"] = GOOD[7]
    again = check_papers(bank, as_csv([rows[0]]))
    assert again.outcomes == {2: "financeable"}


def _check(scene: Scene, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    client = scene.bank("A").client
    monkeypatch.setattr(runtime, "connect", lambda url, who: client)
    home = str(scene.home("bank-a").directory)
    result = CliRunner().invoke(bank_cli.app, ["check", "--home", home, "--service", "http://127.0.0.1:1", *arguments])
    return result.exit_code, result.stdout


def test_the_command(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papers, failed = tmp_path / "papers.csv", tmp_path / "failed.csv"
    papers.write_bytes(as_csv([row(GOOD[0]), row(UNKNOWN[0]), row("x"), row(UNCLEARED[0])]))
    code, shown = _check(scene, monkeypatch, str(papers), "--failed", str(failed))
    assert code == 1
    for word in ("authentic and financeable", "真实、可融资", "not confirmed", "malformed", "not financeable", GOOD[0]):
        assert word in shown
    assert failed.read_bytes().decode("utf-8-sig").count("\n") == 4
    code, shown = _check(scene, monkeypatch, str(papers), "--json")
    told = json.loads(shown)
    assert code == 1
    assert told["counts"] == {"financeable": 1, "not-confirmed": 1, "malformed": 1, "not-financeable": 1}
    assert [item["outcome"] for item in told["rows"]] == ["financeable", "not-confirmed", "malformed", "not-financeable"]
    assert [bool(item["document"]) for item in told["rows"]] == [True, False, False, True]
    papers.write_bytes(as_csv([row(GOOD[0])]))
    assert _check(scene, monkeypatch, str(papers), "--json")[0] == 0
    papers.write_bytes(b"nothing,of,this\n1,2,3\n")
    code, shown = _check(scene, monkeypatch, str(papers), "--json")
    assert code == 1
    assert json.loads(shown)["file"][0]["code"] == "form"


# --- what a wrong field does ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"海关编号": GOOD[1][:-1] + "9"},
        {"生产销售单位统一社会信用代码": OTHER_HOLDER},
        {"币制": "EUR"},
        {"总价": "12,345.68"},
        {"申报日期": "2026-01-06"},
    ],
    ids=["number", "owner", "currency", "total", "date"],
)
def test_one_wrong_field_opens_nothing(scene: Scene, wrong: dict[str, str]) -> None:
    bank = scene.bank("A")
    if "海关编号" in wrong:
        wrong = {"海关编号": UNKNOWN[0]}
    assert check_papers(bank, as_csv([row(GOOD[1])])).outcomes == {2: "financeable"}
    assert check_papers(bank, as_csv([row(GOOD[1], **wrong)])).outcomes == {2: "not-confirmed"}


# --- what the service sees ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_nothing_of_a_paper_reaches_the_service(scene: Scene) -> None:
    """In what is sent and in the whole database, plain, as bytes or as base64url of either."""
    content, _ = story()
    check_papers(scene.bank("A"), content)
    scene.wire.app.state.verifier.storage.close()  # type: ignore[attr-defined]
    stored = b"".join(path.read_bytes() for path in sorted(scene.directory.glob("service.db*")))
    sent = b"".join(body for _, body, _ in scene.wire.sent)
    for number in (GOOD[0], GOOD[200], *OTHERS, *UNCLEARED):
        for form in (number.encode(), int(number).to_bytes(8, "big"), int(number).to_bytes(8, "little")):
            assert form not in stored
            assert form not in sent
    for word in (HOLDER, OTHER_HOLDER, "12345.67", "1234567", "Xiamen", "2026-01-05"):
        assert word.encode() not in stored
        assert word.encode() not in sent
    assert b"export-declaration" in stored


def test_two_checks_of_one_paper_send_nothing_alike_but_the_token(scene: Scene) -> None:
    """Blinded elements are fresh; that the token repeats is what finds the record, and SECURITY.md says so."""
    bank: BankDesk = scene.bank("A")
    before = len(scene.wire.sent)
    for _ in range(2):
        check_papers(bank, as_csv([row(GOOD[3])]))
    first, _, _, second, _, _ = (json.loads(body) for _, body, _ in scene.wire.sent[before:])
    assert not set(first["blinded"]) & set(second["blinded"])


# --- another's declaration ------------------------------------------------------------------------------------------------


def test_ningbo_presents_xiamens_declaration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank is refused as for any unknown paper and not told whose it is; the regulator is told, and sees whose it is."""
    scene = Scene(tmp_path / "scene")
    words, number = new_words(scene.randomness), "370220260000220000"
    home = scene.home("xiamen")
    xiamen = create_wallet(
        home, scene.suite, origin=ORIGIN, holder=OTHER_HOLDER, name="Xiamen", words=words, randomness=scene.randomness
    )
    enrol(scene.home("customs"), scene.suite, scene.customs, [xiamen.identity])
    content = declarations_csv([(number, "EUR 220000.00")]).replace(HOLDER.encode(), OTHER_HOLDER.encode())
    office = Office(scene.suite, scene.home("customs"), scene.customs, scene.customs_client, scene.randomness)
    assert not register_declarations(office, content.replace(b"Ningbo Exports", b"Xiamen")).errors

    papers = tmp_path / "papers.csv"
    presented = {"币制": "EUR", "总价": "220,000.00"}
    papers.write_bytes(as_csv([row(number, **presented), row(UNKNOWN[0], **presented)]))
    code, shown = _check(scene, monkeypatch, str(papers), "--json")
    assert code == 1
    xiamens, unknown = json.loads(shown)["rows"]
    for told in (xiamens, unknown):
        del told["row"], told["number"]
    assert xiamens == unknown
    assert xiamens["outcome"] == "not-confirmed"
    assert OTHER_HOLDER not in shown
    assert "Xiamen" not in shown

    monkeypatch.setattr(runtime, "connect", lambda url: scene.client)
    token = tmp_path / "token"
    token.write_text(TOKEN)
    bureau = str(scene.home("regulator").directory)
    options = ["--home", bureau, "--service", "http://127.0.0.1:1", "--token-file", str(token)]
    result = CliRunner().invoke(regulator_cli.app, ["alerts", *options, "--json"])
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)["alerts"]
    assert first["kind"] == second["kind"] == "not-confirmed"
    assert (first["told"]["number"], first["told"]["holder"], first["told"]["bank"]) == (number, HOLDER, "bank-a")
    assert first["told"]["note"].startswith("EUR 220,000.00")
    assert first["caller"]["institution"] == "bank-a"
    assert [(item["holder"], item["name"]) for item in first["owners"]] == [(OTHER_HOLDER, "Xiamen")]
    assert (first["another"], second["another"], second["owners"]) == (True, False, [])
    table = CliRunner().invoke(regulator_cli.app, ["alerts", *options]).stdout
    assert OTHER_HOLDER in table

    assert _check_silently(scene, monkeypatch, papers) == 1
    assert len(list(scene.client.all_alerts(TOKEN))) == 2
    scene.close()


def _check_silently(scene: Scene, monkeypatch: pytest.MonkeyPatch, papers: Path) -> int:
    return _check(scene, monkeypatch, str(papers), "--no-alert")[0]


# --- the evaluation key is changed ----------------------------------------------------------------------------------------


def test_banks_go_on_while_the_key_is_changed(tmp_path: Path) -> None:
    """At every step of the procedure in docs/DEPLOYING.md, and whatever Customs has published by then."""
    scene = Scene(tmp_path / "scene")
    office = Office(scene.suite, scene.home("customs"), scene.customs, scene.customs_client, scene.randomness)
    register_declarations(office, declarations_csv([(GOOD[0], f"USD {TOTAL}")]))
    keys, bank = scene.directory / "evaluation-keys.json", scene.bank("A")
    papers = as_csv([row(GOOD[0]), row(GOOD[1]), row(UNKNOWN[0])])

    def checked() -> list[str]:
        return list(check_papers(bank, papers).outcomes.values())

    assert checked() == ["financeable", "not-confirmed", "not-confirmed"]
    add_key(keys, scene.now)
    assert checked() == ["financeable", "not-confirmed", "not-confirmed"]
    register_declarations(office, declarations_csv([(GOOD[1], f"USD {TOTAL}")]))
    assert checked() == ["financeable", "financeable", "not-confirmed"]
    with office.home.lock():
        assert publish_all(office) == 1
        assert publish_all(office) == 0
    assert checked() == ["financeable", "financeable", "not-confirmed"]
    end_key(keys, 1, scene.now)
    assert checked() == ["financeable", "financeable", "not-confirmed"]
    scene.close()


def test_another_key_of_an_epoch_is_an_alarm(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "scene")
    bank, keys = scene.bank("A"), scene.directory / "evaluation-keys.json"
    papers = as_csv([row(GOOD[0])])
    check_papers(bank, papers)
    keys.unlink()
    create_keys(keys, scene.now)
    with pytest.raises(ServiceMisbehaved, match="another evaluation key"):
        check_papers(bank, papers)
    scene.close()
