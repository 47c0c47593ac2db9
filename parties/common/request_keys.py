"""The key with which an institution signs its requests to the service, and how it signs them (RFC 9421, Ed25519).

Nothing here is about amounts, and nothing reaches the secrets that are: whoever only sends requests needs no more than this.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner
from http_message_signatures.algorithms import ED25519
from http_message_signatures.resolvers import HTTPSignatureKeyResolver
from nacl.signing import SigningKey

from schemas.identities import Identity
from schemas.signatures import LABEL, LIFE, covered_components, signature_tag
from schemas.wire import encode_base64url
from zkcore.randomness import Randomness

_NONCE_SIZE = 16


class RequestSecret:
    """An Ed25519 secret key. It does not print."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._key = SigningKey(seed)

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return bytes(self._key.verify_key)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message).signature

    def private_key(self) -> Ed25519PrivateKey:
        """The same key as the signing library takes it."""
        return Ed25519PrivateKey.from_private_bytes(self._seed)

    def __repr__(self) -> str:
        return "RequestSecret(32 bytes, hidden)"


@dataclass(frozen=True, repr=False)
class Requester:
    """Who signs requests, and for which log."""

    secret: RequestSecret
    origin: str


def sign_identity(identity: Identity, request: RequestSecret) -> Identity:
    """The identity with its request key's signature over the rest of it."""
    if identity.request_key is None:
        raise ValueError("an identity without a request key")
    signed = identity.request_key.model_copy(update={"signature": request.sign(identity.request_bytes())})
    return identity.model_copy(update={"request_key": signed})


# --- signing requests -----------------------------------------------------------------------------------------------------


class _OneKey(HTTPSignatureKeyResolver):
    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:
        return self._key


@dataclass
class _Signed:
    """A request as the library sees it."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


class RequestSigner(httpx.Auth):
    """Signs every request that it is given to, anew for every attempt: a signature is good once, and for five minutes.

    clock: unix seconds
    """

    requires_request_body = True

    def __init__(self, who: Requester, clock: Callable[[], int], randomness: Randomness) -> None:
        secret = who.secret
        self._keyid, self._tag = encode_base64url(secret.public), signature_tag(who.origin)
        self._clock, self._randomness = clock, randomness
        self._signer = HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_OneKey(secret.private_key()))

    def __repr__(self) -> str:
        return "RequestSigner(hidden)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        created = self._clock()
        names = [name for name in ("content-type", "idempotency-key") if name in request.headers]
        message = _Signed(request.method, str(request.url), {name: request.headers[name] for name in names})
        self._signer.sign(
            message,
            key_id=self._keyid,
            created=datetime.fromtimestamp(created, UTC),
            expires=datetime.fromtimestamp(created + LIFE, UTC),
            nonce=encode_base64url(self._randomness.read(_NONCE_SIZE)),
            label=LABEL,
            tag=self._tag,
            covered_component_ids=covered_components(names, query=bool(request.url.query)),
            body=request.content,
        )
        for name in ("Content-Digest", "Signature-Input", "Signature"):
            request.headers[name] = message.headers[name]
        yield request
