"""The versions of the database's tables, in order, and the way from one to the next (Alembic).

Every version is *additive*: a service of the version before goes on working while and after the tables are moved, so that an
operator migrates with the service up and then replaces it process by process. What a version no longer needs is taken out by
the one after the next. Versions are numbered, `0001` first, and each has a file in `versions/`.

Only what moves tables imports Alembic: a service that starts has to know their version and nothing more.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

CONNECTION = "connection"
"""Key of the open connection among the attributes that `env.py` reads."""
_VERSIONS = Path(__file__).parent / "versions"
_VERSION = table("alembic_version", column("version_num"))


def migrate(connection: Connection) -> None:
    """Move the tables to the newest version, in the transaction of this connection. Does nothing when they are there."""
    from alembic import command  # a sixth of the time in which a service starts
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes[CONNECTION] = connection
    if version_of(connection) == 0 and inspect(connection).has_table("log"):
        command.stamp(config, "0001")  # tables from before versions were counted are those of the first
    command.upgrade(config, "head")


def newest() -> int:
    """The version that this code works with."""
    return max(int(path.name[1:5]) for path in _VERSIONS.glob("v[0-9][0-9][0-9][0-9]_*.py"))


def version_of(connection: Connection) -> int:
    """The version of the tables that this connection sees; 0 where there are none."""
    if not inspect(connection).has_table(_VERSION.name):
        return 0
    return int(connection.scalar(select(_VERSION.c.version_num)) or 0)
