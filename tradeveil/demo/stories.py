"""The first act: seven stories that must come out exactly so, a function each. Tests ask for every expectation by its name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from parties.common.money import Money, money_text
from schemas.domain.currency import Currency
from tradeveil.demo import cast
from tradeveil.demo.cast import BANK_A, BANK_B, BANK_C, Bank
from tradeveil.demo.commands import CommandFailed, Ran
from tradeveil.demo.forgery import approve_beyond_headroom, facts_of, open_conspiracy
from tradeveil.demo.play import Answer, Play, problem_of
from tradeveil.demo.scan import Search, amount_forms, identifier_forms, name_forms
from tradeveil.demo.stage import Exchange

_ACCEPTED = 201
_RESENT = 5
_USD = Currency.parse("USD")


@dataclass(frozen=True)
class Story:
    """A story: how it is called, what it is about, and how it is played."""

    name: str
    english: str
    chinese: str
    about: str
    play: Callable[[Play], None]


# --- 1 --------------------------------------------------------------------------------------------------------------------


def one_declaration_three_banks(play: Play) -> None:
    number, who = cast.ONE_FOR_THREE, cast.SUZHOU
    status = _public_status(play, number)
    for bank, money, reference in ((BANK_A, "USD 600000.00", "JIA-2026-0101"), (BANK_B, "USD 350000.00", "YI-2026-0102")):
        with play.step(f"{bank.short} draws {_read(money)}: application, draft, headroom proof, verify and commit.") as step:
            play.expect(f"{_read(money)} is accepted", play.draw(who, bank, number, money, reference))
            step.sees(
                "The service", "two commitments, two proofs that hold, and that nothing is overdrawn. No figure, no name."
            )
    with play.step(f"{BANK_C.short} is asked for USD 50,000.01, one cent more than is left.") as step:
        refused, told = _refused_by_wallet(play, who, BANK_C, number, "USD 50000.01", "BING-2026-0103")
        play.expect("50,000.01 cannot be proven", refused.ran.exit_code == 1, refused.ran)
        play.expect("the bank is told only that", (told.exit_code, told.error_code()) == (1, "cannot-be-proven"), told.text)
        step.sees(BANK_C.short, f'"{told.json()["error"]["message"]}". Not how much is left, not that others have drawn.')
        step.sees("Suzhou", f'"{refused.ran.json()["error"]["message"]}"')
    with play.step(f"{BANK_C.short} draws {_read('USD 50000.00')}: exactly what is left.") as step:
        play.expect("50,000.00 is accepted", play.draw(who, BANK_C, number, "USD 50000.00", "BING-2026-0104"))
        left = play.expect_headroom("the limit is exactly used up", who, number, 0)
        step.sees("Suzhou", f"{left} left.")
    with play.step(f"{BANK_C.short} is asked for USD 0.01 more.") as step:
        refused, told = _refused_by_wallet(play, who, BANK_C, number, "USD 0.01", "BING-2026-0105")
        play.expect("then 0.01 cannot be proven", (refused.ran.exit_code, told.exit_code) == (1, 1), refused.ran)
        step.sees(BANK_C.short, "the same words as before.")
    with play.step(f"Everything that {BANK_C.short} holds is searched for its competitors.") as step:
        play.expect("the public status says the same as at first", _public_status(play, number) == status)
        found = _what_bank_c_holds_of_others(play)
        play.expect("C never sees a figure of A or B, nor that they exist", not found, "; ".join(found))
        step.sees(BANK_C.short, "three drafts of its own, one of them committed. Nothing of others, nor that there are any.")


def _refused_by_wallet(play: Play, who: str, bank: Bank, number: str, money: str, reference: str) -> tuple[Answer, Ran]:
    """The wallet's refusal of a draft, and what the bank then gets to see. Nothing may be written by it."""
    draft = play.drafted(who, bank, [f"{number}={money}"], reference)
    with play.nothing_written(f"the refusal of {_read(money)} writes nothing"):
        answer = play.approve(who, draft)
        told = play.commit(bank, answer.paper)
    return answer, told


