"""Anything can be sent. The answer is a problem document with a 4xx status and the place of the error, never a 5xx, and nothing
is written.

A failure would be a 5xx, an answer that is no problem document, one that quotes what was sent, or a changed row. Which of two
errors of one request is named first is no failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import problems
from schemas.problems import CONTENT_TYPE, Problem
from schemas.wire import encode_base64url
from service import examples
from tests.builders import World
from tests.service.harness import JSON, TOKEN, Desk, make_desk, refused, unchanged

SOME_ID = encode_base64url(bytes(range(32)))
POSTS: dict[str, Any] = {
    "/v1/documents": examples.REGISTRATION,
    "/v1/financings": examples.FINANCING,
    f"/v1/documents/{SOME_ID}/view": {**examples.VIEW, "document": SOME_ID},
    "/v1/steps": examples.STEPS,
    f"/v1/documents/{SOME_ID}/status": {**examples.CHANGE, "document": SOME_ID},
    f"/v1/documents/{SOME_ID}/amendments": {**examples.AMENDMENT, "document": SOME_ID},
    f"/v1/documents/{SOME_ID}/overdrawn": {**examples.OVERDRAWN, "document": SOME_ID},
}


@pytest.fixture(scope="module")
def desk(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One service for the whole module: nothing here changes it, which is the point."""
    with make_desk(world, f"sqlite:///{tmp_path_factory.mktemp('bad-input') / 'service.db'}") as desk:
        yield desk


def pointers(problem: Problem) -> list[str]:
    return [field.path for field in problem.fields]


def client_error(response: httpx.Response) -> Problem:
    """A problem document with a 4xx status."""
    assert 400 <= response.status_code < 500, response.text
    assert response.headers["Content-Type"] == CONTENT_TYPE
    return Problem.model_validate(response.json())


NOT_JSON = {
    "empty": b"",
    "white space": b" \n\t",
    "half": b'{"lines": [',
    "two values": b"{} {}",
    "trailing comma": b'{"lines": [],}',
    "single quotes": b"{'lines': []}",
    "comment": b"{} // and so on",
    "not UTF-8": b'{"lines": "\xff\xfe"}',
    "UTF-16": '{"lines": []}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "NUL": b'{"lines": "\x00"}',
    "NUL bytes alone": bytes(1_000),
    "NaN": b'{"lines": NaN}',
    "infinity": b'{"lines": -Infinity}',
    "a number of 5,000 digits": b'{"lines": ' + b"9" * 5_000 + b"}",
    "duplicate name": b'{"lines": [], "lines": []}',
    "duplicate name deep inside": b'{"lines": [{"draft": {"draw": 1, "draw": 1}}]}',
    "arrays 100,000 deep": b"[" * 100_000,
    "arrays 100,000 deep, closed": b"[" * 100_000 + b"]" * 100_000,
    "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "pickle": b"\x80\x04\x95\x00",
    "form": b"lines=1&lines=2",
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
@pytest.mark.parametrize("path", POSTS)
def test_what_is_not_json(desk: Desk, path: str, body: bytes) -> None:
    with unchanged(desk):
        problem = refused(desk.post(path, body), problems.MALFORMED)
    assert pointers(problem) == [""]


NOT_A_MESSAGE: list[Any] = [
    None,
    True,
    0,
    -1,
    1e400,
    1.5,
    "",
    "text",
    [],
    [[]],
    {},
    {"lines": None},
    {"a": {"b": {}}},
    [{}] * 500,
]


@pytest.mark.parametrize("value", NOT_A_MESSAGE, ids=repr)
@pytest.mark.parametrize("path", POSTS)
def test_what_is_json_and_no_message(desk: Desk, path: str, value: Any) -> None:
    body = json.dumps(value).replace("Infinity", "1e400").encode()
    with unchanged(desk):
        refused(desk.post(path, body), problems.MALFORMED)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every leaf of a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for name, child in children for place in places(child, (*path, name))]
    return found or [path]


