"""What many servers need: who does what only one may do; and PostgreSQL's tables as they are written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add leases. Blocks are compressed already, and runs are changed with every commit of their frames."""
    op.create_table(
        "leases",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("beat", sa.Integer, nullable=False),
    )
    op.execute("INSERT INTO leases VALUES ('launch', 0, '', 0)")
    if op.get_bind().dialect.name != "postgresql":
        return
    # Numbers of frames and steps have 32 bits and no sign; SQLite's have 64 anyway.
    for table, columns in (
        ("runs", ("steps", "last_seq", "last_step")),
        ("blocks", ("number", "first_step", "last_step")),
    ):
        op.execute(f"ALTER TABLE {table} " + ", ".join(f"ALTER COLUMN {column} TYPE bigint" for column in columns))
    op.execute("ALTER TABLE blocks ALTER COLUMN data SET STORAGE EXTERNAL")
    # Room in each page for the new version of a row, so that no index is touched; and swept often, as it is small.
    op.execute("ALTER TABLE runs SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)")
    op.execute("ALTER TABLE leases SET (fillfactor = 10)")
