"""Alembic's view of the schema: one file a revision in versions/."""
