"""The first schema of the reviews.

Revision ID: r0001
"""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table("draft", *_keys("study", "reader"), _count("version"), _count("signed_version"), _text("content"))
    op.create_table("signed", *_keys("study", "reader"), _count("edition", key=True), _text("content"))
    op.create_table("credential", *_keys("reader"), _text("hashed"))
    op.create_table(
        "journal", *_keys(), _count("number", key=True), _text("previous"), _text("content"), _text("digest")
    )
    op.create_table("journal_head", *_keys(), _count("number"), _text("digest"))


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), primary_key=True) for name in ("audit", *names)]


def _count(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), primary_key=key, autoincrement=False, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)
