"""The second act's last stories: banks check papers, one shows another's, and one asks for more than there can be."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from parties.common.money import Money
from parties.common.sheet import REASON_COLUMN
from tradeveil.demo import cast
from tradeveil.demo.cast import BANK_A, BANK_B, BANK_C
from tradeveil.demo.exports import Export, as_csv, numbers, presented
from tradeveil.demo.forgery import approve_beyond_headroom
from tradeveil.demo.play import Play
from tradeveil.demo.stories import Story

# --- 12 -------------------------------------------------------------------------------------------------------------------

PASSING = 37
"""Of a file of 500, 487 would pass and the same 13 fail; registering so many takes more than ten times as long."""
_TOTAL = "12,345.67"
_OWNER = cast.CHONGQING
_UNCLEARED, _UNKNOWN = 2, 3
_AT, _EVERY = 2, 3
"""Where the first row that fails stands among the others, and after how many rows the next."""


@cache
def checked_exports() -> tuple[Export, ...]:
    """What Customs registers for the check: the papers that pass, then those that are not cleared yet."""
    every = enumerate(numbers("8003", PASSING + _UNCLEARED))
    return tuple(Export(number, _OWNER, _TOTAL, cleared=place < PASSING) for place, number in every)


def checked_rows() -> tuple[list[dict[str, str]], dict[int, str]]:
    """The rows of the bank's file, and by its line what each row that fails deserves. A 21-digit number passes."""
    good, uncleared = checked_exports()[:PASSING], checked_exports()[PASSING:]
    rows = [export.presented() for export in good]
    rows[0] = good[0].presented(海关编号=good[0].number + "001", 币制="502", 总价="12345.67")
    malformed, *unknown = numbers("8003", 2 + _UNKNOWN, start=PASSING + _UNCLEARED + 1)
    failing = [
        (good[1].presented(海关编号="2.2332E+17"), "malformed"),
        (good[1].presented(海关编号=malformed[:-1]), "malformed"),
        (good[1].presented(海关编号=malformed, 总价="12,345.678"), "malformed"),
        (good[1].presented(海关编号=malformed, 生产销售单位统一社会信用代码=_OWNER[:-1] + "6"), "malformed"),
        *((good[1].presented(海关编号=number), "not-confirmed") for number in unknown[:_UNKNOWN]),
        *((presented(paper, _OWNER), "not-confirmed") for paper in _papers_of_others()),
        *((export.presented(), "not-financeable") for export in uncleared),
        (good[1].presented(海关编号=malformed[:8] + "1" + malformed[9:]), "import"),
        (good[5].presented(), "repeated"),
    ]
    expected: dict[int, str] = {}
    for place, (row, outcome) in enumerate(failing):
        at = _AT + _EVERY * place
        rows.insert(at, row)
        expected[at + 2] = outcome
    return rows, expected


def _papers_of_others() -> list[Any]:
    """Two declarations of the sample that are Ningbo's and Suzhou's."""
    return [paper for paper in cast.declarations() if paper.number.text in (cast.RACE, cast.LOST_WALLET)]


