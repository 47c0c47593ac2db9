"""What comes over a connection is HTTP/1.1 as everybody reads it, and there is a bound on what is not the body.

Must hold: a request's line, fields and trailer have 16 KB at most, however they arrive; what a proxy in front could read
otherwise than the service is refused; and a request that is refused so does not end the service. A failure would be a caller
that makes the service hold all that it sends, or one request hidden in another.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service.connections import LARGEST_HEAD, BoundedConnection
from tests.builders import World
from tests.service.harness import address, begin_log, make_directory, process

SECONDS = 90
_MOST = 1 << 20
"""Bytes after which the service must have had enough: its bound, and what it reads at once."""


@pytest.fixture(scope="module")
def port(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("connections")
    begin_log(world, f"sqlite:///{folder / 'service.db'}")
    make_directory(folder)
    with process(folder) as (_, ready):
        yield int(address(ready).rpartition(":")[2])


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def sent(port: int, *pieces: bytes) -> bytes:
    """All that is answered until the connection is closed."""
    received = b""
    with connect(port) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            while piece := connection.recv(1 << 16):
                received += piece
        except ConnectionError:  # closed while we were sending
            pass
    return received


def is_alive(port: int) -> bool:
    return sent(port, b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def dripped(port: int, start: bytes, piece: bytes) -> int:
    """How many bytes are taken after the start of a request that never comes to an end, until the service closes."""
    taken = 0
    with connect(port) as connection:
        connection.sendall(start)
        try:
            while taken <= _MOST:
                connection.sendall(piece)
                taken += len(piece)
                time.sleep(0.002)  # or the system's buffers take all of it before the service has read any
        except ConnectionError:
            pass
    return taken


@pytest.mark.parametrize("size", [1, 1_000, LARGEST_HEAD - 200])
def test_a_head_within_the_bound_is_read(port: int, size: int) -> None:
    head = b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-A: " + b"a" * size + b"\r\n\r\n"
    assert sent(port, head).startswith(b"HTTP/1.1 200 ")
    assert sent(port, *(head[at : at + 700] for at in range(0, len(head), 700))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * LARGEST_HEAD + b"\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\n" + b"X-A: a\r\n" * LARGEST_HEAD + b"\r\n",
        b"GET /v1/health?" + b"a" * LARGEST_HEAD + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\n" + b"a" * LARGEST_HEAD + b": a\r\n\r\n",
    ],
    ids=["value", "fields", "line", "name"],
)
def test_a_larger_head_that_comes_at_once_is_refused(port: int, head: bytes) -> None:
    answer = sent(port, head)
    assert answer.startswith(b"HTTP/1.1 400 ") or not answer, "what is closed while it sends may miss the answer"
    assert b" 200 " not in answer
    assert is_alive(port)


@pytest.mark.parametrize(
    "start, piece",
    [
        (b"GET /v1/health?", b"a" * 1_000),
        (b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX-A: ", b"a" * 1_000),
        (b"GET /v1/health HTTP/1.1\r\nHost: a\r\n", b"a" * 1_000),
        (b"GET /v1/health HTTP/1.1\r\nHost: a\r\n", b"X-A: a\r\n" * 100),
        (b"POST /v1/health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-A: ", b"a" * 1_000),
        (b"POST /v1/health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"X-A: a\r\n" * 100),
        (b"POST /v1/health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 1_000),
    ],
    ids=["line", "value", "name", "fields", "trailer value", "trailer fields", "chunk extension"],
)
def test_what_never_ends_is_cut_off(port: int, start: bytes, piece: bytes) -> None:
    assert dripped(port, start, piece) <= _MOST
    assert is_alive(port)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX-A: a\r\n b\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX-A: a\x00b\r\n\r\n",
        b"GET /v1/health HTTP/1.1\nHost: a\n\n",
        b"get /v1/health HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/health HTTP/9.9\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_others_could_read_otherwise_is_refused(port: int, head: bytes) -> None:
    answer = sent(port, head)
    assert not answer or answer.startswith(b"HTTP/1.1 400 "), answer
    assert is_alive(port)


def test_requests_that_are_sent_one_after_the_other_are_answered_in_order(port: int) -> None:
    one = b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"
    other = b"GET /v1/nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answer = sent(port, one + one + other)
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.count(b"HTTP/1.1 404 ") == 1
    assert answer.index(b" 404 ") > answer.rindex(b" 200 ")


def test_what_follows_a_request_to_upgrade_is_not_read_as_a_request(port: int) -> None:
    head = b"POST /v1/documents HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 36\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(head)
        time.sleep(0.2)
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(1 << 16):
                answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b" 200 " not in answer
    assert is_alive(port)


def test_few_requests_may_wait_on_one_connection(port: int) -> None:
    one = b"GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = sent(port, one * 20_000)
    assert answer.count(b"HTTP/1.1 200 ") < 1_000
    assert b" 400 " not in answer, "it would be taken for the answer to a request that is at work"
    assert is_alive(port)


def read_as(sent: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The fields and the body of a request as the application gets them, once it was sent whole."""
    seen: list[tuple[list[tuple[bytes, bytes]], bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        seen.append((scope["headers"], body))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def exchange() -> bytes:
        config = uvicorn.Config(app, interface="asgi3", lifespan="off", proxy_headers=False, log_config=None)
        make = partial(BoundedConnection, config, ServerState(), {})
        async with await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
            writer.write(sent)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    assert asyncio.run(exchange()).startswith(b"HTTP/1.1 200 ")
    (one,) = seen
    return one


def test_white_space_around_a_value_is_not_the_values() -> None:
    """RFC 9110, section 5.5."""
    fields, _ = read_as(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIdempotency-Key: \t of one  key \t \r\n\r\n")
    assert fields[-1] == (b"idempotency-key", b"of one  key")


def test_the_fields_of_a_trailer_are_none_of_the_head() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    fields, body = read_as(head + b"1\r\na\r\n0\r\nIdempotency-Key: from-the-trailer\r\n\r\n")
    assert body == b"a"
    assert [name for name, _ in fields] == [b"host", b"connection", b"transfer-encoding"]
