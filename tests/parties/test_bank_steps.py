"""A bank takes a financing through its stages: each step on the log for all lines together, once, in its order.

Must hold: owner and regulator see every stage; a decision follows from the one before; a second person approves; what is not
paid out comes back; a step whose answer was lost is completed and not repeated. A failure would be a step out of order that the
bank's program makes, one that only some lines of a financing take, or one taken twice. Not a failure: that a step is refused.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from parties.bank.commit import commit
from parties.bank.desk import Desk
from parties.bank.draft import Terms, draft_record, prepare_draft, write_draft
from parties.bank.listing import describe_financing
from parties.bank.receive import Reception, decide, receive
from parties.bank.records import FinancingRecord
from parties.bank.repayment import Instruction, close, disburse, release, repay
from parties.common.errors import InputError, Refused, ServiceUnreachable
from parties.common.money import Money
from parties.enterprise.wallet import discover, view_documents
from parties.regulator.open import fetch_entries, open_log
from parties.regulator.report import all_steps, describe
from service.expiry import free_expired
from tests.parties.scene import FIRST, NOW, SECOND, TOKEN, Scene
from zkcore.operations import ACCEPTED, APPROVED, REJECTED

LINE = f"{FIRST}=USD 600000.00"


def received(scene: Scene, bank: Desk, *lines: str, by: str = "Li") -> FinancingRecord:
    path = scene.apply(bank, list(lines) or [LINE])
    return receive(bank, scene.check(bank, path), Reception("L-1", "Ningbo branch", "by hand", by))


def stages(record: FinancingRecord) -> list[str]:
    return [draw["stage"] for draw in describe_financing(record, NOW)["draws"]]


def approved(scene: Scene, bank: Desk, *lines: str) -> FinancingRecord:
    received(scene, bank, *lines)
    decide(bank, "L-1", ACCEPTED, by="Li")
    return decide(bank, "L-1", APPROVED, by="Wang")


def reserved(scene: Scene, bank: Desk, *lines: str) -> FinancingRecord:
    record = draft_record(bank, approved(scene, bank, *lines), Terms())
    path = scene.path("draft.json")
    write_draft(bank, record, path)
    return commit(bank, scene.approve(path))


def entries(scene: Scene) -> int:
    return scene.client.ready().entries


# --- before the draw ------------------------------------------------------------------------------------------------------


def test_every_stage_is_seen_by_owner_and_regulator(scene: Scene) -> None:
    bank = scene.bank("A")
    assert stages(received(scene, bank)) == ["applied"]
    assert stages(decide(bank, "L-1", ACCEPTED, by="Li", note="complete")) == ["accepted"]
    desk = scene.owner()
    document = view_documents(desk, discover(desk).documents)[0][1]
    (application,) = document.applications
    assert [(step.what, step.note) for step in application.steps] == [("applied", "by hand"), ("accepted", "complete")]
    assert application.memo is not None
    assert (application.memo.reference, application.memo.amount, application.memo.outlet) == (
        "L-1",
        600_000_00,
        "Ningbo branch",
    )
    told = describe(open_log(scene.suite, scene.regulator, fetch_entries(scene.client, TOKEN)))
    assert [item["stage"] for document in told["documents"] for item in document["applications"]] == ["accepted"]
    assert stages(decide(bank, "L-1", REJECTED, by="Wang", note="no")) == ["rejected"]
    with pytest.raises(Refused, match="rejected"):
        draft_record(bank, bank.book.by_reference("L-1"), Terms())


def test_decisions_follow_each_other(scene: Scene) -> None:
    bank = scene.bank("A")
    received(scene, bank)
    with pytest.raises(Refused, match="does not become approved"):
        decide(bank, "L-1", APPROVED, by="Wang")
    with pytest.raises(Refused, match="first run"):
        draft_record(bank, bank.book.by_reference("L-1"), Terms())
    decide(bank, "L-1", ACCEPTED)
    before = entries(scene)
    decide(bank, "L-1", ACCEPTED)
    assert entries(scene) == before
    with pytest.raises(InputError):
        decide(bank, "L-2", ACCEPTED)


def test_whoever_received_it_does_not_approve_it(scene: Scene) -> None:
    bank = scene.bank("A")
    received(scene, bank)
    decide(bank, "L-1", ACCEPTED, by="Li")
    with pytest.raises(Refused) as refused:
        decide(bank, "L-1", APPROVED, by="Li")
    assert refused.value.code == "two-person"
    assert stages(decide(bank, "L-1", APPROVED, by="Wang")) == ["approved"]


def test_receiving_again_is_no_second_application(scene: Scene) -> None:
    bank = scene.bank("A")
    path = scene.apply(bank, [LINE])
    checked = scene.check(bank, path)
    scene.wire.lose_answers = 1
    with pytest.raises(ServiceUnreachable):
        receive(bank, checked, Reception("L-1"))
    assert stages(receive(bank, checked, Reception("L-1"))) == ["applied"]
    after = entries(scene)
    assert stages(receive(bank, checked, Reception("L-1"))) == ["applied"]
    assert entries(scene) == after


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_the_short_way_is_taken_up_where_it_broke_off(scene: Scene, lost: int) -> None:
    """draft does what receive, accept and review do: an answer lost at any of the three is no second step."""
    bank = scene.bank("A")
    checked = scene.check(bank, scene.apply(bank, [LINE]))
    before = entries(scene)
    _ = bank.log
    lose_the_answer(scene, bank, lost)
    with pytest.raises(ServiceUnreachable):
        prepare_draft(bank, checked, Terms(reference="L-1"))
    assert stages(prepare_draft(bank, checked, Terms(reference="L-1"))) == ["drafted"]
    assert entries(scene) == before + 3


def lose_the_answer(scene: Scene, bank: Desk, place: int) -> None:
    """The answer to the place-th write from now on is lost."""
    honest, count = bank.client.take_steps, [0]

    def counting(*arguments: object) -> object:
        count[0] += 1
        if count[0] == place:
            scene.wire.lose_answers = 1
            bank.client.take_steps = honest  # type: ignore[method-assign]
        return honest(*arguments)  # type: ignore[arg-type]

    bank.client.take_steps = counting  # type: ignore[method-assign,assignment]


# --- after the draw -------------------------------------------------------------------------------------------------------


def test_the_whole_way_of_two_lines_together(scene: Scene) -> None:
    bank = scene.bank("A")
    record = reserved(scene, bank, f"{FIRST}=USD 600000.00", f"{SECOND}=USD 48200.00")
    assert stages(record) == ["reserved", "reserved"]
    before = entries(scene)
    assert stages(disburse(bank, Instruction(reference="L-1")).record) == ["disbursed", "disbursed"]
    assert entries(scene) == before + 2
    part = repay(bank, Instruction("repaid-own-funds", Money.parse("USD 100000.00"), reference="L-1", number=FIRST))
    assert stages(part.record) == ["partly-repaid", "disbursed"]
    settled = repay(bank, Instruction("repaid-proceeds", reference="L-1", settle=True))
    assert stages(settled.record) == ["settled", "settled"]
    assert scene.headroom() == {**scene.headroom(), FIRST: 500_000_00, SECOND: 0}
    document = open_log(scene.suite, scene.regulator, fetch_entries(scene.client, TOKEN)).documents[0]
    assert [step.what for step in all_steps(document, document.draws[0])] == [
        "applied",
        "accepted",
        "approved",
        "reserved",
        "disbursed",
        "repaid-own-funds",
        "repaid-proceeds",
        "settled",
    ]


def test_part_is_paid_out_and_the_rest_comes_back(scene: Scene) -> None:
    bank = scene.bank("A")
    reserved(scene, bank)
    with pytest.raises(Refused, match="only"):
        disburse(bank, Instruction(reference="L-1", amount=Money.parse("USD 600000.01")))
    paid = disburse(bank, Instruction(reference="L-1", amount=Money.parse("USD 400000.00"), note="first part"))
    assert (paid.line.outstanding.amount, scene.headroom()[FIRST]) == (400_000_00, 600_000_00)
    with pytest.raises(Refused, match="no disburse"):
        disburse(bank, Instruction(reference="L-1"))
    document = open_log(scene.suite, scene.regulator, fetch_entries(scene.client, TOKEN)).documents[0]
    assert (document.draws[0].steps[-1].amount, document.draws[0].steps[-1].note) == (400_000_00, "first part")
    assert document.alerts == ()


def test_a_reservation_is_given_up(scene: Scene) -> None:
    bank = scene.bank("A")
    reserved(scene, bank)
    with pytest.raises(Refused, match="disburse it first"):
        repay(bank, Instruction("repaid-own-funds", Money.parse("USD 1.00"), reference="L-1"))
    with pytest.raises(Refused, match="outstanding"):
        close(bank, Instruction(reference="L-1"))
    assert stages(release(bank, Instruction(reference="L-1")).record) == ["released"]
    assert scene.headroom()[FIRST] == 1_000_000_00


def test_what_is_written_off_ends_so(scene: Scene) -> None:
    bank = scene.bank("A")
    reserved(scene, bank)
    disburse(bank, Instruction(reference="L-1"))
    repay(bank, Instruction("repaid-own-funds", Money.parse("USD 500000.00"), reference="L-1"))
    assert stages(repay(bank, Instruction("written-off", settle=True, reference="L-1")).record) == ["written-off"]
    assert scene.headroom()[FIRST] == 900_000_00


def test_a_lost_answer_to_a_disbursement(scene: Scene) -> None:
    bank = scene.bank("A")
    reserved(scene, bank)
    instruction = Instruction(reference="L-1", amount=Money.parse("USD 400000.00"))
    before = entries(scene)
    scene.wire.lose_answers = 1
    with pytest.raises(ServiceUnreachable):
        disburse(bank, instruction)
    assert disburse(bank, instruction).line.outstanding.amount == 400_000_00
    assert entries(scene) == before + 1


def test_a_reservation_that_expires_frees_itself(scene: Scene) -> None:
    bank = scene.bank("A")
    record = reserved(scene, bank)
    scene.now = record.expires + 1
    with pytest.raises(Refused) as refused:
        disburse(scene.bank("A"), Instruction(reference="L-1"))
    assert refused.value.code == "expired"
    assert free_expired(scene.wire.app.state.verifier) == 1  # type: ignore[attr-defined]
    assert scene.headroom()[FIRST] == 1_000_000_00
    assert describe_financing(record, scene.now)["draws"][0]["stage"] == "expired"
    document = open_log(scene.suite, scene.regulator, fetch_entries(scene.client, TOKEN)).documents[0]
    assert [(draw.state.stage, draw.outstanding) for draw in document.draws] == [("expired", 0)]


def test_a_share_of_several_is_released_together(scene: Scene) -> None:
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [FIRST, SECOND], share=Fraction(50)), Terms(reference="L-9"))
    commit(bank, scene.approve(Path(draft)))
    assert stages(release(bank, Instruction(reference="L-9")).record) == ["released", "released"]
