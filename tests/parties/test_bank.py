"""A bank's whole path against the real service: what it accepts, and that every step happens once however often it is tried.

A failure would be a second draw or reduction after a lost answer, a secret file that others can read, a figure of another party
in what a refused bank sees, or an application that is drafted although something in it is false.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parties.bank.application import check_application, check_terms, read_application
from parties.bank.cli import app
from parties.bank.commit import commit, commit_file
from parties.bank.desk import Desk
from parties.bank.draft import Terms, prepare_draft
from parties.bank.listing import describe_financing, draw_rows
from parties.bank.records import FinancingRecord
from parties.bank.repayment import Instruction, repay
from parties.common import runtime
from parties.common.client import Log, ServiceClient
from parties.common.errors import InputError, Refused, ServiceMisbehaved, ServiceRefused, ServiceUnreachable
from parties.common.money import Money
from parties.common.sealed_files import read_sealed, write_sealed
from schemas.domain.conversion import Rate
from schemas.domain.errors import DomainError
from schemas.sealed import Application, ApprovalFile, Disclosure, DraftFile, Loan
from tests.parties.scene import FIRST, NOW, ORIGIN, SECOND, YEN, Scene


def money(text: str) -> Money:
    return Money.parse(text)


def opened(scene: Scene, bank: Desk, *lines: str, **terms: Any) -> Application:
    return read_application(scene.apply(bank, lines, **terms), bank.signer)


def amounts(record: FinancingRecord) -> list[tuple[int, int | None]]:
    return [(draw["amount"], draw["outstanding"]) for draw in describe_financing(record, NOW)["draws"]]


# --- the whole path -------------------------------------------------------------------------------------------------------


def test_three_banks_use_up_one_declaration(scene: Scene) -> None:
    """Story 1: 600,000.00 and 350,000.00 of 1,000,000.00; then 50,000.01 and 0.01 are refused, and no figure is shown."""
    scene.lend(scene.bank("A"), [f"{FIRST}=USD 600000.00"])
    scene.lend(scene.bank("B"), [f"{FIRST}=USD 350000.00"])
    bank = scene.bank("C")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 50000.01"]))
    approval = scene.approve(draft)
    assert approval == ApprovalFile(financing=approval.financing, refused="cannot-be-proven", lines=[])
    with pytest.raises(Refused, match="does not cover") as refused:
        commit(bank, approval)
    assert not any(character.isdigit() for character in str(refused.value))
    entries = scene.client.ready().entries
    assert scene.lend(bank, [f"{FIRST}=USD 50000.00"]).committed
    # Applied, accepted, approved, reserved.
    assert scene.client.ready().entries == entries + 4
    assert scene.headroom()[FIRST] == 0
    with pytest.raises(Refused, match="does not cover"):
        scene.lend(bank, [f"{FIRST}=USD 0.01"])


def test_what_is_repaid_from_own_funds_can_be_drawn_again(scene: Scene) -> None:
    """Story 3, and a settlement."""
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 200000.00"], Terms(reference="L-1"), disbursed=True)
    repay(bank, Instruction("repaid-proceeds", money("USD 50000.00"), reference="L-1"))
    assert scene.headroom()[FIRST] == 800_000_00
    booked = repay(bank, Instruction("repaid-own-funds", reference="L-1", settle=True))
    assert scene.headroom()[FIRST] == 950_000_00
    assert booked.line.standing is not None
    assert booked.line.standing.closed
    assert amounts(booked.record) == [(200_000_00, 0)]
    with pytest.raises(Refused, match="at its end"):
        repay(bank, Instruction("released", money("USD 1.00"), reference="L-1"))


def test_a_loan_in_another_currency(scene: Scene) -> None:
    """Story 4: CNY 800,000.00 at 100 JPY = 4.80 CNY draws JPY 16,666,667."""
    bank = scene.bank("A")
    loan: dict[str, Any] = {"loan": money("CNY 800000.00"), "rate": Rate.parse("100 JPY = 4.80 CNY")}
    _, draft = scene.draft(bank, scene.apply(bank, [YEN], **loan))
    record = commit(bank, scene.approve(draft))
    assert amounts(record) == [(16_666_667, 16_666_667)]
    assert scene.headroom()[YEN] == 1_833_333


def test_several_declarations_all_or_none(scene: Scene) -> None:
    bank = scene.bank("A")
    path = scene.apply(bank, [FIRST, SECOND], share=Fraction(80))
    record, draft = scene.draft(bank, path, Terms(reference="L-6"))
    committed = commit(bank, scene.approve(draft))
    assert amounts(committed) == [(800_000_00, 800_000_00), (38_560_00, 38_560_00)]
    with pytest.raises(InputError, match="several draws"):
        repay(bank, Instruction("released", money("USD 1.00"), reference="L-6"))
    booked = repay(bank, Instruction("released", money("USD 60.00"), reference="L-6", number=SECOND))
    assert amounts(booked.record) == [(800_000_00, 800_000_00), (38_560_00, 38_500_00)]
    with pytest.raises(Refused):  # One line fits and the other does not: the owner refuses the whole.
        scene.lend(bank, [f"{FIRST}=USD 1.00", f"{SECOND}=USD 48000.00"])
    assert record.reference == "L-6"


# --- once, however often --------------------------------------------------------------------------------------------------


def test_a_lost_answer_to_a_financing(scene: Scene) -> None:
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"]))
    approval = scene.approve(draft)
    scene.wire.lose_answers = 2
    for _ in range(2):
        with pytest.raises(ServiceUnreachable):
            commit(bank, approval)
    (listed,) = bank.book
    assert describe_financing(listed, NOW)["draws"][0]["stage"] == "sent"
    assert commit(bank, approval).committed
    assert commit(bank, approval).committed
    sent = [item for item in scene.wire.sent if item[0].endswith("/financings")]
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert scene.headroom()[FIRST] == 400_000_00


def test_a_lost_request_of_a_financing(scene: Scene) -> None:
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"]))
    approval = scene.approve(draft)
    _ = bank.log
    scene.wire.lose_requests = 1
    with pytest.raises(ServiceUnreachable):
        commit(bank, approval)
    assert commit(bank, approval).committed
    assert scene.headroom()[FIRST] == 400_000_00


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_answer_to_a_settlement(scene: Scene, lost: int) -> None:
    """The first answer lost is the reduction's; the second, when it is sent again, too."""
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"), disbursed=True)
    instruction = Instruction("repaid-own-funds", money("USD 600000.00"), settle=True, reference="L-1")
    scene.wire.lose_answers = lost
    for _ in range(lost):
        with pytest.raises(ServiceUnreachable):
            repay(bank, instruction)
    booked = repay(bank, instruction)
    assert booked.line.standing is not None
    assert booked.line.standing.closed
    assert len(booked.line.standing.receipts) == 4
    assert scene.headroom()[FIRST] == 1_000_000_00