def _public_status(play: Play, number: str) -> bytes:
    """What the service tells anybody who knows the document's id."""
    document = play.document(cast.SUZHOU, number)["document"]
    return play.stage.wire.http.get(f"/v1/documents/{document}").raise_for_status().content


def _what_bank_c_holds_of_others(play: Play) -> list[str]:
    """Labels of whatever of A's and B's stands in C's home, or was shown to C."""
    forms = [
        *amount_forms("A's draw", 600_000_00, _USD),
        *amount_forms("B's draw", 350_000_00, _USD),
        *amount_forms("headroom after A's draw", 400_000_00, _USD),
        *(form for bank in (BANK_A, BANK_B) for form in name_forms(f"name of {bank.short}", bank.name)),
        *(form for bank in (BANK_A, BANK_B) for form in identifier_forms(f"code of {bank.short}", bank.code)),
        *(form for word in ("JIA-2026-0101", "YI-2026-0102") for form in identifier_forms("reference of another", word)),
    ]
    return [str(finding) for finding in Search(forms, play.seen_by(BANK_C.folder)).findings()]


# --- 2 --------------------------------------------------------------------------------------------------------------------


def two_banks_at_the_same_moment(play: Play) -> None:
    number, who, asked = cast.RACE, cast.NINGBO, "USD 80000.00"
    with play.step(f"{BANK_C.short} has drawn USD 400,000.00 earlier.") as step:
        play.expect("400,000.00 is accepted", play.draw(who, BANK_C, number, "USD 400000.00", "BING-2026-0201"))
        left = play.expect_headroom("100,000.00 is left", who, number, 100_000_00)
        step.sees("Ningbo", f"{left} left.")
    with play.step(f"{BANK_A.short} and {BANK_B.short} each get an honest proof that {_read(asked)} fits, at the same state."):
        drafts = {
            BANK_A: play.drafted(who, BANK_A, [f"{number}={asked}"], "JIA-2026-0202"),
            BANK_B: play.drafted(who, BANK_B, [f"{number}={asked}"], "YI-2026-0203"),
        }
        approvals = {bank: play.approve(who, draft) for bank, draft in drafts.items()}
        play.expect("both hold a proof", all(answer.accepted for answer in approvals.values()))
    with play.step("Both post at the same moment.") as step, play.stage.wire.simultaneous(2), ThreadPoolExecutor(2) as threads:
        posted = {bank: threads.submit(play.commit, bank, answer.paper) for bank, answer in approvals.items()}
        ran = {bank: future.result() for bank, future in posted.items()}
        winner, loser = sorted(ran, key=lambda bank: ran[bank].exit_code)
        play.expect("exactly one wins", (ran[winner].exit_code, ran[loser].exit_code) == (0, 1), ran)
        code = ran[loser].error_code()
        play.expect("the other is told that its proof is of an earlier state", code == "headroom-not-proven", code)
        step.sees(f"{winner.short} (which won)", "committed.")
        step.sees(f"{loser.short} (which lost)", f'"{ran[loser].json()["error"]["message"]}"')
    reference = "JIA-2026-0202" if winner is BANK_A else "YI-2026-0203"
    play.planted.draw(number, winner, reference, Money.parse(asked))
    with play.step(f"{loser.short} asks for a fresh proof, as it was told."):
        with play.nothing_written("the fresh refusal writes nothing"):
            again = play.approve(who, drafts[loser])
            told = play.commit(loser, again.paper)
        refused = again.ran.exit_code == 1 and told.error_code() == "cannot-be-proven"
        play.expect("a fresh proof cannot be made", refused, told.text)
    _resend(play, winner)
    with play.step("Ningbo looks at its wallet.") as step:
        step.sees(
            "Ningbo", f"{play.expect_headroom('20,000.00 is left', who, number, 20_000_00)} left: one draw, not six, not two."
        )