def with_value(value: Any, path: tuple[str | int, ...], changed: Any) -> Any:
    """The same JSON with another value at one place."""
    if not path:
        return changed
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = with_value(value[path[0]], path[1:], changed)
    return copied


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """What stands at one place."""
    for step in path:
        value = value[step]
    return value


def without(value: Any, path: tuple[str | int, ...]) -> Any:
    """The same JSON without the field at one place."""
    *parent, name = path
    holder = at(value, tuple(parent))
    return with_value(value, tuple(parent), {key: item for key, item in holder.items() if key != name})


WRONG_VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "a negative number": -1,
    "a number with a point": 1.0,
    "2**53": 1 << 53,
    "2**64": 1 << 64,
    "10**4000": 10**4_000,
    "1e400": float("inf"),
    "empty text": "",
    "one character": "A",
    "padding": "AAA=",
    "another alphabet": "++//",
    "long text": "A" * 100_000,
    "NUL": "\x00",
    "a lone surrogate": "\ud800",
    "list": [],
    "object": {},
}


@pytest.mark.parametrize("path", POSTS)
def test_every_field_refuses_what_does_not_belong_there(desk: Desk, path: str) -> None:
    """Every field of every message with every wrong value, and missing; the pointer names the field."""
    message = POSTS[path]
    with unchanged(desk):
        for place in places(message):
            pointer = "".join(f"/{part}" for part in place)
            for what, value in WRONG_VALUES.items():
                if what == "null" and place[-1] in ("consent", "moves", "replacement"):
                    continue
                body = json.dumps(with_value(message, place, value)).replace("Infinity", "1e400").encode()
                problem = refused(desk.post(path, body), problems.MALFORMED)
                assert any(found.startswith(pointer) for found in pointers(problem)), (pointer, what)
            problem = refused(desk.post(path, json.dumps(without(message, place)).encode()), problems.MALFORMED)
            assert pointer in pointers(problem)


@pytest.mark.parametrize("path", POSTS)
def test_wrong_lengths(desk: Desk, path: str) -> None:
    """One byte more or less in any field of bytes is refused where it stands, or as a proof that does not hold."""
    message = POSTS[path]
    with unchanged(desk):
        for place in places(message):
            text = at(message, place)
            if not isinstance(text, str) or len(text) < 22:
                continue
            for changed in (text[:-4], text + "AAAA"):
                client_error(desk.post(path, json.dumps(with_value(message, place, changed)).encode()))


@pytest.mark.parametrize("path", POSTS)
def test_unknown_fields(desk: Desk, path: str) -> None:
    message = POSTS[path]
    inner = places(message)[0][:-1]
    for parent in ((), inner):
        body = json.dumps(with_value(message, parent, {**at(message, parent), "amount_in_plain": 5})).encode()
        with unchanged(desk):
            problem = refused(desk.post(path, body), problems.MALFORMED)
        assert any(pointer.endswith("/amount_in_plain") for pointer in pointers(problem))


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/financings"])
@pytest.mark.parametrize("count", [0, 101])
def test_empty_and_endless_batches(desk: Desk, path: str, count: int) -> None:
    name, [line] = next(iter(POSTS[path].items()))
    lean = json.dumps({name: [line] * count}).replace("A" * 1_000, "").encode()
    with unchanged(desk):
        response = desk.post(path, lean)
    problem = client_error(response)
    assert problem.type in (problems.MALFORMED.uri, problems.TOO_LARGE.uri)
    if count == 0:
        assert pointers(problem) == [f"/{name}"]


def test_a_name_that_the_sender_chose_comes_back_short_and_printable(desk: Desk) -> None:
    for name in ("\ud800", "\x00", "x" * 500_000, "字" * 1_000, "a/b~c"):
        body = json.dumps({"lines": [], name: 1}).encode()
        with unchanged(desk):
            found = pointers(refused(desk.post("/v1/financings", body), problems.MALFORMED))
        assert all(len(pointer) < 2_100 and pointer.isascii() and pointer.isprintable() for pointer in found)
        assert ("/a~1b~0c" in found) == (name == "a/b~c")


