"""A service over a database of its own for every test, and the small world that its genesis names.

SQLite in the test's folder; or, where TRADEVEIL_TEST_DATABASE holds the URL of a PostgreSQL database whose user may make others
(tools/with-postgres makes one), a database beside it for each test process, so that the same tests show that the same code runs
there. Whatever is in those databases is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from service.storage import database_address
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


@pytest.fixture(scope="session")
def server_database() -> str | None:
    """The URL of this test process's database on the server that TRADEVEIL_TEST_DATABASE names, if any."""
    server = os.environ.get("TRADEVEIL_TEST_DATABASE")
    if not server:
        return None
    name = f"tradeveil_test_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    engine_ = create_engine(database_address(server), isolation_level="AUTOCOMMIT")
    with engine_.connect() as connection:
        if not connection.scalar(text("SELECT count(*) FROM pg_database WHERE datname = :name"), {"name": name}):
            connection.execute(text(f"CREATE DATABASE {name}"))
    engine_.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def database(tmp_path: Path, server_database: str | None) -> str:
    """The URL of a database that the test may empty."""
    return server_database or f"sqlite:///{tmp_path / 'service.db'}"


@pytest.fixture
def desk(world: World, database: str) -> Iterator[Desk]:
    """A running service with an empty log, and a client."""
    with make_desk(world, database) as desk:
        yield desk
