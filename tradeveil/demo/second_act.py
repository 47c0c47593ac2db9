"""The second act: a financing step by step, documents through their life, and papers that banks check.

A function a story, like the first act's.
"""

from __future__ import annotations

import time

from parties.common.money import Money
from tradeveil.demo import cast
from tradeveil.demo.cast import BANK_A, BANK_B
from tradeveil.demo.checks import CHECKS
from tradeveil.demo.commands import CommandFailed, Ran
from tradeveil.demo.play import Play
from tradeveil.demo.stories import Story

_WAIT_SECONDS = 30
"""How long after its expiry a reservation is waited for at most."""
_POLL_SECONDS = 0.5


# --- 8 --------------------------------------------------------------------------------------------------------------------


def step_by_step(play: Play) -> None:
    number, who, reference = cast.STEP_BY_STEP, cast.SUZHOU, "JIA-2026-0801"
    line = f"{number}=USD 60000.00"
    play.planted.ask(Money.parse("USD 60000.00"), "asked in the second act")
    with play.step("Suzhou applies on a declaration that Customs has released and not cleared.") as step:
        early = play.apply(who, BANK_A, [line])
        play.expect("what is not cleared cannot be applied on", early.ran.error_code() == "not-financeable", early.ran.text)
        play.summary.refused_by_parties["not-financeable"] += 1
        step.sees("Suzhou", f'"{early.ran.json()["error"]["message"]}"')
    with play.step("Customs clears it; Suzhou applies for USD 60,000.00."):
        cleared = play.run("customs", "status", "customs", number, "cleared", "--json")
        play.expect("Customs clears it", cleared.exit_code == 0, cleared.text)
        application = play.apply(who, BANK_A, [line])
        play.expect("then it can be applied on", application.accepted, application.ran.text)
    play.planted.refer(reference)
    with play.step(f"{BANK_A.short} receives and accepts the application; a second person approves it.") as step:
        received = _bank(play, "receive", str(application.paper), "--reference", reference, "--by", "Li")
        accepted = _bank(play, "accept", reference, "--by", "Li")
        own = play.run("bank", "review", BANK_A.folder, reference, "--approve", "--by", "Li", "--json")
        approved = _bank(play, "review", reference, "--approve", "--by", "Wang")
        stages = [_stage(ran) for ran in (received, accepted, approved)]
        play.expect("applied, accepted, approved", stages == ["applied", "accepted", "approved"], stages)
        play.expect("nobody approves what they received", own.error_code() == "two-person", own.text)
        play.summary.refused_by_parties["two-person"] += 1
        step.sees("Suzhou", f"its application is {_seen_by_owner(play, who, reference)}.")
    with play.step("Draft, headroom proof, verify and commit: reserved. Of it USD 50,000.00 is paid out."):
        paper = play.paper("draft")
        _bank(play, "draft", "--reference", reference, "-o", str(paper), as_json=False)
        committed = play.commit(BANK_A, play.approve(who, paper).paper)
        play.expect("it is reserved", committed.exit_code == 0 and _stage(committed) == "reserved", committed.text)
        play.planted.draw(number, BANK_A, reference, Money.parse("USD 60000.00"))
        paid = play.disburse(BANK_A, number, reference, paid="USD 50000.00", released="USD 10000.00")
        play.expect("part is paid out, and the rest comes back", paid)
        play.expect_headroom("23,515.25 is left", who, number, 23_515_25)
    with play.step("The buyer pays; the loan is repaid in two parts.") as step:
        first = play.repay(BANK_A, number, reference, "USD 20000.00", "repaid-own-funds")
        last = play.repay(BANK_A, number, reference, "USD 30000.00", "repaid-proceeds", settle=True)
        play.expect("partly repaid, then settled", first and last)
        play.expect_headroom("43,515.25 is left in the end", who, number, 43_515_25)
        steps = _steps_of_regulator(play, number)
        told = ["applied", "accepted", "approved", "reserved", "disbursed", "repaid-own-funds", "repaid-proceeds", "settled"]
        play.expect("the regulator saw every step, unasked", steps == told, steps)
        step.sees("The regulator", ", ".join(steps) + ".")


def _bank(play: Play, command: str, *arguments: str, as_json: bool = True) -> Ran:
    return play.must("bank", command, BANK_A.folder, *arguments, *(["--json"] if as_json else []))


