"""The service as processes: it starts, drains, stops, and survives the death of a worker.

Must hold: one line says when all is ready; a request at work when the service is told to stop is answered; while it drains,
/v1/ready says no and everything else goes on; a worker that is killed is replaced, and figures are those of all workers. A
failure would be a request cut off by an orderly stop, a worker that outlives its supervisor, or figures of one worker alone.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from schemas import problems
from schemas.answers import RegistrationAnswer
from schemas.canonical import canonical
from schemas.problems import Problem
from service.settings import FILE_NAME
from tests.builders import World, make_register, registration_request
from tests.service.harness import JSON, SignedByRole, accepted, begin_log, free_port, make_directory, refused
from tests.service.test_beginning import address, process

SIGNED = SignedByRole(lambda: int(time.time()))
SECONDS = 90
"""Within which everything happens, however busy the machine is."""


@pytest.fixture
def directory(world: World, tmp_path: Path) -> Path:
    begin_log(world, f"sqlite:///{tmp_path / 'service.db'}")
    make_directory(tmp_path)
    return tmp_path


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=SECONDS)


def set_(directory: Path, **settings: int) -> None:
    (directory / FILE_NAME).write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))


def eventually(found: object, what: str) -> None:
    """Asks again until it is so; fails the test after a while."""
    assert callable(found)
    last = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < last, what
        time.sleep(0.05)


def workers_of(supervisor: int) -> set[int]:
    """The processes that serve: children of the supervisor that came from its spawning."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            status, command = (entry / "stat").read_text(), (entry / "cmdline").read_bytes()
        except (OSError, UnicodeDecodeError):
            continue
        state, parent = status.rpartition(")")[2].split()[:2]
        if int(parent) == supervisor and state != "Z" and b"spawn_main" in command:
            found.add(int(entry.name))
    return found


