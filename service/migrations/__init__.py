"""The versions of the database's tables, in order, and the way from one to the next (Alembic).

Every version is *additive*: a service of the version before goes on working while and after the tables are moved, so that an
operator migrates with the service up and then replaces it process by process. What a version no longer needs is taken out by
the one after the next. Versions are numbered, `0001` first, and each has a file in `versions/`.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

CONNECTION = "connection"
"""Key of the open connection among the attributes that `env.py` reads."""


def migrate(connection: Connection) -> None:
    """Move the tables to the newest version, in the transaction of this connection. Does nothing when they are there."""
    config = _config()
    config.attributes[CONNECTION] = connection
    if version_of(connection) == 0 and inspect(connection).has_table("log"):
        command.stamp(config, "0001")  # tables from before versions were counted are those of the first
    command.upgrade(config, "head")


def newest() -> int:
    """The version that this code works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return int(head or 0)


def version_of(connection: Connection) -> int:
    """The version of the tables that this connection sees; 0 where there are none."""
    return int(MigrationContext.configure(connection).get_current_revision() or 0)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