def test_a_lost_answer_to_a_closure(scene: Scene) -> None:
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"), disbursed=True)
    repay(bank, Instruction("repaid-own-funds", money("USD 600000.00"), reference="L-1"))
    settle = Instruction("repaid-own-funds", settle=True, reference="L-1")
    scene.wire.lose_answers = 1
    with pytest.raises(ServiceUnreachable):
        repay(bank, settle)
    booked = repay(bank, settle)
    assert booked.line.standing is not None
    assert booked.line.standing.closed


def test_another_instruction_than_the_pending_one_is_not_carried_out(scene: Scene) -> None:
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"), disbursed=True)
    scene.wire.lose_answers = 1
    with pytest.raises(ServiceUnreachable):
        repay(bank, Instruction("repaid-own-funds", money("USD 100.00"), reference="L-1"))
    with pytest.raises(Refused, match="yours was not done"):
        repay(bank, Instruction("repaid-own-funds", money("USD 200.00"), reference="L-1"))
    (record,) = bank.book
    assert amounts(record) == [(600_000_00, 599_900_00)]


def test_a_stale_proof_keeps_the_draft_for_a_fresh_one(scene: Scene) -> None:
    """Story 2: two banks with proofs for the same head; the loser's drafts stay and need only a fresh proof."""
    first, second = scene.bank("A"), scene.bank("B")
    drafts: list[Path] = []
    for bank in (first, second):
        _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 80000.00"]))
        drafts.append(draft.rename(scene.path(f"draft-{len(drafts)}.json")))
    approvals = [scene.approve(draft) for draft in drafts]
    commit(first, approvals[0])
    entries = scene.client.ready().entries
    with pytest.raises(ServiceRefused) as refused:
        commit(second, approvals[1])
    assert refused.value.slug == "headroom-not-proven"
    assert scene.client.ready().entries == entries
    (kept,) = second.book
    assert kept.pending is None
    assert kept.refusal == "headroom-not-proven"
    assert commit(second, scene.approve(drafts[1])).committed
    assert scene.headroom()[FIRST] == 840_000_00


