"""Experiments, runs, links and blocks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PARTS = 16
"""Of the blocks, where the database can; see docs/adr/0011-blocks-in-sixteen-parts.md."""


def upgrade() -> None:
    """Make the first schema."""
    op.create_table(
        "experiments",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("claim", sa.Integer),
        sa.Column("settings", sa.JSON, nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("experiment", sa.String(16), sa.ForeignKey("experiments.id"), nullable=False, index=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("arm", sa.Text, nullable=False),
        sa.Column("seed", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False, index=True),
        sa.Column("error", sa.Text),
        sa.Column("started", sa.Float),
        sa.Column("ended", sa.Float),
        sa.Column("seen", sa.Float),
        sa.Column("steps", sa.Integer),
        sa.Column("layers", sa.JSON, nullable=False),
        sa.Column("versions", sa.JSON, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("pace", sa.Float),
        sa.Column("stop", sa.Boolean, nullable=False),
        sa.Column("singles", sa.Integer, nullable=False),
        sa.Column("handle", sa.Text),
        sa.Column("last_seq", sa.Integer, nullable=False),
        sa.Column("last_step", sa.Integer, nullable=False),
    )
    op.create_table(
        "links",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("experiment", sa.String(16), sa.ForeignKey("experiments.id"), nullable=False, index=True),
        sa.Column("view", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("revoked", sa.Float),
        sa.Column("last_used", sa.Float),
    )
    op.create_table(
        "blocks",
        sa.Column("run", sa.String(16), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("level", sa.Integer, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("first_step", sa.Integer, nullable=False),
        sa.Column("last_step", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        postgresql_partition_by="HASH (run)",
    )
    if op.get_bind().dialect.name == "postgresql":
        for i in range(PARTS):
            op.execute(f"CREATE TABLE blocks_{i} PARTITION OF blocks FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {i})")
