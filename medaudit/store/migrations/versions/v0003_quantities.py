"""Relevance says what it is measured in, and a method how far it missed what it promises.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add both to each side of the attributions; those of earlier audits are M2IB's: nats, without a residual."""
    for side in ("image", "text"):
        op.add_column("attribution", sa.Column(f"{side}_quantity", sa.String(), server_default="nats", nullable=False))
        op.add_column("attribution", sa.Column(f"{side}_residual", sa.Float(), nullable=True))