def test_a_lost_answer_then_a_fresh_approval(scene: Scene) -> None:
    """The lost attempt was refused; the fresh approval is tried in the same run, and only then."""
    first, second = scene.bank("A"), scene.bank("B")
    _, draft = scene.draft(second, scene.apply(second, [f"{FIRST}=USD 80000.00"]))
    stale = scene.approve(draft)
    kept = draft.rename(scene.path("kept"))
    scene.lend(first, [f"{FIRST}=USD 80000.00"])
    scene.wire.lose_answers = 1
    with pytest.raises(ServiceUnreachable):
        commit(second, stale)
    with pytest.raises(ServiceRefused):
        commit(second, stale)
    scene.wire.lose_answers = 1
    with pytest.raises(ServiceUnreachable):
        commit(second, stale)
    assert commit(second, scene.approve(kept)).committed


def test_a_false_receipt_is_not_believed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"]))
    approval = scene.approve(draft)
    honest = bank.client.finance

    def lying(*arguments: Any) -> Any:
        answer = honest(*arguments)
        receipt = answer.draws[0].receipt.model_copy(update={"leaf": bytes(32)})
        return answer.model_copy(update={"draws": [answer.draws[0].model_copy(update={"receipt": receipt})]})

    monkeypatch.setattr(bank.client, "finance", lying)
    with pytest.raises(ServiceMisbehaved):
        commit(bank, approval)
    monkeypatch.undo()
    assert commit(bank, approval).committed


