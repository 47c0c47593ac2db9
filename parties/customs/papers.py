"""What an attester's file holds, whatever its kind: one paper a document to be, with its limit and where it stands.

Export and import declarations come in the Customs form, one row an item of goods; every other kind in the form of
schemas.domain.csv_form.PAPER_COLUMNS, one row a paper. How far a declaration is financeable is the kind's policy, which the
log's first entry fixes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parties.common.sheet import Sheet
from schemas.domain.csv_form import RowError, read_declarations, read_papers
from schemas.domain.currency import Currency
from schemas.domain.declaration import Company, Declaration, Status
from schemas.domain.errors import DomainError, ErrorCode
from schemas.domain.identifiers import Flow
from schemas.entries import Kind
from zkcore.operations import CLEARED, CUSTOMS_RELEASED, DECLARED

_FLOWS: Mapping[str, Flow] = {"export-declaration": "export", "import-declaration": "import"}
"""The kinds that come in the Customs form, and which way their goods go."""
STATUSES = {Status.DECLARED: DECLARED, Status.RELEASED: CUSTOMS_RELEASED, Status.CLEARED: CLEARED}
"""What a document can be registered as, by what the paper says."""


@dataclass(frozen=True, repr=False)
class Attested:
    """A paper in one currency.

    date, declared: when the goods left, or else when they were declared; when they were declared, which a paper tells (ISO)
    total, limit: declared value, and what of it is financeable once the paper is cleared, in minor units; the limit may be 0
    mode: supervision mode; empty where the kind has none
    """

    number: str
    holder: Company
    date: str
    declared: str
    currency: str
    total: int
    limit: int
    mode: str
    status: str


@dataclass(frozen=True, repr=False)
class Found:
    """What a file gave. `errors` and `refused_rows` are as in schemas.domain.csv_form.Reading.

    genuine: papers that are no documents because nothing of them is financeable, and are authentic all the same
    """

    papers: tuple[Attested, ...]
    genuine: tuple[Attested, ...]
    errors: tuple[RowError, ...]
    refused_rows: tuple[int, ...]


def read_attested(kind: Kind, content: bytes) -> Found:
    """Reads a whole file. Nothing here raises for what it contains."""
    return _declarations(kind, content) if kind.name in _FLOWS else _papers(content)


def _declarations(kind: Kind, content: bytes) -> Found:
    reading = read_declarations(content, flow=_FLOWS[kind.name])
    rows = Sheet.read(content).rows_of_declarations(_FLOWS[kind.name])
    papers: list[Attested] = []
    genuine: list[Attested] = []
    errors, refused = list(reading.errors), list(reading.refused_rows)
    for declaration in reading.declarations:
        try:
            found = _of_declaration(kind, declaration)
            papers += [paper for paper in found if paper.limit]
            genuine += [paper for paper in found if not paper.limit]
            if not any(paper.limit for paper in found):
                declaration.shares(kind.shares)  # which says why
        except DomainError as error:
            its_rows = rows.get(declaration.number.text, [])
            refused += its_rows
            errors += [RowError(row, "", error) for row in its_rows or [0]]
    return Found(tuple(papers), tuple(genuine), tuple(errors), tuple(refused))


def _of_declaration(kind: Kind, declaration: Declaration) -> list[Attested]:
    """One a currency. Raises DomainError for one that is over, or is a change of something else."""
    status = _status(declaration.status)
    limits = _limits(kind, declaration)
    return [
        Attested(
            number=declaration.number.text,
            holder=declaration.owner,
            date=(declaration.exported_on or declaration.declared_on).isoformat(),
            declared=declaration.declared_on.isoformat(),
            currency=currency.alpha,
            total=total,
            limit=limits.get(currency, 0),
            mode=declaration.supervision_mode.code,
            status=status,
        )
        for currency, total in declaration.totals().items()
    ]


def _limits(kind: Kind, declaration: Declaration) -> dict[Currency, int]:
    """Empty where nothing is financeable, or where nobody has decided how far its supervision mode is."""
    try:
        return declaration.shares(kind.shares)
    except DomainError as error:
        if error.code in (ErrorCode.NOT_FINANCEABLE, ErrorCode.SUPERVISION_MODE):
            return {}
        raise


def _papers(content: bytes) -> Found:
    reading = read_papers(content)
    rows = Sheet.read(content).rows_of_papers()
    papers: list[Attested] = []
    errors, refused = list(reading.errors), list(reading.refused_rows)
    for paper in reading.papers:
        number, alpha = paper.number.text, paper.currency.alpha
        try:
            status = _status(paper.status)
        except DomainError as error:
            its_rows = rows.get(number, [])
            refused += its_rows
            errors += [RowError(row, "", error) for row in its_rows or [0]]
            continue
        day = paper.date.isoformat()
        papers.append(Attested(number, paper.holder, day, day, alpha, paper.total, paper.total, "", status))
    return Found(tuple(papers), (), tuple(errors), tuple(refused))


def _status(status: Status) -> str:
    """The ledger's name. Raises DomainError (not-financeable) for what is over, or is a change of something else."""
    if status in STATUSES:
        return STATUSES[status]
    raise DomainError(
        ErrorCode.NOT_FINANCEABLE,
        f'the paper is "{status.value}": only one that is declared, released or cleared is registered; to change one that is '
        "registered use: tradeveil customs status, amend or part-return",
        f"单证状态为“{status.name_zh}”：仅登记已申报、已放行或已结关的单证；已登记的单证请用 tradeveil customs status、"
        "amend 或 part-return 办理变更",
    )


def rows_of(papers: Sequence[Attested], content: bytes, kind: Kind) -> dict[str, list[int]]:
    """The rows of a file that name each paper, by its number."""
    sheet = Sheet.read(content)
    found = sheet.rows_of_declarations(_FLOWS[kind.name]) if kind.name in _FLOWS else sheet.rows_of_papers()
    wanted = {paper.number for paper in papers}
    return {number: rows for number, rows in found.items() if number in wanted}
