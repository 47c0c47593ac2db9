"""The database's tables are of a version, and go from one to the next without losing a row.

Must hold: the migrations together make exactly the tables that the code works with; tables of a version that the code cannot
work with are refused at the start with the command that helps; moving tables is all or nothing, loses nothing, is done once. A
failure would be a column that the code expects and a fresh or a moved database lacks, or a service that starts and fails later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, inspect, make_url
from typer.testing import CliRunner

from service import migrations, verifier
from service.cli import app
from service.migrations import newest
from service.settings import SettingsError
from service.storage import open_storage
from service.tables import METADATA
from service.verifier import open_verifier
from tests.builders import NOW, World
from tests.service.harness import SERVICE_KEY, Desk, admit_parties, make_directory


def test_migrations_make_the_tables_that_the_code_works_with(desk: Desk) -> None:
    with desk.database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    migrated = checks_of(desk.database)
    METADATA.drop_all(desk.database)
    METADATA.create_all(desk.database)
    assert checks_of(desk.database) == migrated
    assert all(migrated.values())


def checks_of(engine: Engine) -> dict[str, list[str]]:
    """Every check that the database makes on the tables: Alembic does not compare them."""
    found = inspect(engine)
    checks = {name: found.get_check_constraints(name) for name in METADATA.tables if name != "entries"}
    return {name: sorted(str(check["sqltext"]) for check in own) for name, own in checks.items()}


def test_versions_are_numbered_as_they_are_chained() -> None:
    """Alembic's own head and order, of which a service that starts knows the number alone."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == f"{newest():04}"
    found = [script.revision for script in scripts.walk_revisions()]
    assert found == [f"{number:04}" for number in range(newest(), 0, -1)]


def test_the_version_is_the_newest(desk: Desk) -> None:
    assert desk.verifier.storage.version() == newest() >= 1


def test_moving_tables_that_are_of_this_version_changes_nothing(desk: Desk) -> None:
    desk.register(500)
    before = desk.dump()
    desk.verifier.storage.migrate()
    assert desk.dump() == before


FIRST = {"log", "entries", "documents", "applications", "draws", "consents", "nonces", "answers"}


def back_to_the_first(engine: Engine) -> None:
    """The tables as they were before versions were counted."""
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
        for table in reversed(METADATA.sorted_tables):
            if table.name not in FIRST:
                table.drop(connection)


def test_tables_from_before_versions_were_counted_are_of_the_first(desk: Desk, world: World) -> None:
    paper = desk.register(500)[0]
    back_to_the_first(desk.database)
    before = desk.dump()
    storage = desk.verifier.storage
    assert storage.version() == 0
    with pytest.raises(SettingsError, match="tradeveil serve migrate"):
        open_verifier(world.suite, storage, lambda: NOW, SERVICE_KEY)
    storage.migrate()
    assert {name: rows for name, rows in desk.dump().items() if name in before} == before
    open_verifier(world.suite, storage, lambda: NOW, SERVICE_KEY)
    admit_parties(storage, NOW)
    desk.draw(paper, 100)


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_service_runs_on_its_version_and_the_next(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    own = newest()
    monkeypatch.setattr(verifier, "newest", lambda: own - ahead)
    open_verifier(world.suite, desk.verifier.storage, lambda: NOW, SERVICE_KEY)


@pytest.mark.parametrize("ahead,advice", [(-1, "tradeveil serve migrate"), (2, "update the service")])
def test_a_service_refuses_other_versions(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch, ahead: int, advice: str
) -> None:
    own = newest()
    monkeypatch.setattr(verifier, "newest", lambda: own - ahead)
    with pytest.raises(SettingsError, match=advice):
        open_verifier(world.suite, desk.verifier.storage, lambda: NOW, SERVICE_KEY)


def test_a_migration_that_fails_leaves_nothing(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'service.db'}"
    storage = open_storage(url, world.suite.group, workers=1)

    create, made = op.create_table, []

    def breaking(name: str, *columns: Any) -> object:
        made.append(name)
        if len(made) == 3:
            raise RuntimeError("the power went")
        return create(name, *columns)

    with monkeypatch.context() as patched:
        patched.setattr(op, "create_table", breaking)
        with pytest.raises(RuntimeError):
            storage.migrate()
    assert made == ["log", "entries", "documents"]
    assert storage.version() == 0
    tables = MetaData()
    engine = create_engine(url)
    tables.reflect(engine)
    assert not tables.tables
    engine.dispose()
    storage.migrate()
    assert storage.version() == newest()
    storage.close()


def test_the_command_says_what_it_did(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEVEIL_DATABASE", desk.database.url.render_as_string(hide_password=False))
    make_directory(tmp_path)
    back_to_the_first(desk.database)
    for said in (f"version {newest()} now; they were of 0.", f"version {newest()} already."):
        result = CliRunner().invoke(app, ["migrate", "--directory", str(tmp_path)])
        assert result.exit_code == 0, result.output
        assert said in result.output


def test_there_must_be_a_log_to_migrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEVEIL_DATABASE", f"sqlite:///{tmp_path / 'empty.db'}")
    make_directory(tmp_path)
    result = CliRunner().invoke(app, ["migrate", "--directory", str(tmp_path)])
    assert result.exit_code == 2
    assert "tradeveil serve init" in result.output


def test_a_plain_postgresql_address_gets_the_driver_that_is_installed() -> None:
    storage = open_storage("postgresql://bank@db.example/log", None, workers=1)  # type: ignore[arg-type]
    assert storage._engine.url == make_url("postgresql+psycopg://bank@db.example/log")
    storage.close()
