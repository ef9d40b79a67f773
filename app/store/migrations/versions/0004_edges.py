"""How the layers of a run hang together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them, unknown for the runs that are there."""
    op.add_column("runs", sa.Column("edges", sa.JSON, nullable=False, server_default="[]"))
