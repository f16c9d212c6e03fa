"""Run by Alembic: upgrade over the connection that :func:`medaudit.store.database.upgrade` opened."""

from alembic import context

from medaudit.store.review_schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter a table in place
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
