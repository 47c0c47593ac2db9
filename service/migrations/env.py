"""What Alembic runs for each migration: with the connection that it is given, and never with one of its own."""

from __future__ import annotations

from alembic import context

from service.institutions import tables as _institutions  # noqa: F401 - their tables are in METADATA too
from service.migrations import CONNECTION
from service.tables import METADATA

# Absent where this file is imported like any other, and not run by Alembic.
if (config := getattr(context, "config", None)) is not None:
    context.configure(
        connection=config.attributes[CONNECTION],
        target_metadata=METADATA,
        render_as_batch=True,  # SQLite changes a table by copying it
    )
    context.run_migrations()
