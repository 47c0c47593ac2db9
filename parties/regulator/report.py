"""An opened log for people and for programs: rows of a table, a spreadsheet file, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from parties.common.ledger_view import Alert, OpenedDocument, OpenedDraw, OpenedReduction
from parties.common.money import money_text
from parties.regulator.open import OpenedLog, Totals
from schemas.domain.currency import Currency
from schemas.sealed import RegulatorRegisterMemo
from schemas.wire import encode_base64url

UNKNOWN = "?"
"""Stands where something could not be opened, or a memo does not tell it."""
_SPREADSHEET_DIGITS = 11  # A spreadsheet turns a longer number into an approximate one.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

DOCUMENT_COLUMNS = (
    "declaration 报关单",
    "holder 企业代码",
    "name 企业",
    "limit 额度",
    "drawn 累计登记",
    "outstanding 未结清",
    "headroom 余额",
    "draws 笔数",
    "alerts 警示",
)
DOCUMENT_AMOUNTS = ("limit 额度", "drawn 累计登记", "outstanding 未结清", "headroom 余额")
DRAW_COLUMNS = (
    "declaration 报关单",
    "bank 银行",
    "caller 提交机构",
    "reference 编号",
    "amount 金额",
    "outstanding 未结清",
    "state 状态",
    "repaid etc. 还款等",
)
DRAW_AMOUNTS = ("amount 金额", "outstanding 未结清")
TOTAL_COLUMNS = ("currency 币种", "documents 单证", "draws 笔数", *DOCUMENT_AMOUNTS)

CSV_COLUMNS = (
    "record",
    "time",
    "declaration_number",
    "holder",
    "name",
    "declared_on",
    "document",
    "currency",
    "limit",
    "headroom",
    "draw",
    "bank",
    "bank_name",
    "outlet",
    "caller",
    "reference",
    "financing",
    "amount",
    "outstanding",
    "state",
    "reason",
    "note",
    "alert",
)


# --- tables ---------------------------------------------------------------------------------------------------------------


def document_rows(opened: OpenedLog) -> list[list[str]]:
    """A row a document, under DOCUMENT_COLUMNS."""
    return [_document_row(document) for document in opened.documents]


def _document_row(document: OpenedDocument) -> list[str]:
    memo, alpha = register_memo(document), document.state.currency
    who = [UNKNOWN] * 3 if memo is None else [memo.number, memo.holder, memo.name]
    amounts = (document.limit, document.drawn, document.outstanding, document.headroom)
    return [*who, *(_money(amount, alpha) for amount in amounts), str(len(document.draws)), str(len(document.alerts))]


def draw_rows(opened: OpenedLog) -> list[list[str]]:
    """A row a draw, under DRAW_COLUMNS."""
    return [_draw_row(document, draw) for document in opened.documents for draw in document.draws]


def _draw_row(document: OpenedDocument, draw: OpenedDraw) -> list[str]:
    alpha, memo, registered = document.state.currency, draw.memo, register_memo(document)
    return [
        UNKNOWN if registered is None else registered.number,
        UNKNOWN if memo is None else memo.bank_name,
        caller_text(draw),
        UNKNOWN if memo is None else memo.reference,
        _money(draw.amount, alpha),
        _money(draw.outstanding, alpha),
        _state(draw),
        "; ".join(f"{step.reason} {_money(step.amount, alpha)}" for step in draw.reductions),
    ]


def total_rows(opened: OpenedLog) -> list[list[str]]:
    """A row a currency, under TOTAL_COLUMNS."""
    return [_total_row(alpha, totals) for alpha, totals in opened.totals().items()]


def _total_row(alpha: str, totals: Totals) -> list[str]:
    amounts = (totals.limit, totals.drawn, totals.outstanding, totals.headroom)
    return [alpha, str(totals.documents), str(totals.draws), *(_money(amount, alpha) for amount in amounts)]


def register_memo(document: OpenedDocument) -> RegulatorRegisterMemo | None:
    """What the attester told the regulator of a document; None when it is unreadable or lies about the limit."""
    return document.memo if isinstance(document.memo, RegulatorRegisterMemo) else None


def _money(amount: int | None, alpha: str) -> str:
    return UNKNOWN if amount is None else money_text(amount, alpha)


def caller_text(draw: OpenedDraw) -> str:
    """Whose request the draw came with, down to the outlet."""
    return UNKNOWN if draw.caller is None else " > ".join([draw.caller.institution, *draw.caller.outlet])


def _state(draw: OpenedDraw) -> str:
    return "closed" if draw.state.closed else "open"


# --- spreadsheet ----------------------------------------------------------------------------------------------------------


def to_csv(opened: OpenedLog) -> bytes:
    """One row a document, draw, reduction and alert, under CSV_COLUMNS: UTF-8 with a byte order mark, lines ending CR LF.

    Amounts are plain decimals in the row's currency. Long numbers and whatever a spreadsheet would take for a formula carry
    the mark ' by which it keeps them as text.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="")
    writer.writeheader()
    for document in opened.documents:
        writer.writerows(_csv_rows(document))
    return text.getvalue().encode("utf-8-sig")


