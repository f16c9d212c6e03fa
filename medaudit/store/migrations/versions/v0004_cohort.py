"""What the checks across studies read, and what they find.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add embeddings (an earlier audit has none), observations and the tables of the cohort."""
    for table in ("image", "attribution"):
        op.add_column(table, sa.Column("embedding", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "observation",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["study", "image"], ["image.study", "image.image"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "image", "position"),
    )
    op.create_table(
        "cohort",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "cohort_measurement",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("check_name", sa.String(), nullable=False),
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("against", sa.Text(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.Column("others", sa.Integer(), nullable=False),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("p", sa.Float(), nullable=True),
        sa.Column("q", sa.Float(), nullable=True),
        sa.Column("examples", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "cohort_finding",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("measurement", sa.Integer(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["measurement"], ["cohort_measurement.position"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("position"),
    )
