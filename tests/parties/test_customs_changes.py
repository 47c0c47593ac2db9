"""Attesters change what they registered: each change once, in the order in which it was made, whatever happens to the line.

Must hold: a status follows from the one before; an amendment reaches owner and regulator; running a command or a file again
does nothing twice, also after a lost answer; a document that is not cleared, deleted or overdrawn cannot be financed, and what
was drawn stays. A failure would be a change made twice or lost, or a draw on such a document. Not a failure: that a change is
refused.
"""

from __future__ import annotations

import pytest

from parties.bank.commit import commit
from parties.bank.draft import Terms, write_draft
from parties.bank.move import prepare_move
from parties.bank.repayment import Instruction, repay
from parties.common.errors import InputError, Refused, ServiceUnreachable
from parties.common.money import Money
from parties.customs.change import PENDING_CHANGE_FILE, amend, amend_file, change_status, find_records
from parties.customs.register import DocumentRecord, Office, register_declarations
from parties.enterprise.wallet import discover, view_documents
from parties.regulator.open import OpenedLog, fetch_entries, open_log
from parties.regulator.overdrawn import overdrawn_documents, show_all, show_overdrawn
from tests.parties.scene import FIRST, SECOND, TOKEN, Scene, declarations_csv
from zkcore.operations import AMENDED, CLEARED, DELETED, FROZEN, PARTLY_RETURNED, RETURNED

THIRD = "310120260512345681"


def office(scene: Scene) -> Office:
    return Office(scene.suite, scene.home("customs"), scene.customs, scene.customs_client, scene.randomness)


def records(scene: Scene, number: str) -> list[DocumentRecord]:
    return find_records(scene.home("customs"), number)


def status(scene: Scene, number: str, status: str, replacement: str = "") -> list[DocumentRecord]:
    return change_status(office(scene), records(scene, number), status, replacement, "told")


def limit(scene: Scene, number: str, money: str, reason: str = AMENDED) -> list[DocumentRecord]:
    return amend(office(scene), records(scene, number), Money.parse(money), reason, "told")


def opened(scene: Scene) -> OpenedLog:
    return open_log(scene.suite, scene.regulator, fetch_entries(scene.client, TOKEN))


def refusal(scene: Scene, line: str) -> str:
    with pytest.raises(Refused) as refused:
        scene.apply(scene.bank("A"), [line])
    assert refused.value.code == "not-financeable"
    return refused.value.message_en


# --- status ---------------------------------------------------------------------------------------------------------------


def test_a_declared_paper_is_registered_and_financed_once_it_is_cleared(scene: Scene) -> None:
    content = declarations_csv([(THIRD, "USD 5000.00")]).replace(b",cleared", b",declared")
    report = register_declarations(office(scene), content)
    assert [(record.status, record.limit) for record in report.registered] == [("declared", 5_000_00)]
    assert "is declared" in refusal(scene, f"{THIRD}=USD 1.00")
    assert [record.status for record in status(scene, THIRD, CLEARED)] == [CLEARED]
    assert scene.lend(scene.bank("A"), [f"{THIRD}=USD 5000.00"]).committed


def test_a_frozen_paper_can_be_cleared_again(scene: Scene) -> None:
    status(scene, FIRST, FROZEN)
    assert "is frozen" in refusal(scene, f"{FIRST}=USD 1.00")
    status(scene, FIRST, CLEARED)
    assert scene.lend(scene.bank("A"), [f"{FIRST}=USD 1.00"]).committed


def test_a_draft_made_before_the_freeze_is_not_proven_after_it(scene: Scene) -> None:
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 1.00"]))
    status(scene, FIRST, FROZEN)
    assert scene.approve(draft).refused == "cannot-be-proven"


def test_what_does_not_follow_is_refused_and_leaves_nothing_pending(scene: Scene) -> None:
    status(scene, FIRST, RETURNED)
    entries = scene.client.ready().entries
    with pytest.raises(Refused, match="does not become"):
        status(scene, FIRST, CLEARED)
    with pytest.raises(InputError):
        status(scene, SECOND, FROZEN, replacement=FIRST)
    with pytest.raises(InputError):
        find_records(scene.home("customs"), "310120260512349999")
    assert scene.client.ready().entries == entries
    assert not scene.home("customs").exists(PENDING_CHANGE_FILE)


