"""The tables of institutions. Who an institution is stands nowhere in the clear: ids are keyed digests, and the identifier that
people know lies under the service's own key, which is not in the database (service.institutions.pseudonyms)."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, PrimaryKeyConstraint, String, Table

from service.institutions.pseudonyms import SEALED_HOLDER_SIZE
from service.institutions.sealing import CALLER_SIZE
from service.tables import DOCUMENTS, METADATA, octets
from zkcore.operations import MEMO_SIZE

INSTITUTIONS = Table(
    "institutions",
    METADATA,
    octets("id", 32, primary_key=True),
    octets("holder", SEALED_HOLDER_SIZE),
    Column("role", String(16), nullable=False),
    Column("parent", ForeignKey("institutions.id")),
    Column("admitted", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)
"""Legal-person bank, branch, outlet, and all others. `revoked`: since when it may not call, or null."""

REQUEST_KEYS = Table(
    "request_keys",
    METADATA,
    octets("key", 32, primary_key=True),
    Column("institution", ForeignKey(INSTITUTIONS.c.id), nullable=False, index=True),
    Column("active_from", BigInteger, nullable=False),
    Column("active_until", BigInteger),
    Column("revoked", BigInteger),
)
"""Ed25519 public keys. A key is good from `active_from` on, until `active_until` (null: no end), and not once it is revoked."""

LIMITS = Table(
    "limits",
    METADATA,
    Column("institution", ForeignKey(INSTITUTIONS.c.id), nullable=False),
    Column("what", String(32), nullable=False),
    Column("most", BigInteger, CheckConstraint("most >= 0"), nullable=False),
    PrimaryKeyConstraint("institution", "what"),
)
"""How much of what an institution with all below it may use in one window. No row: no limit of its own."""

COUNTERS = Table(
    "counters",
    METADATA,
    octets("institution", 32),
    Column("what", String(32), nullable=False),
    Column("window_start", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    PrimaryKeyConstraint("institution", "what", "window_start"),
)
"""What was used of limits. No document and no amount stands here."""

REQUEST_NONCES = Table(
    "request_nonces",
    METADATA,
    octets("id", 32, primary_key=True),
    Column("until", BigInteger, nullable=False, index=True),
)
"""Digests of (request key, nonce) of the last minutes."""

REFUSALS = Table(
    "refusals",
    METADATA,
    octets("pair", 32),
    octets("request", 32),
    Column("time", BigInteger, nullable=False, index=True),
    PrimaryKeyConstraint("pair", "request"),
)
"""Requests refused because the headroom was not proven, by keyed digest of (institution, document). Kept for a day."""

BLOCKS = Table(
    "blocks",
    METADATA,
    octets("pair", 32, primary_key=True),
    Column("document", ForeignKey(DOCUMENTS.c.id), nullable=False, index=True),
    Column("time", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""Institutions that may not draw on a document for now. The document stands in the clear, for its owner to see that there is a
block; whose it is does not."""

ALERTS = Table(
    "alerts",
    METADATA,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("time", BigInteger, nullable=False),
    Column("source", String(16), nullable=False),
    octets("caller", CALLER_SIZE),
    octets("memo", MEMO_SIZE),
)
"""Messages to the regulator, sealed: by a party or by the service, with the sealed name of the caller that it is about."""
