"""The hash of a log entry as a leaf of a Merkle tree (RFC 6962, section 2.1)."""

from __future__ import annotations

import hashlib


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry), 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()
