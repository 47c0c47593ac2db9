"""How requests of institutions are signed: HTTP message signatures (RFC 9421) with Ed25519 over Content-Digest (RFC 9530).

A signature covers the method, the path, the query where there is one, the digest of the body, and Content-Type and
Idempotency-Key where they stand; its parameters are created, expires, nonce, keyid (the public key as base64url), alg and tag.
The tag binds protocol version and log: a request for one log is nothing at another.
"""

from __future__ import annotations

from collections.abc import Iterable

from zkcore import PROTOCOL_VERSION

LABEL = "tradeveil"
"""The one label under which a signature stands."""
ALGORITHM = "ed25519"
LIFE = 300
"""Seconds from `created` to `expires` at most, and by which `created` may differ from the service's clock."""
PARAMETERS = frozenset({"created", "expires", "nonce", "keyid", "alg", "tag"})
OPTIONAL_FIELDS = ("content-type", "idempotency-key")
"""Header fields that are covered where they stand."""


def signature_tag(origin: str) -> str:
    """The tag of signatures for one log."""
    return f"tradeveil-v{PROTOCOL_VERSION}:{origin}"


def covered_components(fields: Iterable[str], *, query: bool) -> list[str]:
    """What a signature must cover, given which of OPTIONAL_FIELDS stand and whether there is a query."""
    present = [name for name in OPTIONAL_FIELDS if name in set(fields)]
    return ["@method", "@path", *(["@query"] if query else []), "content-digest", *present]
