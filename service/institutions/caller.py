"""Who called, as the routes ask for it: one line in a route's signature, `caller: Bank`, and whoever is none is refused.

A caller is authenticated once a request, by its signature, before anything else of the request is looked at: a key that is
registered, active and not revoked; a nonce that was not seen (RFC 9421, section 7.2.2); a place in the minute's limit, its own
and everybody's above it. Without a good signature it is 401, with a key or in a role that may not call 403, over the limit 429.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBase as HTTPBaseModel
from fastapi.security.base import SecurityBase

from schemas.signatures import LIFE
from service.institutions.counting import REQUESTS
from service.institutions.registry import Caller, Role
from service.institutions.signatures import SignedRequest, read_signature
from service.problems import not_permitted

if TYPE_CHECKING:
    from service.verifier import Verifier

_NONCE_MARGIN = 2 * LIFE
"""Seconds that a nonce is kept beyond its signature's end, since clocks of several processes may differ."""


class _Scheme(SecurityBase):
    """How a request is signed, as the OpenAPI description tells of it, and who signed it."""

    def __init__(self) -> None:
        self.model = HTTPBaseModel(
            scheme="signature",
            description="HTTP message signature (RFC 9421) with a registered Ed25519 key, labelled `tradeveil`, over @method, "
            "@path, @query where there is one, content-digest (RFC 9530, sha-256 or sha-512), content-type and idempotency-key "
            "where present; parameters created, expires (at most 300 s later), nonce (22 characters A-Z a-z 0-9 - _), keyid "
            '(the public key as base64url), alg="ed25519", tag="tradeveil-v1:ORIGIN". One signature, good once.',
        )
        self.scheme_name = "RequestSignature"

    async def __call__(self, request: Request) -> Caller:
        body = await request.body()
        verifier: Verifier = request.app.state.verifier
        return await to_thread.run_sync(authenticate, verifier, SignedRequest.of(request, body))


def authenticate(verifier: Verifier, request: SignedRequest) -> Caller:
    """The caller, whose request is now counted and cannot come again. Raises Refusal."""
    institutions, now = verifier.institutions, verifier.clock()
    signature = read_signature(request, verifier.parameters.origin, now)
    signature.verify()
    return institutions.admit(signature.key, signature.nonce_digest, signature.created + _NONCE_MARGIN, REQUESTS, now)


Signed = Annotated[Caller, Depends(_Scheme())]
"""Whoever signed the request, in whatever role."""


def calls(*roles: Role) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency: the caller, who must have one of these roles."""

    # Asynchronous, though it waits for nothing: others are run in a thread each.
    async def permitted(caller: Signed) -> Caller:
        if caller.role not in roles:
            raise not_permitted(f"this is for institutions in the role {' or '.join(roles)}")
        return caller

    return permitted


Attester = Annotated[Caller, Depends(calls("attester"))]
Bank = Annotated[Caller, Depends(calls("bank"))]
Regulator = Annotated[Caller, Depends(calls("regulator"))]
