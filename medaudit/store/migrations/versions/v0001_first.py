"""The first schema of an audit.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    _run_and_files()
    _studies()
    _results()


def _run_and_files() -> None:
    op.create_table(
        "run",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pipeline_name", sa.Text(), nullable=False),
        sa.Column("pipeline_yaml", sa.Text(), nullable=False),
        sa.Column("pipeline_digest", sa.Text(), nullable=False),
        sa.Column("report_layout", sa.Text(), nullable=False),
        sa.Column("model", sa.JSON(), nullable=False),
        sa.Column("seed", sa.String(), nullable=False),
        sa.Column("keeps_identifiers", sa.Boolean(), nullable=False),
        sa.Column("started", sa.Text(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("environment", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "file",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("fate", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index("file_by_study", "file", ["study"], unique=False)


def _studies() -> None:
    op.create_table(
        "study",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("study"),
    )
    op.create_table(
        "study_element",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("keyword", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["study.study"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "keyword"),
    )
    op.create_table(
        "image",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Integer(), nullable=False),
        sa.Column("transfer_syntax", sa.Text(), nullable=False),
        sa.Column("decoder", sa.Text(), nullable=False),
        sa.Column("display", sa.Text(), nullable=False),
        sa.Column("pixel_sha256", sa.Text(), nullable=False),
        sa.Column("row_direction", sa.Text(), nullable=True),
        sa.Column("column_direction", sa.Text(), nullable=True),
        sa.Column("pixel_spacing_row", sa.Float(), nullable=True),
        sa.Column("pixel_spacing_column", sa.Float(), nullable=True),
        sa.Column("imager_pixel_spacing_row", sa.Float(), nullable=True),
        sa.Column("imager_pixel_spacing_column", sa.Float(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("grid_map", sa.JSON(), nullable=False),
        sa.Column("slope", sa.Float(), nullable=False),
        sa.Column("intercept", sa.Float(), nullable=False),
        sa.Column("window_center", sa.Float(), nullable=True),
        sa.Column("window_width", sa.Float(), nullable=True),
        sa.Column("inverted", sa.Boolean(), nullable=False),
        sa.Column("arrays_sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study"], ["study.study"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "image"),
    )
    op.create_table(
        "image_element",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("keyword", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study", "image"], ["image.study", "image.image"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "image", "keyword"),
    )


def _results() -> None:
    op.create_table(
        "attribution",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("similarity", sa.Float(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("grid_map", sa.JSON(), nullable=False),
        sa.Column("tokens", sa.JSON(), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.Column("word_of_token", sa.JSON(), nullable=False),
        sa.Column("image_capacity_nats", sa.Float(), nullable=False),
        sa.Column("image_seed", sa.String(), nullable=False),
        sa.Column("text_capacity_nats", sa.Float(), nullable=False),
        sa.Column("text_seed", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["study", "image"], ["image.study", "image.image"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "image", "position"),
    )
    op.create_table(
        "measurement",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("check_name", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("against", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study", "image"], ["image.study", "image.image"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "image", "position"),
    )
    op.create_table(
        "finding",
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("image", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("check_name", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("against", sa.Text(), nullable=False),
        sa.Column("threshold", sa.Float(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["study", "image"], ["image.study", "image.image"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("study", "image", "position"),
    )
