"""Tokens, what links are made for, and who sent a run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; the links that are there stay what they are: for a whole experiment, for good, without a password."""
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("session", sa.Boolean, nullable=False),
        sa.Column("revoked", sa.Float),
        sa.Column("last_used", sa.Float),
        sa.Column("expires", sa.Float),
    )
    for column in (sa.Column("runs", sa.JSON), sa.Column("expires", sa.Float), sa.Column("password", sa.Text)):
        op.add_column("links", column)
    op.add_column("runs", sa.Column("sender", sa.String(16)))
