"""Records: a credential sealed under a key that only the right fields of the paper give (XChaCha20-Poly1305), of one size.

The nonce is random and the rest of a record pseudorandom, so that without the key a record looks like random bytes: the service
answers unknown tokens with such. The token is authenticated with it: a record opens under the token it was made for. SPEC.md,
section 16, "Record".
"""

from __future__ import annotations

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from zkcore.authenticity import RECORD_SIZE, TOKEN_SIZE
from zkcore.errors import LengthError, MemoError
from zkcore.randomness import Randomness
from zkcore.transcript import LABEL_RECORD, frame

_OVERHEAD = Aead.NONCE_SIZE + Aead.MACBYTES
_PADDED_SIZE = RECORD_SIZE - _OVERHEAD
CONTENT_SIZE = _PADDED_SIZE - 1
"""The longest content of a record, in bytes."""


def seal_record(key: bytes, token: bytes, content: bytes, randomness: Randomness) -> bytes:
    """A record of RECORD_SIZE bytes. Raises LengthError for keys and tokens of other sizes, and for too long a content."""
    if len(content) > CONTENT_SIZE:
        raise LengthError(f"a record holds at most {CONTENT_SIZE:,} bytes, got {len(content):,}")
    padded = content + b"\x80" + bytes(_PADDED_SIZE - 1 - len(content))
    return bytes(_box(key).encrypt(padded, _bound(token), randomness.read(Aead.NONCE_SIZE)))


def open_record(key: bytes, token: bytes, record: bytes) -> bytes:
    """The content of a record. Raises MemoError for another key or token, or for bytes that are no record; LengthError."""
    if len(record) != RECORD_SIZE:
        raise LengthError(f"a record is {RECORD_SIZE:,} bytes, got {len(record):,}")
    try:
        padded = _box(key).decrypt(record, _bound(token))
    except CryptoError as error:
        raise MemoError("these fields do not open this record") from error
    content, mark, padding = padded.rpartition(b"\x80")
    if not mark or any(padding):
        raise MemoError("the padding of the record is malformed")
    return content


def _box(key: bytes) -> Aead:
    if len(key) != Aead.KEY_SIZE:
        raise LengthError(f"a record's key is {Aead.KEY_SIZE} bytes, got {len(key)}")
    return Aead(key)


def _bound(token: bytes) -> bytes:
    if len(token) != TOKEN_SIZE:
        raise LengthError(f"a token is {TOKEN_SIZE} bytes, got {len(token)}")
    return frame([LABEL_RECORD, token])
