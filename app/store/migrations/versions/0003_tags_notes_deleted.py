"""What people write about an experiment, and when they threw it away."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them, empty for the experiments that are there."""
    op.add_column("experiments", sa.Column("tags", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("experiments", sa.Column("notes", sa.Text, nullable=False, server_default=""))
    op.add_column("experiments", sa.Column("deleted", sa.Float))