def a_file_of_papers(play: Play) -> None:
    rows, expected = checked_rows()
    with play.step(f"Customs registers {len(checked_exports())} more declarations, two of them not cleared."):
        play.expect("they are registered", play.register(checked_exports()))
    for row in rows:
        play.planted.present(row["海关编号"], row["生产销售单位统一社会信用代码"])
    papers, failed = play.stage.paper("papers.csv"), play.stage.paper("papers-failed.csv")
    papers.write_bytes(as_csv(rows))
    with play.step(f"{BANK_A.short} checks a file of {len(rows)} papers, without showing one.") as step:
        ran = play.run("bank", "check", BANK_A.folder, str(papers), "--failed", str(failed), "--json")
        told = ran.json()
        outcomes = {item["row"]: item["outcome"] for item in told["rows"] if item["outcome"] != "financeable"}
        passed = told["counts"].get("financeable")
        sums = (len(told["rows"]), passed, len(outcomes))
        play.expect("of 50 papers 37 pass and 13 fail", sums == (50, PASSING, 13), sums)
        play.expect("each that fails fails for its own reason", outcomes == expected, Counter(outcomes.values()))
        first = told["rows"][0]
        numbered = (first["number"], first["outcome"]) == (checked_exports()[0].number, "financeable")
        play.expect("a number of 21 digits is read as its 18", numbered, first["outcome"])
        alike = {str(item["reasons"]) for item in told["rows"] if item["outcome"] == "not-confirmed"}
        play.expect("unknown papers and papers of others are told alike", len(alike) == 1, len(alike))
        step.sees(BANK_A.short, ", ".join(f"{count} {outcome}" for outcome, count in told["counts"].items()) + ".")
    with play.step("The rows that failed are in a file, each with its reason in two languages."):
        kept = list(csv.DictReader(io.StringIO(failed.read_bytes().decode("utf-8-sig"))))
        found = [row["海关编号"] for row in kept], [" / " in row[REASON_COLUMN] for row in kept]
        asked = [rows[line - 2]["海关编号"] for line in expected]
        play.expect("the 13 rows are in it, with reasons", found == (asked, [True] * len(asked)), len(kept))
        hint = next(row[REASON_COLUMN] for row in kept if row["海关编号"] == "2.2332E+17")
        play.expect("2.2332E+17 is told to come from a spreadsheet", "spreadsheet" in hint, hint)
    with play.step("The regulator is told of the five papers that are not confirmed.") as step:
        alerts = [alert for alert in _alerts(play) if alert["kind"] == "not-confirmed"]
        others = [alert["another"] for alert in alerts]
        play.expect("of five papers, two are another's", sorted(others) == [False] * 3 + [True] * 2, others)
        step.sees("The regulator", "three numbers that nobody has registered, and two that are registered for another.")


def _alerts(play: Play) -> Sequence[dict[str, Any]]:
    """What the regulator's key opens of what banks and the service told it, oldest first."""
    token = ("--token-file", str(play.stage.token_file))
    found: list[dict[str, Any]] = play.must("regulator", "alerts", "regulator", *token, "--json").json()["alerts"]
    return found


# --- 13 -------------------------------------------------------------------------------------------------------------------

XIAMENS = Export("371120260022000017", cast.XIAMEN, "220,000.00", "EUR")
NOBODYS = "371120260022000025"


def anothers_declaration(play: Play) -> None:
    ningbo, xiamen = play.exporter(cast.NINGBO), play.exporter(cast.XIAMEN)
    with play.step("Customs registers a declaration of Xiamen's for EUR 220,000.00."):
        play.expect("it is registered", play.register([XIAMENS]))
    rows = [XIAMENS.presented(生产销售单位统一社会信用代码=ningbo.code)]
    rows.append({**rows[0], "海关编号": NOBODYS})
    play.planted.present(NOBODYS, ningbo.code)
    papers = play.paper("papers").with_suffix(".csv")
    papers.write_bytes(as_csv(rows))
    with play.step(f"Ningbo shows it to {BANK_B.short} as its own, and a number that nobody has registered.") as step:
        ran = play.run("bank", "check", BANK_B.folder, str(papers), "--json")
        shown, unknown = ({**item, "row": 0, "number": ""} for item in ran.json()["rows"])
        refused = (ran.exit_code, shown["outcome"]) == (1, "not-confirmed")
        play.expect("it is not confirmed", refused, shown["outcome"])
        play.expect("word for word like one that does not exist", shown == unknown)
        hidden = not any(word in ran.text for word in (xiamen.code, xiamen.name, xiamen.name[:2], "Xiamen"))
        play.expect("the bank is not told whose it is", hidden)
        step.sees(BANK_B.short, f'"{shown["reasons"][0]["message"]}"')
    with play.step("The regulator looks at what it was told.") as step:
        alert = next((item for item in _alerts(play) if (item["told"] or {}).get("number") == XIAMENS.number), None)
        play.expect("the regulator is alerted", alert is not None and alert["kind"] == "not-confirmed")
        if alert is None:
            return
        who = (alert["caller"]["institution"], alert["told"]["holder"])
        play.expect("it sees who showed it, and at which bank", who == (BANK_B.code, ningbo.code), who)
        owners = [(owner["holder"], owner["name"]) for owner in alert["owners"]]
        play.expect("and whose it is", alert["another"] and owners == [(xiamen.code, xiamen.name)], owners)
        step.sees(
            "The regulator", f"{ningbo.name} ({ningbo.code}) showed what is registered for {xiamen.name} ({xiamen.code})."
        )


# --- 14 -------------------------------------------------------------------------------------------------------------------

PROBED = Export("232520260083100049", cast.SUZHOU, "1,000,000.00")
_GUESSES = ("USD 900000.00", "USD 850000.00", "USD 825000.00")
_FITS = "USD 12500.00"


