"""What a run is started with, and what it came to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both, empty for the runs that are there."""
    for name in ("spec", "outcome"):
        op.add_column("runs", sa.Column(name, sa.JSON, nullable=False, server_default="{}"))
