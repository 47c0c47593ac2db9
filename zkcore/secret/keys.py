"""Secret keys: view keys that open commitments, signing keys that show who acts, and how they are derived and blinded.

A view key is a scalar s with public key P = s^-1 * H, so that a handle D = r*P opens its commitment: s*D = r*H. A signing key
is a scalar k with K = k*G. Neither prints. Python integers cannot be wiped from memory; the native engine's can.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkcore import ledger
from zkcore.errors import KeyRejected, ScalarError
from zkcore.group import Element
from zkcore.randomness import Randomness, random_nonzero_scalar
from zkcore.secret.sigma import prove_batchable
from zkcore.statements import SIGNING_KEY_POSSESSION, VIEW_KEY_POSSESSION
from zkcore.suite import Suite
from zkcore.transcript import EXTRA, LABEL_DERIVE, DuplexSponge, decode_uint, derive_session_id, field_width, frame


def derive_bytes(purpose: bytes, secret: bytes, size: int, index: int = 0) -> bytes:
    """`size` bytes from a secret of at least 16 bytes, for one purpose and index (SHAKE128 under our derivation label)."""
    if len(secret) < 16:
        raise ScalarError("keys are derived from at least 16 secret bytes")
    sponge = DuplexSponge(derive_session_id(LABEL_DERIVE))
    sponge.absorb(frame([purpose, secret, index.to_bytes(4, "little")]))
    return sponge.squeeze(size)


def _derive_scalar(suite: Suite, purpose: bytes, secret: bytes) -> int:
    order = suite.group.order
    return decode_uint(derive_bytes(purpose, secret, field_width(order) + EXTRA), order)


@dataclass(frozen=True, repr=False)
class ViewSecret:
    """The scalar s of a view key, in [1, order)."""

    scalar: int

    @classmethod
    def generate(cls, suite: Suite, randomness: Randomness) -> ViewSecret:
        return cls(random_nonzero_scalar(randomness, suite.group))

    @classmethod
    def derive(cls, suite: Suite, seed: bytes) -> ViewSecret:
        """The view key of a seed: the same seed gives the same key on every machine."""
        return cls(_nonzero(suite, _derive_scalar(suite, b"view-key", seed)))

    def public(self, suite: Suite) -> Element:
        """P = s^-1 * H."""
        return suite.group.mul(pow(_nonzero(suite, self.scalar), -1, suite.group.order), suite.H)

    def blinded(self, suite: Suite, blinding: int) -> ViewSecret:
        """s' = s*t, the key of one document whose public key is t^-1 * P."""
        return ViewSecret(self.scalar * _nonzero(suite, blinding) % suite.group.order)

    def prove_possession(
        self,
        suite: Suite,
        origin: str,
        holder: str,
        seal_key: bytes,
        randomness: Randomness,
        request_key: bytes | None = None,
    ) -> bytes:
        """65 bytes, bound to the log, to the holder's name and to the public key that is sealed to for this holder; with a
        request key, the other proof, which names it."""
        instance = VIEW_KEY_POSSESSION.instance(suite, {"P": self.public(suite)})
        tag = ledger.possession_context(origin, VIEW_KEY_POSSESSION, holder, seal_key, request_key).tag(suite)
        return prove_batchable(tag, instance, VIEW_KEY_POSSESSION.witness(s=self.scalar), randomness)

    def __repr__(self) -> str:
        return "ViewSecret(32 bytes, hidden)"


@dataclass(frozen=True, repr=False)
class SigningSecret:
    """The scalar k of a signing key, in [1, order)."""

    scalar: int

    @classmethod
    def generate(cls, suite: Suite, randomness: Randomness) -> SigningSecret:
        return cls(random_nonzero_scalar(randomness, suite.group))

    def public(self, suite: Suite) -> Element:
        """K = k * G."""
        return suite.group.mul(_nonzero(suite, self.scalar), suite.G)

    def shifted(self, suite: Suite, shift: int) -> SigningSecret:
        """k + t, the key of one draw whose public key is K + t*G: only the bank can use it, nobody can tell whose it is."""
        return SigningSecret(_nonzero(suite, self.scalar + shift))

    def prove_possession(
        self,
        suite: Suite,
        origin: str,
        holder: str,
        seal_key: bytes,
        randomness: Randomness,
        request_key: bytes | None = None,
    ) -> bytes:
        """65 bytes, bound to the log, to the holder's name and to the public key that is sealed to for this holder; with a
        request key, the other proof, which names it."""
        instance = SIGNING_KEY_POSSESSION.instance(suite, {"K": self.public(suite)})
        tag = ledger.possession_context(origin, SIGNING_KEY_POSSESSION, holder, seal_key, request_key).tag(suite)
        return prove_batchable(tag, instance, SIGNING_KEY_POSSESSION.witness(k=self.scalar), randomness)

    def __repr__(self) -> str:
        return "SigningSecret(32 bytes, hidden)"


def _nonzero(suite: Suite, scalar: int) -> int:
    """The scalar, reduced. Raises ScalarError for a multiple of the order, which has no inverse and gives the identity."""
    reduced = scalar % suite.group.order
    if reduced == 0:
        raise ScalarError("a key or blinding of zero is not one; draw another")
    return reduced


def blind_view_key(suite: Suite, public: Element, blinding: int) -> Element:
    """t^-1 * P: the owner's key for one document, which nobody can link to P without t. Raises KeyRejected for the identity."""
    if public.is_identity:
        raise KeyRejected("the identity is not a view key")
    return suite.group.mul(pow(_nonzero(suite, blinding), -1, suite.group.order), public)


def shift_signing_key(suite: Suite, public: Element, shift: int) -> Element:
    """K + t*G: a fresh key for one draw of the holder of K. Raises KeyRejected when the result is the identity."""
    shifted = public + suite.group.mul(shift, suite.G)
    if public.is_identity or shifted.is_identity:
        raise KeyRejected("the identity is not a signing key")
    return shifted


def document_id(mailbox: bytes, index: int) -> bytes:
    """The id of an owner's index-th document: 32 bytes from the secret that attester and owner share.

    It is random to everybody else; the owner finds its documents again from its seed alone, by asking for one id after another.
    """
    return derive_bytes(b"document-id", mailbox, 32, index)
