"""Checks papers that a bank was shown: authentic and financeable, or not, without telling the service which papers they are.

5,000 rows take one request of each kind: blinded evaluations, lookups, statuses. An unknown number, another's paper and a wrong
field are one answer, since a record opens under all the right fields or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from parties.bank.alert import Told, send_alert
from parties.bank.desk import Desk
from parties.common.authenticity import EXPORT_DECLARATION, evaluate, live_keys, look_up
from parties.common.credentials import RECORD_FIELDS, presentation_claim
from parties.common.money import money_text
from schemas.domain.csv_form import RowError
from schemas.domain.errors import DomainError, ErrorCode
from schemas.domain.presented import PresentedPaper, read_presented
from schemas.sealed import Presentation
from zkcore.authenticity import PaperFields
from zkcore.errors import BatchRejected, ZkError
from zkcore.verifying.batch import Claim, verify

MOST_ALERTS = 100
"""Papers of one file that the regulator is told of one by one: a file of another kind should not flood it."""
Outcome = Literal["financeable", "malformed", "import", "repeated", "not-confirmed", "not-financeable"]


@dataclass(frozen=True, repr=False)
class CheckedPaper:
    """A faultless row and what became of it. `credential` is there when the paper is authentic."""

    paper: PresentedPaper
    outcome: Outcome
    credential: Presentation | None = None
    error: DomainError | None = None
    """Why not, and what to do; None exactly where the outcome is financeable."""


@dataclass(frozen=True, repr=False)
class CheckReport:
    """What became of a file. `outcomes` has every row; `errors` a reason, or several, for each row that did not pass."""

    checked: tuple[CheckedPaper, ...]
    errors: tuple[RowError, ...]
    outcomes: dict[int, Outcome]

    def counts(self) -> dict[str, int]:
        """How many rows had each outcome."""
        return dict(Counter(self.outcomes.values()))

    @property
    def failed_rows(self) -> list[int]:
        return [row for row, outcome in self.outcomes.items() if outcome != "financeable"]


def check_papers(desk: Desk, content: bytes) -> CheckReport:
    """Check a file. Faulty rows do not hinder the others.

    Raises ServiceRefused, ServiceUnreachable, ServiceMisbehaved: then nothing is known of any row.
    """
    presented = read_presented(content)
    first, repeated = _unrepeated(presented.papers)
    results = {item.paper.row: item for item in [*repeated, *_checked(desk, first)]}
    outcomes: dict[int, Outcome] = {row: item.outcome for row, item in results.items()}
    for error in presented.errors:
        if error.row:
            outcomes[error.row] = "import" if error.row in presented.imports else "malformed"
    found = [RowError(row, "", item.error) for row, item in results.items() if item.error is not None]
    errors = sorted([*presented.errors, *found], key=lambda error: error.row)
    checked = tuple(results[row] for row in sorted(results))
    return CheckReport(checked, tuple(errors), dict(sorted(outcomes.items())))


def _unrepeated(papers: Sequence[PresentedPaper]) -> tuple[list[PresentedPaper], list[CheckedPaper]]:
    """Each declaration and currency once, and the rows that say one again, right or wrong."""
    seen: dict[tuple[str, str], int] = {}
    first, repeated = [], []
    for paper in papers:
        before = seen.setdefault((paper.number.text, paper.currency.alpha), paper.row)
        if before == paper.row:
            first.append(paper)
        else:
            repeated.append(CheckedPaper(paper, "repeated", error=_repeated(before)))
    return first, repeated


def _checked(desk: Desk, papers: Sequence[PresentedPaper]) -> list[CheckedPaper]:
    if not papers:
        return []
    credentials = _authentic(desk, papers)
    known = sorted({item.document for item in credentials if item is not None})
    financeable = {status.document for status in desk.client.statuses(known).statuses if status.financeable} if known else set()
    return [_judged(paper, item, financeable) for paper, item in zip(papers, credentials, strict=True)]


def _judged(paper: PresentedPaper, credential: Presentation | None, financeable: set[bytes]) -> CheckedPaper:
    if credential is None:
        return CheckedPaper(paper, "not-confirmed", error=_NOT_CONFIRMED)
    if credential.share == "none":
        return CheckedPaper(paper, "not-financeable", credential, _NEVER_FINANCEABLE)
    if credential.document not in financeable:
        return CheckedPaper(paper, "not-financeable", credential, _NOT_FINANCEABLE_NOW)
    return CheckedPaper(paper, "financeable", credential)


# --- authenticity ---------------------------------------------------------------------------------------------------------


def paper_fields(paper: PresentedPaper) -> PaperFields:
    """What is evaluated of a row."""
    date = paper.declared_on.isoformat()
    return PaperFields(EXPORT_DECLARATION, paper.number.text, paper.holder.text, paper.currency.alpha, paper.total, date)


def _authentic(desk: Desk, papers: Sequence[PresentedPaper]) -> list[Presentation | None]:
    """The credential of each paper that is authentic. While a key is being changed, what is not found under the newest is
    sought under those before it, too: its attester may not have come to it yet."""
    with desk.home.lock():
        keys = live_keys(desk.home, desk.client)
    found: dict[int, Presentation] = {}
    for key in keys:
        places = [place for place in range(len(papers)) if place not in found]
        if not places:
            break
        sought = [paper_fields(papers[place]) for place in places]
        shown = look_up(desk.client, key.epoch, evaluate(desk.client, key, sought, desk.randomness))
        found |= _vouched(desk, {place: (sought[i], item) for i, place in enumerate(places) if (item := shown[i]) is not None})
    return [found.get(place) for place in range(len(papers))]


def _vouched(desk: Desk, shown: dict[int, tuple[PaperFields, Presentation]]) -> dict[int, Presentation]:
    """Those that an attester of this log signed, and for the very paper they were found by; all verified in one batch."""
    claims: list[Claim] = []
    good: dict[int, Presentation] = {}
    for place, (fields, item) in shown.items():
        try:
            item.check(RECORD_FIELDS)
            if _said(item) != fields:
                continue
            claims.append(presentation_claim(desk.suite, desk.log.parameters, item, str(place)))
        except ZkError:
            continue  # Only who knows every field can have left it: it is no attester's word, and so nothing.
        good[place] = item
    try:
        if claims:
            verify(desk.suite, claims)
    except BatchRejected as rejected:
        for label, _ in rejected.failures:
            del good[int(label)]
    return good


def _said(item: Presentation) -> PaperFields:
    return PaperFields(item.kind, item.number, item.holder, item.currency, item.total, item.declared)


# --- the regulator --------------------------------------------------------------------------------------------------------


def alert_regulator(desk: Desk, report: CheckReport) -> int:
    """Tell the regulator, sealed, of each paper that is not confirmed: it knows every number, and so whose it is.

    At most MOST_ALERTS of one file, the last of which says how many more there are. Returns how many were told one by one.
    """
    found = [item.paper for item in report.checked if item.outcome == "not-confirmed"]
    for place, paper in enumerate(found[:MOST_ALERTS], start=1):
        more = f"; and {len(found) - place} more in this file" if place == MOST_ALERTS and place < len(found) else ""
        said = f"{money_text(paper.total, paper.currency.alpha)}, {paper.declared_on.isoformat()}{more}"
        send_alert(desk, Told("not-confirmed", number=paper.number.text, holder=paper.holder.text, note=said))
    return min(len(found), MOST_ALERTS)


# --- words ----------------------------------------------------------------------------------------------------------------


def _repeated(row: int) -> DomainError:
    return DomainError(
        ErrorCode.REPEATED,
        f"this declaration and currency stand in row {row} already; take one of the two out",
        f"该报关单与币种已在第 {row} 行出现；请删除其中一行",
    )


_NOT_CONFIRMED = DomainError(
    ErrorCode.NOT_CONFIRMED,
    "not confirmed: no such paper with these particulars; compare number, owner, currency, total and date with the original, "
    "and do not finance it on what you have",
    "未能确认：没有与所填内容完全相符的报关单；请与原件核对编号、所有人、币制、总价和日期，未确认前请勿融资",
)
_NOT_FINANCEABLE_NOW = DomainError(
    ErrorCode.NOT_FINANCEABLE,
    "authentic, and not financeable now (not cleared, frozen or withdrawn); check again later, or ask the owner",
    "报关单真实，但目前不可融资（未结关、冻结或已撤销）；请稍后再查或询问所有人",
)
_NEVER_FINANCEABLE = DomainError(
    ErrorCode.NOT_FINANCEABLE,
    "authentic, and nothing of it is financeable under its supervision mode",
    "报关单真实，但其监管方式下不可融资",
)
