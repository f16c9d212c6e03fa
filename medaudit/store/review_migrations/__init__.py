"""Alembic's migrations of the reviews' database."""
