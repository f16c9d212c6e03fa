"""Report sentences keep their section and how they stand to what they name.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add both to the attributions; the sentences of earlier audits have neither."""
    for name in ("section", "assertion"):
        op.add_column("attribution", sa.Column(name, sa.Text(), server_default="", nullable=False))
