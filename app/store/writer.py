"""One thread that writes, and commits together what came in meanwhile."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.exc import DatabaseError

from normscope.background import step_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

T = TypeVar("T")
_MOST: Final = 256
"""Operations in one commit: enough to share the disk's latency, few enough that nobody waits long."""


class Writer:
    """Runs operations on one connection, each in its own savepoint, many in one commit.

    A database file has one writer at a time anyway; a thread of its own keeps the wait for the disk off the event loop,
    and what arrives during a commit shares the next one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(writes=True)
        self._waiting: queue.Queue[tuple[Callable[[Connection], Any], asyncio.Future[Any]] | None] = queue.Queue(4096)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Callable[[Connection], T]) -> T:
        """The operation's result, once it is committed; its exception, if it raised one or the commit failed."""
        future: asyncio.Future[T] = self._loop.create_future()
        await asyncio.to_thread(self._waiting.put, (operation, future)) if self._waiting.full() else (
            self._waiting.put_nowait((operation, future))
        )
        return await future

    async def close(self) -> None:
        """Commit what is waiting, then end."""
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        step_back()
        more = True
        while more:
            batch = [self._waiting.get()]
            while len(batch) < _MOST and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            more = None not in batch
            self._commit([item for item in batch if item is not None])

    def _commit(self, batch: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]]) -> None:
        outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            with self._engine.begin() as connection:
                for operation, future in batch:
                    outcomes.append((future, *_attempt(connection, operation)))
        except Exception as error:  # noqa: BLE001  whoever waits for the commit gets it
            outcomes = [(future, None, error) for _, future in batch]
        if outcomes:
            self._loop.call_soon_threadsafe(_settle, outcomes)


def _attempt(connection: Connection, operation: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
    savepoint = connection.begin_nested()
    try:
        result = operation(connection)
        savepoint.commit()
    except Exception as error:  # noqa: BLE001  it belongs to the operation's caller, not to the batch
        try:
            savepoint.rollback()
        except DatabaseError:
            # A full disk makes the database undo the whole transaction, savepoint and all: so it fails for everyone.
            raise error from None
        return None, error
    return result, None


def _settle(outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():  # whoever asked has left
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