@contextmanager
def half_sent(base: str, body: bytes, key: str) -> Iterator[socket.socket]:
    """A request of which the service waits for the second half: it is at work for as long as we like."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
        request = httpx.Request("POST", f"{base}/v1/documents", content=body, headers={**JSON, "Idempotency-Key": key})
        next(SIGNED.auth_flow(request))
        fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        head = f"POST /v1/documents HTTP/1.1\r\nConnection: close\r\n{fields}\r\n"
        connection.sendall(head.encode("ascii") + body[: len(body) // 2])
        time.sleep(0.3)  # it has to reach a worker before that is told to stop
        yield connection


def answer_of(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(1 << 16):
        received += piece
    return received


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_at_work_is_answered_before_the_service_stops(world: World, directory: Path, workers: int) -> None:
    body = canonical(registration_request([make_register(world, 500)]))
    set_(directory, grace_seconds=600)
    with process(directory, "--workers", str(workers)) as (service, ready):
        base, key = address(ready), "at-work-when-it-stops"
        with half_sent(base, body, key) as connection:
            service.send_signal(signal.SIGTERM)
            eventually(lambda: not listens(base), "the service goes on listening")
            assert service.poll() is None
            connection.sendall(body[len(body) // 2 :])
            answer = answer_of(connection)
        assert answer.startswith(b"HTTP/1.1 201 "), answer
        assert service.wait(SECONDS) == 0
    with process(directory) as (_, ready):
        again = httpx.post(
            f"{address(ready)}/v1/documents", content=body, headers={**JSON, "Idempotency-Key": key}, auth=SIGNED
        )
        accepted(again, RegistrationAnswer)
        assert again.headers["Idempotency-Replayed"] == "true"


def listens(base: str) -> bool:
    try:
        get(f"{base}/v1/health")
    except httpx.TransportError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 2])
def test_a_request_that_takes_too_long_is_told_to_come_again(directory: Path, workers: int) -> None:
    set_(directory, grace_seconds=1)
    with process(directory, "--workers", str(workers)) as (service, ready):
        with half_sent(address(ready), b"{}", "never-sent-to-its-end") as connection:
            service.send_signal(signal.SIGTERM)
            head, _, body = answer_of(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 "), head
        assert b"retry-after: 1" in head.lower()
        assert Problem.model_validate_json(body).type == problems.UNAVAILABLE.uri
        assert service.wait(SECONDS) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_it_drains_before_it_stops(directory: Path, workers: int) -> None:
    set_(directory, drain_seconds=600)
    with process(directory, "--workers", str(workers)) as (service, ready):
        base = address(ready)
        assert get(f"{base}/v1/ready").json() == {"status": "ready", "entries": 1}
        service.send_signal(signal.SIGTERM)
        eventually(lambda: [get(f"{base}/v1/ready").status_code for _ in range(8)] == [503] * 8, "it is still ready")
        response = get(f"{base}/v1/ready")
        refused(response, problems.UNAVAILABLE)
        assert response.headers["Retry-After"] == "1"
        assert get(f"{base}/v1/health").status_code == 200
        assert get(f"{base}/v1/parameters").status_code == 200
        service.send_signal(signal.SIGTERM)
        assert service.wait(SECONDS) == 0


def test_draining_ends_by_itself(directory: Path) -> None:
    set_(directory, drain_seconds=1)
    with process(directory) as (service, _):
        started = time.monotonic()
        service.send_signal(signal.SIGTERM)
        assert service.wait(SECONDS) == 0
        assert time.monotonic() - started >= 1


def test_a_dead_worker_is_replaced_and_figures_are_of_all(directory: Path) -> None:
    port = free_port()
    with process(directory, "--workers", "2", "--metrics-port", str(port)) as (service, ready):
        base = address(ready)
        before = workers_of(service.pid)
        assert len(before) == 2
        for _ in range(20):
            assert get(f"{base}/v1/health").status_code == 200
        assert counted(port) == 20
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: len(workers_of(service.pid) - before) == 1, "the dead worker has no successor")
        eventually(lambda: len(workers_of(service.pid)) == 2, "there are not two workers")
        for _ in range(20):
            assert get(f"{base}/v1/health").status_code == 200
        assert counted(port) == 40
        assert get(f"{base}/metrics").status_code == 404
        service.send_signal(signal.SIGTERM)
        _, errors = service.communicate(timeout=SECONDS)
    assert service.returncode == 0, errors
    lines = [json.loads(line) for line in errors.splitlines()]
    assert {line["worker"] for line in lines if line["event"] == "request"} <= before | {line["worker"] for line in lines}
    assert any(re.search(rf"\[{min(before)}\] died", line["event"]) for line in lines)
    assert workers_of(service.pid) == set()


def counted(port: int) -> float:
    """Requests of /v1/health that all workers have counted."""
    shown = get(f"http://127.0.0.1:{port}/metrics").text
    (value,) = re.findall(r'^tradeveil_requests_total\{[^}]*route="/v1/health"[^}]*\} (\S+)$', shown, re.MULTILINE)
    return float(value)


def test_a_hangup_replaces_all_workers_one_by_one(directory: Path) -> None:
    with process(directory, "--workers", "2") as (service, ready):
        base, before = address(ready), workers_of(service.pid)
        service.send_signal(signal.SIGHUP)

        def replaced() -> bool:
            # One connection may be cut by the worker that it fell to; sent again, the request is answered.
            assert listens(base) or listens(base), "it is there all the time"
            now = workers_of(service.pid)
            return len(now) == 2 and not now & before

        eventually(replaced, "old workers are still there")


def test_workers_do_not_outlive_their_supervisor(directory: Path) -> None:
    with process(directory, "--workers", "2") as (service, _):
        found = workers_of(service.pid)
        assert len(found) == 2
        service.kill()
        service.wait(SECONDS)
        eventually(lambda: not any(alive(worker) for worker in found), "workers without a supervisor go on")


def alive(worker: int) -> bool:
    try:
        return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_keeps_workers_from_starting_is_told_once(tmp_path: Path) -> None:
    make_directory(tmp_path)
    (tmp_path / "service.db").write_bytes(b"this is not a database at all " * 100)
    with process(tmp_path, "--workers", "2") as (service, ready):
        _, errors = service.communicate(timeout=SECONDS)
    assert (service.returncode, ready) == (2, "")
    assert "the database cannot be used" in errors


def test_settings_of_the_file_hold(directory: Path) -> None:
    set_(directory, maximum_body=4096)
    with process(directory) as (service, ready):
        sent = httpx.post(
            f"{address(ready)}/v1/financings", content=b" " * 5_000, headers={**JSON, "Idempotency-Key": "k" * 16}
        )
        refused(sent, problems.TOO_LARGE)
        assert isinstance(service, subprocess.Popen)
