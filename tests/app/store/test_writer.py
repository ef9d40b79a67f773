"""The thread that writes, where its connection is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from app.store.writer import Writer

if TYPE_CHECKING:
    from ...services import Postgres


def test_a_connection_that_is_lost_within_a_commit_is_a_failure_of_the_database(postgres: Postgres) -> None:
    """For whoever wrote when it was lost, and for those whose writing it took along; then all goes on."""
    engine = sa.create_engine(postgres.empty().replace("postgresql://", "postgresql+psycopg://"))

    async def scenario() -> None:
        writer = Writer(engine)
        await writer.run(lambda connection: connection.execute(sa.text("CREATE TABLE notes (n int)")))

        def write(connection: sa.Connection) -> None:
            connection.execute(sa.text("INSERT INTO notes VALUES (1)"))

        def lose(connection: sa.Connection) -> None:
            connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))

        ends = await asyncio.gather(*(writer.run(one) for one in (write, lose, write)), return_exceptions=True)
        assert all(isinstance(end, OperationalError) for end in ends if end is not None), ends
        assert isinstance(ends[1], OperationalError)
        await writer.run(write)
        kept = await writer.run(lambda connection: connection.execute(sa.text("SELECT count(*) FROM notes")).scalar())
        assert kept == 1 + sum(end is None for end in ends)
        await writer.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))
    engine.dispose()
