"""The tables of batches: what is still to be done of each, and what was answered to what is done."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Integer, LargeBinary, Table

from service.tables import METADATA, octets

BATCHES = Table(
    "batches",
    METADATA,
    octets("id", 32, primary_key=True),
    octets("owner", 32),
    octets("request_key", 32),
    Column("received", BigInteger, nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("unfinished", Boolean, nullable=False, index=True),
    Column("leased", BigInteger, nullable=False),
)
"""Batches. `owner` is a keyed digest of the batch and the institution that may read it, another for every batch; `request_key`
the key that signed it, until all lines are decided, and zeros from then on; `received` the time by the service's clock; `done`
counts the lines that are decided, `failed` those of them that were refused. `leased`: until when (unix milliseconds) a process
has it in hand."""

BATCH_LINES = Table(
    "batch_lines",
    METADATA,
    Column("batch", ForeignKey(BATCHES.c.id), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("request", LargeBinary),
    Column("status", Integer),
    Column("answer", LargeBinary),
    CheckConstraint("(request IS NULL) = (answer IS NOT NULL) AND (status IS NULL) = (answer IS NULL)", name="decided"),
)
"""The lines: each has its request until it is decided, and then its answer instead (HTTP status and body)."""
