"""What stages, statuses and reasons are called for people: the ledger's own word, with the Chinese beside it."""

from __future__ import annotations

from collections.abc import Mapping

from zkcore.context import ABSENT
from zkcore.ledger import DocumentState

STAGES_ZH: Mapping[str, str] = {
    "applied": "已申请",
    "accepted": "已受理",
    "approved": "审核通过",
    "rejected": "审核未通过",
    "reserved": "已预留",
    "taken-over": "承接原登记",
    "disbursed": "已放款",
    "partly-repaid": "部分还款",
    "partly-written-off": "部分核销",
    "settled": "已结清",
    "released": "已撤销",
    "expired": "已过期释放",
    "written-off": "已核销",
    "moved": "已转移",
    "repaid-own-funds": "自有资金还款",
    "repaid-proceeds": "出口收汇还款",
}
"""Stages of applications and draws, and what leads to them."""

STATUSES_ZH: Mapping[str, str] = {
    "declared": "申报",
    "customs-released": "放行",
    "cleared": "结关",
    "frozen": "冻结",
    "returned": "退关",
    "deleted": "删单",
    "amended": "改单",
    "partly-returned": "部分退关",
    "overdrawn": "超额",
}
"""Statuses of documents, and what else becomes of them."""


def stage_text(stage: str) -> str:
    """ "disbursed 已放款"."""
    return f"{stage} {STAGES_ZH.get(stage, '')}".strip()


def status_text(state: DocumentState, *, overdrawn: bool, replaced_by: str = "") -> str:
    """Where a document stands, and whether it can be financed: "cleared 结关", "deleted 删单 → 3104…"."""
    text = f"{state.status} {STATUSES_ZH.get(state.status, '')}".strip()
    if overdrawn:
        text += f", overdrawn {STATUSES_ZH['overdrawn']}"
    if state.replacement != ABSENT:
        text += f" → {replaced_by or '?'}"
    return text
