"""What the service itself tells the regulator: sealed boxes (NaCl) of fixed sizes to the seal key of the genesis.

The service can make them and cannot open them again. SPEC.md, section 11 (memos) and section 12 (the caller of an entry).
"""

from __future__ import annotations

from nacl.public import PublicKey, SealedBox
from pydantic import BaseModel

from schemas.callers import CALLER_SIZE
from schemas.canonical import canonical
from zkcore.operations import MEMO_SIZE

__all__ = ["CALLER_SIZE", "seal"]
_OVERHEAD = 48  # an ephemeral X25519 key and a Poly1305 tag


def seal(seal_key: bytes, message: BaseModel, size: int = MEMO_SIZE) -> bytes:
    """A box of exactly `size` bytes: content, the byte 80, zero bytes (as memos). Raises ValueError for too long a message."""
    content, room = canonical(message), size - _OVERHEAD - 1
    if len(content) > room:
        raise ValueError(f"a message of {len(content)} bytes does not fit into {room}")
    return SealedBox(PublicKey(seal_key)).encrypt(content + b"\x80" + bytes(room - len(content)))