def test_other_keys_of_the_log_than_before_are_refused(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that had the regulator's memos sealed to a key of its own would read every amount."""
    bank = scene.bank("A")
    path = scene.apply(bank, [f"{FIRST}=USD 600000.00"])
    scene.draft(bank, path)
    honest = bank.log
    regulator = honest.genesis.regulator.model_copy(update={"seal_key": bytes([9]) * 32})
    swapped = Log(honest.genesis.model_copy(update={"regulator": regulator}), honest.parameters)
    monkeypatch.setattr(ServiceClient, "parameters", lambda client, suite, origin: swapped)
    with pytest.raises(ServiceMisbehaved):
        scene.check(scene.bank("A"), path)


# --- applications ---------------------------------------------------------------------------------------------------------


def spoilt_amount(application: Application) -> Application:
    line = application.lines[0]
    return replaced_line(application, amount=line.credential.limit + 1)


def replaced_line(application: Application, **fields: Any) -> Application:
    line = application.lines[0].model_copy(update=fields)
    return application.model_copy(update={"lines": [line, *application.lines[1:]]})


def replaced_credential(application: Application, **fields: Any) -> Application:
    return replaced_line(application, credential=application.lines[0].credential.model_copy(update=fields))


def said_otherwise(application: Application, **values: str) -> list[Disclosure]:
    shown = application.lines[0].credential.disclosed
    return [item.model_copy(update={"value": values.get(item.name, item.value)}) for item in shown]


@pytest.mark.parametrize(
    "spoil,code",
    [
        (lambda a: a.model_copy(update={"bank": "bank-b"}), "another-bank"),
        (lambda a: a.model_copy(update={"bank_key": a.lines[0].credential.owner}), "another-bank"),
        (lambda a: a.model_copy(update={"expires": NOW}), "expired"),
        (lambda a: a.model_copy(update={"applicant": "91320581MA1P3K7L9H"}), "another-holder"),
        (lambda a: a.model_copy(update={"lines": [*a.lines, *a.lines]}), "repeated"),
        (lambda a: a.model_copy(update={"loan": Loan(currency="CNY", amount=1, rate="100 USD = 710 CNY")}), "loan-conversion"),
        (spoilt_amount, "over-limit"),
        (lambda a: replaced_line(a, key_shift=bytes(32)), "key-shift"),
        (lambda a: replaced_line(a, key_shift=b"\xff" * 32), "key-shift"),
        (lambda a: replaced_credential(a, disclosed=said_otherwise(a, number=SECOND)), "credential-invalid"),
        (lambda a: replaced_credential(a, disclosed=said_otherwise(a, limit="200000000")), "credential-invalid"),
        (lambda a: replaced_credential(a, disclosed=[]), "credential-invalid"),
        (lambda a: replaced_credential(a, disclosed=a.lines[0].credential.disclosed[:-1]), "credential-invalid"),
        (lambda a: replaced_credential(a, attester=a.lines[0].credential.owner), "credential-invalid"),
        (lambda a: replaced_credential(a, signature=bytes(65)), "credential-invalid"),
    ],
)
def test_a_false_application_is_refused(scene: Scene, spoil: Callable[[Application], Application], code: str) -> None:
    bank = scene.bank("A")
    application = spoil(opened(scene, bank, f"{FIRST}=USD 600000.00"))
    with pytest.raises(Refused) as refused:
        check_application(bank, application)
    assert refused.value.code == code
    assert list(bank.book) == []


def test_the_documents_are_asked_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = scene.bank("A")
    application = opened(scene, bank, f"{FIRST}=USD 600000.00")
    honest = bank.client.status(application.lines[0].credential.document)
    for told, code in (({"financeable": False}, "not-financeable"), ({"currency": "EUR"}, "contradiction")):
        monkeypatch.setattr(bank.client, "status", lambda document, told=told: honest.model_copy(update=told))
        with pytest.raises(Refused) as refused:
            check_application(bank, application)
        assert refused.value.code == code


def test_a_bad_rate_is_explained(scene: Scene) -> None:
    bank = scene.bank("A")
    loan = Loan(currency="CNY", amount=80_000_000, rate="4.80")
    application = opened(scene, bank, f"{YEN}=JPY 16666667").model_copy(update={"loan": loan})
    with pytest.raises(DomainError, match="not a rate"):
        check_terms(bank.signer, application, bank.now)


def test_an_application_for_another_bank_cannot_be_opened(scene: Scene) -> None:
    path = scene.apply(scene.bank("A"), [f"{FIRST}=USD 600000.00"])
    with pytest.raises(InputError):
        read_application(path, scene.bank("B").signer)


# --- drafts ---------------------------------------------------------------------------------------------------------------


def test_less_than_asked_can_be_granted(scene: Scene) -> None:
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"]), Terms(granted=money("USD 500000.00")))
    assert amounts(commit(bank, scene.approve(draft))) == [(500_000_00, 500_000_00)]


@pytest.mark.parametrize("granted", ["USD 600000.01", "EUR 1.00"])
def test_more_than_asked_cannot_be_granted(scene: Scene, granted: str) -> None:
    bank = scene.bank("A")
    checked = scene.check(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"]))
    with pytest.raises(Refused):
        prepare_draft(bank, checked, Terms(granted=money(granted)))


def test_less_cannot_be_granted_where_the_owner_consented(scene: Scene) -> None:
    bank = scene.bank("A")
    checked = scene.check(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"], consent=True))
    with pytest.raises(Refused):
        prepare_draft(bank, checked, Terms(granted=money("USD 500000.00")))


def test_a_false_consent_is_found_by_the_bank(scene: Scene) -> None:
    bank = scene.bank("A")
    application = opened(scene, bank, f"{FIRST}=USD 600000.00", consent=True)
    offer = application.lines[0].consent
    assert offer is not None
    other = offer.model_copy(update={"blinding": bytes(31) + b"\x01"})
    for spoilt in (
        replaced_line(application, amount=1),
        replaced_line(application, consent=other),
    ):
        with pytest.raises(Refused) as refused:
            prepare_draft(bank, check_application(bank, spoilt), Terms())
        assert refused.value.code == "consent-invalid"
    for spoilt in (application.model_copy(update={"expires": NOW + 5}), replaced_line(application, applied=bytes(65))):
        with pytest.raises(Refused) as refused:
            prepare_draft(bank, check_application(bank, spoilt), Terms())
        assert refused.value.code == "application-invalid"
    assert list(bank.book) == []


def test_drafting_again_gives_the_same_drafts(scene: Scene) -> None:
    bank = scene.bank("A")
    checked = scene.check(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"]))
    record = prepare_draft(bank, checked, Terms(reference="L-1"))
    assert prepare_draft(bank, checked, Terms(reference="L-1")) == record
    assert prepare_draft(bank, checked, Terms()) == record
    with pytest.raises(Refused) as refused:
        prepare_draft(bank, checked, Terms(granted=money("USD 1.00")))
    assert refused.value.code == "drafted-otherwise"
    less = prepare_draft(bank, checked, Terms(granted=money("USD 1.00")), redo=True)
    assert amounts(less) == [(100, None)]
    assert [each.financing for each in bank.book] == [record.financing]


def test_a_reference_is_used_once(scene: Scene) -> None:
    bank = scene.bank("A")
    scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 1.00"]), Terms(reference="L-1"))
    with pytest.raises(InputError, match="in use"):
        scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 1.00"]), Terms(reference="L-1"))


def test_what_is_committed_is_not_drafted_again(scene: Scene) -> None:
    bank = scene.bank("A")
    path = scene.apply(bank, [f"{FIRST}=USD 1.00"])
    _, draft = scene.draft(bank, path)
    commit(bank, scene.approve(draft))
    with pytest.raises(Refused, match="is committed"):
        prepare_draft(bank, scene.check(bank, path), Terms(), redo=True)


def test_an_expired_approval_is_not_sent(scene: Scene) -> None:
    bank = scene.bank("A")
    record, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 1.00"]))
    approval = scene.approve(draft)
    scene.now = record.expires + 1
    with pytest.raises(Refused, match="expired"):
        commit(scene.bank("A"), approval)
    assert not any(url.endswith("/financings") for url, _, _ in scene.wire.sent)


def test_approvals_that_do_not_fit(scene: Scene) -> None:
    bank = scene.bank("A")
    _, draft = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 1.00"]))
    approval = scene.approve(draft)
    with pytest.raises(InputError, match="no draft in this home"):
        commit(bank, approval.model_copy(update={"financing": bytes(32)}))
    with pytest.raises(InputError, match="one proof a line"):
        commit(bank, approval.model_copy(update={"lines": []}))


# --- repayments that cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields,error",
    [
        ({"amount": "USD 600000.01"}, Refused),
        ({"amount": "EUR 1.00"}, InputError),
        ({"amount": "USD 1.00", "settle": True}, Refused),
        ({}, InputError),
        ({"amount": "USD 1.00", "reason": "forgiven"}, InputError),
        ({"amount": "USD 1.00", "reference": "L-2"}, InputError),
        ({"amount": "USD 1.00", "reference": ""}, InputError),
        ({"amount": "USD 1.00", "number": SECOND}, InputError),
        ({"amount": "USD 1.00", "number": "2.2332E+17"}, DomainError),
        ({"amount": "USD 1.00", "reference": "", "financing": "AAAA"}, InputError),
    ],
)
def test_impossible_repayments(scene: Scene, fields: dict[str, Any], error: type[Exception]) -> None:
    bank = scene.bank("A")
    scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"))
    entries = scene.client.ready().entries
    parsed = {**fields, **({"amount": money(fields["amount"])} if "amount" in fields else {})}
    with pytest.raises(error):
        repay(bank, Instruction(**{"reason": "released", "reference": "L-1", **parsed}))
    assert scene.client.ready().entries == entries
    (record,) = bank.book
    assert record.pending is None


# --- secrets and commands -------------------------------------------------------------------------------------------------


def test_secrets_are_kept_from_others(scene: Scene) -> None:
    bank = scene.bank("A")
    record = scene.lend(bank, [f"{FIRST}=USD 600000.00"], Terms(reference="L-1"))
    files = [path for path in bank.home.directory.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert all(path.stat().st_mode & 0o077 == 0 for path in [bank.home.directory, *files])
    assert "60000000" not in repr(record) + repr(bank) + repr(record.lines[0])
    assert str(bank.signer.secret.scalar) not in repr(bank)


def test_the_commands(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """keys, show, draft, commit, draws, repay as a clerk runs them."""
    monkeypatch.setattr(runtime, "connect", scene.connect)
    monkeypatch.setattr(runtime, "now", lambda: scene.now)
    run = CliRunner().invoke
    home = str(scene.directory / "bank-x")
    keys = ["keys", "--home", home, "--origin", ORIGIN, "--holder", "bank-x", "--name", "Bank X"]
    assert run(app, keys).exit_code == 0
    assert run(app, keys).exit_code == 2
    bank = scene.bank("X")
    scene.admit(bank.signer.identity)
    application, draft = scene.apply(bank, [f"{FIRST}=USD 600000.00"]), scene.path("d.json")
    shown = run(app, ["show", "--home", home, str(application)])
    assert shown.exit_code == 0
    assert "600,000.00" in shown.stdout
    assert FIRST in shown.stdout
    service = ["--home", home, "--service", "http://127.0.0.1"]
    assert run(app, ["show", *service, str(application)]).exit_code == 0
    assert run(app, ["draft", *service, str(application), "--reference", "L-1", "-o", str(draft)]).exit_code == 0
    approval = scene.path("a.json")
    write_sealed(approval, scene.approve(draft), bank.signer.identity.seal_key)
    committed = run(app, ["commit", *service, str(approval), "--json"])
    assert committed.exit_code == 0
    assert json.loads(committed.stdout)["committed"]
    assert (
        run(app, ["repay", *service, "--reference", "L-1", "--amount", "USD 1.00", "--reason", "repaid-proceeds"]).exit_code
        == 1
    )
    assert run(app, ["disburse", *service, "--reference", "L-1"]).exit_code == 0
    repaid = run(app, ["repay", *service, "--reference", "L-1", "--amount", "USD 100000.00", "--reason", "repaid-own-funds"])
    assert repaid.exit_code == 0
    assert "USD 500,000.00" in repaid.stdout
    listed = run(app, ["draws", "--home", home])
    assert "USD 500,000.00" in listed.stdout
    financing = json.loads(run(app, ["draws", "--home", home, "--json"]).stdout)["financings"][0]
    assert financing["draws"][0]["outstanding"] == 500_000_00
    settle = ["repay", *service, f"--financing={financing['financing']}", "--reason", "written-off", "--settle", "--json"]
    settled = run(app, settle)
    assert json.loads(settled.stdout)["draws"][0]["stage"] == "written-off"
    assert run(app, settle).exit_code == 1
    assert run(app, ["commit", *service, str(draft)]).exit_code == 2


def test_a_refusal_exits_with_1_and_shows_no_figure(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "connect", scene.connect)
    monkeypatch.setattr(runtime, "now", lambda: scene.now)
    bank = scene.bank("A")
    record, _ = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"]))
    path = scene.path("refusal.json")
    refusal = ApprovalFile(financing=record.financing, refused="cannot-be-proven", lines=[])
    write_sealed(path, refusal, bank.signer.identity.seal_key)
    result = CliRunner().invoke(app, ["commit", "--home", str(bank.home.directory), "--service", "http://127.0.0.1", str(path)])
    assert result.exit_code == 1
    assert not any(character.isdigit() for character in result.output)
    with pytest.raises(Refused):
        commit_file(bank, path)


def test_an_unreachable_service_exits_with_3(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "connect", scene.connect)
    bank = scene.bank("A")
    path = scene.apply(bank, [f"{FIRST}=USD 1.00"])
    scene.wire.lose_requests = 10
    arguments = [
        "draft",
        "--home",
        str(bank.home.directory),
        "--service",
        "http://127.0.0.1",
        str(path),
        "-o",
        str(scene.path("d")),
    ]
    monkeypatch.setattr(runtime, "now", lambda: scene.now)
    assert CliRunner().invoke(app, arguments).exit_code == 3
    assert not scene.path("d").exists()


def test_the_draft_says_what_the_prover_must_know_and_no_more(scene: Scene) -> None:
    bank = scene.bank("A")
    record, path = scene.draft(bank, scene.apply(bank, [f"{FIRST}=USD 600000.00"]))
    draft = read_sealed(path, DraftFile, scene.exporter.seal)
    assert draft.reply_to == bank.signer.identity.seal_key
    assert [line.opening.amount for line in draft.lines] == [600_000_00]
    assert draw_rows([record], NOW)[0][-2].startswith("drafted")
