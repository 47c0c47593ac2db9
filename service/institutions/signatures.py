"""Signed requests: what a signature must be (schemas.signatures), checked to the letter and closed on every doubt.

The library parses the fields, builds the signature base and verifies the signature and the digest. What it leaves to its caller
is done here: that exactly one signature is meant, that everything is covered that must be and stands once, that all parameters
are there and are ours, the times by the service's own clock, and the tag. Whether the key is registered and the nonce unused is
the registry's to say.

RFC 9421: covered components in sections 2.1 and 2.2, parameters in section 2.3, the signature base in section 2.5, verification
and what an application demands besides in sections 3.2 and 3.2.1, Ed25519 in section 3.3.6, replay in section 7.2.2. RFC 9530,
section 2: Content-Digest. RFC 8032, section 5.1: Ed25519 itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature as NotVerified
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import Request
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, VerifyResult
from http_message_signatures.algorithms import ED25519
from http_message_signatures.exceptions import HTTPMessageSignaturesException
from http_sf.compat import InnerList

from schemas import problems
from schemas.problems import FieldProblem
from schemas.signatures import ALGORITHM, LABEL, LIFE, OPTIONAL_FIELDS, PARAMETERS, covered_components, signature_tag
from schemas.wire import decode_base64url
from service.problems import Refusal

_ONCE = frozenset({"signature", "signature-input", "content-digest", *OPTIONAL_FIELDS})
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_KEYID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_LONGEST_FIELD = 2_048
"""Characters of a Signature or Signature-Input field: some four times what ours are."""


def invalid(where: str, what: str) -> Refusal:
    """The signature is not good; `where` is a header field and `what` says what to mend."""
    fields = [FieldProblem(path=f"/header/{where}", detail=what)]
    return Refusal(problems.SIGNATURE_INVALID, fields=fields, headers={"WWW-Authenticate": "Signature"})


class _Headers:
    """Header fields in order, doubled ones as they are, as the library wants to walk them."""

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._fields = list(fields)

    def items(self) -> list[tuple[str, str]]:
        return self._fields


@dataclass(frozen=True, repr=False)
class SignedRequest:
    """A request as it came over the wire: what the library reads, and the body."""

    method: str
    url: str
    query: bool
    headers: _Headers
    body: bytes

    @classmethod
    def of(cls, request: Request, body: bytes) -> SignedRequest:
        """The path as it was sent, with its escapes (RFC 9421, 2.2.6); not host and scheme, since a proxy may change them."""
        scope = request.scope
        path = (scope.get("raw_path") or scope["path"].encode("utf-8")).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        return cls(
            request.method, f"https://service{path}" + (f"?{query}" if query else ""), bool(query), _Headers(fields), body
        )


class _NoKey(HTTPSignatureKeyResolver):
    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        return self._key


class _Verifier(HTTPMessageVerifier):
    """The library's verifier with the times left to us: it would ask the machine's clock, and we have one."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        return None


@dataclass(frozen=True, repr=False)
class Signature:
    """A signature whose form and times are right, and which is still to be verified. `key`: 32 bytes, whose it says it is."""

    request: SignedRequest
    key: bytes
    created: int
    nonce: str
    tag: str
    covered: tuple[str, ...]

    @property
    def nonce_digest(self) -> bytes:
        """By which the nonce is remembered: of the key and the nonce, 32 bytes."""
        return hashlib.sha256(self.key + self.nonce.encode("ascii")).digest()

    def verify(self) -> None:
        """Raises Refusal (signature-invalid) unless the key signed this very request, body included (RFC 9421, section 3.2)."""
        try:
            verifier = _Verifier(signature_algorithm=ED25519, key_resolver=_NoKey(Ed25519PublicKey.from_public_bytes(self.key)))
            results = verifier.verify(
                self.request,
                max_age=None,
                expect_tag=self.tag,
                expect_label=LABEL,
                require_components=self.covered,
                body=self.request.body,
            )
        except (HTTPMessageSignaturesException, NotVerified, ValueError) as error:
            raise invalid("signature", _reason(error)) from error
        _require_ours(results)


def _require_ours(results: list[VerifyResult]) -> None:
    """One result, its body checked against a digest that it covers."""
    if len(results) != 1 or results[0].body is None:
        raise invalid("signature", "exactly one signature, over Content-Digest too")


