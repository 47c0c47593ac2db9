"""Sealed memos: NaCl sealed boxes (X25519, XSalsa20-Poly1305) of one fixed size, so that lengths tell nothing.

A sealed box does not show whom it is for. What it contains is the business of the parties (schemas.sealed); whoever opens one
compares it with the commitment it travels with, because the sender may have lied.
"""

from __future__ import annotations

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey, SealedBox

from zkcore.errors import KeyRejected, LengthError, MemoError
from zkcore.operations import MEMO_SIZE
from zkcore.secret.keys import derive_bytes

SEAL_KEY_SIZE = 32
_OVERHEAD = 48  # an ephemeral X25519 key and a Poly1305 tag
_PADDED_SIZE = MEMO_SIZE - _OVERHEAD
CONTENT_SIZE = _PADDED_SIZE - 1
"""The longest content of a memo, in bytes."""


class SealSecret:
    """An X25519 secret key that opens sealed boxes. It does not print."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SEAL_KEY_SIZE:
            raise LengthError(f"a seal key is {SEAL_KEY_SIZE} bytes")
        self._key = PrivateKey(secret)

    @classmethod
    def derive(cls, seed: bytes) -> SealSecret:
        """The seal key of a seed."""
        return cls(derive_bytes(b"seal-key", seed, SEAL_KEY_SIZE))

    @property
    def public(self) -> bytes:
        """32 bytes, to be given to whoever seals for this key."""
        return bytes(self._key.public_key)

    def encode(self) -> bytes:
        """The secret, 32 bytes, for its holder's own store alone."""
        return bytes(self._key)

    def open(self, sealed: bytes) -> bytes:
        """The content of a sealed box of any size. Raises MemoError when it is for another key or was changed."""
        try:
            return SealedBox(self._key).decrypt(sealed)
        except (CryptoError, ValueError, TypeError) as error:
            raise MemoError("this sealed box is for another key, or was changed on its way") from error

    def open_memo(self, sealed: bytes) -> bytes:
        """The content of a memo, padding removed. Raises MemoError."""
        if len(sealed) != MEMO_SIZE:
            raise MemoError(f"a memo is {MEMO_SIZE} bytes")
        content, mark, padding = self.open(sealed).rpartition(b"\x80")
        if not mark or any(padding):
            raise MemoError("the padding of the memo is malformed")
        return content

    def shared(self, public: bytes) -> bytes:
        """32 bytes that the holder of this key and the holder of the other alone can compute (X25519, HSalsa20)."""
        try:
            return Box(self._key, _public(public)).shared_key()
        except (CryptoError, RuntimeError) as error:
            raise KeyRejected("no secret can be shared with this seal key") from error

    def __repr__(self) -> str:
        return "SealSecret(32 bytes, hidden)"


def _public(public: bytes) -> PublicKey:
    if len(public) != SEAL_KEY_SIZE:
        raise LengthError(f"a public seal key is {SEAL_KEY_SIZE} bytes")
    return PublicKey(public)


def seal(public: bytes, content: bytes) -> bytes:
    """A sealed box of content of any size, 48 bytes longer. Raises KeyRejected for an unusable key (low order)."""
    try:
        return SealedBox(_public(public)).encrypt(content)
    except (CryptoError, RuntimeError) as error:
        raise KeyRejected("nothing can be sealed to this key") from error


def seal_memo(public: bytes, content: bytes) -> bytes:
    """A memo: MEMO_SIZE bytes whatever the content. Raises LengthError when the content is longer than CONTENT_SIZE."""
    if len(content) > CONTENT_SIZE:
        raise LengthError(f"a memo holds at most {CONTENT_SIZE} bytes; shorten the note")
    return seal(public, content + b"\x80" + bytes(_PADDED_SIZE - 1 - len(content)))
