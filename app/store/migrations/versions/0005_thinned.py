"""How many captured steps of a run came as one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; the runs that are there came step by step."""
    op.add_column("runs", sa.Column("thinned", sa.Integer, nullable=False, server_default="1"))
