"""The regulator opens everything that was committed, also what a bank tried to hide, and proves headroom only with a consent.

A failure would be an amount that differs from the planted one, garbage that passes without an alert, a headroom proof without
the owner's consent to this very draw, or a spreadsheet that changes a declaration number when it is opened.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from parties.auditor.export import export_log
from parties.bank import draft as bank_draft
from parties.bank.commit import commit
from parties.bank.draft import Terms
from parties.bank.repayment import Instruction, repay
from parties.common import runtime
from parties.common.errors import HomeError, InputError, Refused, ServiceMisbehaved, ServiceRefused
from parties.common.keyring import About, create_viewer
from parties.common.ledger_view import Search
from parties.common.memos import memo_for
from parties.common.money import Money
from parties.common.sealed_files import read_sealed
from parties.regulator.approve import approve, read_draft
from parties.regulator.cli import app
from parties.regulator.open import OpenedLog, fetch_entries, open_log, read_export
from parties.regulator.report import CSV_COLUMNS, DRAW_COLUMNS, as_text, describe, document_rows, draw_rows, to_csv, total_rows
from schemas.domain.identifiers import DeclarationNumber
from schemas.sealed import ApprovalFile, DraftFile, DrawMemo
from tests.parties.scene import FIRST, HOLDER, NOW, ORIGIN, SECOND, TOKEN, YEN, Scene
from zkcore.operations import MEMO_SIZE, Memos
from zkcore.secret.keys import ViewSecret
from zkcore.secret.memos import SealSecret


def open_scene(scene: Scene, search: Search | None = None) -> OpenedLog:
    return open_log(scene.suite, scene.regulator, fetch_entries(scene.client, TOKEN), search)


def planted(scene: Scene) -> None:
    """Two financings and a repayment; what `expected` says."""
    lines = [f"{FIRST}=USD 600000.00", f"{SECOND}=USD 48200.00"]
    scene.lend(scene.bank("A"), lines, Terms(reference="A-1"), disbursed=True)
    scene.lend(scene.bank("B"), [f"{FIRST}=USD 350000.00"], Terms(reference="B-1", note="=cmd"), disbursed=True)
    repay(scene.bank("B"), Instruction("repaid-own-funds", Money.parse("USD 100000.00"), reference="B-1"))
    repay(scene.bank("A"), Instruction("repaid-proceeds", settle=True, reference="A-1", number=SECOND))


EXPECTED = {
    FIRST: {"limit": 1_000_000_00, "drawn": 950_000_00, "outstanding": 850_000_00, "headroom": 150_000_00},
    SECOND: {"limit": 48_200_00, "drawn": 48_200_00, "outstanding": 0, "headroom": 0},
    YEN: {"limit": 18_500_000, "drawn": 0, "outstanding": 0, "headroom": 18_500_000},
}


def figures(opened: OpenedLog) -> dict[str, dict[str, Any]]:
    return {
        document["number"]: {name: document[name] for name in ("limit", "drawn", "outstanding", "headroom")}
        for document in describe(opened)["documents"]
    }


# --- opening --------------------------------------------------------------------------------------------------------------


def test_everything_planted_is_opened(scene: Scene) -> None:
    planted(scene)
    opened = open_scene(scene)
    assert figures(opened) == EXPECTED
    assert opened.alerts == ()
    described = describe(opened)
    assert described["totals"]["USD"] == {
        "documents": 2,
        "draws": 3,
        "limit": 1_048_200_00,
        "drawn": 998_200_00,
        "outstanding": 850_000_00,
        "headroom": 150_000_00,
    }
    first = next(document for document in described["documents"] if document["number"] == FIRST)
    assert (first["holder"], first["name"]) == (HOLDER, "Ningbo Exports")
    assert [(draw["bank"], draw["reference"], draw["amount"]) for draw in first["draws"]] == [
        ("bank-a", "A-1", 600_000_00),
        ("bank-b", "B-1", 350_000_00),
    ]
    assert first["draws"][1]["reductions"] == [
        {"time": NOW, "reason": "repaid-own-funds", "amount": 100_000_00, "restores": True}
    ]


def test_handles_alone_open_the_same(scene: Scene) -> None:
    planted(scene)
    steps: list[int] = []
    search = Search(always=True, progress=lambda done, most: steps.append(done))
    assert figures(open_scene(scene, search)) == EXPECTED
    assert steps


@pytest.mark.parametrize("lie", [False, True])
def test_what_a_memo_hides_is_found_by_logarithm_with_an_alert(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, lie: bool
) -> None:
    honest = bank_draft.draw_memos

    def hiding(*arguments: Any) -> Memos:
        true = DrawMemo(
            amount=1,
            blinding=bytes(32),
            bank="bank-a",
            bank_name="",
            outlet="",
            reference="",
            financing=bytes(32),
            note="",
        )
        told = memo_for(scene.regulator.seal.public, true) if lie else bytes(MEMO_SIZE)
        return Memos(honest(*arguments).owner, told)

    monkeypatch.setattr(bank_draft, "draw_memos", hiding)
    scene.lend(scene.bank("A"), [f"{FIRST}=USD 600000.00"])
    opened = open_scene(scene)
    assert figures(opened)[FIRST] == {
        "limit": 1_000_000_00,
        "drawn": 600_000_00,
        "outstanding": 600_000_00,
        "headroom": 400_000_00,
    }
    (alert,) = opened.alerts
    assert alert.code == ("memo-contradicts" if lie else "memo-unreadable")
    (draw,) = opened.documents[0].draws
    assert draw.memo is None
    assert alert.draw == draw.state.draw
    assert draw_rows(opened)[0][1:4] == ["?", "bank-a", "?"]


def test_an_amount_beyond_the_bound_is_said_to_be_unknown(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = bank_draft.draw_memos
    monkeypatch.setattr(bank_draft, "draw_memos", lambda *arguments: Memos(honest(*arguments).owner, bytes(MEMO_SIZE)))
    scene.lend(scene.bank("A"), [f"{FIRST}=USD 600000.00"])
    opened = open_scene(scene, Search(bound=1_000_00))
    assert {alert.code for alert in opened.alerts} == {"memo-unreadable", "amount-unknown"}
    assert figures(opened)[FIRST]["drawn"] is None
    assert total_rows(opened)[-1][4] == "?"
    assert b"?" in to_csv(opened)


def test_an_export_opens_like_the_service(scene: Scene) -> None:
    planted(scene)
    path = scene.path("log.ndjson")
    assert export_log(scene.client, TOKEN, path) == scene.client.ready().entries
    assert describe(open_log(scene.suite, scene.regulator, read_export(path))) == describe(open_scene(scene))


def test_what_is_no_export_is_said_so(scene: Scene) -> None:
    path = scene.path("log.ndjson")
    export_log(scene.client, TOKEN, path)
    lines = path.read_bytes().splitlines(keepends=True)
    for spoilt in (lines[1:], [lines[0], lines[2]], [b"{}\n"], [b"\xff\n"], [b"x" * 200_000]):
        path.write_bytes(b"".join(spoilt))
        with pytest.raises(InputError):
            read_export(path)
    for spoilt in ([], [lines[1].replace(b'"index":1', b'"index":0')]):
        path.write_bytes(b"".join(spoilt))
        with pytest.raises(InputError):
            open_log(scene.suite, scene.regulator, read_export(path))
    with pytest.raises(InputError):
        read_export(scene.path("missing"))


def test_entries_that_do_not_join_are_refused(scene: Scene) -> None:
    planted(scene)
    entries = fetch_entries(scene.client, TOKEN)
    without_registration = [entry for index, entry in enumerate(entries) if index != 1]
    with pytest.raises(ServiceMisbehaved):
        open_log(scene.suite, scene.regulator, without_registration)


def test_another_regulator_opens_nothing(scene: Scene) -> None:
    suite, randomness = scene.suite, scene.randomness
    about = About("regulator", "regulator", "Other", ORIGIN)
    secret, seal = ViewSecret.generate(suite, randomness), SealSecret(randomness.read(32))
    other = create_viewer(scene.home("other"), suite, about, secret, seal, randomness)
    with pytest.raises(HomeError):
        open_log(suite, other, fetch_entries(scene.client, TOKEN))


# --- tables and spreadsheets ----------------------------------------------------------------------------------------------


def test_the_spreadsheet_keeps_numbers_and_runs_nothing(scene: Scene) -> None:
    planted(scene)
    content = to_csv(open_scene(scene))
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert list(rows[0]) == list(CSV_COLUMNS)
    assert [row["record"] for row in rows].count("document") == 3
    draws = [row for row in rows if row["record"] == "draw"]
    assert [(row["declaration_number"], row["amount"], row["currency"]) for row in draws] == [
        (f"'{FIRST}", "600000.00", "USD"),
        (f"'{FIRST}", "350000.00", "USD"),
        (f"'{SECOND}", "48200.00", "USD"),
    ]
    assert DeclarationNumber.parse(draws[0]["declaration_number"]).text == FIRST
    assert draws[1]["note"] == "'=cmd"
    (yen,) = [row for row in rows if row["currency"] == "JPY"]
    assert (yen["limit"], yen["headroom"]) == ("18500000", "18500000")
    assert [row["reason"] for row in rows if row["record"] == "reduction"] == ["repaid-own-funds", "repaid-proceeds"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_cells() -> None:
    assert [as_text(cell) for cell in ("=1", "+1", "-1", "@x", "\tx", "12345678901", "123456789012", "A-1", "")] == [
        "'=1",
        "'+1",
        "'-1",
        "'@x",
        "'\tx",
        "12345678901",
        "'123456789012",
        "A-1",
        "",
    ]


def test_tables_have_a_cell_a_column(scene: Scene) -> None:
    planted(scene)
    opened = open_scene(scene)
    assert document_rows(opened)[0][:6] == [
        FIRST,
        "export-declaration (financing)",
        "cleared 结关",
        HOLDER,
        "Ningbo Exports",
        "USD 1,000,000.00",
    ]
    assert [row[0] for row in total_rows(opened)] == ["JPY", "USD"]
    rows = draw_rows(opened)
    assert {len(row) for row in rows} == {len(DRAW_COLUMNS)}
    stage, steps = rows[1][-2:]
    assert stage == "partly-repaid 部分还款"
    assert steps.endswith("; disbursed USD 350,000.00; repaid-own-funds USD 100,000.00")


# --- headroom proofs for an enterprise without a wallet -------------------------------------------------------------------


def consented(scene: Scene, bank: str, line: str) -> tuple[Any, DraftFile]:
    """A bank with a draft that the owner consented to beforehand."""
    desk = scene.bank(bank)
    _, path = scene.draft(desk, scene.apply(desk, [line], consent=True))
    return desk, read_draft(path, scene.regulator)


def test_a_consented_draft_is_proven_and_commits(scene: Scene) -> None:
    """Story 6: the owner's wallet is not needed any more; the consent serves once."""
    desk, file = consented(scene, "A", f"{FIRST}=USD 600000.00")
    record = commit(desk, approve(scene.bureau(), file))
    assert record.committed
    assert record.prover == "regulator"
    assert scene.headroom()[FIRST] == 400_000_00
    opened = open_scene(scene)
    assert [draw.prover for document in opened.documents for draw in document.draws] == ["regulator"]