def test_many_wrong_fields_are_not_all_told(desk: Desk) -> None:
    body = json.dumps({f"field-{number}": number for number in range(20_000)}).encode()
    with unchanged(desk):
        problem = refused(desk.post("/v1/financings", body), problems.MALFORMED)
    assert len(problem.fields) == 20


# --- points ---------------------------------------------------------------------------------------------------------------

P = 2**256 - 2**32 - 977
BAD_POINTS = {
    "prefix 00": b"\x00" * 33,
    "prefix 04": b"\x04" + bytes(31) + b"\x01",
    "prefix 05": b"\x05" + bytes(31) + b"\x01",
    "prefix 06": b"\x06" + bytes(31) + b"\x01",
    "prefix 07": b"\x07" + bytes(31) + b"\x01",
    "x is p": b"\x02" + P.to_bytes(32, "big"),
    "x above p": b"\x03" + b"\xff" * 32,
    "not on the curve": b"\x02" + bytes(31) + b"\x05",
}
POINTS: dict[str, list[tuple[str | int, ...]]] = {
    "/v1/documents": [("documents", 0, "attester"), ("documents", 0, "owner"), ("documents", 0, "limit")],
    "/v1/financings": [("lines", 0, "draft", "key"), ("lines", 0, "draft", "amount"), ("lines", 0, "headroom", "left")],
    "/v1/steps": [("steps", 0, "body", "amount")],
    f"/v1/documents/{SOME_ID}/status": [("attester",)],
    f"/v1/documents/{SOME_ID}/amendments": [("attester",), ("limit",)],
    f"/v1/documents/{SOME_ID}/overdrawn": [("over",)],
}
GOOD_POINT = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")


@pytest.mark.parametrize("point", BAD_POINTS.values(), ids=BAD_POINTS.keys())
@pytest.mark.parametrize("path", POINTS)
def test_points_that_are_none(desk: Desk, path: str, point: bytes) -> None:
    """One bad point among good ones; the line is named."""
    good = POSTS[path]
    for place in POINTS[path]:
        good = with_value(good, place, encode_base64url(GOOD_POINT * (3 if place[-1] in ("limit", "amount") else 1)))
    for place in POINTS[path]:
        triples = [point + GOOD_POINT * 2, GOOD_POINT * 2 + point] if place[-1] in ("limit", "amount") else [point]
        for data in triples:
            body = json.dumps(with_value(good, place, encode_base64url(data))).encode()
            with unchanged(desk):
                problem = refused(desk.post(path, body), problems.MALFORMED)
            named = {"steps": 3}.get(str(place[0]), 2)
            assert pointers(problem) == ["".join(f"/{part}" for part in place[:named]) if len(place) > 1 else ""]


# --- sizes ----------------------------------------------------------------------------------------------------------------

TEN_MEGABYTES = 10_000_000