def a_bank_asks_too_much(play: Play) -> None:
    number, who, folder = PROBED.number, cast.SUZHOU, play.exporter(cast.SUZHOU).folder
    with play.step(f"Suzhou has declared USD 1,000,000.00, on which {BANK_A.short} lends USD 200,000.00."):
        play.expect("it is registered", play.register([PROBED]))
        play.expect("200,000.00 is accepted", play.draw(who, BANK_A, number, "USD 200000.00", "JIA-2026-1401"))
        play.expect_headroom("800,000.00 is left", who, number, 800_000_00)
    for place, money in enumerate(_GUESSES, 2):
        _asked_in_vain(play, money, f"BING-2026-140{place}")
    with play.step(f"{BANK_C.short} then asks for USD 12,500.00, which would fit, with a true proof.") as step:
        draft = play.drafted(who, BANK_C, [f"{number}={_FITS}"], "BING-2026-1405")
        proven = play.approve(who, draft)
        play.expect("the wallet proves it", proven.accepted, proven.ran.text)
        with play.nothing_written("blocked, it draws nothing"):
            told = play.commit(BANK_C, proven.paper)
        play.expect("the service has blocked the bank on it", told.error_code() == "blocked-on-document", told.text)
        step.sees(BANK_C.short, f'"{told.json()["error"]["message"]}"')
    with play.step("Suzhou looks at its wallet; the regulator looks at what it was told.") as step:
        document = play.document(who, number)
        shown = play.must("enterprise", "documents", folder).text
        play.expect("Suzhou sees that a block holds", len(document["blocks"]) == 1, document["blocks"])
        named = any(word in shown for word in (BANK_C.code, BANK_C.name, BANK_C.short))
        play.expect("and not on whom", "asked too often" in shown and not named)
        alerts = [item for item in _alerts(play) if item["kind"] == "probing-blocked"]
        told_of = [(item["told"]["institution"], item["told"]["document"]) for item in alerts]
        play.expect("the regulator is told who, and on what", told_of == [(BANK_C.code, document["document"])], len(alerts))
        step.sees("Suzhou", "that an institution asked too often and may not draw for a day. Not which.")
        step.sees("The regulator", f"that it is {BANK_C.short}.")
    with play.step(f"{BANK_A.short} is as free as before."):
        play.expect("50,000.00 is accepted", play.draw(who, BANK_A, number, "USD 50000.00", "JIA-2026-1406"))
        play.expect_headroom("750,000.00 is left", who, number, 750_000_00)


def _asked_in_vain(play: Play, money: str, reference: str) -> None:
    """An application that the owner signs, and a bank that goes past its own program's checks with a forged proof."""
    number, who, text = PROBED.number, cast.SUZHOU, Money.parse(money).text()
    with play.step(f"{BANK_C.short} tries {text}: the honest wallet proves nothing, and a forged proof does not hold.") as step:
        draft = play.drafted(who, BANK_C, [f"{number}={money}"], reference)
        honest = play.approve(who, draft)
        play.expect(f"{text} cannot be proven", honest.ran.exit_code == 1, honest.ran.text)
        forged = play.paper("approval")
        approve_beyond_headroom(play.stage.home(play.exporter(who).folder), play.stage.address, draft, forged)
        with play.nothing_written(f"{text} draws nothing"):
            told = play.commit(BANK_C, forged)
        play.expect(f"{text} is refused", told.error_code() == "headroom-not-proven", told.text)
        step.sees(BANK_C.short, "that it is not proven. Not how much is left.")


CHECKS = (
    Story(
        "story 12",
        "Story 12. A file of papers",
        "故事十二：批量核验单证",
        "A bank checks a file of papers, and the service does not learn which. Thirteen rows fail: 4 malformed, 3 unknown, 2 "
        "of others, 2 not cleared, 1 import, 1 twice. Here they are among 50 rows: 500, of which 487 pass, only take longer.",
        a_file_of_papers,
    ),
    Story(
        "story 13",
        "Story 13. Another's declaration",
        "故事十三：冒用他人报关单",
        "Ningbo shows a bank what is Xiamen's. The bank is refused as for any unknown paper; the regulator is told.",
        anothers_declaration,
    ),
    Story(
        "story 14",
        "Story 14. A bank asks too much",
        "故事十四：银行试探余额",
        "A bank that guesses at what is left learns three times that it is less, and may not ask a fourth time.",
        a_bank_asks_too_much,
    ),
)