def _csv_rows(document: OpenedDocument) -> Iterator[dict[str, str]]:
    shared = _csv_shared(document)
    alpha = document.state.currency
    yield {
        **shared,
        "record": "document",
        "time": _time(document.time),
        "limit": _decimal(document.limit, alpha),
        "headroom": _decimal(document.headroom, alpha),
        "outstanding": _decimal(document.outstanding, alpha),
    }
    for draw in document.draws:
        yield {**shared, **_csv_draw(draw, alpha)}
        for step in draw.reductions:
            yield {**shared, **_csv_reduction(draw, step, alpha)}
    for alert in document.alerts:
        drawn = "" if alert.draw is None else encode_base64url(alert.draw)
        yield {**shared, "record": "alert", "draw": as_text(drawn), "alert": alert.code}


def _csv_shared(document: OpenedDocument) -> dict[str, str]:
    memo = register_memo(document)
    told = (
        {}
        if memo is None
        else {"declaration_number": memo.number, "holder": memo.holder, "name": memo.name, "declared_on": memo.date}
    )
    identifier = encode_base64url(document.state.document)
    return {
        name: as_text(value) for name, value in {**told, "document": identifier, "currency": document.state.currency}.items()
    }


def _csv_draw(draw: OpenedDraw, alpha: str) -> dict[str, str]:
    memo, told = draw.memo, {"draw": encode_base64url(draw.state.draw), "caller": caller_text(draw)}
    if memo is not None:
        told |= {"bank": memo.bank, "bank_name": memo.bank_name, "outlet": memo.outlet, "reference": memo.reference}
        told |= {"financing": encode_base64url(memo.financing), "note": memo.note}
    return {
        **{name: as_text(value) for name, value in told.items()},
        "record": "draw",
        "time": _time(draw.time),
        "amount": _decimal(draw.amount, alpha),
        "outstanding": _decimal(draw.outstanding, alpha),
        "state": _state(draw),
    }


def _csv_reduction(draw: OpenedDraw, step: OpenedReduction, alpha: str) -> dict[str, str]:
    memo, told = step.memo, {"draw": encode_base64url(draw.state.draw)}
    if memo is not None:
        told |= {"reference": memo.reference, "note": memo.note}
    return {
        **{name: as_text(value) for name, value in told.items()},
        "record": "reduction",
        "time": _time(step.time),
        "amount": _decimal(step.amount, alpha),
        "reason": step.reason,
    }


def as_text(value: str) -> str:
    """A cell that a spreadsheet shows as it is: marked ' when it would become a rounded number or a formula."""
    long_number = value.isdigit() and len(value) > _SPREADSHEET_DIGITS
    return f"'{value}" if long_number or value.startswith(_FORMULA_STARTS) else value


def _decimal(amount: int | None, alpha: str) -> str:
    return UNKNOWN if amount is None else str(Decimal(amount).scaleb(-Currency.parse(alpha).exponent))


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


# --- JSON -----------------------------------------------------------------------------------------------------------------


def describe(opened: OpenedLog) -> dict[str, Any]:
    """Everything for programs: amounts in minor units, null where one could not be opened."""
    return {
        "origin": opened.origin,
        "entries": opened.entries,
        "documents": [_describe_document(document) for document in opened.documents],
        "totals": {alpha: _describe_totals(totals) for alpha, totals in opened.totals().items()},
        "alerts": [_describe_alert(alert) for alert in opened.alerts],
    }


def _describe_document(document: OpenedDocument) -> dict[str, Any]:
    memo = register_memo(document)
    return {
        "document": encode_base64url(document.state.document),
        "kind": document.state.kind,
        "number": None if memo is None else memo.number,
        "holder": None if memo is None else memo.holder,
        "name": None if memo is None else memo.name,
        "date": None if memo is None else memo.date,
        "time": document.time,
        "currency": document.state.currency,
        "limit": document.limit,
        "drawn": document.drawn,
        "outstanding": document.outstanding,
        "headroom": document.headroom,
        "draws": [_describe_draw(draw) for draw in document.draws],
        "alerts": len(document.alerts),
    }


def _describe_draw(draw: OpenedDraw) -> dict[str, Any]:
    memo = draw.memo
    return {
        "draw": encode_base64url(draw.state.draw),
        "time": draw.time,
        "prover": draw.prover,
        "amount": draw.amount,
        "outstanding": draw.outstanding,
        "state": _state(draw),
        "bank": None if memo is None else memo.bank,
        "bank_name": None if memo is None else memo.bank_name,
        "outlet": None if memo is None else memo.outlet,
        "caller": None if draw.caller is None else draw.caller.model_dump(mode="json"),
        "reference": None if memo is None else memo.reference,
        "financing": None if memo is None else encode_base64url(memo.financing),
        "note": None if memo is None else memo.note,
        "reductions": [
            {"time": step.time, "reason": step.reason, "amount": step.amount, "restores": step.restores}
            for step in draw.reductions
        ],
    }


def _describe_totals(totals: Totals) -> dict[str, int | None]:
    return {
        "documents": totals.documents,
        "draws": totals.draws,
        "limit": totals.limit,
        "drawn": totals.drawn,
        "outstanding": totals.outstanding,
        "headroom": totals.headroom,
    }


def _describe_alert(alert: Alert) -> dict[str, Any]:
    return {
        "code": alert.code,
        "document": encode_base64url(alert.document),
        "draw": None if alert.draw is None else encode_base64url(alert.draw),
        "message": alert.message_en,
        "message_zh": alert.message_zh,
    }
