"""The tables, and the conversion between their rows and the ledger's states.

Nothing here says what an amount, a limit or a headroom is, or whose: commitments, public keys, sealed memos and times are all
there is. Bytes are stored as bytes, their lengths checked by the database too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    RowMapping,
    String,
    Table,
)

from zkcore.commitments import HANDLED_COMMITMENT_SIZE, HandledCommitment
from zkcore.group import ELEMENT_SIZE, Group
from zkcore.ledger import MAXIMUM_DRAWS, ApplicationState, DocumentState, DrawState

StoredRow = Mapping[str, Any] | RowMapping
"""A row of a table, by the names of its columns."""
METADATA = MetaData()
"""The newest version of the tables. Every change here is a version in service.migrations, too; a test compares them."""


def octets(name: str, size: int, *arguments: Any, **options: Any) -> Column[bytes]:
    """A column of exactly `size` bytes."""
    return Column(name, LargeBinary, CheckConstraint(f"length({name}) = {size}"), *arguments, nullable=False, **options)


LOG = Table(
    "log",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
)
"""One row: how many entries there are, and the time of the last. Whoever adds an entry locks it, so indices have no gaps."""

ENTRIES = Table(
    "entries",
    METADATA,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("document", LargeBinary, index=True),
    Column("data", LargeBinary, nullable=False),
)
"""The log: canonical bytes of each entry, and the document it is about (null for the genesis)."""

DOCUMENTS = Table(
    "documents",
    METADATA,
    octets("id", 32, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("counter", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    octets("owner", ELEMENT_SIZE),
    octets("limit_committed", HANDLED_COMMITMENT_SIZE),
    octets("residual", HANDLED_COMMITMENT_SIZE),
    octets("head", 32),
    Column("draws", Integer, CheckConstraint(f"draws BETWEEN 0 AND {MAXIMUM_DRAWS}"), nullable=False),
    Column("status", String(32), nullable=False),
    octets("revision", 32),
    octets("replacement", 32),
    Column("taken", Boolean, nullable=False),
    octets("overdrawn", 32),
    Column("registered_at", ForeignKey(ENTRIES.c.position), nullable=False),
)
"""Documents as they stand: the fields of zkcore.ledger.DocumentState.

`head` moves with whatever changes what can be drawn, and a change names the head it was proven for.
"""

DRAWS = Table(
    "draws",
    METADATA,
    octets("id", 32, primary_key=True),
    Column("document", ForeignKey(DOCUMENTS.c.id), nullable=False, index=True),
    octets("draw_key", ELEMENT_SIZE),
    octets("outstanding", HANDLED_COMMITMENT_SIZE),
    octets("head", 32),
    Column("stage", String(32), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Index("ix_draws_stage_expires", "stage", "expires"),
)
"""Draws as they stand. Reservations are looked for by their expiry."""

APPLICATIONS = Table(
    "applications",
    METADATA,
    octets("id", 32, primary_key=True),
    Column("document", ForeignKey(DOCUMENTS.c.id), nullable=False, index=True),
    octets("draw_key", ELEMENT_SIZE),
    octets("application", 32),
    Column("expires", BigInteger, nullable=False),
    Column("stage", String(32), nullable=False),
    octets("head", 32),
)
"""Applications as they stand, by the id of the draw that they are for."""

CONSENTS = Table(
    "consents",
    METADATA,
    Column("document", ForeignKey(DOCUMENTS.c.id), nullable=False),
    octets("application", 32),
    PrimaryKeyConstraint("document", "application"),
)
"""Owners' consents that were used: one draw a document for each application."""

NONCES = Table(
    "nonces",
    METADATA,
    octets("nonce", 16, primary_key=True),
    Column("seen", BigInteger, nullable=False, index=True),
)
"""Nonces of private views of the last minutes."""

ANSWERS = Table(
    "answers",
    METADATA,
    octets("id", 32, primary_key=True),
    octets("fingerprint", 32),
    Column("body", LargeBinary, nullable=False),
)
"""What was answered to each accepted write, by digest of its Idempotency-Key. Never expires."""


def document_of_row(group: Group, row: StoredRow) -> DocumentState:
    """A row of DOCUMENTS as the ledger's state."""
    return DocumentState(
        document=row["id"],
        kind=row["kind"],
        counter=row["counter"],
        currency=row["currency"],
        epoch=row["epoch"],
        owner=group.decode(row["owner"]),
        limit=HandledCommitment.decode(group, row["limit_committed"]),
        residual=HandledCommitment.decode(group, row["residual"]),
        head=row["head"],
        draws=row["draws"],
        status=row["status"],
        revision=row["revision"],
        replacement=row["replacement"],
        taken=bool(row["taken"]),
        overdrawn=row["overdrawn"],
    )


def row_of_document(document: DocumentState, registered_at: int) -> dict[str, Any]:
    """A new document as a row. Raises IdentityError where a commitment has no encoding."""
    return {
        "id": document.document,
        "kind": document.kind,
        "counter": document.counter,
        "currency": document.currency,
        "epoch": document.epoch,
        "owner": document.owner.encode(),
        "registered_at": registered_at,
        **moved_document(document),
    }


def moved_document(document: DocumentState) -> dict[str, Any]:
    """What changes in a document's row. Raises IdentityError where a commitment has no encoding."""
    return {
        "limit_committed": document.limit.encode(),
        "residual": document.residual.encode(),
        "head": document.head,
        "draws": document.draws,
        "status": document.status,
        "revision": document.revision,
        "replacement": document.replacement,
        "taken": document.taken,
        "overdrawn": document.overdrawn,
    }


def draw_of_row(group: Group, row: StoredRow) -> DrawState:
    """A row of DRAWS as the ledger's state."""
    outstanding = HandledCommitment.decode(group, row["outstanding"])
    key = group.decode(row["draw_key"])
    return DrawState(row["id"], row["document"], key, outstanding, row["head"], row["stage"], row["expires"])


def row_of_draw(draw: DrawState) -> dict[str, Any]:
    """A new draw as a row. Raises IdentityError where a commitment has no encoding."""
    fixed = {"id": draw.draw, "document": draw.document, "draw_key": draw.key.encode(), "expires": draw.expires}
    return {**fixed, **moved_draw(draw)}


def moved_draw(draw: DrawState) -> dict[str, Any]:
    """What changes in a draw's row. Raises IdentityError where a commitment has no encoding."""
    return {"outstanding": draw.outstanding.encode(), "head": draw.head, "stage": draw.stage}


def application_of_row(group: Group, row: StoredRow) -> ApplicationState:
    """A row of APPLICATIONS as the ledger's state."""
    key = group.decode(row["draw_key"])
    return ApplicationState(row["id"], row["document"], key, row["application"], row["expires"], row["stage"], row["head"])


def row_of_application(application: ApplicationState) -> dict[str, Any]:
    """A new application as a row."""
    return {
        "id": application.draw,
        "document": application.document,
        "draw_key": application.key.encode(),
        "application": application.application,
        "expires": application.expires,
        **moved_application(application),
    }


def moved_application(application: ApplicationState) -> dict[str, Any]:
    """What changes in an application's row."""
    return {"stage": application.stage, "head": application.head}


MOVED_COLUMNS = {
    DOCUMENTS: (
        "limit_committed",
        "residual",
        "head",
        "draws",
        "status",
        "revision",
        "replacement",
        "taken",
        "overdrawn",
    ),
    DRAWS: ("outstanding", "head", "stage"),
    APPLICATIONS: ("stage", "head"),
}
"""What moved_document, moved_draw and moved_application give."""
