"""The keys that institutions sign requests with: Ed25519 (RFC 8032), public keys of 32 bytes, signatures of 64.

A key of low order, under which anybody could sign, is refused wherever a signature is checked.
"""

from __future__ import annotations

from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from schemas.wire import RequestPublicKey
from zkcore.errors import KeyRejected
from zkcore.transcript import frame

IDENTITY_LABEL = b"TRADEVEIL-V01-request-key-of-identity"
ROTATION_LABEL = b"TRADEVEIL-V01-next-request-key"


def verify_signature(key: bytes, message: bytes, signature: bytes) -> None:
    """Raises KeyRejected unless the holder of this public key signed these bytes."""
    try:
        VerifyKey(key).verify(message, signature)
    except (CryptoError, ValueError, TypeError) as error:
        raise KeyRejected("the signature is not by the request key that it is said to be by") from error


def rotation_bytes(origin: str, holder: str, key: RequestPublicKey) -> bytes:
    """What a new request key signs to become one of its holder's: bound to the log, the holder and the key itself."""
    return frame([ROTATION_LABEL, origin.encode("ascii"), holder.encode("ascii"), key])
