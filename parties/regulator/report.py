"""An opened log for people and for programs: rows of a table, a spreadsheet file, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from parties.common.ledger_view import (
    Alert,
    OpenedApplication,
    OpenedDocument,
    OpenedDraw,
    OpenedReduction,
    OpenedStep,
)
from parties.common.money import money_text
from parties.common.words import stage_text, status_text
from parties.regulator.open import OpenedLog, Totals
from schemas.callers import CallerNote
from schemas.domain.currency import Currency
from schemas.sealed import RegulatorRegisterMemo
from schemas.wire import encode_base64url
from zkcore.context import ABSENT

UNKNOWN = "?"
"""Stands where something could not be opened, or a memo does not tell it."""
_SPREADSHEET_DIGITS = 11  # A spreadsheet turns a longer number into an approximate one.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

DOCUMENT_COLUMNS = (
    "paper 单证",
    "kind 种类",
    "status 状态",
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
    "paper 单证",
    "bank 银行",
    "caller 提交机构",
    "reference 编号",
    "amount 金额",
    "outstanding 未结清",
    "stage 阶段",
    "steps 过程",
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
    "kind",
    "counter",
    "status",
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
    number, *who = [UNKNOWN] * 3 if memo is None else [memo.number, memo.holder, memo.name]
    kind = f"{document.state.kind} ({document.state.counter})"
    status = status_text(document.state, overdrawn=document.overdrawn, replaced_by=UNKNOWN)
    amounts = (document.limit, document.drawn, document.outstanding, document.headroom)
    return [
        number,
        kind,
        status,
        *who,
        *(_money(amount, alpha) for amount in amounts),
        str(len(document.draws)),
        str(len(document.alerts)),
    ]


def draw_rows(opened: OpenedLog) -> list[list[str]]:
    """A row an application without a draw, and a row a draw, under DRAW_COLUMNS."""
    rows = []
    for document in opened.documents:
        rows += [_application_row(document, application) for application in undrawn(document)]
        rows += [_draw_row(document, draw) for draw in document.draws]
    return rows


def undrawn(document: OpenedDocument) -> list[OpenedApplication]:
    """The applications that have no draw: those that have one are seen in it."""
    drawn = {draw.state.draw for draw in document.draws}
    return [application for application in document.applications if application.state.draw not in drawn]


def all_steps(document: OpenedDocument, draw: OpenedDraw) -> list[OpenedStep]:
    """What happened to a financing's line from its application on."""
    before = [item for item in document.applications if item.state.draw == draw.state.draw]
    return [*(step for item in before for step in item.steps), *draw.steps]


def _application_row(document: OpenedDocument, application: OpenedApplication) -> list[str]:
    memo, registered = application.memo, register_memo(document)
    return [
        UNKNOWN if registered is None else registered.number,
        UNKNOWN if memo is None else memo.bank_name,
        caller_text(application.caller),
        UNKNOWN if memo is None else memo.reference,
        "—",
        "—",
        stage_text(application.state.stage),
        _steps_text(application.steps, document.state.currency),
    ]


def _steps_text(steps: Sequence[OpenedStep], alpha: str) -> str:
    """ "applied USD 5.00; accepted; approved; reserved USD 5.00"."""
    return "; ".join(step.what if step.amount is None else f"{step.what} {_money(step.amount, alpha)}" for step in steps)


def _draw_row(document: OpenedDocument, draw: OpenedDraw) -> list[str]:
    alpha, memo, registered = document.state.currency, draw.memo, register_memo(document)
    return [
        UNKNOWN if registered is None else registered.number,
        UNKNOWN if memo is None else memo.bank_name,
        caller_text(draw.caller),
        UNKNOWN if memo is None else memo.reference,
        _money(draw.amount, alpha),
        _money(draw.outstanding, alpha),
        stage_text(draw.state.stage),
        _steps_text(all_steps(document, draw), alpha),
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


def caller_text(caller: CallerNote | None) -> str:
    """Whose request it came with, down to the outlet."""
    return UNKNOWN if caller is None else " > ".join([caller.institution, *caller.outlet])


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
        "state": "overdrawn" if document.overdrawn else document.state.status,
    }
    for change in document.changes:
        yield {**shared, **_csv_step("change", change, alpha)}
    for application in document.applications:
        yield {**shared, **_csv_application(application, alpha)}
        for step in application.steps:
            yield {**shared, **_csv_step("step", step, alpha, application.state.draw)}
    for draw in document.draws:
        yield {**shared, **_csv_draw(draw, alpha)}
        for step in draw.steps:
            yield {**shared, **_csv_step("step", step, alpha, draw.state.draw)}
        for reduction in draw.reductions:
            yield {**shared, **_csv_reduction(draw, reduction, alpha)}
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
    state = document.state
    about = {"kind": state.kind, "counter": state.counter, "status": state.status, "currency": state.currency}
    known = {**told, "document": encode_base64url(state.document), **about}
    return {name: as_text(value) for name, value in known.items()}


