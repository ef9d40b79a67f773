"""The launcher: starts training processes that outlive the server. A port of seven methods."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from normscope.errors import NormscopeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from normscope.spec import Job

__all__ = ["Exit", "Launcher", "LauncherError", "Needs", "UnreachableError", "check_launcher", "open_launcher"]


class LauncherError(NormscopeError):
    """A training process cannot be started; the message says why in one sentence."""


class UnreachableError(LauncherError):
    """What starts training processes cannot be reached now; it may be later."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a training process takes up of a cluster; on this machine processes share what there is."""

    cpus: float = 1.0
    gpus: float = 0.0

    def times(self, processes: int) -> Needs:
        """What so many take up, which are on one machine together."""
        return Needs(self.cpus * processes, self.gpus * processes)

    def __str__(self) -> str:
        words = [f"{n:g} {word}{'s' * (n != 1)}" for n, word in ((self.cpus, "CPU"), (self.gpus, "GPU")) if n]
        return " and ".join(words) or "no CPU"


@dataclass(frozen=True, slots=True)
class Exit:
    """A training process has ended.

    Attributes:
        handle: Its handle.
        code: Its exit status, negative for a signal.
        reason: Why, where its log cannot say it.
        began: Whether there was a process at all; without one the job can be started again as if nothing had been.
    """

    handle: str
    code: int
    reason: str = ""
    began: bool = True

    @property
    def words(self) -> str | None:
        """What there is to say beside the log."""
        return self.reason or (f"ended by signal {-self.code}" if self.code < 0 else None)


class Launcher(Protocol):
    """Starts and ends training processes. A handle is a short string that stays valid across server restarts."""

    async def prepare(self) -> None:
        """Get ready for a start that may come soon; at once, and without an error: that start would tell of it."""

    async def start(self, job: Job) -> str:
        """Start a training process, or have it wait for room; its handle. Raises LauncherError."""

    async def alive(self, handle: str) -> bool | None:
        """Whether the process exists, or is still to come; None if it is on another machine, where nobody can see."""

    async def kill(self, handle: str, *, hard: bool) -> None:
        """End a process that does not listen any more: ask it to (SIGTERM), or hard (SIGKILL)."""

    def why(self, handle: str | None) -> str | None:
        """Why a process has not begun, in words; None once it has. Without a handle: why none can be started now."""

    def exits(self) -> AsyncIterator[Exit]:
        """Every end of a process that this launcher started, as it happens; of others it was asked about, if it can."""

    async def close(self) -> None:
        """Let go. Training processes go on."""


def check_launcher(url: str, needs: Needs) -> None:
    """See whether a launcher can be opened.

    Raises:
        ValueError: For a URL no adapter knows, or needs that no machine has.
        LauncherError: If what the adapter needs is not installed.
    """
    if min(needs.cpus, needs.gpus) < 0 or not needs.cpus + needs.gpus > 0:
        raise ValueError(f"a run cannot take up {needs.cpus:g} CPUs and {needs.gpus:g} GPUs; give one of them at least")
    if url.startswith("ray:"):
        from .ray import check

        check(url)
    elif url != "local:":
        raise ValueError(f"unknown launcher {url!r}; it must be local: or begin with ray:")


async def open_launcher(url: str, needs: Needs = Needs()) -> Launcher:
    """The launcher at a URL: `local:`, `ray:` or `ray:http://HOST:8265`, the address of a Ray cluster's dashboard.

    Raises:
        ValueError: As `check_launcher`.
        LauncherError: As `check_launcher`.
    """
    await asyncio.to_thread(check_launcher, url, needs)
    if url.startswith("ray:"):
        from .ray import RayLauncher

        return RayLauncher(url, needs)
    from .local import LocalLauncher

    return LocalLauncher()
