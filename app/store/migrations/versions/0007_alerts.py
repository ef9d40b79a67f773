"""What people were told of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add it; nothing was told of the runs that are there."""
    for name in ("alerts", "lasting"):
        op.add_column("runs", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("run", sa.String(16), sa.ForeignKey("runs.id"), nullable=False, index=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("places", sa.JSON, nullable=False),
        sa.Column("more", sa.Integer, nullable=False),
        sa.Column("cleared", sa.BigInteger),
    )
