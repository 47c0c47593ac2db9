"""Institutions: who may call, their keys and limits, what they used, whom a block keeps off a document, alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.migrations.versions.v0001_first import octets

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Eight tables more; no other is touched."""
    op.create_table(
        "institutions",
        octets("id", 32, primary_key=True),
        octets("holder", 168),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("parent", sa.LargeBinary, sa.ForeignKey("institutions.id")),
        sa.Column("admitted", sa.BigInteger, nullable=False),
        sa.Column("revoked", sa.BigInteger),
    )
    op.create_table(
        "request_keys",
        octets("key", 32, primary_key=True),
        sa.Column("institution", sa.LargeBinary, sa.ForeignKey("institutions.id"), nullable=False, index=True),
        sa.Column("active_from", sa.BigInteger, nullable=False),
        sa.Column("active_until", sa.BigInteger),
        sa.Column("revoked", sa.BigInteger),
    )
    op.create_table(
        "limits",
        sa.Column("institution", sa.LargeBinary, sa.ForeignKey("institutions.id"), nullable=False),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("most", sa.BigInteger, sa.CheckConstraint("most >= 0"), nullable=False),
        sa.PrimaryKeyConstraint("institution", "what"),
    )
    op.create_table(
        "counters",
        octets("institution", 32),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("window_start", sa.BigInteger, nullable=False),
        sa.Column("used", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("institution", "what", "window_start"),
    )
    op.create_table(
        "request_nonces",
        octets("id", 32, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "refusals",
        octets("pair", 32),
        octets("request", 32),
        sa.Column("time", sa.BigInteger, nullable=False, index=True),
        sa.PrimaryKeyConstraint("pair", "request"),
    )
    op.create_table(
        "blocks",
        octets("pair", 32, primary_key=True),
        sa.Column("document", sa.LargeBinary, sa.ForeignKey("documents.id"), nullable=False, index=True),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "alerts",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        octets("caller", 432),
        octets("memo", 1584),
    )
