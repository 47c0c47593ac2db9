"""PostgreSQL servers for tests that need one to themselves: to crash it, or to read its files."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from service.storage import database_address

ROOT = Path(__file__).resolve().parents[1]
_SAID = ("TRADEVEIL_TEST_DATABASE", "TRADEVEIL_TEST_DATABASE_CONTROL", "TRADEVEIL_TEST_DATABASE_FILES")

where_there_is_postgresql = pytest.mark.skipif(
    not os.environ.get(_SAID[0]), reason="for PostgreSQL: tools/with-postgres pytest …"
)
"""Marks what needs PostgreSQL. Whoever runs tests there has it installed, so a further server can be started."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that nobody else uses. `url`: of an empty database; `files`: its data directory."""

    url: str
    control: list[str]
    files: Path

    def crash(self) -> None:
        subprocess.run([*self.control, "stop"], check=True, capture_output=True)

    def start(self) -> None:
        # Not captured: the server inherits what the command has open, and would be waited for.
        subprocess.run([*self.control, "start"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run(self, *statements: str) -> None:
        """Each by itself, as the server's owner."""
        engine = create_engine(database_address(self.url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def own_server() -> Iterator[Server]:
    """A server that ends with this."""
    said = "; ".join(f'echo "${name}"' for name in _SAID) + "; cat"
    with subprocess.Popen(
        [ROOT / "tools" / "with-postgres", "sh", "-c", said], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url, control, files = (process.stdout.readline().strip() for _ in _SAID)
        yield Server(url, shlex.split(control), Path(files))
        process.stdin.close()