def test_a_consent_serves_once(scene: Scene) -> None:
    desk = scene.bank("A")
    path = scene.apply(desk, [f"{FIRST}=USD 1.00"], consent=True)
    _, draft = scene.draft(desk, path)
    commit(desk, approve(scene.bureau(), read_draft(draft, scene.regulator)))
    for kept in desk.home.directory.glob("financings/*"):
        kept.unlink()
    _, draft = scene.draft(desk, path)
    again = approve(scene.bureau(), read_draft(draft, scene.regulator))
    with pytest.raises(ServiceRefused) as refused:
        commit(desk, again)
    assert refused.value.slug == "consent-used"


def test_more_than_is_left_is_refused_without_figures(scene: Scene) -> None:
    scene.lend(scene.bank("B"), [f"{FIRST}=USD 600000.00"])
    desk, file = consented(scene, "A", f"{FIRST}=USD 400000.01")
    approval = approve(scene.bureau(), file)
    assert approval == ApprovalFile(financing=file.financing, refused="cannot-be-proven", lines=[])
    with pytest.raises(Refused):
        commit(desk, approval)


def test_an_expired_draft_is_refused(scene: Scene) -> None:
    _, file = consented(scene, "A", f"{FIRST}=USD 1.00")
    scene.now = file.lines[0].draft.expires + 1
    assert approve(scene.bureau(), file).refused == "expired"