@pytest.mark.parametrize("losing", ["lose_requests", "lose_answers"])
def test_a_change_that_is_lost_on_the_way_is_made_once(scene: Scene, losing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    working, (record,) = office(scene), records(scene, FIRST)
    entries, log = scene.client.ready().entries, scene.client.parameters(scene.suite, "scene.example/log")
    monkeypatch.setattr(scene.customs_client, "parameters", lambda suite, origin: log)
    setattr(scene.wire, losing, 1)
    with pytest.raises(ServiceUnreachable):
        change_status(working, [record], FROZEN)
    assert scene.home("customs").exists(PENDING_CHANGE_FILE)
    # The next command, whichever it is, completes it first: from there, cleared follows.
    assert [item.status for item in change_status(working, [record], CLEARED)] == [CLEARED]
    assert scene.client.ready().entries == entries + 2
    assert records(scene, FIRST)[0].revision == scene.client.status(record.document).revision


# --- amendments -----------------------------------------------------------------------------------------------------------


def test_an_amended_limit_is_the_owners_and_the_regulators(scene: Scene) -> None:
    limit(scene, FIRST, "USD 1200000.00")
    assert scene.headroom()[FIRST] == 1_200_000_00
    assert scene.lend(scene.bank("A"), [f"{FIRST}=USD 1100000.00"]).committed
    document = opened(scene).documents[0]
    assert (document.limit, document.headroom) == (1_200_000_00, 100_000_00)
    assert [(step.what, step.amount, step.note) for step in document.changes] == [("amended", 1_200_000_00, "told")]
    entries = scene.client.ready().entries
    limit(scene, FIRST, "USD 1200000.00")
    assert scene.client.ready().entries == entries


def test_below_what_is_drawn_it_is_overdrawn_until_that_is_mended(scene: Scene) -> None:
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"), disbursed=True)
    limit(scene, FIRST, "USD 450000.00", PARTLY_RETURNED)
    assert scene.headroom()[FIRST] == -150_000_00
    assert "is overdrawn" in refusal(scene, f"{FIRST}=USD 1.00")
    before = opened(scene)
    assert [alert.code for alert in before.alerts] == ["overdrawn"]
    assert overdrawn_documents(before.documents) == [before.documents[0].state.document]
    (shown,) = show_all(scene.bureau(), before.documents)
    assert (shown.over, shown.already) == (150_000_00, False)
    told = scene.client.status(shown.document)
    assert (told.financeable, told.overdrawn, told.status) == (False, True, CLEARED)
    assert show_overdrawn(scene.bureau(), shown.document).already
    repay(bank, Instruction("repaid-own-funds", Money.parse("USD 200000.00"), reference="L-1"))
    assert scene.client.status(shown.document).financeable
    with pytest.raises(Refused, match="not overdrawn"):
        show_overdrawn(scene.bureau(), shown.document)
    assert scene.lend(bank, [f"{FIRST}=USD 50000.00"]).committed


def test_a_newer_file_brings_limits_and_statuses_up(scene: Scene) -> None:
    register_declarations(office(scene), declarations_csv([(THIRD, "USD 5000.00")]).replace(b",cleared", b",declared"))
    newer = declarations_csv(
        [(FIRST, "USD 900000.00"), (SECOND, "USD 48200.00"), (THIRD, "USD 6000.00"), ("310120260512349999", "USD 1")]
    )
    seen: list[tuple[int, int]] = []
    changes = amend_file(office(scene), newer, lambda done, size: seen.append((done, size)))
    assert [record.number for record in changes.amended] == [FIRST, THIRD]
    assert [(record.number, record.status) for record in changes.changed] == [(THIRD, CLEARED)]
    assert [record.number for record in changes.unchanged] == [SECOND]
    assert changes.refused_rows == [5]
    assert seen[-1] == (4, 4)
    entries = scene.client.ready().entries
    again = amend_file(office(scene), newer)
    assert (again.amended, again.changed, len(again.unchanged)) == ([], [], 3)
    assert scene.client.ready().entries == entries


# --- replacement ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("disbursed", [False, True])
def test_a_draw_moves_to_the_replacement_once(scene: Scene, disbursed: bool) -> None:
    scene.register((THIRD, "USD 700000.00"))
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"), disbursed=disbursed)
    with pytest.raises(Refused, match="no draw"):
        prepare_move(bank, "L-1")
    status(scene, FIRST, DELETED, replacement=THIRD)
    assert THIRD in refusal(scene, f"{FIRST}=USD 1.00")
    record = prepare_move(bank, "L-1")
    assert prepare_move(bank, "L-1") == record
    path = scene.path("move.json")
    write_draft(bank, record, path)
    moved = commit(bank, scene.approve(path))
    assert moved.lines[0].standing is not None
    assert moved.lines[0].standing.stage == ("disbursed" if disbursed else "reserved")
    assert scene.headroom()[THIRD] == 100_000_00
    first, *_, third = opened(scene).documents
    assert [(draw.state.stage, draw.outstanding) for draw in first.draws] == [("moved", 0)]
    assert [(draw.state.stage, draw.outstanding) for draw in third.draws] == [(moved.lines[0].standing.stage, 600_000_00)]
    if disbursed:
        repay(bank, Instruction("repaid-proceeds", reference="L-1", settle=True))
        desk = scene.owner()
        stages = [draw.state.stage for _, document in view_documents(desk, discover(desk).documents) for draw in document.draws]
        assert stages.count("settled") == 1
    with pytest.raises(Refused):
        prepare_move(bank, "L-1")


def test_a_move_that_does_not_fit_is_not_proven(scene: Scene) -> None:
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"), disbursed=True)
    status(scene, FIRST, DELETED, replacement=SECOND)
    path = scene.path("move.json")
    write_draft(bank, prepare_move(bank, "L-1"), path)
    assert scene.approve(path).refused == "cannot-be-proven"


def test_a_deletion_without_replacement_leaves_the_draw_where_it_is(scene: Scene) -> None:
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"), disbursed=True)
    status(scene, FIRST, DELETED)
    with pytest.raises(Refused, match="without a replacement"):
        prepare_move(bank, "L-1")
    assert repay(bank, Instruction("repaid-proceeds", reference="L-1", settle=True)).line.standing is not None
