"""What Alembic runs for each migration: with the connection that it is given, and never with one of its own."""

from __future__ import annotations

from alembic import context

from service.migrations import CONNECTION
from service.tables import METADATA

context.configure(
    connection=context.config.attributes[CONNECTION],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a table by copying it
)
context.run_migrations()
