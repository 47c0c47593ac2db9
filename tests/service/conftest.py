"""A service over a database of its own for every test, and the small world that its genesis names.

SQLite in the test's folder; or, where TRADEVEIL_TEST_DATABASE holds the URL of an empty PostgreSQL database, that one, so that
the same tests show that the same code runs on it. Whatever is in that database is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import World, make_world
from tests.service.harness import Desk, make_desk
from zkcore import engine
from zkcore.suite import Suite


@pytest.fixture(scope="session")
def suite() -> Suite:
    return engine.load()


@pytest.fixture(scope="session")
def world(suite: Suite) -> World:
    return make_world(suite)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of an empty database."""
    return os.environ.get("TRADEVEIL_TEST_DATABASE") or f"sqlite:///{tmp_path / 'service.db'}"


@pytest.fixture
def desk(world: World, database: str) -> Iterator[Desk]:
    """A running service with an empty log, and a client."""
    with make_desk(world, database) as desk:
        yield desk