def _csv_application(application: OpenedApplication, alpha: str) -> dict[str, str]:
    memo = application.memo
    told = {"draw": encode_base64url(application.state.draw), "caller": caller_text(application.caller)}
    if memo is not None:
        told |= {"bank": memo.bank, "bank_name": memo.bank_name, "outlet": memo.outlet, "reference": memo.reference}
        told |= {"financing": encode_base64url(memo.financing), "note": memo.purpose}
    return {
        **{name: as_text(value) for name, value in told.items()},
        "record": "application",
        "time": _time(application.time),
        "amount": _decimal(None if memo is None else memo.amount, alpha),
        "state": application.state.stage,
    }


def _csv_step(record: str, step: OpenedStep, alpha: str, draw: bytes | None = None) -> dict[str, str]:
    return {
        "record": record,
        "time": _time(step.time),
        "draw": "" if draw is None else as_text(encode_base64url(draw)),
        "amount": "" if step.amount is None else _decimal(step.amount, alpha),
        "reason": step.what,
        "note": as_text(step.note),
    }


def _csv_draw(draw: OpenedDraw, alpha: str) -> dict[str, str]:
    memo, told = draw.memo, {"draw": encode_base64url(draw.state.draw), "caller": caller_text(draw.caller)}
    if memo is not None:
        told |= {"bank": memo.bank, "bank_name": memo.bank_name, "outlet": memo.outlet, "reference": memo.reference}
        told |= {"financing": encode_base64url(memo.financing), "note": memo.note}
    return {
        **{name: as_text(value) for name, value in told.items()},
        "record": "draw",
        "time": _time(draw.time),
        "amount": _decimal(draw.amount, alpha),
        "outstanding": _decimal(draw.outstanding, alpha),
        "state": draw.state.stage,
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
        "counter": document.state.counter,
        "status": document.state.status,
        "overdrawn": document.overdrawn,
        "shown_overdrawn": document.state.is_overdrawn,
        "replacement": None if document.state.replacement == ABSENT else encode_base64url(document.state.replacement),
        "changes": _describe_steps(document.changes),
        "applications": [_describe_application(application) for application in undrawn(document)],
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
        "draws": [_describe_draw(document, draw) for draw in document.draws],
        "alerts": len(document.alerts),
    }


def _describe_steps(steps: Iterable[OpenedStep]) -> list[dict[str, Any]]:
    return [{"time": step.time, "what": step.what, "amount": step.amount, "note": step.note} for step in steps]


def _describe_application(application: OpenedApplication) -> dict[str, Any]:
    memo = application.memo
    return {
        "draw": encode_base64url(application.state.draw),
        "time": application.time,
        "stage": application.state.stage,
        "asked": None if memo is None else memo.amount,
        "bank": None if memo is None else memo.bank,
        "bank_name": None if memo is None else memo.bank_name,
        "caller": None if application.caller is None else application.caller.model_dump(mode="json"),
        "reference": None if memo is None else memo.reference,
        "financing": None if memo is None else encode_base64url(memo.financing),
        "steps": _describe_steps(application.steps),
    }


def _describe_draw(document: OpenedDocument, draw: OpenedDraw) -> dict[str, Any]:
    memo = draw.memo
    return {
        "draw": encode_base64url(draw.state.draw),
        "time": draw.time,
        "prover": draw.prover,
        "amount": draw.amount,
        "outstanding": draw.outstanding,
        "stage": draw.state.stage,
        "closed": draw.state.closed,
        "moves": None if draw.moves is None else encode_base64url(draw.moves),
        "steps": _describe_steps(all_steps(document, draw)),
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
