"""The store: the only truth about experiments, runs, links, tokens and frames. A port of seven methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from normscope.errors import NormscopeError

from .records import Alert, Block, Brief, Experiment, Link, Record, Run, Token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Alert", "Block", "Brief", "Experiment", "Link", "Record", "Run", "Store", "StoreError", "Token", "open_store",
    "prepare_store",
]  # fmt: skip

R = TypeVar("R", Experiment, Run, Brief, Link, Alert, Token)


class StoreError(NormscopeError):
    """The store cannot be opened, read or written; the message says why in one sentence."""


class Store(Protocol):
    """Where everything is kept. Every method raises StoreError when the world fails it.

    An adapter has seven methods of its own; `get` is made of one of them.
    """

    async def add(self, *records: Record) -> None:
        """Keep new records, all or none."""

    async def find(self, kind: type[R], limit: int | None = None, **where: Any) -> list[R]:
        """All records, or the first few, whose fields equal the given values (or are in a given list), oldest first."""

    async def change(self, kind: type[R], id: str, given: Mapping[str, Any] | None = None, **values: Any) -> R | None:
        """Set fields of one record, if `given` ones have these values; it as it is then, None if there is no such."""

    async def append(self, run: str, blocks: Sequence[Block], *, last_seq: int, last_step: int, seen: float) -> None:
        """Commit blocks of a run and how far it has come, all or none. A block that is there already stays as it is."""

    async def blocks(self, run: str, level: int, first: int, last: int) -> list[bytes]:
        """The run's blocks of one level with an index in [first, last], in order."""

    async def remove(self, experiment: str) -> None:
        """Remove an experiment and all that belongs to it. What breaks off can be done again."""

    async def close(self) -> None:
        """Finish what is being written and let go."""

    async def get(self, kind: type[R], id: str) -> R | None:
        """The record with this id."""
        if not id.replace("-", "").isalnum():  # it may hold what a database refuses even to look for
            return None
        found = await self.find(kind, id=id)
        return found[0] if found else None


def prepare_store(url: str) -> None:
    """Make or migrate what is at a URL, before anything is served.

    Raises:
        ValueError: For a URL no adapter knows.
        StoreError: If it cannot be opened or is of a newer version than this program.
    """
    if not url.startswith("sqlite:///"):
        raise ValueError(f"unknown store {url!r}; it must begin with sqlite:///")
    from .sql import open_engine

    open_engine(url).dispose()


async def open_store(url: str) -> Store:
    """The store at a URL: `sqlite:///PATH`.

    Raises:
        ValueError: For a URL no adapter knows.
        StoreError: If it cannot be opened or is of a newer version than this program.
    """
    if url.startswith("sqlite:///"):
        from .sql import SqlStore

        return await SqlStore.open(url)
    raise ValueError(f"unknown store {url!r}; it must begin with sqlite:///")
