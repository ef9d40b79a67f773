"""The store: the only truth about experiments, runs, links, tokens and frames. A port of seven methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from normscope.errors import NormscopeError

from .records import Alert, Block, Brief, Experiment, Going, Lease, Link, Record, Run, Token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Alert", "Block", "Brief", "ConflictError", "Experiment", "Going", "Lease", "Link", "Record", "Run", "Store",
    "StoreError", "Token", "is_shared", "migrate_store", "open_store", "prepare_store",
]  # fmt: skip

R = TypeVar("R", Experiment, Run, Brief, Going, Link, Alert, Token, Lease)


class StoreError(NormscopeError):
    """The store cannot be opened, read or written; the message says why in one sentence."""


class ConflictError(NormscopeError):
    """A record that cannot be kept beside those that there are: its like is there, or what it belongs to is not."""


class Store(Protocol):
    """Where everything is kept. Every method raises StoreError when the world fails it.

    An adapter has seven methods of its own; `get` is made of one of them.
    """

    async def add(self, *records: Record) -> None:
        """Keep new records, all or none; ConflictError if others stand against it."""

    async def find(self, kind: type[R], limit: int | None = None, **where: Any) -> list[R]:
        """All records, or the first few, whose fields equal the given values (or are in a given list), oldest first."""

    async def change(self, kind: type[R], id: str, given: Mapping[str, Any] | None = None, **values: Any) -> R | None:
        """Set fields of one record, if `given` ones have these values; it as it is then, None if there is no such."""

    async def append(self, run: str, blocks: Sequence[Block], *, last_seq: int, last_step: int, seen: float) -> None:
        """Commit blocks of a run and how far it has come, all or none. A block that is there already stays as it is."""

    async def blocks(self, run: str, level: int, first: int, last: int, most: int | None = None) -> list[bytes]:
        """The run's blocks of one level with an index in [first, last], in order.

        With `most` only the first of them, which have at most so many bytes together, or one that has more.
        """

    async def remove(self, experiment: str, *, finer_than: int | None = None) -> None:
        """Remove an experiment and all that belongs to it. What breaks off can be done again.

        With `finer_than` it is only the blocks of levels below, where a block of this level stands for them.
        """

    async def close(self) -> None:
        """Finish what is being written and let go."""

    async def get(self, kind: type[R], id: str) -> R | None:
        """The record with this id."""
        if not id.replace("-", "").isalnum():  # it may hold what a database refuses even to look for
            return None
        found = await self.find(kind, id=id)
        return found[0] if found else None


def prepare_store(url: str) -> None:
    """Open what is at a URL and let go of it, before anything is served: a SQLite file is made or migrated.

    Raises:
        ValueError: For a URL no adapter knows.
        StoreError: If it cannot be opened, or is of another version than this program.
    """
    _check(url)
    from .sql import database_of

    database_of(url).open_engine(url).dispose()


def migrate_store(url: str) -> tuple[str | None, str]:
    """Bring what is at a URL to this program's schema; from which one (None: there was nothing) to which.

    Raises:
        ValueError: For a URL no adapter knows, or whose store migrates by itself.
        StoreError: If it cannot be reached, or is of a newer version than this program.
    """
    _check(url)
    if url.startswith("sqlite:///"):
        raise ValueError("a SQLite file is migrated by the server that opens it; only PostgreSQL is by command")
    from .postgres import migrate

    return migrate(url)


def is_shared(url: str) -> bool:
    """Whether several servers may use the store at a URL at once."""
    return url.startswith("postgresql://")


async def open_store(url: str) -> Store:
    """The store at a URL: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`.

    Raises:
        ValueError: For a URL no adapter knows.
        StoreError: If it cannot be opened, or is of another version than this program.
    """
    _check(url)
    from .sql import SqlStore

    return await SqlStore.open(url)


def _check(url: str) -> None:
    if not url.startswith(("sqlite:///", "postgresql://")):
        raise ValueError(f"unknown store {url.partition(':')[0]!r}; it must begin with sqlite:/// or postgresql://")
