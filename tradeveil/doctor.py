"""`tradeveil doctor`: can this machine do what Tradeveil needs? Each check says what it found or, if it failed, what to do."""

from __future__ import annotations

import os
import platform
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from parties.common import output, runtime
from parties.common.commands import JsonOption, command
from parties.common.errors import EXIT_REFUSED, PartyError
from parties.common.home import write_private
from zkcore import PROTOCOL_VERSION, engine
from zkcore.errors import EngineError, ZkError
from zkcore.ledger import view_key_claim
from zkcore.randomness import Randomness
from zkcore.secret.keys import ViewSecret
from zkcore.verifying.batch import verify

_LIBRARIES = ("petlib", "py_ecc", "pynacl", "pydantic", "fastapi", "sqlalchemy", "httpx", "typer")
_LEAST_PYTHON = (3, 11)
_NATIVE = "native"
_BUILDING_NATIVE = "in the checkout, with Rust installed, run `make native`"


@dataclass(frozen=True)
class Check:
    """One thing looked at. `seconds`: how long it took."""

    name: str
    passed: bool
    found: str
    seconds: float


class _Failed(Exception):
    """A check did not pass; the message says what to do."""


def examine(randomness: Randomness, service: str | None = None, directory: Path | None = None) -> Iterator[Check]:
    """Every check, one after the other; a failed one does not stop the rest. `directory`: where files must be writable."""
    yield _run("python", _python)
    yield _run("versions", _versions)
    names = engine.available()
    yield _run("engines", lambda: _engines(names))
    for name in names:
        yield _run(f"engine {name}", partial(_self_test, name, randomness))
    yield _run("generators", _generators)
    yield _run("files", lambda: _files(directory or Path.home()))
    if service is not None:
        yield _run("service", lambda: _service(service))


def _run(name: str, check: Callable[[], str]) -> Check:
    start = time.perf_counter()
    try:
        passed, found = True, check()
    except (_Failed, ZkError, PartyError, OSError) as error:
        passed, found = False, str(error)
    return Check(name, passed, found, round(time.perf_counter() - start, 3))


def _python() -> str:
    if sys.version_info < _LEAST_PYTHON:
        raise _Failed(f"Python {platform.python_version()} is too old; install 3.11 or later")
    return f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"


def _versions() -> str:
    found = [f"{name} {_version(name)}" for name in ("tradeveil", *_LIBRARIES)]
    return f"protocol {PROTOCOL_VERSION}; {', '.join(found)}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _engines(names: list[str]) -> str:
    if not names:
        raise _Failed("none; install petlib, or py_ecc")
    chosen = engine.load()
    why = f"asked for by {engine.ENVIRONMENT_VARIABLE}" if os.environ.get(engine.ENVIRONMENT_VARIABLE) else "the best present"
    told = f"available: {', '.join(names)}; chosen: {chosen.engine} ({why})"
    return told if _NATIVE in names else f"{told}; absent: {_NATIVE}, the fast one ({_BUILDING_NATIVE})"


def _self_test(name: str, randomness: Randomness) -> str:
    """What the engine is built of, known answers, and a proof made and verified."""
    suite = engine.load(name)
    engine.self_test(suite)
    secret = ViewSecret.generate(suite, randomness)
    proof = secret.prove_possession(suite, "doctor", "nobody", bytes(32), randomness)
    verify(suite, [view_key_claim(suite, "doctor", "nobody", bytes(32), secret.public(suite), proof)])
    return f"{engine.describe(name)}; known answers right; a proof made and verified"


def _generators() -> str:
    suite = engine.load()
    if suite.recompute_generators_digest() != suite.generators_digest:
        raise EngineError(f"the engine {suite.engine} computes other generators than the protocol's; do not use it")
    return f"digest {suite.generators_digest.hex()[:16]}… recomputed with {suite.engine}"


def _files(directory: Path) -> str:
    with TemporaryDirectory(prefix=".tradeveil-doctor-", dir=directory) as folder:
        path = Path(folder) / "file"
        write_private(path, b"")
        mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _Failed(f"files in {directory} can be read by others (mode {mode:o}); keep secrets on another file system")
    return f"{directory} takes private files (mode {mode:o})"


def _service(url: str) -> str:
    client = runtime.connect(url)
    health = client.health()
    if health.status != "ok":
        raise _Failed(f"the service at {url} says: {health.status}")
    return f"{url}: {health.status}, engine {health.engine}, {client.ready().entries} entries"


@command
def doctor_command(
    service: Annotated[
        str | None, typer.Option("--service", help="Ask this service too. 同时检查该服务", envvar="TRADEVEIL_SERVICE")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check this installation: engines, generators, versions, files. Exit code 1 when a check fails. 自检"""
    checks = list(examine(runtime.randomness(), service))
    passed = all(check.passed for check in checks)
    if as_json:
        output.print_json({"passed": passed, "checks": [asdict(check) for check in checks]})
    else:
        rows = [[check.name, "ok" if check.passed else "FAILED", check.found, f"{check.seconds:.2f} s"] for check in checks]
        output.show_table("Doctor 自检", ["Check 项目", "Result 结果", "Found 详情", "Time 用时"], rows)
    if not passed:
        raise typer.Exit(EXIT_REFUSED)