def _stage(ran: Ran) -> str:
    return str(ran.json()["draws"][0]["stage"])


def _seen_by_owner(play: Play, who: str, reference: str) -> str:
    """Where a financing stands, as the owner's wallet says."""
    listed = play.must("enterprise", "draws", play.exporter(who).folder, "--json").json()
    return str(next(item["stage"] for item in listed if item["reference"] == reference))


def _steps_of_regulator(play: Play, number: str) -> list[str]:
    """What happened to the one financing on a declaration, as the regulator's key opens it."""
    token = ("--token-file", str(play.stage.token_file))
    opened = play.must("regulator", "open", "regulator", *token, "--json").json()
    document = next(item for item in opened["documents"] if item["number"] == number)
    return [step["what"] for draw in document["draws"] for step in draw["steps"]]


# --- 9 --------------------------------------------------------------------------------------------------------------------


def amended_below_what_is_drawn(play: Play) -> None:
    number, who = cast.AMENDED, cast.SHENZHEN
    with play.step(f"{BANK_A.short} lends USD 150,000.00 on a declaration of USD 192,140.00."):
        play.expect("150,000.00 is accepted", play.draw(who, BANK_A, number, "USD 150000.00", "JIA-2026-0901"))
        play.expect("and paid out", play.disburse(BANK_A, number, "JIA-2026-0901"))
    with play.step("Part of the goods comes back, and Customs amends the declaration to USD 120,000.00.") as step:
        amended = play.run("customs", "part-return", "customs", number, "--limit", "USD 120000.00", "--json")
        play.expect("Customs amends it", amended.exit_code == 0, amended.text)
        play.planted.amend(number, Money.parse("USD 120000.00"))
        document = play.document(who, number)
        play.expect("Shenzhen sees that it is overdrawn", document["overdrawn"] is True, document["status"])
        step.sees("Shenzhen", "USD 30,000.00 more is drawn than the limit.")
    with play.step("The regulator's key proves the fact, and no figure.") as step:
        token = ("--token-file", str(play.stage.token_file))
        shown = play.run("regulator", "overdrawn", "regulator", "--all", *token, "--json")
        over = [item["over"] for item in shown.json()] if shown.exit_code == 0 else shown.text
        play.expect("the regulator shows that it is overdrawn by 30,000.00", over == [30_000_00], over)
        status = play.stage.wire.http.get(f"/v1/documents/{document['document']}").raise_for_status().json()
        play.expect("anybody sees the status, and no more", (status["financeable"], status["overdrawn"]) == (False, True))
        step.sees(BANK_B.short, "not financeable now. Not why, not by how much, not to whom.")
    with play.step("Nothing can be applied for until that is mended; then what is left can."):
        play.planted.ask(Money.parse("USD 20000.00"), "asked in the second act")
        refused = play.apply(who, BANK_B, [f"{number}=USD 20000.00"])
        play.expect("overdrawn, it cannot be applied on", refused.ran.error_code() == "not-financeable", refused.ran.text)
        play.summary.refused_by_parties["not-financeable"] += 1
        repaid = play.repay(BANK_A, number, "JIA-2026-0901", "USD 50000.00", "repaid-own-funds")
        play.expect("50,000.00 is repaid", repaid)
        play.expect("20,000.00 is accepted", play.draw(who, BANK_B, number, "USD 20000.00", "YI-2026-0902"))
        play.expect_headroom("the amended limit is exactly used up", who, number, 0)


# --- 10 -------------------------------------------------------------------------------------------------------------------