def _reason(error: Exception) -> str:
    """What of the library's message helps, and none that could quote the request."""
    known = ("Content-Digest", "content digest", "Content digest")
    if any(word in str(error) for word in known):
        return "Content-Digest is not the digest (sha-256 or sha-512) of the body that came with it"
    return "the signature does not verify under its key; sign method, path, digest and fields exactly as they are sent"


def read_signature(request: SignedRequest, origin: str, now: int) -> Signature:
    """The one signature of a request, all of it checked but key, nonce and the signature itself. Raises Refusal.

    origin: the log's name, which the tag must end with; now: unix seconds by the service's clock
    """
    names = [name for name, _ in request.headers.items()]
    for name in _ONCE & set(names):
        if names.count(name) > 1:
            raise invalid(name, "this field stands twice; send it once")
    values = dict(request.headers.items())
    for name in ("signature-input", "signature", "content-digest"):
        if name not in values:
            raise invalid(name, "this request must be signed by your institution (RFC 9421), and this field is missing")
        if len(values[name]) > _LONGEST_FIELD:
            raise invalid(name, "this field is far longer than a signature of one request")
    parameters, covered = _parse(values["signature-input"])
    _check_covered(covered, names, request.query)
    return _check_parameters(request, parameters, covered, origin, now)


def _parse(field: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The parameters and the covered components, none of which has parameters of its own."""
    try:
        found = HTTPMessageVerifier._parse_signature_dictionary(field)
    except (HTTPMessageSignaturesException, ValueError, TypeError) as error:
        raise invalid("signature-input", "this is not a structured field as RFC 9421 has it") from error
    if list(found) != [LABEL]:
        raise invalid("signature-input", f'one signature, labelled "{LABEL}"')
    inner = found[LABEL]
    if not isinstance(inner, InnerList):
        raise invalid("signature-input", "a list of the covered components in brackets")
    items = list(inner)
    if not all(isinstance(item.value, str) and not item.params for item in items):
        raise invalid("signature-input", "covered components are strings without parameters")
    return dict(inner.params), tuple(item.value for item in items)


def _check_covered(covered: tuple[str, ...], fields: list[str], query: bool) -> None:
    if len(set(covered)) != len(covered):
        raise invalid("signature-input", "a covered component stands twice")
    missing = [name for name in covered_components(fields, query=query) if name not in covered]
    if missing:
        raise invalid("signature-input", f"the signature does not cover {', '.join(missing)}")


def _check_parameters(
    request: SignedRequest, given: dict[str, Any], covered: tuple[str, ...], origin: str, now: int
) -> Signature:
    if set(given) != PARAMETERS:
        raise invalid("signature-input", f"the parameters are exactly: {', '.join(sorted(PARAMETERS))}")
    created, expires, tag = given["created"], given["expires"], signature_tag(origin)
    if type(created) is not int or type(expires) is not int:
        raise invalid("signature-input", "created and expires are whole seconds since 1970")
    if not all(isinstance(given[name], str) for name in ("nonce", "keyid", "alg", "tag")):
        raise invalid("signature-input", "nonce, keyid, alg and tag are strings")
    if given["alg"] != ALGORITHM:
        raise invalid("signature-input", f'alg is "{ALGORITHM}"')
    if given["tag"] != tag:
        raise invalid("signature-input", f'the signature is for another log or protocol; here tag is "{tag}"')
    if abs(now - created) > LIFE:
        raise invalid(
            "signature-input", f"created is more than {LIFE} s from this service's clock; check yours, and sign again"
        )
    if not created < expires <= created + LIFE:
        raise invalid("signature-input", f"expires is after created, by at most {LIFE} s")
    if expires < now:
        raise invalid("signature-input", "the signature has expired; sign again")
    if not _NONCE.fullmatch(given["nonce"]):
        raise invalid("signature-input", "nonce is 22 characters of A-Z a-z 0-9 - _, fresh for every attempt")
    if not _KEYID.fullmatch(given["keyid"]):
        raise invalid("signature-input", "keyid is the public key, 32 bytes as base64url without padding")
    try:
        key = decode_base64url(given["keyid"])
    except ValueError as error:
        raise invalid("signature-input", "keyid is the public key, 32 bytes as base64url without padding") from error
    return Signature(request, key, created, given["nonce"], tag, covered)
