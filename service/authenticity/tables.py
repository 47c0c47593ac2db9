"""The table of authenticity: sealed records by token."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, LargeBinary, Table

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
