"""Whoever writes has signed, and what was signed is what is done: every write, and every way to bend a signature.

Must hold: without a signature, or with one that differs from the right one in a single respect, a request is refused with 401
(or 403 where the key or the role is not one for it), names the field to mend, and leaves nothing, not even a nonce. After
every refusal the very request that was bent is accepted when it is signed as it must be, so that no refusal is for another
reason. A failure would be a write that nobody vouched for, or the same write done twice by replaying it. That an honest request
is refused because its clock is wrong would be none.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from parties.common.request_keys import RequestSecret
from schemas import problems
from schemas.canonical import canonical
from schemas.wire import encode_base64url
from service.gathering import Failed
from service.institutions.desk import Arrival
from service.institutions.registry import Caller
from service.institutions.routes import router as institutions
from service.institutions.signatures import SignedRequest
from service.problems import Refusal
from service.routes import router
from tests.builders import NOW, ORIGIN, World, financing_request, make_draw, make_register, registration_request
from tests.service.harness import ATTESTER_KEY, BANK, BANK_KEY, JSON, TOKEN, Desk, refused, signer

PATH = "/v1/financings"
KEY = "the-key-of-one-request"


def right_way(
    desk: Desk, body: bytes, *, path: str = PATH, secret: RequestSecret = BANK_KEY, origin: str = ORIGIN, at: int | None = None
) -> httpx.Request:
    """A request as it should be, ready to be bent."""
    headers = {**JSON, "Idempotency-Key": desk.key()}
    request = desk.client.build_request("POST", path, content=body, headers=headers)
    moment = desk.now if at is None else at
    next(signer(secret, lambda: moment, origin).auth_flow(request))
    return request


def send(desk: Desk, request: httpx.Request) -> httpx.Response:
    """As it is."""
    return desk.client.send(request, auth=None)


def bent_signature(desk: Desk, request: httpx.Request) -> None:
    """Nothing is written, not even that there was a request, and the problem says where."""
    before = desk.dump()
    problem = refused(send(desk, request), problems.SIGNATURE_INVALID)
    assert problem.fields
    assert all(field.path.startswith("/header/") for field in problem.fields)
    assert desk.dump() == before


@pytest.fixture
def body(desk: Desk, world: World) -> bytes:
    """A financing that is accepted."""
    return canonical(financing_request([make_draw(world, desk.register(500)[0], 5)]))


def accepted_after_all(desk: Desk, body: bytes) -> None:
    assert send(desk, right_way(desk, body)).status_code == 201


def test_the_right_way(desk: Desk, body: bytes) -> None:
    request = right_way(desk, body)
    covered = request.headers["Signature-Input"]
    assert covered.startswith('tradeveil=("@method" "@path" "content-digest" "content-type" "idempotency-key");')
    assert send(desk, request).status_code == 201


# --- nothing unauthenticated ----------------------------------------------------------------------------------------------

_ID = "A" * 43


def writes() -> list[str]:
    """The path of every operation that answers 201: whatever is added later is in it."""
    found = [route for route in (*router.routes, *institutions.routes) if isinstance(route, APIRoute)]
    return [route.path.replace("{id}", _ID) for route in found if route.status_code == 201]


def test_all_writes_are_known() -> None:
    assert len(writes()) == 8


@pytest.mark.parametrize("path", writes())
@pytest.mark.parametrize("body", [b"{}", b"", b"not json", b"[1]"])
def test_no_write_without_a_signature(desk: Desk, path: str, body: bytes) -> None:
    before = desk.dump()
    for headers in (
        {},
        {"Authorization": f"Bearer {TOKEN}"},
        {"Signature": "tradeveil=:AAAA:"},
        {"Signature-Input": "tradeveil=()"},
    ):
        sent = {**JSON, "Idempotency-Key": KEY, **headers}
        refused(desk.client.post(path, content=body, headers=sent, auth=None), problems.SIGNATURE_INVALID)
    assert desk.dump() == before


@pytest.mark.parametrize("path", writes())
def test_no_write_with_a_key_that_nobody_registered(desk: Desk, path: str) -> None:
    before = desk.dump()
    request = right_way(desk, b"{}", path=path, secret=RequestSecret(b"n" * 32))
    refused(send(desk, request), problems.NOT_PERMITTED)
    assert desk.dump() == before


@pytest.mark.parametrize("path", writes())
def test_every_write_has_a_role_that_may_not_do_it(desk: Desk, path: str) -> None:
    """What is registered with the attester's role is no bank's, and the other way round. Anybody may change its own key."""
    if path.endswith("/keys"):
        return
    of_documents = path.startswith("/v1/documents")
    secret = BANK_KEY if of_documents else ATTESTER_KEY
    refused(send(desk, right_way(desk, b"{}", path=path, secret=secret)), problems.NOT_PERMITTED)
    others = ("attester", "auditor", "operator") if path.endswith("/overdrawn") else ("regulator", "auditor", "operator")
    for role in others:
        secret = desk.admit(f"a-{role}-{len(path)}", role)  # type: ignore[arg-type]
        refused(send(desk, right_way(desk, b"{}", path=path, secret=secret)), problems.NOT_PERMITTED)


def test_what_is_open_stays_open(desk: Desk) -> None:
    document = encode_base64url(desk.register(500)[0].state.document)
    for path in ("/v1/parameters", "/v1/health", f"/v1/documents/{document}", f"/v1/documents/{document}/notice"):
        assert desk.client.get(path, auth=None).status_code == 200


# --- what is covered ------------------------------------------------------------------------------------------------------

COVERED = ("@method", "@path", "content-digest", "content-type", "idempotency-key")


@pytest.mark.parametrize("component", COVERED)
def test_a_component_that_is_not_covered(desk: Desk, body: bytes, component: str) -> None:
    """Signed rightly, but for less: what is left out could be exchanged."""
    bent_signature(desk, signed_otherwise(desk, body, lambda names: [name for name in names if name != component]))
    accepted_after_all(desk, body)


@pytest.mark.parametrize("component", COVERED)
def test_a_component_that_is_covered_twice(desk: Desk, body: bytes, component: str) -> None:
    request = right_way(desk, body)
    given = request.headers["Signature-Input"]
    request.headers["Signature-Input"] = given.replace(f'"{component}"', f'"{component}" "{component}"')
    bent_signature(desk, request)
    accepted_after_all(desk, body)


@pytest.mark.parametrize("parameter", ["sf", "bs", 'key="sha-256"', "req", "tr"])
def test_a_component_with_parameters(desk: Desk, body: bytes, parameter: str) -> None:
    request = right_way(desk, body)
    given = request.headers["Signature-Input"]
    request.headers["Signature-Input"] = given.replace('"content-digest"', f'"content-digest";{parameter}')
    bent_signature(desk, request)


@pytest.mark.parametrize("name", ["Content-Digest", "Content-Type", "Idempotency-Key", "Signature", "Signature-Input"])
def test_a_field_that_stands_twice(desk: Desk, body: bytes, name: str) -> None:
    request = right_way(desk, body)
    fields = [*request.headers.raw, (name.encode(), request.headers[name].encode())]
    request.headers = httpx.Headers(fields)
    bent_signature(desk, request)
    accepted_after_all(desk, body)


@pytest.mark.parametrize("name", ["Content-Digest", "Signature", "Signature-Input"])
def test_a_field_that_is_missing(desk: Desk, body: bytes, name: str) -> None:
    request = right_way(desk, body)
    del request.headers[name]
    bent_signature(desk, request)


@pytest.mark.parametrize("name", ["Content-Type", "Idempotency-Key"])
def test_a_covered_field_that_was_taken_away(desk: Desk, body: bytes, name: str) -> None:
    request = right_way(desk, body)
    del request.headers[name]
    bent_signature(desk, request)


@pytest.mark.parametrize(
    "name,value",
    [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Idempotency-Key", "another-key-of-this-request"),
        ("Content-Digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"),
        ("Content-Digest", "sha-256"),
        ("Content-Digest", "md5=:AAAAAAAAAAAAAAAAAAAAAA==:"),
        ("Content-Digest", ""),
        ("Signature", "tradeveil=:AAAA:"),
        ("Signature", f"tradeveil=:{base64.b64encode(bytes(64)).decode()}:"),
        ("Signature", "other=:AAAA:"),
        ("Signature", "tradeveil"),
        ("Signature", ""),
        ("Signature-Input", ""),
        ("Signature-Input", "tradeveil"),
        ("Signature-Input", "tradeveil=()"),
        ("Signature-Input", "tradeveil=" + "(" * 5_000),
        ("Signature-Input", "\\"),
    ],
)
def test_a_field_with_another_value(desk: Desk, body: bytes, name: str, value: str) -> None:
    request = right_way(desk, body)
    request.headers[name] = value
    bent_signature(desk, request)
    accepted_after_all(desk, body)


def test_the_method_and_the_path_are_those_that_were_signed(desk: Desk, body: bytes) -> None:
    """A signature for one address is nothing at another, nor at the same one written differently."""
    request = right_way(desk, body)
    for path in (
        "/v1/alerts",
        "/v1/documents",
        "/v1/%66inancings",
        "/v1/steps",
        f"/v1/documents/{_ID}/status",
        f"{PATH}?a=1",
        f"{PATH}?a",
    ):
        moved = desk.client.build_request("POST", path, content=body, headers=request.headers)
        bent_signature(desk, moved)
    assert send(desk, request).status_code == 201


def test_a_query_is_covered_where_there_is_one(desk: Desk, body: bytes) -> None:
    request = right_way(desk, body, path=f"{PATH}?of=interest")
    assert '"@query"' in request.headers["Signature-Input"]
    other = desk.client.build_request("POST", f"{PATH}?of=none", content=body, headers=request.headers)
    bent_signature(desk, other)
    assert send(desk, request).status_code == 201


def test_another_body(desk: Desk, body: bytes, world: World) -> None:
    """The digest stays, the body is another; or both are exchanged, and the signature stays."""
    other = canonical(financing_request([make_draw(world, desk.register(500)[0], 6)]))
    request = right_way(desk, body)
    exchanged = desk.client.build_request("POST", PATH, content=other, headers=fields_without_length(request))
    bent_signature(desk, exchanged)
    digest = base64.b64encode(hashlib.sha256(other).digest()).decode()
    exchanged.headers["Content-Digest"] = f"sha-256=:{digest}:"
    bent_signature(desk, exchanged)
    bent_signature(desk, desk.client.build_request("POST", PATH, content=body + b" ", headers=fields_without_length(request)))
    bent_signature(desk, desk.client.build_request("POST", PATH, content=b"", headers=fields_without_length(request)))
    assert send(desk, request).status_code == 201


def fields_without_length(request: httpx.Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name != "content-length"}


# --- parameters -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["created", "expires", "nonce", "keyid", "alg", "tag"])
def test_a_parameter_that_is_missing(desk: Desk, body: bytes, name: str) -> None:
    """Signed rightly without it."""
    bent_signature(desk, signed_otherwise(desk, body, parameters=lambda given: {k: v for k, v in given.items() if k != name}))
    accepted_after_all(desk, body)


@pytest.mark.parametrize(
    "changed",
    [
        {"created": NOW - 301, "expires": NOW - 1},
        {"created": NOW - 300, "expires": NOW - 1},
        {"created": NOW + 301, "expires": NOW + 400},
        {"created": NOW, "expires": NOW + 301},
        {"created": NOW, "expires": NOW},
        {"created": NOW + 10, "expires": NOW + 5},
        {"created": -5},
        {"created": 10**14, "expires": 10**14 + 5},
        {"alg": "rsa-pss-sha512"},
        {"alg": ""},
        {"tag": "tradeveil-v1:another.example/log"},
        {"tag": f"tradeveil-v2:{ORIGIN}"},
        {"tag": ""},
        {"nonce": ""},
        {"nonce": "short"},
        {"nonce": "x" * 23},
        {"nonce": "x" * 21 + "="},
        {"keyid": ""},
        {"keyid": "A" * 42},
        {"keyid": "A" * 42 + "B"},
        {"keyid": 5},
        {"nonce": 5},
        {"created": "1750000000"},
        {"created": True},
        {"more": "of it"},
    ],
    ids=str,
)
def test_a_parameter_with_another_value(desk: Desk, body: bytes, changed: dict[str, Any]) -> None:
    """Signed rightly with it: the key vouches for what the service does not take."""
    bent_signature(desk, signed_otherwise(desk, body, parameters=lambda given: {**given, **changed}))
    accepted_after_all(desk, body)


@pytest.mark.parametrize("created,expires", [(-300, 0), (300, 600), (-299, 1), (0, 300), (0, 1)])
def test_the_window_is_five_minutes_either_way(desk: Desk, body: bytes, created: int, expires: int) -> None:
    at = {"created": NOW + created, "expires": NOW + expires}
    assert send(desk, signed_otherwise(desk, body, parameters=lambda given: {**given, **at})).status_code == 201


def test_a_signature_expires(desk: Desk, body: bytes) -> None:
    request = right_way(desk, body)
    desk.now += 301
    bent_signature(desk, request)
    accepted_after_all(desk, body)


def test_a_request_for_another_log(desk: Desk, body: bytes) -> None:
    bent_signature(desk, right_way(desk, body, origin="another.example/log"))
    accepted_after_all(desk, body)


# --- once -----------------------------------------------------------------------------------------------------------------


def test_a_replay_is_refused(desk: Desk, body: bytes) -> None:
    request = right_way(desk, body)
    assert send(desk, request).status_code == 201
    for _ in range(3):
        bent_signature(desk, request)
    desk.now += 299
    bent_signature(desk, request)


def test_a_replay_is_refused_by_another_process(world: World, desk: Desk, body: bytes) -> None:
    """Nonces are in the database."""
    from service.app import create_app

    request = right_way(desk, body)
    assert send(desk, request).status_code == 201
    second = create_app(desk.app.state.settings, world.suite, lambda: desk.now)
    from fastapi.testclient import TestClient

    with TestClient(second) as client:
        refused(client.send(request, auth=None), problems.SIGNATURE_INVALID)


def test_a_refused_request_has_used_its_nonce(desk: Desk) -> None:
    request = right_way(desk, b"{}")
    refused(send(desk, request), problems.MALFORMED)
    bent_signature(desk, request)


def test_nonces_are_forgotten_when_no_signature_can_bear_them(desk: Desk, body: bytes) -> None:
    desk.register(5)
    assert len(desk.dump()["request_nonces"]) >= 1
    desk.now += 1_000
    accepted_after_all(desk, body)
    assert len(desk.dump()["request_nonces"]) == 1


def test_one_nonce_for_two_institutions_is_two(desk: Desk, world: World) -> None:
    """A stranger who sees a nonce cannot use it up for its owner."""
    other, nonce = desk.admit("another-bank", "bank"), "x" * 22
    for secret in (other, BANK_KEY):
        request = signed_otherwise(desk, b"{}", secret=secret, parameters=lambda given: {**given, "nonce": nonce})
        refused(send(desk, request), problems.MALFORMED)


# --- keys -----------------------------------------------------------------------------------------------------------------


def test_the_signature_is_by_the_key_that_it_names(desk: Desk, body: bytes) -> None:
    other = desk.admit("another-bank", "bank")
    keyid = encode_base64url(BANK_KEY.public)
    bent_signature(desk, signed_otherwise(desk, body, secret=other, parameters=lambda given: {**given, "keyid": keyid}))
    accepted_after_all(desk, body)


def by_revoking_the_key(desk: Desk) -> None:
    desk.verifier.institutions.registry.revoke_key(BANK, BANK_KEY.public, desk.now)


def by_revoking_the_bank(desk: Desk) -> None:
    desk.verifier.institutions.registry.revoke(BANK, desk.now)


@pytest.mark.parametrize("revoke", [by_revoking_the_key, by_revoking_the_bank])
def test_a_revoked_key(desk: Desk, body: bytes, revoke: Callable[[Desk], None]) -> None:
    accepted_after_all(desk, body)
    revoke(desk)
    before = desk.dump()
    refused(send(desk, right_way(desk, body)), problems.NOT_PERMITTED)
    assert desk.dump() == before


def test_whoever_is_below_a_revoked_bank_may_not_call_either(desk: Desk, body: bytes) -> None:
    registry = desk.verifier.institutions.registry
    desk.admit("branch", "bank", parent=BANK)
    outlet = desk.admit("outlet", "bank", parent="branch")
    registry.revoke(BANK, desk.now)
    refused(send(desk, right_way(desk, body, secret=outlet)), problems.NOT_PERMITTED)
    registry.restore(BANK)
    registry.revoke("branch", desk.now)
    refused(send(desk, right_way(desk, body, secret=outlet)), problems.NOT_PERMITTED)
    registry.restore("branch")
    assert send(desk, right_way(desk, body, secret=outlet)).status_code == 201


# --- two signatures, and the like -----------------------------------------------------------------------------------------


def test_exactly_one_signature_is_meant(desk: Desk, body: bytes) -> None:
    request, second = right_way(desk, body), right_way(desk, body, secret=ATTESTER_KEY)
    for name in ("Signature-Input", "Signature"):
        more = second.headers[name].replace("tradeveil=", "second=", 1)
        request.headers[name] = f"{request.headers[name]}, {more}"
    bent_signature(desk, request)
    accepted_after_all(desk, body)


@pytest.mark.parametrize("label", ["other", "sig1", "tradeveil2"])
def test_a_signature_under_another_label(desk: Desk, body: bytes, label: str) -> None:
    request = right_way(desk, body)
    for name in ("Signature-Input", "Signature"):
        request.headers[name] = request.headers[name].replace("tradeveil=", f"{label}=", 1)
    bent_signature(desk, request)


def test_every_bit_of_a_signature_counts(desk: Desk, body: bytes) -> None:
    request = right_way(desk, body)
    signature = base64.b64decode(request.headers["Signature"].split(":")[1])
    for place in range(0, 512, 7):
        flipped = bytearray(signature)
        flipped[place // 8] ^= 1 << place % 8
        request.headers["Signature"] = f"tradeveil=:{base64.b64encode(flipped).decode()}:"
        refused(send(desk, request), problems.SIGNATURE_INVALID)
    request.headers["Signature"] = f"tradeveil=:{base64.b64encode(signature).decode()}:"
    assert send(desk, request).status_code == 201


def test_a_registration_is_the_attesters(desk: Desk, world: World) -> None:
    body = canonical(registration_request([make_register(world, 500)]))
    refused(send(desk, right_way(desk, body, path="/v1/documents")), problems.NOT_PERMITTED)
    assert send(desk, right_way(desk, body, path="/v1/documents", secret=ATTESTER_KEY)).status_code == 201


def test_a_request_on_which_the_check_breaks_is_alone_with_it(desk: Desk, body: bytes) -> None:
    """Signatures are checked in groups; whatever one of them raises, the others are told of their own callers."""
    request = right_way(desk, body)
    fields = [(name.lower(), value) for name, value in request.headers.items()]
    good = SignedRequest(request.method, PATH, "", fields, request.content)
    broken = replace(good, fields=None)  # type: ignore[arg-type]
    arrivals = [Arrival(item, ORIGIN, desk.now) for item in (broken, good, good)]
    first, second, again = desk.verifier.institutions._authenticate(arrivals)
    assert isinstance(first, Failed)
    assert isinstance(first.error, TypeError)
    assert isinstance(second, Caller)
    assert second.member.holder == BANK
    assert isinstance(again, Failed)
    assert isinstance(again.error, Refusal)
    assert again.error.problem is problems.SIGNATURE_INVALID


# --- bending with the key in hand -----------------------------------------------------------------------------------------


def signed_otherwise(
    desk: Desk,
    body: bytes,
    covered: Callable[[list[str]], list[str]] = list,
    *,
    parameters: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    secret: RequestSecret = BANK_KEY,
) -> httpx.Request:
    """A request that this key truly signed, over other components or with other parameters than the service wants.

    Written without the library that both sides use: the signature base is built here, by RFC 9421, section 2.5.
    """
    request = right_way(desk, body, secret=secret)
    values = {
        "@method": "POST",
        "@path": PATH,
        **{name: request.headers[name] for name in ("content-digest", "content-type", "idempotency-key")},
    }
    given = {
        "created": desk.now,
        "keyid": encode_base64url(secret.public),
        "alg": "ed25519",
        "expires": desk.now + 300,
        "nonce": hashlib.sha256(request.headers["Signature"].encode()).hexdigest()[:22],
        "tag": f"tradeveil-v1:{ORIGIN}",
    }
    names = covered(list(values))
    shown = "".join(f";{name}={_bare(value)}" for name, value in parameters(given).items())
    inner = f"({' '.join(f'{chr(34)}{name}{chr(34)}' for name in names)}){shown}"
    lines = [f'"{name}": {values[name]}' for name in names]
    base = "\n".join([*lines, f'"@signature-params": {inner}'])
    request.headers["Signature-Input"] = f"tradeveil={inner}"
    request.headers["Signature"] = f"tradeveil=:{base64.b64encode(secret.sign(base.encode())).decode()}:"
    return request


def _bare(value: Any) -> str:
    if isinstance(value, bool):
        return "?1" if value else "?0"
    return str(value) if isinstance(value, int) else f'"{value}"'


def test_what_we_sign_by_hand_is_what_the_library_signs(desk: Desk, body: bytes) -> None:
    """Nothing else is refused above than what was changed: unchanged, it is accepted. More may be covered than must be."""
    assert send(desk, signed_otherwise(desk, body)).status_code == 201
