"""Tables of authenticity: sealed records by token, and what callers have spent of their day's budget."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, PrimaryKeyConstraint, String, Table

from service.tables import METADATA
from zkcore.authenticity import RECORD_SIZE, TOKEN_SIZE

RECORDS = Table(
    "records",
    METADATA,
    Column("token", LargeBinary, CheckConstraint(f"length(token) = {TOKEN_SIZE}"), primary_key=True, nullable=False),
    Column("epoch", BigInteger, nullable=False, index=True),
    Column("record", LargeBinary, CheckConstraint(f"length(record) = {RECORD_SIZE}"), nullable=False),
)
"""Records as attesters published them. A token is of one epoch, since it was evaluated under that epoch's key."""

SPENDING = Table(
    "evaluation_spending",
    METADATA,
    Column("caller", String(100), nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("spent", BigInteger, CheckConstraint("spent > 0"), nullable=False),
    PrimaryKeyConstraint("caller", "day"),
)
"""Elements that a caller has had evaluated or looked up on a day (whole days of unix time)."""
