"""Sealed records by token, and what callers have spent of their day's budget."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"


def upgrade() -> None:
    """Records, evaluation_spending."""
    op.create_table(
        "records",
        sa.Column("token", sa.LargeBinary, sa.CheckConstraint("length(token) = 32"), primary_key=True, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False, index=True),
        sa.Column("record", sa.LargeBinary, sa.CheckConstraint("length(record) = 1320"), nullable=False),
    )
    op.create_table(
        "evaluation_spending",
        sa.Column("caller", sa.String(100), nullable=False),
        sa.Column("day", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, sa.CheckConstraint("spent > 0"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "day"),
    )
