"""What a check of papers says, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parties.bank.check import CheckedPaper, CheckReport
from parties.common.money import money_text
from schemas.domain.csv_form import RowError
from schemas.wire import encode_base64url

CHECK_COLUMNS = ("row 行", "declaration 报关单", "owner 所有人", "total 总价", "result 结果", "what to do 说明")
TOTAL_COLUMN = ("row 行", "total 总价")

_OUTCOMES = {
    "financeable": ("authentic and financeable", "真实、可融资"),
    "malformed": ("malformed", "格式有误"),
    "import": ("import declaration", "进口报关单"),
    "repeated": ("repeated row", "重复行"),
    "not-confirmed": ("not confirmed", "未能确认"),
    "not-financeable": ("not financeable", "不可融资"),
}


def check_rows(report: CheckReport) -> list[list[str]]:
    """A line for each row that passed, and for each reason of one that did not, under CHECK_COLUMNS."""
    papers = {item.paper.row: item for item in report.checked}
    lines = [(row, _line(row, papers.get(row), report, None)) for row in report.outcomes if row not in report.failed_rows]
    lines += [(error.row, _line(error.row, papers.get(error.row), report, error)) for error in report.errors]
    return [line for _, line in sorted(lines, key=lambda item: item[0])]


def _line(row: int, item: CheckedPaper | None, report: CheckReport, error: RowError | None) -> list[str]:
    outcome = report.outcomes.get(row, "malformed")
    paper = None if item is None else item.paper
    told = [paper.number.text, paper.holder.text, money_text(paper.total, paper.currency.alpha)] if paper else ["—", "—", "—"]
    if error is not None:
        column = f"[{error.column}] " if error.column else ""
        what = f"{column}{error.error.message_en}\n{error.error.message_zh}"
    else:
        what = "in part only, by its supervision mode\n按监管方式仅可部分融资" if _in_part(item) else ""
    return [str(row or "—"), *told, " ".join(_OUTCOMES[outcome]), what]


def _in_part(item: CheckedPaper | None) -> bool:
    return item is not None and item.credential is not None and item.credential.share == "part"


def summary(report: CheckReport) -> Iterator[tuple[str, str]]:
    """How many rows had each outcome."""
    counts = report.counts()
    for outcome, (english, chinese) in _OUTCOMES.items():
        if outcome in counts:
            yield f"{counts[outcome]:,} {english}", f"{counts[outcome]:,} 行{chinese}"


def describe_check(report: CheckReport) -> dict[str, Any]:
    """For programs: the counts, and each row with its outcome, its document where it is authentic, and its reasons."""
    papers = {item.paper.row: item for item in report.checked}
    reasons: dict[int, list[dict[str, str]]] = {}
    for error in report.errors:
        found = {"column": error.column, "code": str(error.error.code)}
        found |= {"message": error.error.message_en, "message_zh": error.error.message_zh}
        reasons.setdefault(error.row, []).append(found)
    rows = [
        {"row": row, "outcome": outcome, **_of_paper(papers.get(row)), "reasons": reasons.get(row, [])}
        for row, outcome in report.outcomes.items()
    ]
    return {"counts": report.counts(), "rows": rows, "file": reasons.get(0, [])}


def _of_paper(item: CheckedPaper | None) -> dict[str, Any]:
    if item is None:
        return {"number": None, "currency": None, "document": None, "share": None}
    shown = item.credential
    return {
        "number": item.paper.number.text,
        "currency": item.paper.currency.alpha,
        "document": None if shown is None else encode_base64url(shown.document),
        "share": None if shown is None else shown.share,
    }
