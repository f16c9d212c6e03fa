"""The curves behind the areas of the faithfulness check.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make their table; an earlier audit has none."""
    op.create_table(
        "curve",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("walk", sa.String(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("share", "own", "random", "constant", "centre")),
        sa.ForeignKeyConstraint(["study", "image"], ["image.study", "image.image"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "image", "position"),
    )
