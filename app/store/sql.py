"""The store on a SQL database, through SQLAlchemy Core."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

import sqlalchemy as sa

from normscope.wire import MERGE

from . import ConflictError, Store, sqlite, tables
from .packing import pack
from .records import Brief
from .trouble import FAILURES, Trouble
from .writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

    from .records import Block, Record

T = TypeVar("T")

REMOVED_AT_ONCE: Final = 2000
"""Blocks that are removed in one transaction."""
MEASURED_AT_ONCE: Final = 1000
"""Blocks whose sizes are looked at before some are read."""


class SqlStore(Store):
    """Experiments, runs, links and blocks in the tables of `tables.py`."""

    def __init__(self, engine: sa.Engine, database: ModuleType) -> None:
        self._engine = engine
        self._reader = engine.execution_options(**database.READING)
        self._database = database
        self._writer = Writer(engine, apart=database.APART)
        self._reading, self._writing = Trouble("read"), Trouble("write to")

    @classmethod
    async def open(cls, url: str) -> Self:
        """Open the database; a SQLite file is made or migrated if need be."""
        database = database_of(url)
        return cls(await asyncio.to_thread(database.open_engine, url), database)

    async def add(self, *records: Record) -> None:
        """Keep new records, all or none."""

        def operation(connection: sa.Connection) -> None:
            for record in records:
                connection.execute(sa.insert(tables.TABLES[type(record)]).values(**asdict(record)))

        try:
            await self._write(operation)
        except sa.exc.IntegrityError as error:
            raise ConflictError(f"it cannot be kept: {error.orig}") from error

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
        # Two servers may hold sockets of one run for a moment: how far it has come never goes back.
        c = tables.runs.c
        progress = {"last_seq": last_seq, "last_step": last_step, "seen": seen}
        update = sa.update(tables.runs).where(c.id == run, c.last_seq <= last_seq).values(progress)

        def operation(connection: sa.Connection) -> None:
            rows = [(run, b.level, b.index, b.first_step, b.last_step, b.packed or pack(b.data)) for b in blocks]
            self._database.keep(connection, rows)
            connection.execute(update)

        await self._write(operation, order=run)

    async def blocks(self, run: str, level: int, first: int, last: int, most: int | None = None) -> list[bytes]:
        """Blocks of one level, in order; the first of them, if there are more bytes than `most`."""
        c = tables.blocks.c
        these = (c.run == run, c.level == level, c.number >= first)

        def operation(connection: sa.Connection) -> list[bytes]:
            end = last if most is None else _end(connection, (*these, c.number <= last), most)
            query = sa.select(c.data).where(*these, c.number <= end).order_by(c.number)
            return list(_within(connection.execute(query).scalars(), most))

        return await self._read(operation)

    async def remove(self, experiment: str, *, finer_than: int | None = None) -> None:
        """Remove an experiment and all that belongs to it, a little at a time: others want to write meanwhile."""
        runs = await self.find(Brief, experiment=experiment)
        for run in runs:
            if finer_than is None:
                await self._remove_blocks(run.id, sa.true())
                continue
            c = tables.blocks.c
            for level in range(finer_than):
                whole = (run.last_seq + 1) // MERGE**finer_than * MERGE ** (finer_than - level)
                await self._remove_blocks(run.id, sa.and_(c.level == level, c.number < whole))
        if finer_than is not None:
            return

        def operation(connection: sa.Connection) -> None:
            connection.execute(sa.delete(tables.alerts).where(tables.alerts.c.run.in_([run.id for run in runs])))
            for table in (tables.links, tables.runs):
                connection.execute(sa.delete(table).where(table.c.experiment == experiment))
            connection.execute(sa.delete(tables.experiments).where(tables.experiments.c.id == experiment))

        await self._write(operation)

    async def _remove_blocks(self, run: str, which: sa.ColumnElement[bool]) -> None:
        c = tables.blocks.c
        next_ones = sa.select(c.level, c.number).where(c.run == run, which).limit(REMOVED_AT_ONCE)
        some = sa.delete(tables.blocks).where(c.run == run, sa.tuple_(c.level, c.number).in_(next_ones))
        while await self._write(lambda connection: connection.execute(some).rowcount):
            pass

    async def close(self) -> None:
        """Finish writing and let go of the file."""
        await self._writer.close()
        self._engine.dispose()

    async def _read(self, operation: Callable[[sa.Connection], T]) -> T:
        def read() -> T:
            with self._reader.connect() as connection:
                return operation(connection)

        try:
            result = await asyncio.to_thread(read)
        except FAILURES as error:
            raise self._reading.found(error) from error
        self._reading.over()
        return result

    async def _write(self, operation: Callable[[sa.Connection], T], order: str | None = None) -> T:
        try:
            result = await self._writer.run(operation, order)
        except FAILURES as error:
            raise self._writing.found(error) from error
        self._writing.over()
        return result


def database_of(url: str) -> ModuleType:
    """What is special about the database at a URL."""
    if url.startswith("sqlite:///"):
        return sqlite
    from . import postgres

    return postgres


def _find(connection: sa.Connection, kind: type[T], where: dict[str, Any], limit: int | None = None) -> list[T]:
    table = tables.TABLES[kind]
    names = [f.name for f in fields(cast("Any", kind))]
    query = sa.select(*(table.c[name] for name in names)).order_by(table.c.created, table.c.id).limit(limit)
    for name, value in where.items():
        column = table.c[name]
        query = query.where(column.in_(value) if isinstance(value, list | tuple) else column == value)
    return [kind(**row) for row in connection.execute(query).mappings()]


def _end(connection: sa.Connection, these: tuple[sa.ColumnElement[bool], ...], most: int) -> int:
    """The number up to which blocks take so many bytes as they are stored: a driver may fetch all that is asked for."""
    c = tables.blocks.c
    sizes = sa.select(c.number, sa.func.length(c.data)).where(*these).order_by(c.number).limit(MEASURED_AT_ONCE)
    end, total = -1, 0
    for number, size in connection.execute(sizes):
        total += size
        if end >= 0 and total > most:
            break
        end = number
    return end


def _within(blocks: Iterable[bytes], most: int | None) -> Iterator[bytes]:
    """Those of the first blocks that have so many bytes together, or one."""
    total = 0
    for data in blocks:
        total += len(data)
        if most is not None and len(data) < total > most:
            return
        yield data
