"""The launcher: starts training processes that outlive the server. A port of five methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from normscope.errors import NormscopeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from normscope.spec import Job

__all__ = ["Exit", "Launcher", "LauncherError", "open_launcher"]


class LauncherError(NormscopeError):
    """A training process cannot be started; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Exit:
    """A training process has ended: its handle and its exit status, negative for a signal."""

    handle: str
    code: int


class Launcher(Protocol):
    """Starts and ends training processes. A handle is a short string that stays valid across server restarts."""

    async def start(self, job: Job) -> str:
        """Start a training process; its handle. Raises LauncherError."""

    async def alive(self, handle: str) -> bool | None:
        """Whether the process still exists; None if that cannot be seen from here, since it is on another machine."""

    async def kill(self, handle: str, *, hard: bool) -> None:
        """End a process that does not listen any more: ask it to (SIGTERM), or hard (SIGKILL)."""

    def exits(self) -> AsyncIterator[Exit]:
        """Every end of a process that this launcher started, as it happens."""

    async def close(self) -> None:
        """Let go. Training processes go on."""


async def open_launcher(url: str) -> Launcher:
    """The launcher at a URL: `local:`.

    Raises:
        ValueError: For a URL no adapter knows.
    """
    if url == "local:":
        from .local import LocalLauncher

        return await LocalLauncher.open()
    raise ValueError(f"unknown launcher {url!r}; it must be local:")
