"""Alerts: messages for the regulator, sealed, in the order in which they came."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection, func, insert, select

from schemas.answers import AlertsPage, SealedAlert
from service.institutions.tables import ALERTS
from service.storage import Storage
from service.tables import LOG

Source = Literal["party", "service"]


def add_alert(connection: Connection, source: Source, caller: bytes, memo: bytes, now: int) -> None:
    """Append an alert. The log's row is locked, so positions have no gaps and whoever reads on from one misses none.

    source: whose word it is; caller, memo: CALLER_SIZE and MEMO_SIZE bytes, both sealed to the regulator; now: unix seconds
    """
    connection.execute(select(LOG.c.id).with_for_update()).one()
    position = connection.scalar(select(func.count()).select_from(ALERTS))
    values = {"position": position, "time": now, "source": source, "caller": caller, "memo": memo}
    connection.execute(insert(ALERTS).values(values))


def alerts_page(storage: Storage, start: int, limit: int) -> AlertsPage:
    """At most `limit` alerts from index `start` on."""
    with storage.reading("alerts") as connection:
        size = int(connection.scalar(select(func.count()).select_from(ALERTS)) or 0)
        wanted = select(ALERTS).where(ALERTS.c.position >= start).order_by(ALERTS.c.position).limit(limit)
        rows = connection.execute(wanted).all()
    found = [
        SealedAlert(index=row.position, time=row.time, source=row.source, caller=row.caller, memo=row.memo) for row in rows
    ]
    following = start + len(found)
    return AlertsPage(alerts=found, next=following if found and following < size else None, size=size)