def test_without_the_very_consent_nothing_is_proven(scene: Scene) -> None:
    _, file = consented(scene, "A", f"{FIRST}=USD 1.00")
    _, other = consented(scene, "A", f"{FIRST}=USD 2.00")
    _, elsewhere = consented(scene, "A", f"{SECOND}=USD 1.00")
    line, foreign = file.lines[0], other.lines[0]
    drafts = [
        line.draft.model_copy(update={"consent": None}),
        line.draft.model_copy(update={"consent": foreign.draft.consent}),
        line.draft.model_copy(update={"consent": elsewhere.lines[0].draft.consent}),
        line.draft.model_copy(update={"amount": foreign.draft.amount}),
        line.draft.model_copy(update={"document": elsewhere.lines[0].draft.document}),
        line.draft.model_copy(update={"document": bytes(31) + b"\x01"}),
        line.draft.model_copy(update={"key": foreign.draft.key}),
        line.draft.model_copy(update={"memos": foreign.draft.memos}),
        line.draft.model_copy(update={"proof": foreign.draft.proof}),
        line.draft.model_copy(update={"expires": line.draft.expires + 1}),
    ]
    spoilt = [file.model_copy(update={"lines": [line.model_copy(update={"draft": draft})]}) for draft in drafts]
    spoilt.append(file.model_copy(update={"lines": [line.model_copy(update={"opening": foreign.opening})]}))
    spoilt.append(file.model_copy(update={"bank": "bank-b"}))
    spoilt.append(file.model_copy(update={"financing": other.financing}))
    bureau = scene.bureau()
    for each in spoilt:
        assert approve(bureau, each) == ApprovalFile(financing=each.financing, refused="not-applied-for", lines=[])
    assert approve(bureau, file).refused is None


