"""Blocks packed by zstd, and none of the level that is made when it is asked for: earlier programs cannot read that."""

from __future__ import annotations

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Leave what is there as it is: that can be read as ever."""
