"""All hashing: the duplex sponge of draft-irtf-cfrg-fiat-shamir-03 (SHAKE128), its codecs, and every label and framing we use.

Sigma proofs, range proofs, batching weights, document heads and digests absorb through this module and nowhere else, so that
domain separation can be read in one place. A sponge starts from a 32-byte session id derived from a tag; tags are built here
and contain the protocol version, the flavour and the suite verbatim, as the draft demands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Protocol

from zkcore.errors import EncodingError, LengthError, ScalarError

RATE = 168
SESSION_ID_SIZE = 32
DIGEST_SIZE = 32
EXTRA = 16  # bytes squeezed beyond the width of a scalar, so that reduction is uniform up to 2**-128

_TOO_LONG = "a variable-length string is below 2**32 bytes"
_SESSION_LABEL = b"irtf-cfrg-fiat-shamir/session-id"

# Labels of hashes that are not proofs. Proof tags come from `proof_tag`.
LABEL_GENERATORS = b"TRADEVEIL-V01-generators"
LABEL_PAYLOAD = b"TRADEVEIL-V01-payload"
LABEL_HEAD = b"TRADEVEIL-V01-head"
LABEL_DRAW_HEAD = b"TRADEVEIL-V01-draw-head"
LABEL_REVISION = b"TRADEVEIL-V01-revision"
LABEL_BATCH = b"TRADEVEIL-V01-batch-verify"
LABEL_DERIVE = b"TRADEVEIL-V01-derive"
LABEL_TOKEN_INPUT = b"TRADEVEIL-V01-token-input"
LABEL_KEY_INPUT = b"TRADEVEIL-V01-key-input"
LABEL_TOKEN = b"TRADEVEIL-V01-token"
LABEL_RECORD_KEY = b"TRADEVEIL-V01-record-key"
LABEL_RECORD = b"TRADEVEIL-V01-record"
LABEL_FIELD = b"TRADEVEIL-V01-field"
LABEL_FIELD_SALT = b"TRADEVEIL-V01-field-salt"


class _Xof(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def copy(self) -> _Xof: ...

    def digest(self, length: int, /) -> bytes: ...


class DuplexSponge:
    """SHAKE128 duplex sponge (fiat-shamir-03): squeeze(n) is the next n bytes of XOF(session_id || zeros || absorbed).

    Consecutive squeezes continue one stream; a non-empty absorb after a squeeze restarts it; absorbing nothing changes nothing.
    """

    def __init__(self, session_id: bytes) -> None:
        if len(session_id) != SESSION_ID_SIZE:
            raise LengthError(f"a session id is {SESSION_ID_SIZE} bytes, got {len(session_id)}")
        self._xof: _Xof = hashlib.shake_128(session_id + bytes(RATE - SESSION_ID_SIZE))
        self._squeezed = 0

    def absorb(self, data: bytes) -> None:
        """Absorb bytes of any length, unframed (the caller frames, or the length is fixed by the protocol)."""
        if data:
            self._squeezed = 0
            self._xof.update(data)

    def squeeze(self, size: int) -> bytes:
        """The next `size` bytes of the stream."""
        start, self._squeezed = self._squeezed, self._squeezed + size
        return self._xof.copy().digest(self._squeezed)[start:]


_SESSION_SPONGE = hashlib.shake_128(_SESSION_LABEL + bytes(RATE - SESSION_ID_SIZE))


def derive_session_id(tag: bytes) -> bytes:
    """DeriveSessionID of fiat-shamir-03: 32 bytes from a tag of any length.

    What a DuplexSponge begun with the draft's label gives; each begins alike, so the beginning is hashed once.
    """
    xof = _SESSION_SPONGE.copy()
    xof.update(tag)
    return xof.digest(SESSION_ID_SIZE)


def field_width(modulus: int) -> int:
    """Bytes of the fixed-width encoding of an integer below the modulus."""
    return ((modulus - 1).bit_length() + 7) // 8


def serialize_varlen(data: bytes) -> bytes:
    """SerializeVarLenString: 4-byte little-endian length, then the bytes."""
    return frame([data])


def deserialize_varlen(data: bytes) -> tuple[bytes, bytes]:
    """Inverse of serialize_varlen: (payload, unread rest). Raises LengthError when the prefix or payload is short."""
    if len(data) < 4:
        raise LengthError("a variable-length string starts with 4 bytes of length")
    size = int.from_bytes(data[:4], "little")
    if len(data) - 4 < size:
        raise LengthError("a variable-length string is shorter than its length says")
    return data[4 : 4 + size], data[4 + size :]


def serialize_uint(value: int, modulus: int) -> bytes:
    """SerializeUint: fixed-width little-endian. Raises ScalarError unless 0 <= value < modulus."""
    if not 0 <= value < modulus:
        raise ScalarError("the integer is not in [0, modulus)")
    return value.to_bytes(field_width(modulus), "little")


def deserialize_uint(data: bytes, modulus: int) -> tuple[int, bytes]:
    """Inverse of serialize_uint: (value, unread rest). Raises LengthError, or ScalarError for a non-canonical value."""
    width = field_width(modulus)
    if len(data) < width:
        raise LengthError(f"an integer of this field takes {width} bytes, got {len(data)}")
    value = int.from_bytes(data[:width], "little")
    if value >= modulus:
        raise ScalarError("the integer is not below the modulus")
    return value, data[width:]


def decode_uint(data: bytes, modulus: int) -> int:
    """DecodeUint: width + 16 squeezed bytes, little-endian, reduced. Raises LengthError for any other length."""
    if len(data) != field_width(modulus) + EXTRA:
        raise LengthError(f"a challenge is decoded from {field_width(modulus) + EXTRA} bytes, got {len(data)}")
    return int.from_bytes(data, "little") % modulus


def frame(parts: Iterable[bytes]) -> bytes:
    """Concatenate parts so that the boundaries can be read back: each as a variable-length string."""
    try:
        return b"".join([piece for part in parts for piece in (len(part).to_bytes(4, "little"), part)])
    except OverflowError as error:
        raise LengthError(_TOO_LONG) from error


def text(value: object) -> bytes:
    """ASCII bytes of a protocol string. Raises EncodingError for anything else: no str() of an object ever reaches a hash."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise EncodingError("a protocol string is printable ASCII")
    return value.encode("ascii")


def digest(label: bytes, parts: Iterable[bytes]) -> bytes:
    """32 bytes over framed parts under one of the labels above."""
    xof = _digest_sponge(label).copy()
    xof.update(frame(parts))
    return xof.digest(DIGEST_SIZE)


@cache
def _digest_sponge(label: bytes) -> _Xof:
    """A sponge begun with the session id of a label. The labels are few."""
    return hashlib.shake_128(derive_session_id(label) + bytes(RATE - SESSION_ID_SIZE))