def in_pieces(size: int) -> Iterator[bytes]:
    """A stream without a Content-Length."""
    for _ in range(size // 10_000):
        yield b" " * 10_000


@pytest.mark.parametrize("path", [*POSTS, "/nowhere"])
def test_ten_megabytes(desk: Desk, path: str) -> None:
    headers = {**JSON, "Idempotency-Key": desk.key()}
    with unchanged(desk):
        refused(desk.client.post(path, content=b" " * TEN_MEGABYTES, headers=headers), problems.TOO_LARGE)
        response = desk.client.post(path, content=in_pieces(TEN_MEGABYTES), headers=headers)
    refused(response, problems.NOT_FOUND if path == "/nowhere" else problems.TOO_LARGE)


def test_the_limit_is_exact(desk: Desk) -> None:
    headers = {**JSON, "Idempotency-Key": desk.key()}
    for size, expected in ((1 << 20, problems.MALFORMED), ((1 << 20) + 1, problems.TOO_LARGE)):
        refused(desk.client.post("/v1/financings", content=b" " * size, headers=headers), expected)
        pieces = iter([b" " * (size - 5), b" " * 5])
        refused(desk.client.post("/v1/financings", content=pieces, headers=headers), expected)


@pytest.mark.parametrize("length", ["-1", "abc", "9" * 400, "1e9", ""])
def test_a_content_length_that_is_none(desk: Desk, length: str) -> None:
    """A real server refuses these before the application; the application does not fail on them either."""
    headers = {**JSON, "Idempotency-Key": desk.key(), "Content-Length": length}
    client_error(desk.client.post("/v1/financings", content=b"{}", headers=headers))


# --- addresses ------------------------------------------------------------------------------------------------------------

BAD_IDS = {
    "short": "AAAA",
    "31 bytes": encode_base64url(bytes(31)),
    "33 bytes": encode_base64url(bytes(33)),
    "padding": SOME_ID + "=",
    "stray bits": SOME_ID[:-1] + "9",
    "another alphabet": SOME_ID[:-2] + "%2B%2B",
    "NUL": "%00" * 32,
    "bytes that are not UTF-8": "%FF" * 32,
    "SQL": "'%20OR%201=1--",
    "hexadecimal": bytes(32).hex(),
    "very long": "A" * 20_000,
    "emoji": "%F0%9F%98%80",
}


@pytest.mark.parametrize("id_", BAD_IDS.values(), ids=BAD_IDS.keys())
def test_ids_that_are_none(desk: Desk, id_: str) -> None:
    with unchanged(desk):
        for path in (f"/v1/documents/{id_}", f"/v1/documents/{id_}/notice"):
            assert pointers(refused(desk.get(path), problems.MALFORMED)) == ["/path/id"]
        for change in ("view", "status", "amendments", "overdrawn"):
            refused(desk.post(f"/v1/documents/{id_}/{change}", b"{}"), problems.MALFORMED)


ODD_ADDRESSES = ["/v1/documents/../../etc/passwd", "/v1/documents/%2e%2e%2f", "/v1/documents//", "//", "/%00", "/\u00e9"]


@pytest.mark.parametrize("path", ODD_ADDRESSES)
def test_odd_addresses(desk: Desk, path: str) -> None:
    client_error(desk.client.get(path))


NO_NUMBERS = ["-1", "+1", "1_0", "%201", "1.0", "0x1", "", "٣", "1e3", "%00", "9" * 400]
BAD_QUERIES = [f"{name}={text}" for name in ("from", "limit") for text in NO_NUMBERS]
BAD_QUERIES += ["from=9007199254740992", "limit=0", "limit=1001"]


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_numbers_of_a_query_are_digits(desk: Desk, query: str) -> None:
    problem = refused(desk.export(f"?{query}"), problems.MALFORMED)
    assert len(problem.fields) == 1
    assert problem.fields[0].path.startswith("/query/")


def test_the_export_shows_nothing_of_the_token(desk: Desk) -> None:
    response = desk.get("/v1/entries", Authorization=f"Bearer {TOKEN}x")
    assert TOKEN not in response.text
    assert TOKEN not in repr(desk.app.state.settings)


# --- whatever -------------------------------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=60, suppress_health_check=QUIET)
@given(path=st.sampled_from(list(POSTS)), body=st.binary(max_size=300) | JSON_VALUES.map(lambda v: json.dumps(v).encode()))
def test_anything_at_all(desk: Desk, path: str, body: bytes) -> None:
    client_error(desk.post(path, body))


@settings(max_examples=60, suppress_health_check=QUIET)
@given(data=st.data(), path=st.sampled_from(list(POSTS)), value=JSON_VALUES)
def test_anything_at_any_place(desk: Desk, data: st.DataObject, path: str, value: Any) -> None:
    place = data.draw(st.sampled_from(places(POSTS[path])))
    client_error(desk.post(path, json.dumps(with_value(POSTS[path], place, value)).encode()))
