"""Public identities of the parties, as files that they hand to each other: keys with proofs of possession, no secrets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.canonical import canonical
from schemas.request_keys import IDENTITY_LABEL, verify_signature
from schemas.wire import Holder, Message, Origin, Point, Proof, RequestPublicKey, RequestSignature, SealKey
from zkcore.errors import KeyRejected
from zkcore.ledger import signing_key_claim, view_key_claim
from zkcore.suite import Suite
from zkcore.transcript import frame
from zkcore.verifying.batch import verify

Role = Literal["attester", "bank", "enterprise", "regulator"]
VIEW_KEY_ROLES = ("enterprise", "regulator")
REQUESTING_ROLES = ("attester", "bank", "regulator")
"""Roles of institutions. An enterprise has no account and signs no requests: it proves what it knows, request by request."""


class RequestKey(Message):
    """The Ed25519 key with which an institution signs its requests, bound to its identity in both directions.

    `proof` is by the identity's own key and names this one, so that nobody can put another into somebody's identity;
    `signature` is by this key over the rest of the identity, so that nobody can claim a key that is another's.
    """

    key: RequestPublicKey
    proof: Proof
    signature: RequestSignature


class Identity(Message):
    """Who a party is to the others. `key` is a view key (enterprise, regulator) or a signing key (attester, bank).

    `holder` is the identifier that the proof of possession is bound to (a USCC, a bank code, "customs", "regulator");
    `name` is what people read. `seal_key` is where memos and files for this party are sealed to. `request_key` is null for an
    enterprise.
    """

    tradeveil: Literal["identity"] = "identity"
    role: Role
    holder: Holder
    name: str = Field(min_length=1, max_length=100)
    origin: Origin
    key: Point
    seal_key: SealKey
    proof: Proof
    request_key: RequestKey | None

    @model_validator(mode="after")
    def _printable(self) -> Identity:
        if not self.name.isprintable():
            raise ValueError("a name is printable text")
        return self

    def request_bytes(self) -> bytes:
        """What the request key signs: everything here but its own signature."""
        if self.request_key is None:
            raise ValueError("an identity without a request key")
        named = self.request_key.model_copy(update={"signature": bytes(64)})
        return frame([IDENTITY_LABEL, canonical(self.model_copy(update={"request_key": named}))])

    def check(self, suite: Suite) -> None:
        """Raises PointError for a bad key, BatchRejected for a false proof of possession, KeyRejected for an institution
        without a request key, an enterprise with one, and a request key that did not sign."""
        claim = view_key_claim if self.role in VIEW_KEY_ROLES else signing_key_claim
        key, label, request = suite.group.decode(self.key), self.holder, self.request_key
        claims = [claim(suite, self.origin, self.holder, self.seal_key, key, self.proof, label)]
        if request is not None:
            claims.append(claim(suite, self.origin, self.holder, self.seal_key, key, request.proof, label, request.key))
        verify(suite, claims)
        if (request is not None) != (self.role in REQUESTING_ROLES):
            raise KeyRejected("an institution has a request key, and an enterprise has none")
        if request is not None:
            verify_signature(request.key, self.request_bytes(), request.signature)