def _resend(play: Play, winner: Bank) -> None:
    """The winner's bytes again, as a nervous network would; then other bytes under its key."""
    won, lost = _last(play, accepted=True), _last(play, accepted=False)
    with play.step(f"{winner.short}'s request arrives five times more; then another body under its Idempotency-Key."):
        with play.nothing_written("resending writes nothing"):
            answers = [play.post(winner, won.path, won.body, won.key) for _ in range(_RESENT)]
            other = play.post(winner, won.path, lost.body, won.key)
        replayed = [(answer.status_code, answer.headers.get("Idempotency-Replayed")) for answer in answers]
        play.expect("resent five times, drawn once", replayed == [(_ACCEPTED, "true")] * _RESENT, replayed)
        play.expect("every repetition gets the same answer", len({answer.content for answer in answers}) == 1)
        conflict = problem_of(other)
        play.expect("the same key with another body is a conflict", conflict == "idempotency-key-reused", conflict)


def _last(play: Play, *, accepted: bool) -> Exchange:
    """The last financing that the service accepted, or refused."""
    return next(item for item in reversed(play.stage.wire.financings()) if (item.status == _ACCEPTED) == accepted)


# --- 3 --------------------------------------------------------------------------------------------------------------------


def repaid_in_two_ways(play: Play) -> None:
    number, who, money = cast.REPAID, cast.CHONGQING, "USD 200000.00"
    with play.step(f"{BANK_A.short} draws {_read(money)} of USD 300,000.00.") as step:
        play.expect("200,000.00 is accepted", play.draw(who, BANK_A, number, money, "JIA-2026-0301"))
        play.expect("and paid out", play.disburse(BANK_A, number, "JIA-2026-0301"))
        left = play.expect_headroom("100,000.00 is left", who, number, 100_000_00)
        step.sees("Chongqing", f"{left} left.")
    with play.step("Repaid from the exporter's own funds: the receivable is still there.") as step:
        play.expect("repaid from own funds", play.repay(BANK_A, number, "JIA-2026-0301", money, "repaid-own-funds"))
        left = play.expect_headroom("headroom is 300,000.00 again", who, number, 300_000_00)
        step.sees("Chongqing", f"{left} left: the headroom came back.")
    with play.step(f"{BANK_A.short} draws {_read(money)} once more."):
        play.expect("200,000.00 is accepted again", play.draw(who, BANK_A, number, money, "JIA-2026-0302"))
        play.expect("and paid out again", play.disburse(BANK_A, number, "JIA-2026-0302"))
    with play.step("Repaid from the export proceeds: the buyer has paid, the receivable is gone.") as step:
        booked = play.repay(BANK_A, number, "JIA-2026-0302", money, "repaid-proceeds", settle=True)
        play.expect("repaid from proceeds, and closed", booked)
        left = play.expect_headroom("headroom stays 100,000.00", who, number, 100_000_00)
        step.sees("Chongqing", f"{left} left: it did not come back, or the same sale would be financed twice.")


# --- 4 --------------------------------------------------------------------------------------------------------------------


def a_loan_in_another_currency(play: Play) -> None:
    number, who = cast.YEN, cast.QINGDAO
    with play.step('"JPY 100.5" and "999 100" are typed in.') as step:
        half = play.apply(who, BANK_A, [f"{number}=JPY 100.5"])
        unknown = play.apply(who, BANK_A, [f"{number}=999 100"])
        play.expect("100.5 JPY is refused", half.ran.exit_code == 2 and half.ran.error_code() == "amount", half.ran.text)
        play.expect("the message says that JPY has no decimals", "JPY (Yen) has none" in _message(half.ran), half.ran.text)
        play.expect(
            "currency 999 is refused", unknown.ran.exit_code == 2 and unknown.ran.error_code() == "currency", unknown.ran.text
        )
        play.expect("the message lists the currencies there are", "USD 502" in _message(unknown.ran), unknown.ran.text)
        for refused in (half, unknown):
            play.summary.refused_by_parties[refused.ran.error_code()] += 1
            step.sees("Qingdao", f'"{_message(refused.ran)}"')
    with play.step("A loan of CNY 800,000.00 at 100 JPY = 4.80 CNY is drawn on a declaration of JPY 18,500,000.") as step:
        for money in ("CNY 800000.00", "JPY 16666667"):
            play.planted.ask(Money.parse(money), "loan in another currency")
        loan = play.apply(who, BANK_A, [number], "--loan", "CNY 800000.00", "--rate", "100 JPY = 4.80 CNY")
        drawn = loan.ran.json()["lines"][0]["amount"] if loan.accepted else None
        play.expect("it draws JPY 16,666,667, rounded up", drawn == 16_666_667, loan.ran.text)
        committed = play.commit(BANK_A, play.approve(who, play.draft(BANK_A, loan.paper, "JIA-2026-0401")).paper)
        play.expect("it is accepted", committed.exit_code == 0, committed.text)
        play.planted.draw(number, BANK_A, "JIA-2026-0401", Money.parse("JPY 16666667"))
        left = play.expect_headroom("JPY 1,833,333 is left", who, number, 1_833_333)
        step.sees("Qingdao", f"{left} left. JPY 16,666,666 would be worth less than CNY 800,000.00.")


