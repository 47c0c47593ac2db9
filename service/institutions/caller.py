"""Who called, as the routes ask for it: one line in a route's signature, `caller: Bank`, and whoever is none is refused.

A caller is authenticated once a request, by its signature, before anything else of the request is looked at: a key that is
registered, active and not revoked; a nonce that was not seen (RFC 9421, section 7.2.2); a place in the minute's limit, its own
and everybody's above it. Without a good signature it is 401, with a key or in a role that may not call 403, over the limit 429.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBase as HTTPBaseModel
from fastapi.security.base import SecurityBase

from service.institutions.desk import Arrival
from service.institutions.registry import Caller, Role
from service.institutions.signatures import SignedRequest
from service.problems import not_permitted

if TYPE_CHECKING:
    from service.verifier import Verifier


class RequestSignature(SecurityBase):
    """How a request is signed, as the OpenAPI description tells of it, and who signed it: an institution in one of these roles;
    without any, in whatever role."""

    def __init__(self, *roles: Role) -> None:
        self._roles = roles
        self.model = HTTPBaseModel(
            scheme="signature",
            description="HTTP message signature (RFC 9421) with a registered Ed25519 key, labelled `tradeveil`, over @method, "
            "@path, @query where there is one, content-digest (RFC 9530, sha-256 or sha-512), content-type and idempotency-key "
            "where present; parameters created, expires (at most 300 s later), nonce (22 characters A-Z a-z 0-9 - _), keyid "
            '(the public key as base64url), alg="ed25519", tag="tradeveil-v1:ORIGIN". One signature, good once.',
        )
        self.scheme_name = "RequestSignature"

    async def caller(self, request: Request) -> Caller:
        """Who signed this request, all of which was read. Raises Refusal."""
        return await self._admitted(request, await request.body())

    async def caller_of_head(self, request: Request) -> Caller:
        """Who signed this request, whose body is still to be read, and checked against its Content-Digest. Raises Refusal."""
        return await self._admitted(request, None)

    async def _admitted(self, request: Request, body: bytes | None) -> Caller:
        verifier: Verifier = request.app.state.verifier
        signed = SignedRequest.of(request, body)
        arrival = Arrival(signed, verifier.parameters.origin, verifier.clock())
        caller = await asyncio.wrap_future(verifier.institutions.authenticate(arrival))
        if self._roles and caller.role not in self._roles:
            raise not_permitted(f"this is for institutions in the role {' or '.join(self._roles)}")
        return caller


class _Caller(RequestSignature):
    """The caller, and nothing else of the request."""

    async def __call__(self, request: Request) -> Caller:
        return await self.caller(request)


Attester = Annotated[Caller, Depends(_Caller("attester"))]
Bank = Annotated[Caller, Depends(_Caller("bank"))]
Evaluator = Annotated[Caller, Depends(_Caller("bank", "attester"))]
"""Banks check papers, attesters publish them."""
