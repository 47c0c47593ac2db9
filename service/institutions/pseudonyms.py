"""The service's own key, and the names of institutions under it.

The database shows who may call as little as it shows amounts: whoever has it without this key sees random ids. The key lies in
a file of the service's directory; all processes of one log share it. It opens nothing of any party. Ids are HMAC-SHA256 (RFC
2104), sealed names NaCl secret boxes (XSalsa20-Poly1305), each under a key of its own that follows from the one of the file.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from zkcore.transcript import frame

KEY_SIZE = 32
_LONGEST_HOLDER = 100
_PADDED = 128
SEALED_HOLDER_SIZE = SecretBox.NONCE_SIZE + SecretBox.MACBYTES + _PADDED
"""Bytes of a sealed holder's identifier, whatever its length."""


class PseudonymError(Exception):
    """What is stored is under another key than the service's; the message says what to do."""


class Pseudonyms:
    """What only the service's key can do. It does not print."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise PseudonymError(f"the service's key is {KEY_SIZE} bytes")
        self._digests = hashlib.sha256(b"TRADEVEIL-V01-pseudonyms" + key).digest()
        self._box = SecretBox(hashlib.sha256(b"TRADEVEIL-V01-holders" + key).digest())

    def __repr__(self) -> str:
        return "Pseudonyms(hidden)"

    def institution(self, holder: str) -> bytes:
        """The id of an institution: 32 bytes."""
        return self._digest([b"institution", holder.encode("ascii")])

    def pair(self, institution: bytes, document: bytes) -> bytes:
        """An institution on a document: 32 bytes that name neither."""
        return self._digest([b"pair", institution, document])

    def _digest(self, parts: list[bytes]) -> bytes:
        return hmac.digest(self._digests, frame(parts), "sha256")

    def seal(self, holder: str) -> bytes:
        """A holder's identifier for the database, SEALED_HOLDER_SIZE bytes."""
        content = holder.encode("ascii")
        if len(content) > _LONGEST_HOLDER:
            raise ValueError(f"an identifier is at most {_LONGEST_HOLDER} characters")
        return bytes(self._box.encrypt(content.ljust(_PADDED, b"\0"), secrets.token_bytes(SecretBox.NONCE_SIZE)))

    def open(self, sealed: bytes) -> str:
        """Inverse of seal. Raises PseudonymError for another key's."""
        try:
            return self._box.decrypt(sealed).rstrip(b"\0").decode("ascii")
        except CryptoError as error:
            raise PseudonymError("the institutions were registered under another service.key; bring that file back") from error
