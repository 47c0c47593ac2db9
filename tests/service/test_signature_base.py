"""The bytes that a request's signature is over, against a library that makes them by its own code.

Must hold: whatever request of ours http-message-signatures signs is accepted, with further fields covered or not, and the same
request with any single thing of what is covered changed is not. A failure would be an honest bank that is turned away because
of an unusual path or field, or two requests for which one signature is good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from http_message_signatures import HTTPMessageSigner
from http_message_signatures.algorithms import ED25519
from hypothesis import assume, given
from hypothesis import strategies as st

from parties.common.request_keys import RequestSecret, _OneKey
from schemas.signatures import LABEL, LIFE, covered_components, signature_tag
from schemas.wire import encode_base64url
from service.institutions.signatures import SignedRequest, read_signature
from service.problems import Refusal
from tests.builders import NOW, ORIGIN

SECRET = RequestSecret(b"k" * 32)
NONCE = "n" * 22


class Fields:
    """Header fields in order, doubled ones too, as the library walks and adds to them."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self.all = list(fields)

    def items(self) -> list[tuple[str, str]]:
        return list(self.all)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.all)

    def __setitem__(self, name: str, value: str) -> None:
        self.all.append((name.lower(), value))


@dataclass
class Message:
    """A request as the library takes it."""

    method: str
    url: str
    headers: Fields


_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
_VALUES = st.lists(_TEXT, min_size=1, max_size=3).map(" ".join)
_SEGMENTS = st.text("abcXYZ019-._~!$&'()*+,;=:@", min_size=1, max_size=8) | st.sampled_from(["%20", "%2F", "a%C3%A9", "%7e"])
_EXTRA = st.lists(st.tuples(st.sampled_from(["x-one", "x-two", "date", "accept"]), _VALUES), max_size=4)


@st.composite
def signed(draw: st.DrawFn) -> tuple[SignedRequest, Sequence[str]]:
    """A request, and what its signature covers."""
    method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"]))
    path = "/" + "/".join(draw(st.lists(_SEGMENTS, min_size=1, max_size=4)))
    query = draw(st.sampled_from(["", "from=0", "a=%20&b=c", "x", "a=b&a=c"]))
    fields = Fields(draw(_EXTRA))
    for name, value in (("content-type", "application/json"), ("idempotency-key", "k" * 20)):
        if draw(st.booleans()):
            fields.all.append((name, value))
    body = draw(st.binary(max_size=40))
    names = list(fields)
    further = draw(st.lists(st.sampled_from([*dict.fromkeys(names), "@query"]), unique=True))
    covered = list(dict.fromkeys([*covered_components(names, query=bool(query)), *further]))
    message = Message(method, f"https://service{path}" + (f"?{query}" if query else ""), fields)
    HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_OneKey(SECRET.private_key())).sign(
        message,
        key_id=encode_base64url(SECRET.public),
        created=datetime.fromtimestamp(NOW, UTC),
        expires=datetime.fromtimestamp(NOW + LIFE, UTC),
        nonce=NONCE,
        label=LABEL,
        tag=signature_tag(ORIGIN),
        covered_component_ids=draw(st.permutations(covered)),
        body=body,
    )
    return SignedRequest(method, path, query, fields.all, body), covered


def check(request: SignedRequest) -> None:
    """Raises Refusal unless all of it is good."""
    signature = read_signature(request, ORIGIN, NOW)
    signature.verify()
    assert (signature.key, signature.nonce, signature.created) == (SECRET.public, NONCE, NOW)


@given(signed())
def test_what_the_library_signs_is_accepted(case: tuple[SignedRequest, Sequence[str]]) -> None:
    check(case[0])


def _changed(request: SignedRequest, name: str) -> SignedRequest:
    """The same with another value of one component."""
    match name:
        case "@method":
            return replace(request, method="PATCH")
        case "@path":
            return replace(request, path=request.path + "x")
        case "@query":
            return replace(request, query=request.query + "x")
        case "content-digest":
            return replace(request, body=request.body + b"x")
    place = max(i for i, (field, _) in enumerate(request.fields) if field == name)
    fields = list(request.fields)
    fields[place] = (name, fields[place][1] + "x")
    return replace(request, fields=fields)


@given(signed(), st.data())
def test_every_covered_component_counts(case: tuple[SignedRequest, Sequence[str]], data: st.DataObject) -> None:
    request, covered = case
    with pytest.raises(Refusal):
        check(_changed(request, data.draw(st.sampled_from(covered))))


@given(signed(), st.data())
def test_a_covered_field_cannot_be_taken_away_nor_doubled(
    case: tuple[SignedRequest, Sequence[str]], data: st.DataObject
) -> None:
    request, covered = case
    names = [name for name in covered if not name.startswith("@")]
    name = data.draw(st.sampled_from(names))
    without = [field for field in request.fields if field[0] != name]
    doubled = [*request.fields, (name, "more")]
    for fields in (without, doubled):
        with pytest.raises(Refusal):
            check(replace(request, fields=fields))


@pytest.mark.parametrize("value", ["a\nb", "a\r\nb", "a\x00b", "é", "a\tb"])
def test_a_value_that_could_be_read_in_two_ways_is_not_signed(value: str) -> None:
    """An end of line within a value would let one signature stand for two requests."""
    fields = [("x-one", value), ("content-digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")]
    member = (
        '("@method" "@path" "content-digest" "x-one")'
        f';created={NOW};keyid="{encode_base64url(SECRET.public)}";alg="ed25519";expires={NOW + LIFE}'
        f';nonce="{NONCE}";tag="{signature_tag(ORIGIN)}"'
    )
    fields += [("signature-input", f"{LABEL}={member}"), ("signature", f"{LABEL}=:{'A' * 86}==:")]
    with pytest.raises(Refusal) as refusal:
        read_signature(SignedRequest("POST", "/", "", fields, b""), ORIGIN, NOW)
    assert "printable" in refusal.value.fields[0].detail


@given(signed(), st.integers(0, 511))
def test_every_bit_of_the_signature_counts(case: tuple[SignedRequest, Sequence[str]], bit: int) -> None:
    request, _ = case
    signature = read_signature(request, ORIGIN, NOW)
    flipped = bytearray(signature.value)
    flipped[bit // 8] ^= 1 << bit % 8
    assume(bytes(flipped) != signature.value)
    with pytest.raises(Refusal):
        replace(signature, value=bytes(flipped)).verify()
