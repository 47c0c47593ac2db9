"""Calls that follow the OpenAPI description, and calls that break it (schemathesis), to a service in a process of its own.

Must hold for each: no 5xx; status, media type, headers and body of the answer as described; what the description forbids is
refused, a missing header and an unsupported method too; what is behind a token is not answered without it. A failure would be a
client that was written from the description and meets something else. Not a failure: that what has the right form is refused,
since hardly anything made at random holds a proof.

TRADEVEIL_SCHEMATHESIS_SECONDS: for how long calls are made at random, instead of a few seconds; those at the edges of the
description are all made in any case. With TRADEVEIL_TEST_DATABASE the service is on PostgreSQL.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from threading import Thread

import pytest

from service.app import openapi_document
from tests.builders import World
from tests.service.harness import TOKEN, begin_anew, make_directory
from tests.service.test_beginning import address, process

SECONDS = int(os.environ.get("TRADEVEIL_SCHEMATHESIS_SECONDS", "15"))
PATIENCE = 600
"""Seconds that anything may take beyond that, however busy the machine is."""
PROGRAM = Path(sys.executable).with_name("schemathesis")
OPERATIONS = sum(map(len, openapi_document()["paths"].values()))
NOT_DONE = "positive_data_acceptance"
"""The one check that is left out: the description says what form a proof has, and not which proofs hold."""


@pytest.fixture
def served(world: World, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that the service can be run from."""
    begin_anew(world, database)
    make_directory(tmp_path)
    monkeypatch.setenv("TRADEVEIL_DATABASE", database)
    return tmp_path


def test_every_call_is_answered_as_described(served: Path) -> None:
    with process(served, patience=SECONDS + 2 * PATIENCE) as (service, ready):
        base, logged = address(ready), service.stderr
        assert logged is not None
        Thread(target=deque, args=(logged, 0), daemon=True).start()  # a log that nobody reads would stop the service
        edges = run(base, served, "--phases", "coverage")
        assert f"Tested: {OPERATIONS}\n" in edges, edges
        fuzzing = ("--phases", "fuzzing", "--max-time", str(SECONDS), "--max-examples", "1000")
        run(base, served, *fuzzing, "--exclude-operation-id", "commit_batch")  # its lines are none that the program can write
        assert service.poll() is None


def run(base: str, directory: Path, *more: str) -> str:
    """What the program says when it has found nothing wrong."""
    command = [PROGRAM, "run", f"{base}/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", "--no-color"]
    options = ["--exclude-checks", NOT_DONE, "--continue-on-failure", "--wait-for-schema", "60"]
    done = subprocess.run(
        [*command, *options, *more], capture_output=True, text=True, cwd=directory, timeout=SECONDS + PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
