"""Sealed records by token."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Records."""
    op.create_table(
        "records",
        sa.Column("token", sa.LargeBinary, sa.CheckConstraint("length(token) = 32"), primary_key=True, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False, index=True),
        sa.Column("record", sa.LargeBinary, sa.CheckConstraint("length(record) = 1320"), nullable=False),
    )
