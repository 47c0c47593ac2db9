"""Calls that follow the OpenAPI description, and calls that break it (schemathesis), to a service in a process of its own.

Must hold for each: no 5xx; status, media type, headers and body of the answer as described; what the description forbids is
refused, a missing header and an unsupported method too; what is behind a token is not answered without it. A failure would be a
client that was written from the description and meets something else. Not a failure: that what has the right form is refused,
since hardly anything made at random holds a proof.

TRADEVEIL_SCHEMATHESIS_EXAMPLES: calls at random of each operation, instead of a few; those at the edges of the description are
all made in any case. With TRADEVEIL_TEST_DATABASE the service is on PostgreSQL.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.app import openapi_document
from tests.builders import World
from tests.service.harness import TOKEN, begin_log, make_directory
from tests.service.test_beginning import address, process

EXAMPLES = int(os.environ.get("TRADEVEIL_SCHEMATHESIS_EXAMPLES", "8"))
SECONDS = 300 + 20 * EXAMPLES
"""After which the test fails, however busy the machine is."""
PROGRAM = Path(sys.executable).with_name("schemathesis")
OPERATIONS = sum(map(len, openapi_document()["paths"].values()))
NOT_DONE = "positive_data_acceptance"
"""The one check that is left out: the description says what form a proof has, and not which proofs hold."""


@pytest.fixture
def served(world: World, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that the service can be run from."""
    begin_log(world, database)
    make_directory(tmp_path)
    monkeypatch.setenv("TRADEVEIL_DATABASE", database)
    return tmp_path


def test_every_call_is_answered_as_described(served: Path) -> None:
    with process(served, alive=SECONDS + 60) as (service, ready):
        base = address(ready)
        command = [PROGRAM, "run", f"{base}/openapi.json", "--header", f"Authorization: Bearer {TOKEN}"]
        options = ["--exclude-checks", NOT_DONE, "--phases", "coverage,fuzzing", "--no-color"]
        many = ["--max-examples", str(EXAMPLES), "--continue-on-failure", "--wait-for-schema", "60"]
        done = subprocess.run(
            [*command, *options, *many], capture_output=True, text=True, cwd=served, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"Tested: {OPERATIONS}\n" in done.stdout, done.stdout
        assert service.poll() is None