def _message(ran: Ran) -> str:
    """What a person reads of a refused command, without the Chinese below it. From JSON where the command gives it."""
    return str(ran.json()["error"]["message"])


# --- 5 --------------------------------------------------------------------------------------------------------------------

_BAD_LINE = 3


def six_declarations_all_or_none(play: Play) -> None:
    who, limits = cast.XIAMEN, {number: play.planted.headroom(number, "USD") for number in cast.SIX}
    shares = {number: limit * 80 // 100 for number, limit in limits.items()}
    with play.step(f"{BANK_A.short} finances 80% of six declarations, {money_text(sum(shares.values()), 'USD')}, in one call."):
        draft = play.drafted(who, BANK_A, cast.SIX, "JIA-2026-0501", "--share", "80")
        before = play.stage.entries()
        committed = play.commit(BANK_A, play.approve(who, draft).paper)
        amounts = {item["number"]: item["amount"] for item in committed.json().get("draws", ())}
        play.expect("all six are accepted together", committed.exit_code == 0, committed.text)
        play.expect("each is exactly 80 per cent", amounts == shares)
        play.expect("six entries are written", play.stage.entries() == before + len(cast.SIX))
        for number, share in shares.items():
            play.planted.draw(number, BANK_A, "JIA-2026-0501", Money(share, _USD))
    rest = {number: limits[number] - shares[number] for number in cast.SIX}
    asked = {number: left + (place == _BAD_LINE) for place, (number, left) in enumerate(rest.items())}
    lines = [f"{number}={money_text(minor, 'USD')}" for number, minor in asked.items()]
    with play.step(f"{BANK_B.short} is asked for the remaining 20% of all six; one line asks a cent too much.") as step:
        draft = play.drafted(who, BANK_B, lines, "YI-2026-0502")
        with play.nothing_written("with one line over its limit, none commits"):
            refused = play.approve(who, draft)
            told = play.commit(BANK_B, refused.paper)
        play.expect("the honest wallet proves none of the six", refused.ran.exit_code == 1, refused.ran)
        step.sees(BANK_B.short, f'"{told.json()["error"]["message"]}". Not which line.')
    with play.step("A dishonest wallet proves the five true lines, and the bad one for a balance that it invents.") as step:
        forged = play.paper("approval")
        approve_beyond_headroom(play.stage.home(play.exporter(who).folder), play.stage.address, draft, forged)
        with play.nothing_written("with one bad proof, nothing is written"):
            told = play.commit(BANK_B, forged)
        play.expect("the service refuses the whole", told.error_code() == "headroom-not-proven", told.text)
        bad = [line["line"] for line in told.json()["error"]["lines"]]
        play.expect("and names the line whose proof is bad", bad == [_BAD_LINE], bad)
        step.sees(BANK_B.short, f"that line {_BAD_LINE + 1} of six is not proven, and that nothing was committed.")
    with play.step("Xiamen looks at its wallet."):
        for place, number in enumerate(cast.SIX, 1):
            play.expect_headroom(f"exactly 20 per cent of declaration {place} is left", who, number, limits[number] * 20 // 100)


# --- 6 --------------------------------------------------------------------------------------------------------------------


def consent_beforehand(play: Play) -> None:
    number, who = cast.CONSENTED, cast.NINGBO
    with play.step(
        f"Ningbo consents once, to {BANK_A.short} and USD 150,000.00; the regulator's prover does the rest."
    ) as step:
        draft = play.drafted(who, BANK_A, [f"{number}=USD 150000.00"], "JIA-2026-0601", "--consent")
        proven = play.prove_by_regulator(draft)
        committed = play.commit(BANK_A, proven.paper)
        play.expect("with the consent it is accepted", committed.exit_code == 0, proven.ran.text + committed.text)
        play.planted.draw(number, BANK_A, "JIA-2026-0601", Money.parse("USD 150000.00"))
        step.sees(
            "Ningbo", f"{play.expect_headroom('100,000.00 is left', who, number, 100_000_00)} left; its wallet proved nothing."
        )
    with play.step("Without a consent, the regulator's prover does not even get to read the draft."):
        draft = play.drafted(who, BANK_A, [f"{number}=USD 10000.00"], "JIA-2026-0602")
        answer = play.prove_by_regulator(draft)
        play.expect("without a consent the regulator's prover answers nothing", answer.ran.exit_code == 2, answer.ran.text)
    _misuse(play, number, who)


def _misuse(play: Play, number: str, who: str) -> None:
    """A second consent, to A and USD 40,000.00, in the hands of a bank and a regulator's prover that would both cheat."""
    application = play.apply(who, BANK_A, [f"{number}=USD 40000.00"], "--consent")
    if not application.accepted:
        raise CommandFailed(application.ran)
    for money in ("USD 40000.00", "USD 40000.01"):
        play.planted.ask(Money.parse(money), "consent")
    home = play.stage.home
    stolen, given = (
        open_conspiracy(home(bank.folder), home(BANK_A.folder), home("regulator"), play.stage.address, application.paper)
        for bank in (BANK_B, BANK_A)
    )
    other = facts_of(home(play.exporter(who).folder), play.stage.address, cast.OTHER_OF_NINGBO)
    _forged(play, "a consent for another bank", stolen.as_agreed(), "consent-invalid")
    _forged(play, "a consent for another amount", given.another_amount(40_000_01), "consent-invalid")
    _forged(play, "a consent for another document", given.another_document(other), "consent-invalid")
    _forged(play, "no consent at all", given.no_consent(), "consent-invalid")
    with play.step("The same consent, used as it was given."):
        draft = play.draft(BANK_A, application.paper, "JIA-2026-0603")
        committed = play.commit(BANK_A, play.prove_by_regulator(draft).paper)
        play.expect("used as it was given, it is accepted", committed.exit_code == 0, committed.text)
        play.planted.draw(number, BANK_A, "JIA-2026-0603", Money.parse("USD 40000.00"))
    _forged(play, "a consent that was used", given.as_agreed(), "consent-used")


def _forged(play: Play, name: str, body: bytes, expected: str) -> None:
    """Sends what forgers made, past every honest program."""
    with play.step(f"A cheating bank and a cheating prover send {name}.") as step:
        with play.nothing_written(f"{name} writes nothing"):
            found = problem_of(play.post(BANK_B, "/v1/financings", body, f"forged-{play.paper('key').stem}-0123456789"))
        play.expect(f"{name} is refused", found == expected, found or "accepted")
        step.sees("The cheat", f"{found}.")


# --- 7 --------------------------------------------------------------------------------------------------------------------


def a_wallet_is_lost(play: Play) -> None:
    number, who = cast.LOST_WALLET, cast.SUZHOU
    exporter = play.exporter(who)
    with play.step(f"{BANK_A.short} draws USD 70,000.00; Suzhou applies to {BANK_B.short} for the other USD 50,000.00."):
        play.expect("70,000.00 is accepted", play.draw(who, BANK_A, number, "USD 70000.00", "JIA-2026-0701"))
        play.planted.ask(Money.parse("USD 50000.00"), "asked in YI-2026-0702")
        application = play.apply(who, BANK_B, [f"{number}=USD 50000.00"])
        listings = [play.must("enterprise", what, exporter.folder, "--json").json() for what in ("documents", "draws")]
    with play.step("The computer with the wallet is gone. The 24 words on paper bring it back on another one.") as step:
        shutil.rmtree(play.stage.home(exporter.folder))
        about = ("--origin", cast.ORIGIN, "--holder", exporter.code, "--name", exporter.name)
        words = str(words_file(play.stage.root, who))
        play.must("enterprise", "restore", exporter.folder, *about, "--words-file", words, service=False)
        restored = [play.must("enterprise", what, exporter.folder, "--json").json() for what in ("documents", "draws")]
        play.expect("documents open again", restored[0] == listings[0])
        play.expect("draws open again", restored[1] == listings[1])
        step.sees("Suzhou", f"{len(restored[0])} documents and {len(restored[1])} draws, to the cent, from the words alone.")
    with play.step(f"{BANK_B.short}'s draft arrives, and the restored wallet has no copy of the application.") as step:
        draft = play.draft(BANK_B, application.paper, "YI-2026-0702")
        asked = play.approve(who, draft)
        play.expect(
            "it approves nothing unread", asked.ran.exit_code == 2 and asked.ran.error_code() == "accept", asked.ran.text
        )
        step.sees("Suzhou", "the draft, and that it must name the amount before the wallet proves anything.")
    with play.step("Suzhou names the amount, and the wallet proves the headroom.") as step:
        committed = play.commit(BANK_B, play.approve(who, draft, "--accept", "USD 50000.00").paper)
        play.expect("the restored wallet approves a new draw", committed.exit_code == 0, committed.text)
        play.planted.draw(number, BANK_B, "YI-2026-0702", Money.parse("USD 50000.00"))
        left = play.expect_headroom("nothing is left", who, number, 0)
        step.sees("Suzhou", f"{left} left.")


def words_file(root: Path, code: str) -> Path:
    """The paper in the safe: an exporter's 24 words."""
    return root / "safe" / f"{code}.words"


def _read(money: str) -> str:
    """An amount as people read it."""
    return Money.parse(money).text()


STORIES = (
    Story(
        "story 1",
        "Story 1. One declaration, three banks",
        "故事一：一份报关单，三家银行",
        "Suzhou has exported for USD 1,000,000.00 and goes to three banks, none of which may know of the others.",
        one_declaration_three_banks,
    ),
    Story(
        "story 2",
        "Story 2. Two banks at the same moment",
        "故事二：两家银行同时登记",
        "USD 100,000.00 is left. Two banks hold a true proof for USD 80,000.00 each, and post in the same instant.",
        two_banks_at_the_same_moment,
    ),
    Story(
        "story 3",
        "Story 3. Repaid in two ways",
        "故事三：两种还款",
        "Money repaid from own funds frees the declaration; money repaid by the buyer uses it up.",
        repaid_in_two_ways,
    ),
    Story(
        "story 4",
        "Story 4. A loan in another currency",
        "故事四：外币贷款",
        "A loan in CNY against a declaration in JPY, which has no cents; rounded up, so that it is always covered.",
        a_loan_in_another_currency,
    ),
    Story(
        "story 5",
        "Story 5. Six declarations, all or none",
        "故事五：六份报关单，全部或全不",
        "One financing over six declarations. If one line does not fit, or its proof is false, none is drawn.",
        six_declarations_all_or_none,
    ),
    Story(
        "story 6",
        "Story 6. An exporter without a wallet program",
        "故事六：没有钱包程序的企业",
        "The exporter consents once, to one bank, one amount, one document. The regulator's prover makes the headroom proof.",
        consent_beforehand,
    ),
    Story(
        "story 7",
        "Story 7. A lost wallet",
        "故事七：钱包丢失与恢复",
        "Everything an exporter holds comes back from 24 words.",
        a_wallet_is_lost,
    ),
)
