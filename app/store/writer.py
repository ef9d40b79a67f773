"""One thread that writes, and commits together what came in meanwhile."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from sqlalchemy.exc import DatabaseError

from normscope.background import step_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

T = TypeVar("T")
_Item: TypeAlias = "tuple[Callable[[Connection], Any], asyncio.Future[Any], str | None]"
_MOST: Final = 256
"""Operations in one commit: enough to share the disk's latency, few enough that nobody waits long."""


class Writer:
    """Runs operations on one connection, each in its own savepoint, many in one commit.

    A database file has one writer at a time anyway; a thread of its own keeps the wait for the disk off the event loop,
    and what arrives during a commit shares the next one.

    Args:
        engine: What to write to.
        apart: Whether others write, too. Rows stay locked until the commit, so only operations that say in which order
            they take them share one, in that order everywhere; or two writers could wait for each other.
    """

    def __init__(self, engine: Engine, *, apart: bool = False) -> None:
        self._engine = engine.execution_options(writes=True)
        self._apart = apart
        self._waiting: queue.Queue[_Item | None] = queue.Queue(4096)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Callable[[Connection], T], order: str | None = None) -> T:
        """The operation's result, once it is committed; its exception, if it raised one or the commit failed."""
        future: asyncio.Future[T] = self._loop.create_future()
        await asyncio.to_thread(self._waiting.put, (operation, future, order)) if self._waiting.full() else (
            self._waiting.put_nowait((operation, future, order))
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
            for together in self._commits([item for item in batch if item is not None]):
                self._commit(together)

    def _commits(self, batch: list[_Item]) -> list[list[_Item]]:
        if not self._apart:
            return [batch]
        ordered = sorted((item for item in batch if item[2] is not None), key=lambda item: item[2] or "")
        return [[item] for item in batch if item[2] is None] + [ordered]

    def _commit(self, batch: list[_Item]) -> None:
        if not batch:
            return
        outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            with self._engine.begin() as connection:
                for operation, future, _ in batch:
                    outcomes.append((future, *_attempt(connection, operation)))
        except Exception as error:  # noqa: BLE001  whoever waits for the commit gets it
            outcomes = [(future, None, error) for _, future, _ in batch]
        if outcomes:
            self._loop.call_soon_threadsafe(_settle, outcomes)


def _attempt(connection: Connection, operation: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
    savepoint = connection.begin_nested()
    try:
        result = operation(connection)
        savepoint.commit()
    except Exception as error:
        try:
            savepoint.rollback()
        except DatabaseError:
            # A full disk makes the database undo the whole transaction, savepoint and all: so it fails for everyone.
            raise error from None
        if connection.invalidated:
            raise  # the connection is lost, and with it what others have done in this commit
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
