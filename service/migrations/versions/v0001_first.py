"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Log, entries, documents, applications, draws, consents, nonces, answers."""
    op.create_table(
        "log",
        sa.Column("id", sa.Integer, sa.CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("document", sa.LargeBinary, index=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "documents",
        octets("id", 32, primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("counter", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        octets("owner", 33),
        octets("limit_committed", 99),
        octets("residual", 99),
        octets("head", 32),
        sa.Column("draws", sa.Integer, sa.CheckConstraint("draws BETWEEN 0 AND 1048576"), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        octets("revision", 32),
        octets("replacement", 32),
        sa.Column("taken", sa.Boolean, nullable=False),
        octets("overdrawn", 32),
        sa.Column("registered_at", sa.BigInteger, sa.ForeignKey("entries.position"), nullable=False),
    )
    op.create_table(
        "draws",
        octets("id", 32, primary_key=True),
        sa.Column("document", sa.LargeBinary, sa.ForeignKey("documents.id"), nullable=False, index=True),
        octets("draw_key", 33),
        octets("outstanding", 99),
        octets("head", 32),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_draws_stage_expires", "draws", ["stage", "expires"])
    op.create_table(
        "applications",
        octets("id", 32, primary_key=True),
        sa.Column("document", sa.LargeBinary, sa.ForeignKey("documents.id"), nullable=False, index=True),
        octets("draw_key", 33),
        octets("application", 32),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        octets("head", 32),
    )
    op.create_table(
        "consents",
        sa.Column("document", sa.LargeBinary, sa.ForeignKey("documents.id"), nullable=False),
        octets("application", 32),
        sa.PrimaryKeyConstraint("document", "application"),
    )
    op.create_table(
        "nonces",
        octets("nonce", 16, primary_key=True),
        sa.Column("seen", sa.BigInteger, nullable=False, index=True),
    )
    op.create_table(
        "answers",
        octets("id", 32, primary_key=True),
        octets("fingerprint", 32),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def octets(name: str, size: int, primary_key: bool = False) -> sa.Column[bytes]:
    """A column of exactly `size` bytes."""
    return sa.Column(
        name, sa.LargeBinary, sa.CheckConstraint(f"length({name}) = {size}"), primary_key=primary_key, nullable=False
    )