def test_a_draft_for_the_owner_is_not_for_the_regulator(scene: Scene) -> None:
    desk = scene.bank("A")
    _, path = scene.draft(desk, scene.apply(desk, [f"{FIRST}=USD 1.00"]))
    with pytest.raises(InputError):
        read_draft(path, scene.regulator)


# --- commands -------------------------------------------------------------------------------------------------------------


def test_the_commands(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "connect", scene.connect)
    monkeypatch.setattr(runtime, "now", lambda: scene.now)
    run, home = CliRunner().invoke, str(scene.directory / "regulator")
    token = scene.path("export.token")
    token.write_text(TOKEN + "\n")
    service = ["--home", home, "--service", "http://127.0.0.1"]
    sheet = scene.path("log.csv")
    planted(scene)
    shown = run(app, ["open", *service, "--token-file", str(token), "--csv", str(sheet)])
    assert shown.exit_code == 0, shown.output
    assert "USD 950,000.00" in shown.stdout
    assert FIRST.encode() in sheet.read_bytes()
    assert sheet.stat().st_mode & 0o077 == 0
    as_json = run(app, ["open", *service, "--token-file", str(token), "--by-logarithm", "--table-bits", "16", "--json"])
    assert json.loads(as_json.stdout)["totals"]["USD"]["drawn"] == 998_200_00
    assert run(app, ["open", "--home", home]).exit_code == 2
    export = scene.path("log.ndjson")
    export_log(scene.client, TOKEN, export)
    assert run(app, ["open", "--home", home, "--export", str(export)]).exit_code == 0

    desk = scene.bank("C")
    draft, approval = scene.path("draft.json"), scene.path("approval.json")
    scene.draft(desk, scene.apply(desk, [f"{FIRST}=USD 150000.00"], consent=True))
    assert run(app, ["approve", *service, str(draft), "-o", str(approval)]).exit_code == 0
    assert commit(desk, read_sealed(approval, ApprovalFile, desk.signer.seal)).committed
    scene.draft(desk, scene.apply(desk, [f"{FIRST}=USD 0.01"], consent=True))
    refused = run(app, ["approve", *service, str(draft), "-o", str(approval)])
    assert refused.exit_code == 1
    assert read_sealed(approval, ApprovalFile, desk.signer.seal).refused == "cannot-be-proven"

    keys = ["keys", "--home", str(scene.directory / "new"), "--origin", ORIGIN]
    assert run(app, keys).exit_code == 0
    assert run(app, keys).exit_code == 2
