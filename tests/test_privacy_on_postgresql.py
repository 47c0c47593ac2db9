"""A PostgreSQL server that the service keeps its tables in holds nothing that was planted, in none of its files.

The demonstration is played on a server of its own, which logs every statement with its parameters and compresses nothing, so
that whatever reaches it stands somewhere as it came. Must hold: in its tables, write-ahead log, temporary files and log, no
amount, number or name is found, in any form, while the service works and after it has ended; and what is planted there on
purpose is found: every form, in tables and in the write-ahead log; what was deleted; what was only asked. Which forms there
are, and that other places are searched, is for test_privacy_scan.py.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from service.storage import database_address
from tests.postgres import Server, own_server, where_there_is_postgresql
from tradeveil.demo.kept import LOG, WRITE_AHEAD_LOG, DatabaseServer, clear_material, material
from tradeveil.demo.narrative import Narrator
from tradeveil.demo.perform import Options, Played, perform
from tradeveil.demo.scan import Finding, Search

pytestmark = [pytest.mark.slow, where_there_is_postgresql]

SECRET = 350_000_00
"""B's draw of story 1, minor units."""
TELLING = (
    "ALTER TYPE bytea SET (STORAGE = external)",  # long values are not compressed
    "ALTER SYSTEM SET wal_compression = off",
    "ALTER SYSTEM SET log_statement = 'all'",
    "ALTER SYSTEM SET log_temp_files = 0",
    "SELECT pg_reload_conf()",
)


def test_nothing_of_the_story_is_in_the_files_of_its_server(tmp_path: Path) -> None:
    with own_server() as server:
        server.run(*TELLING)
        kept = DatabaseServer.unused(server.url, server.files)
        played = perform(Options(keep=tmp_path / "demonstration", server=kept), Narrator(quiet=True))
        assert played.summary.ok, [item.title for item in played.summary.failed]
        check_what_was_searched(server, played)
        after = Search(played.forms, kept.corpora())
        assert [str(item) for item in after.findings(clear_material(tmp_path / "demonstration", kept))] == []
        check_that_it_would_be_found(server, played, tmp_path / "demonstration", kept)


def check_what_was_searched(server: Server, played: Played) -> None:
    """The files that hold what the service was sent, which really stand there."""
    privacy = played.summary.privacy
    assert privacy is not None
    assert privacy.findings == ()
    assert b"INSERT INTO draws" in (server.files / LOG).read_bytes()
    for name in [LOG, *table_files(server, "draws", "answers"), *write_ahead_log(server)]:
        assert privacy.searched[name] > 0
    assert sum(size for name, size in privacy.searched.items() if name.startswith(WRITE_AHEAD_LOG)) > 1_000_000


def check_that_it_would_be_found(server: Server, played: Played, root: Path, kept: DatabaseServer) -> None:
    plant(server, played)
    corpora = material(root, kept)
    search = Search(played.forms, corpora)
    found = search.findings(clear_material(root, kept))
    (table,) = table_files(server, "planted")
    assert missing(search, found, [table]) == set()
    assert missing(search, found, write_ahead_log(server)) == set()
    label = next(form.label for form in search.forms if form.needle == str(SECRET).encode())
    places = {item.where for item in found if item.label == label}
    assert {"database planted.amount", "database planted.words", table_files(server, "dropped")[0]} <= places
    assert any(place.startswith(f"{LOG} line") for place in places)
    assert LOG in places


def plant(server: Server, played: Played) -> None:
    """Every form between random bytes; an amount in a column, in words, in a row that is deleted, and in a mere question."""
    noise = random.Random(1)
    engine = create_engine(database_address(server.url), hide_parameters=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE planted (form bytea, amount bigint, words text)"))
        connection.execute(text("CREATE TABLE dropped (words text)"))
        rows = [{"form": b"|" + form.needle + b"|" + noise.randbytes(9)} for form in played.forms]
        connection.execute(text("INSERT INTO planted (form) VALUES (:form)"), rows)
        connection.execute(text("INSERT INTO planted (amount) VALUES (:amount)"), {"amount": SECRET})
        connection.execute(text("INSERT INTO planted (words) VALUES ('asked for USD 350,000.00')"))
        connection.execute(text("INSERT INTO dropped VALUES ('USD 350,000.00 of 600,000.00')"))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM dropped"))
        connection.execute(text("SELECT count(*) FROM draws WHERE '350,000.00' <> ''"))
    engine.dispose()


def missing(search: Search, found: list[Finding], places: list[str]) -> set[tuple[str, str]]:
    """The forms, of those that are searched in all bytes, that were not found in any of these files."""
    there = {(item.label, item.how) for item in found if item.where in places}
    return {(form.label, form.how) for form in search.anywhere} - there


def table_files(server: Server, *tables: str) -> list[str]:
    """The file of each table, below the data directory."""
    engine = create_engine(database_address(server.url))
    with engine.connect() as connection:
        found = [connection.scalar(text("SELECT pg_relation_filepath(:name)"), {"name": table}) for table in tables]
    engine.dispose()
    return [str(path) for path in found]


def write_ahead_log(server: Server) -> list[str]:
    files = (server.files / WRITE_AHEAD_LOG).iterdir()
    return [f"{WRITE_AHEAD_LOG}/{path.name}" for path in files if path.is_file()]
