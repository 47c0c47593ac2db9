"""Signed requests: what a signature must be (schemas.signatures), checked to the letter and closed on every doubt.

Libraries parse the structured fields and verify Ed25519. What lies between is done here, for the little of RFC 9421 that is
allowed: that exactly one signature is meant, that everything is covered that must be and stands once, that all parameters are
there and are ours, the times by the service's own clock, the tag, the digest, and the bytes that were signed. Whether the key
is registered and the nonce unused is the registry's to say.

RFC 9421: covered components in sections 2.1 and 2.2, parameters in section 2.3, the signature base in section 2.5, verification
and what an application demands besides in sections 3.2 and 3.2.1, Ed25519 in section 3.3.6, replay in section 7.2.2. RFC 9530,
section 2: Content-Digest. RFC 8032, section 5.1: Ed25519 itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import http_sf
from fastapi import Request

from schemas import problems
from schemas.problems import FieldProblem
from schemas.request_keys import verify_signature
from schemas.signatures import ALGORITHM, LABEL, LIFE, OPTIONAL_FIELDS, PARAMETERS, covered_components, signature_tag
from schemas.wire import decode_base64url
from service.problems import Refusal
from zkcore.errors import KeyRejected

_ONCE = frozenset({"signature", "signature-input", "content-digest", *OPTIONAL_FIELDS})
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_KEYID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_DIGESTS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_LONGEST_FIELD = 2_048
"""Characters of a Signature or Signature-Input field: some four times what ours are."""


def invalid(where: str, what: str) -> Refusal:
    """The signature is not good; `where` is a header field and `what` says what to mend."""
    fields = [FieldProblem(path=f"/header/{where}", detail=what)]
    return Refusal(problems.SIGNATURE_INVALID, fields=fields, headers={"WWW-Authenticate": "Signature"})


@dataclass(frozen=True, repr=False)
class SignedRequest:
    """A request as it came over the wire.

    fields: names in small letters, and values, in order, doubled ones as they are
    body: None where it is still to come; whoever reads it checks that it is what was signed, by ContentDigest
    """

    method: str
    path: str
    query: str
    fields: Sequence[tuple[str, str]]
    body: bytes | None

    @classmethod
    def of(cls, request: Request, body: bytes | None) -> SignedRequest:
        """The path as it was sent, with its escapes (RFC 9421, 2.2.6); not host and scheme, since a proxy may change them."""
        scope = request.scope
        path = (scope.get("raw_path") or scope["path"].encode("utf-8")).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        fields = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        return cls(request.method, path, query, fields, body)

    def component(self, name: str) -> str:
        """The value of a component (RFC 9421, sections 2.1 and 2.2). Raises Refusal for one that cannot be covered here."""
        match name:
            case "@method":
                return self.method
            case "@path":
                return self.path
            case "@query":
                return f"?{self.query}"
        values = [value.strip(" \t") for field, value in self.fields if field == name]
        if not values:
            raise invalid("signature-input", "covers a component that this request does not have, or that a proxy may change")
        return ", ".join(values)


@dataclass(frozen=True, repr=False)
class Signature:
    """A signature whose form and times are right, and which is still to be verified.

    key: 32 bytes, whose it says it is
    base: what was signed (RFC 9421, section 2.5)
    value: 64 bytes
    """

    key: bytes
    created: int
    nonce: str
    base: bytes
    value: bytes

    @property
    def nonce_digest(self) -> bytes:
        """By which the nonce is remembered: of the key and the nonce, 32 bytes."""
        return hashlib.sha256(self.key + self.nonce.encode("ascii")).digest()

    def verify(self) -> None:
        """Raises Refusal (signature-invalid) unless the key signed this very request (RFC 9421, section 3.2)."""
        try:
            verify_signature(self.key, self.base, self.value)
        except KeyRejected as error:
            text = "the signature does not verify under its key; sign method, path, digest and fields exactly as they are sent"
            raise invalid("signature", text) from error


def read_signature(request: SignedRequest, origin: str, now: int) -> Signature:
    """The one signature of a request, all of it checked but key, nonce and the signature itself. Raises Refusal.

    origin: the log's name, which the tag must end with; now: unix seconds by the service's clock
    """
    names = [name for name, _ in request.fields]
    for name in _ONCE & set(names):
        if names.count(name) > 1:
            raise invalid(name, "this field stands twice; send it once")
    values = dict(request.fields)
    for name in ("signature-input", "signature", "content-digest"):
        if name not in values:
            raise invalid(name, "this request must be signed by your institution (RFC 9421), and this field is missing")
        if len(values[name]) > _LONGEST_FIELD:
            raise invalid(name, "this field is far longer than a signature of one request")
    member, covered, parameters = _input(values["signature-input"])
    _check_covered(covered, names, bool(request.query))
    key = _check_parameters(parameters, origin, now)
    digest = ContentDigest(values["content-digest"])
    if request.body is not None:
        digest.update(request.body)
        digest.check()
    base = _base(request, covered, member)
    return Signature(key, parameters["created"], parameters["nonce"], base, _value(values["signature"]))


def _dictionary(name: str, field: str) -> dict[str, Any]:
    """A structured field (RFC 9651, section 3.2) in which no key stands twice. Raises Refusal."""

    def refuse(key: str, context: str) -> None:
        raise ValueError("a key stands twice")

    try:
        found = http_sf.parse(field.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse)
    except ValueError as error:
        raise invalid(name, "this is not a structured field as RFC 9421 has it") from error
    return cast("dict[str, Any]", found)


def _of_label(name: str, field: str) -> tuple[Any, dict[str, Any]]:
    """The value and the parameters of the one member that there may be. Raises Refusal."""
    found = _dictionary(name, field)
    if list(found) != [LABEL]:
        raise invalid(name, f'one signature, labelled "{LABEL}"')
    value, parameters = found[LABEL]
    return value, parameters


def _input(field: str) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """Of Signature-Input: the member in its one serialisation, which is signed too; the covered components, none of which has
    parameters of its own; the parameters."""
    items, parameters = _of_label("signature-input", field)
    if not isinstance(items, list):
        raise invalid("signature-input", "a list of the covered components in brackets")
    if not all(type(name) is str and not own for name, own in items):
        raise invalid("signature-input", "covered components are strings without parameters")
    return http_sf.ser({LABEL: (items, parameters)}).removeprefix(f"{LABEL}="), tuple(name for name, _ in items), parameters


def _value(field: str) -> bytes:
    """Of Signature: the bytes."""
    value, parameters = _of_label("signature", field)
    if not isinstance(value, bytes) or parameters:
        raise invalid("signature", "64 bytes between colons, as base64")
    return value


def _base(request: SignedRequest, covered: Sequence[str], member: str) -> bytes:
    """What was signed (RFC 9421, section 2.5): a line for each component, and one for the parameters.

    A value that could hold the end of its line would let one signature stand for two requests: none is signed.
    """
    lines = []
    for name in covered:
        value = request.component(name)
        if not (value.isascii() and value.isprintable()):
            raise invalid("signature-input", "covers a component whose value is not printable ASCII")
        lines.append(f'"{name}": {value}')
    return "\n".join([*lines, f'"@signature-params": {member}']).encode("ascii")


class ContentDigest:
    """Content-Digest (RFC 9530, section 2), and the body that comes piece by piece.

    Raises Refusal (signature-invalid) for a field without a digest that we know.
    """

    def __init__(self, field: str) -> None:
        known = {name: item for name, item in _dictionary("content-digest", field).items() if name in _DIGESTS}
        self._digests = [(_DIGESTS[name](), value) for name, (value, _) in known.items()]
        if not self._digests or not all(isinstance(value, bytes) for _, value in self._digests):
            raise self._refused()

    def update(self, piece: bytes) -> None:
        """The next bytes of the body."""
        for digest, _ in self._digests:
            digest.update(piece)

    def check(self) -> None:
        """All of the body was given. Raises Refusal (signature-invalid) unless each digest that we know is of it."""
        if not all(hmac.compare_digest(digest.digest(), value) for digest, value in self._digests):
            raise self._refused()

    def _refused(self) -> Refusal:
        return invalid("content-digest", "Content-Digest is not the digest (sha-256 or sha-512) of the body that came with it")


def _check_covered(covered: Sequence[str], fields: Sequence[str], query: bool) -> None:
    if len(set(covered)) != len(covered):
        raise invalid("signature-input", "a covered component stands twice")
    missing = [name for name in covered_components(fields, query=query) if name not in covered]
    if missing:
        raise invalid("signature-input", f"the signature does not cover {', '.join(missing)}")


def _check_parameters(given: Mapping[str, Any], origin: str, now: int) -> bytes:
    """All of them are there and ours. The key that signed, as they name it (32 bytes). Raises Refusal."""
    if set(given) != PARAMETERS:
        raise invalid("signature-input", f"the parameters are exactly: {', '.join(sorted(PARAMETERS))}")
    created, expires, tag = given["created"], given["expires"], signature_tag(origin)
    if type(created) is not int or type(expires) is not int:
        raise invalid("signature-input", "created and expires are whole seconds since 1970")
    if not all(type(given[name]) is str for name in ("nonce", "keyid", "alg", "tag")):
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
        return decode_base64url(given["keyid"])
    except ValueError as error:
        raise invalid("signature-input", "keyid is the public key, 32 bytes as base64url without padding") from error
