"""The schema of a SQL database: which one this program needs, which one is there, and the way from one to the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from . import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_FOLDER: Final = Path(__file__).parent / "migrations"
KNOWN: Final = tuple(sorted(path.stem[:4] for path in (_FOLDER / "versions").glob("[0-9]*.py")))
"""All schemas there have been, the one that this program needs last."""


def found(connection: Connection) -> str | None:
    """The schema that is there; None for an empty database. StoreError for one from the future."""
    current: str | None = None
    if sa.inspect(connection).has_table("alembic_version"):
        current = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if current is not None and current not in KNOWN:
        raise StoreError(
            f"the database is of schema {current}, newer than this program's {KNOWN[-1]}; upgrade Normscope"
        )
    return current


def migrate(connection: Connection) -> None:
    """Bring the schema up to date, within the transaction of the connection, or refuse one from the future."""
    if found(connection) == KNOWN[-1]:  # alembic takes a quarter of a second to import: only when there is work
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
