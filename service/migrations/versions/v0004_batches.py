"""Batches and their lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.migrations.versions.v0001_first import octets

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Two new tables; nothing else is touched."""
    op.create_table(
        "batches",
        sa.Column("id", sa.LargeBinary, sa.CheckConstraint("length(id) = 32"), primary_key=True, nullable=False),
        octets("owner", 32),
        octets("request_key", 32),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("unfinished", sa.Boolean, nullable=False, index=True),
        sa.Column("leased", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "batch_lines",
        sa.Column("batch", sa.LargeBinary, sa.ForeignKey("batches.id"), primary_key=True),
        sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("request", sa.LargeBinary),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.LargeBinary),
        sa.CheckConstraint("(request IS NULL) = (answer IS NOT NULL) AND (status IS NULL) = (answer IS NULL)", name="decided"),
    )
