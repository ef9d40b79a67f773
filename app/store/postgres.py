"""PostgreSQL: many servers share it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from . import StoreError, schema, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LOCK: Final = 0x6E6F726D  # "norm"
"""The advisory lock of whoever migrates."""
_PATIENCE: Final = 5
"""Seconds to wait for a connection."""
_ALIVE: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""A machine that went without a word is missed within about ten seconds, not after the system's many minutes."""
_KEEP: Final = sa.text(
    "INSERT INTO blocks (run, level, number, first_step, last_step, data) "
    "SELECT * FROM unnest(CAST(:run AS varchar[]), CAST(:level AS int[]), CAST(:number AS bigint[]), "
    "CAST(:first_step AS bigint[]), CAST(:last_step AS bigint[]), CAST(:data AS bytea[])) ON CONFLICT DO NOTHING"
)
READING: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
"""Options of connections that only read: a question is one journey, without a transaction around it."""
APART = True
"""Appends share commits; anything else has one of its own, or two servers could wait for each other's rows forever."""


def open_engine(url: str) -> sa.Engine:
    """The database at a URL, if it is of the schema that this program needs; StoreError if not."""
    engine = _engine(url)
    try:
        with _told(engine.url, "open"), engine.connect() as connection:
            current = schema.found(connection)
        if current == schema.KNOWN[-1]:
            return engine
        what = "is empty" if current is None else f"is of schema {current}, older than this program's"
        raise StoreError(
            f"the database {_name(engine.url)} {what}; bring it to schema {schema.KNOWN[-1]} with: normscope migrate"
        )
    except StoreError:
        engine.dispose()
        raise


def migrate(url: str) -> tuple[str | None, str]:
    """Bring the database to this program's schema; from which one to which. Others who want the same wait.

    Raises:
        StoreError: If it cannot be reached, or is of a newer version than this program.
    """
    engine = _engine(url)
    try:
        with _told(engine.url, "migrate"), engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            before = schema.found(connection)
            schema.migrate(connection)
        return before, schema.KNOWN[-1]
    finally:
        engine.dispose()


def keep(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of blocks, packed, in the order of the table's columns; but those that are there.

    It is a statement with a column at a time, as quick as COPY.
    """
    columns = map(list, zip(*rows, strict=True))
    connection.execute(_KEEP, dict(zip(tables.blocks.c.keys(), columns, strict=True)))


def _engine(url: str) -> sa.Engine:
    try:
        import psycopg  # noqa: F401
    except ModuleNotFoundError as error:
        raise StoreError("PostgreSQL needs its driver; install it with: pip install 'normscope[postgres]'") from error
    try:
        whole = sa.make_url(url).set(drivername="postgresql+psycopg")
    except sa.exc.ArgumentError as error:
        raise ValueError("the store's URL cannot be read; it should be postgresql://USER:PASSWORD@HOST/NAME") from error
    # Asked before use whether it lives: the database may have been started anew.
    engine = sa.create_engine(
        whole, pool_size=8, pool_pre_ping=True, pool_timeout=10,
        connect_args={"connect_timeout": _PATIENCE, "application_name": "normscope", **_ALIVE},
    )  # fmt: skip
    sa.event.listen(engine, "connect", _configure)
    return engine


def _configure(connection: Any, _record: object) -> None:
    from psycopg.types.string import StrDumper

    class Words(StrDumper):
        """Text as PostgreSQL can keep it: it has no place for the character of number zero."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    connection.adapters.register_dumper(str, Words)


@contextlib.contextmanager
def _told(url: sa.URL, what: str) -> Iterator[None]:
    """Say in a sentence what the database does not do, without the password."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        reason = " ".join(str(error.orig).split())
        raise StoreError(f"cannot {what} the database {_name(url)}: {reason}") from error


def _name(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=True)
