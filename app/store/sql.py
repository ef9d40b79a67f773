"""The store on a SQL database, through SQLAlchemy Core."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from . import Store, StoreError, tables
from .records import Brief
from .trouble import FAILURES, Trouble
from .writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .records import Block, Record

T = TypeVar("T")

REMOVED_AT_ONCE: Final = 2000
"""Blocks that are removed in one transaction."""


class SqlStore(Store):
    """Experiments, runs, links and blocks in the tables of `tables.py`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._writer = Writer(engine)
        self._reading, self._writing = Trouble("read"), Trouble("write to")

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open the database, made or migrated if need be."""
        return cls(await asyncio.to_thread(open_engine, url))

    async def add(self, *records: Record) -> None:
        """Keep new records, all or none."""

        def operation(connection: sa.Connection) -> None:
            for record in records:
                connection.execute(sa.insert(tables.TABLES[type(record)]).values(**asdict(record)))

        await self._write(operation)

    async def find(self, kind: type[T], limit: int | None = None, **where: Any) -> list[T]:
        """Records with these values, oldest first."""
        return await self._read(lambda connection: _find(connection, kind, where, limit))

    async def change(self, kind: type[T], id: str, given: Mapping[str, Any] | None = None, **values: Any) -> T | None:
        """Set fields of one record."""
        table = tables.TABLES[kind]
        conditions = [table.c[name] == value for name, value in {"id": id, **(given or {})}.items()]

        def operation(connection: sa.Connection) -> T | None:
            if not connection.execute(sa.update(table).where(*conditions).values(**values)).rowcount:
                return None
            found = _find(connection, kind, {"id": id})
            return found[0] if found else None

        return await self._write(operation)

    async def append(self, run: str, blocks: Sequence[Block], *, last_seq: int, last_step: int, seen: float) -> None:
        """Commit blocks and progress of a run."""
        rows = [
            {
                "run": run, "level": b.level, "number": b.index, "first_step": b.first_step, "last_step": b.last_step,
                "data": b.data,
            }
            for b in blocks
        ]  # fmt: skip
        update = sa.update(tables.runs).where(tables.runs.c.id == run)

        def operation(connection: sa.Connection) -> None:
            connection.execute(insert(tables.blocks).on_conflict_do_nothing(), rows)
            connection.execute(update.values(last_seq=last_seq, last_step=last_step, seen=seen))

        await self._write(operation)

    async def blocks(self, run: str, level: int, first: int, last: int) -> list[bytes]:
        """Blocks of one level, in order."""
        c = tables.blocks.c
        query = (
            sa.select(c.data)
            .where(c.run == run, c.level == level, c.number >= first, c.number <= last)
            .order_by(c.number)
        )
        return await self._read(lambda connection: list(connection.execute(query).scalars()))

    async def remove(self, experiment: str) -> None:
        """Remove an experiment and all that belongs to it, a little at a time: others want to write meanwhile."""
        runs = [run.id for run in await self.find(Brief, experiment=experiment)]
        c = tables.blocks.c
        for run in runs:
            place = sa.tuple_(c.level, c.number)
            next_ones = sa.select(c.level, c.number).where(c.run == run).limit(REMOVED_AT_ONCE)
            some = sa.delete(tables.blocks).where(c.run == run, place.in_(next_ones))
            while await self._write(lambda connection, some=some: connection.execute(some).rowcount):  # type: ignore[misc]
                pass

        def operation(connection: sa.Connection) -> None:
            connection.execute(sa.delete(tables.alerts).where(tables.alerts.c.run.in_(runs)))
            for table in (tables.links, tables.runs):
                connection.execute(sa.delete(table).where(table.c.experiment == experiment))
            connection.execute(sa.delete(tables.experiments).where(tables.experiments.c.id == experiment))

        await self._write(operation)

    async def close(self) -> None:
        """Finish writing and let go of the file."""
        await self._writer.close()
        self._engine.dispose()

    async def _read(self, operation: Callable[[sa.Connection], T]) -> T:
        def read() -> T:
            with self._engine.connect() as connection:
                return operation(connection)

        try:
            result = await asyncio.to_thread(read)
        except FAILURES as error:
            raise self._reading.found(error) from error
        self._reading.over()
        return result

    async def _write(self, operation: Callable[[sa.Connection], T]) -> T:
        try:
            result = await self._writer.run(operation)
        except FAILURES as error:
            raise self._writing.found(error) from error
        self._writing.over()
        return result


def _find(connection: sa.Connection, kind: type[T], where: dict[str, Any], limit: int | None = None) -> list[T]:
    table = tables.TABLES[kind]
    names = [f.name for f in fields(cast("Any", kind))]
    query = sa.select(*(table.c[name] for name in names)).order_by(table.c.created, table.c.id).limit(limit)
    for name, value in where.items():
        column = table.c[name]
        query = query.where(column.in_(value) if isinstance(value, list | tuple) else column == value)
    return [kind(**row) for row in connection.execute(query).mappings()]


def open_engine(url: str) -> sa.Engine:
    """The database at a URL, made or migrated if need be; StoreError if that fails."""
    path = Path(url.removeprefix("sqlite:///"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(url, connect_args={"timeout": 10})
        sa.event.listen(engine, "connect", _configure)
        sa.event.listen(engine, "begin", _begin)
        with engine.execution_options(writes=True).begin() as connection:
            _migrate(connection)
    except (OSError, sa.exc.DatabaseError) as error:
        reason = error.orig if isinstance(error, sa.exc.DatabaseError) else error.strerror
        raise StoreError(f"cannot open the database {path}: {reason}") from error
    return engine


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by rules of its own; _begin does
    # WAL: readers never wait for the writer. FULL: what was acknowledged is on the disk, even if the power fails.
    # Large pages waste less on blobs of a kilobyte or two; the size takes effect in a new file only.
    for pragma in ("page_size=16384", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    # A writer takes its place at once: one that began as a reader could not wait for another writer, only fail.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _migrate(connection: sa.Connection) -> None:
    """Bring the schema up to date, or refuse one from the future."""
    folder = Path(__file__).parent / "migrations"
    known = sorted(p.stem[:4] for p in (folder / "versions").glob("[0-9]*.py"))
    current = None
    if sa.inspect(connection).has_table("alembic_version"):
        current = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if current == known[-1]:  # alembic takes a quarter of a second to import: only when there is work
        return
    if current is not None and current not in known:
        raise StoreError(
            f"the database is of schema {current}, newer than this program's {known[-1]}; upgrade Normscope"
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