def deleted_and_replaced(play: Play) -> None:
    number, replacement, who, reference = cast.DELETED, cast.REPLACEMENT, cast.NINGBO, "JIA-2026-1001"
    with play.step(f"{BANK_A.short} lends USD 60,000.00; then Customs deletes the declaration, which another one replaces."):
        play.expect("60,000.00 is accepted", play.draw(who, BANK_A, number, "USD 60000.00", reference))
        play.expect("and paid out", play.disburse(BANK_A, number, reference))
        deleted = play.run("customs", "status", "customs", number, "deleted", "--replacement", replacement, "--json")
        play.expect("Customs deletes and replaces it", deleted.exit_code == 0, deleted.text)
    with play.step(f"{BANK_A.short} drafts the move; Ningbo proves that the replacement has room; committed.") as step:
        paper = play.paper("draft")
        play.must("bank", "move", BANK_A.folder, reference, "-o", str(paper))
        committed = play.commit(BANK_A, play.approve(who, paper).paper)
        play.expect("the draw moves", committed.exit_code == 0, committed.text)
        play.planted.move(number, replacement, "USD", reference)
        left = play.expect_headroom("15,104.60 is left on the replacement", who, replacement, 15_104_60)
        step.sees("Ningbo", f"{left} left on the replacement.")
    with play.step("It moves once."):
        again = play.run("bank", "move", BANK_A.folder, reference, "-o", str(play.paper("draft")))
        play.expect("there is nothing more to move", again.exit_code == 1, again.text)
        play.expect(
            "the loan goes on where it is",
            play.repay(BANK_A, replacement, reference, "USD 60000.00", "repaid-proceeds", settle=True),
        )


# --- 11 -------------------------------------------------------------------------------------------------------------------


def a_reservation_expires(play: Play) -> None:
    number, who, reference = cast.EXPIRING, cast.QINGDAO, "YI-2026-1102"
    started = time.monotonic()
    with play.step(f"{BANK_A.short} reserves USD 9,870.00 of USD 39,870.00."):
        play.expect("9,870.00 is accepted", play.draw(who, BANK_A, number, "USD 9870.00", "JIA-2026-1101"))
    seconds = 10 + int(5 * (time.monotonic() - started))
    with play.step(f"{BANK_B.short} reserves the other USD 30,000.00, for {seconds} seconds, and does not pay it out."):
        play.planted.ask(Money.parse("USD 30000.00"), f"asked in {reference}")
        application = play.apply(who, BANK_B, [f"{number}=USD 30000.00"], "--valid-for", f"{seconds}s")
        if not application.accepted:
            raise CommandFailed(application.ran)
        expires = int(application.ran.json()["expires"])
        committed = play.commit(BANK_B, play.approve(who, play.draft(BANK_B, application.paper, reference)).paper)
        play.expect("30,000.00 is accepted", committed.exit_code == 0, committed.text)
        play.planted.draw(number, BANK_B, reference, Money.parse("USD 30000.00"))
        play.expect_headroom("nothing is left", who, number, 0)
    with play.step("Its time passes; nobody does anything.") as step:
        freed = _wait_until_freed(play, who, reference, expires)
        play.expect("it frees itself", freed == "expired", freed)
        play.planted.expire(number, "USD", reference)
        left = play.expect_headroom("30,000.00 is left again", who, number, 30_000_00)
        late = play.run("bank", "disburse", BANK_B.folder, "--reference", reference, "--json")
        play.expect("too late to pay out", late.error_code() == "expired", late.text)
        play.summary.refused_by_parties["expired"] += 1
        step.sees("Qingdao", f"{left} left.")


def _wait_until_freed(play: Play, who: str, reference: str, expires: int) -> str:
    """The stage of a financing once it is freed, or where it still stands a while after its expiry."""
    while (stage := _seen_by_owner(play, who, reference)) == "reserved" and time.time() < expires + _WAIT_SECONDS:
        time.sleep(_POLL_SECONDS)
    return stage


SECOND_ACT = (
    Story(
        "story 8",
        "Story 8. A financing step by step",
        "故事八：融资全流程",
        "Application, acceptance, review, reservation, disbursement, repayment: the regulator sees each, and nobody reports.",
        step_by_step,
    ),
    Story(
        "story 9",
        "Story 9. Amended below what is drawn",
        "故事九：改单后超额",
        "Goods come back after a bank has lent on them. What is drawn stays, nothing more can be drawn, and that is proven.",
        amended_below_what_is_drawn,
    ),
    Story(
        "story 10",
        "Story 10. Deleted and replaced",
        "故事十：删单与替代",
        "A declaration is deleted and another one stands for it. The loan moves there, once, if it fits.",
        deleted_and_replaced,
    ),
    Story(
        "story 11",
        "Story 11. A reservation expires",
        "故事十一：预留到期释放",
        "What a bank reserves and does not pay out in time frees itself.",
        a_reservation_expires,
    ),
    *CHECKS,
)
