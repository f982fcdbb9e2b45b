"""Alembic's entry: runs in the connection that `ground.migration` hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from services.migrations.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
