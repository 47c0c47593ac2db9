"""What a bank's own records say, for people and for programs: applications, financings and draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from parties.bank.batch import Result
from parties.bank.records import DrawRecord, FinancingRecord
from parties.common.commands import describe
from parties.common.money import money_text
from parties.common.words import stage_text
from schemas.sealed import Application, Loan
from schemas.wire import encode_base64url
from zkcore.ledger.state import EXPIRED, RESERVED

DRAW_COLUMNS = (
    "reference 编号",
    "paper 单证",
    "applicant 申请人",
    "asked 申请金额",
    "amount 登记金额",
    "outstanding 未结清",
    "stage 阶段",
    "until 期限",
)
AMOUNT_COLUMNS = ("asked 申请金额", "amount 登记金额", "outstanding 未结清")
LINE_COLUMNS = ("line 行", "paper 单证", "counter 计数", "date 日期", "limit 额度", "amount 申请金额", "consent 事先授权")
_STATES_ZH = {"received": "已收件", "drafted": "已出草案", "sent": "待确认"}


def draw_rows(records: Iterable[FinancingRecord], now: int) -> list[list[str]]:
    """A row a line, under DRAW_COLUMNS. `now` in unix seconds: what has expired says so."""
    return [_draw_row(record, line, now) for record in records for line in record.lines]


def _draw_row(record: FinancingRecord, line: DrawRecord, now: int) -> list[str]:
    alpha = line.credential.currency
    outstanding = "—" if line.standing is None else money_text(line.outstanding.amount, alpha)
    return [
        record.reference,
        line.credential.number,
        record.applicant_name,
        money_text(line.asked, alpha),
        "—" if line.drafted is None else money_text(line.opening.amount, alpha),
        outstanding,
        _state_text(stage_of(record, line, now)),
        _until(record, line),
    ]


def stage_of(record: FinancingRecord, line: DrawRecord, now: int) -> str:
    """Where a line stands; a reservation whose time is over has freed itself, whether or not we tried it."""
    state = record.state(line)
    late = line.drafted is not None and line.draft.expires < now
    return EXPIRED if late and state in (RESERVED, "drafted") else state


def _state_text(state: str) -> str:
    return f"{state} {_STATES_ZH[state]}" if state in _STATES_ZH else stage_text(state)


def _until(record: FinancingRecord, line: DrawRecord) -> str:
    """Until when something has to be done; nothing where the time plays no part any more."""
    if line.standing is not None and line.standing.stage != RESERVED:
        return ""
    expires = record.expires if line.drafted is None else line.draft.expires
    return datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%d %H:%M UTC")


def describe_financing(record: FinancingRecord, now: int) -> dict[str, Any]:
    """A financing for programs: amounts in minor units, identifiers as on the wire. `now` in unix seconds."""
    return {
        "reference": record.reference,
        "financing": encode_base64url(record.financing),
        "applicant": record.applicant,
        "applicant_name": record.applicant_name,
        "prover": record.prover,
        "committed": record.committed,
        "refusal": record.refusal,
        "received": record.received,
        "received_by": record.received_by,
        "expires": record.expires,
        "draws": [_describe_draw(record, line, now) for line in record.lines],
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


def describe_result(result: Result, now: int) -> dict[str, Any]:
    """What became of one approval file, for programs. `now` in unix seconds."""
    return {
        "file": str(result.path),
        "committed": result.committed,
        "financing": None if result.record is None else describe_financing(result.record, now),
        "error": None if result.error is None else describe(result.error),
    }


def _describe_draw(record: FinancingRecord, line: DrawRecord, now: int) -> dict[str, Any]:
    standing, application = line.standing, line.application
    document = line.credential.document if line.drafted is None else line.draft.document
    receipts = [
        *([] if application is None else application.receipts),
        *([] if standing is None else standing.receipts),
    ]
    return {
        "draw": encode_base64url(line.draw),
        "document": encode_base64url(document),
        "number": line.credential.number,
        "counter": line.credential.counter,
        "currency": line.credential.currency,
        "asked": line.asked,
        "amount": None if line.drafted is None else line.opening.amount,
        "outstanding": None if standing is None else line.outstanding.amount,
        "stage": stage_of(record, line, now),
        "closed": standing is not None and standing.closed,
        "moving": line.moving is not None,
        "expires": record.expires if line.drafted is None else line.draft.expires,
        "under_way": record.pending is not None,
        "entries": [receipt.index for receipt in receipts],
    }


def application_rows(application: Application) -> list[list[str]]:
    """A row a line, under LINE_COLUMNS."""
    rows = []
    for index, line in enumerate(application.lines):
        credential = line.credential
        limit, amount = money_text(credential.limit, credential.currency), money_text(line.amount, credential.currency)
        rows.append(
            [
                str(index + 1),
                credential.number,
                credential.counter,
                credential.date,
                limit,
                amount,
                "yes 有" if line.consent else "no 无",
            ]
        )
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
