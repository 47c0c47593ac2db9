"""What a bank's own records say, for people and for programs: applications, financings and draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from parties.bank.batch import Result
from parties.bank.records import DrawRecord, FinancingRecord
from parties.common.commands import describe
from parties.common.money import money_text
from schemas.sealed import Application, Loan
from schemas.wire import encode_base64url

DRAW_COLUMNS = (
    "reference 编号",
    "declaration 报关单",
    "applicant 申请人",
    "amount 登记金额",
    "outstanding 未结清",
    "state 状态",
)
AMOUNT_COLUMNS = ("amount 登记金额", "outstanding 未结清")
LINE_COLUMNS = ("line 行", "declaration 报关单", "date 日期", "limit 额度", "amount 申请金额", "consent 事先授权")
_STATES_ZH = {"drafted": "已出草案", "sent": "待确认", "open": "已登记", "closed": "已结清"}


def draw_rows(records: Iterable[FinancingRecord]) -> list[list[str]]:
    """A row a draw, under DRAW_COLUMNS."""
    return [_draw_row(record, line) for record in records for line in record.lines]


def _draw_row(record: FinancingRecord, line: DrawRecord) -> list[str]:
    alpha, state = line.credential.currency, record.state(line)
    outstanding = "—" if line.standing is None else money_text(line.outstanding.amount, alpha)
    return [
        record.reference,
        line.credential.number,
        record.applicant_name,
        money_text(line.opening.amount, alpha),
        outstanding,
        f"{state} {_STATES_ZH[state]}",
    ]


def describe_financing(record: FinancingRecord) -> dict[str, Any]:
    """A financing for programs: amounts in minor units, identifiers as on the wire."""
    return {
        "reference": record.reference,
        "financing": encode_base64url(record.financing),
        "applicant": record.applicant,
        "applicant_name": record.applicant_name,
        "prover": record.prover,
        "committed": record.committed,
        "refusal": record.refusal,
        "draws": [_describe_draw(record, line) for line in record.lines],
    }


RESULT_COLUMNS = ("file 文件", "reference 业务编号", "result 结果", "entries 登记序号")


def result_row(result: Result) -> list[str]:
    """What became of one approval file, for a person."""
    record, error = result.record, result.error
    said = "committed 已登记" if error is None else f"{error.message_en} / {error.message_zh}"
    entries = (
        []
        if record is None
        else [receipt.index for line in record.lines if line.standing for receipt in line.standing.receipts]
    )
    return [result.path.name, "" if record is None else record.reference, said, " ".join(map(str, entries))]


def describe_result(result: Result) -> dict[str, Any]:
    """What became of one approval file, for programs."""
    return {
        "file": str(result.path),
        "committed": result.committed,
        "financing": None if result.record is None else describe_financing(result.record),
        "error": None if result.error is None else describe(result.error),
    }


def _describe_draw(record: FinancingRecord, line: DrawRecord) -> dict[str, Any]:
    standing = line.standing
    return {
        "draw": encode_base64url(line.draft.draw),
        "document": encode_base64url(line.draft.document),
        "number": line.credential.number,
        "currency": line.credential.currency,
        "amount": line.opening.amount,
        "outstanding": None if standing is None else line.outstanding.amount,
        "state": record.state(line),
        "under_way": line.pending is not None or record.pending is not None,
        "entries": [] if standing is None else [receipt.index for receipt in standing.receipts],
    }


def application_rows(application: Application) -> list[list[str]]:
    """A row a line, under LINE_COLUMNS."""
    rows = []
    for index, line in enumerate(application.lines):
        credential = line.credential
        limit, amount = money_text(credential.limit, credential.currency), money_text(line.amount, credential.currency)
        rows.append([str(index + 1), credential.number, credential.date, limit, amount, "yes 有" if line.consent else "no 无"])
    return rows


def application_facts(application: Application) -> Mapping[str, str]:
    """The head of an application, by what each thing is."""
    facts = {
        "financing 融资": encode_base64url(application.financing),
        "applicant 申请人": f"{application.applicant_name} ({application.applicant})",
        "purpose 用途": application.purpose or "—",
        "expires 有效期至": datetime.fromtimestamp(application.expires, UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    return facts if application.loan is None else {**facts, "loan 贷款": loan_text(application.loan)}


def loan_text(loan: Loan) -> str:
    """ "CNY 800,000.00 at 100 JPY = 4.80 CNY"."""
    return f"{money_text(loan.amount, loan.currency)} at {loan.rate}"
