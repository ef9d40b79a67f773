"""Training processes on this machine, forked from a parent that has torch loaded already."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

import psutil

from . import Exit, LauncherError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from normscope.spec import Job

_TRAINER: Final = f"{__package__.rpartition('app.')[0]}trainer"
"""`trainer` in a checkout, `normscope.trainer` where installed."""
_HOST: Final = socket.gethostname()
_ALONE: Final = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""For the parent: a process that forks must have no other threads, and runs that share a machine want one each."""
_PATIENCE: Final = 60.0
"""Seconds to wait for the parent: it imports torch, which a cold disk can make slow."""


class LocalLauncher:
    """Talks to the pre-warmed parent over its standard input and output, a line of JSON each way.

    The parent is made when somebody may be about to start a run: a server that none is started from does without. It
    leaves when its input closes, however the server went. If it dies, the next start makes a new one.
    """

    def __init__(self) -> None:
        self._parent: asyncio.subprocess.Process | None = None
        self._ready = False
        self._reader: asyncio.Task[None] | None = None
        self._starting: dict[str, asyncio.Future[str]] = {}
        self._handles: dict[int, str] = {}
        self._exits: asyncio.Queue[Exit] = asyncio.Queue()
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        """See to it that there is a parent, which then warms up."""
        async with self._lock:
            with contextlib.suppress(LauncherError):
                await self._warm()

    async def start(self, job: Job) -> str:
        """Fork a trainer for the job."""
        async with self._lock:
            await self._warm()
            assert self._parent is not None
            assert self._parent.stdin is not None
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._starting[job.token] = future
            try:
                self._parent.stdin.write(job.dump().encode() + b"\n")
                await self._parent.stdin.drain()
                handle = await asyncio.wait_for(future, _PATIENCE)
            except (OSError, TimeoutError) as error:
                raise LauncherError(f"the trainer could not be started: {error or 'it does not answer'}") from error
            finally:
                self._starting.pop(job.token, None)
        return handle

    async def alive(self, handle: str) -> bool | None:
        """Whether this very process, not another of the same number, exists and is no zombie."""
        return _process(handle) is not None if _is_here(handle) else None

    async def kill(self, handle: str, *, hard: bool) -> None:
        """Send SIGTERM or SIGKILL."""
        process = _process(handle)
        if process is not None:
            process.kill() if hard else process.terminate()

    def why(self, handle: str | None) -> str | None:  # noqa: ARG002
        """Nothing waits here: what is started begins."""
        return None

    async def exits(self) -> AsyncIterator[Exit]:
        """Ends of processes, as the parent reports them."""
        while True:
            yield await self._exits.get()

    async def close(self) -> None:
        """Close the parent's input, which ends it; while it still warms up it does not listen, and has no children."""
        if self._parent is not None and self._parent.stdin is not None:
            self._parent.stdin.close()
            if not self._ready and self._parent.returncode is None:
                self._parent.terminate()
            await self._parent.wait()
        if self._reader is not None:
            await self._reader

    async def _warm(self) -> None:
        if self._parent is not None and self._parent.returncode is None:
            return
        self._ready = False
        try:
            self._parent = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _TRAINER, "--parent",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                env=os.environ | _ALONE,
            )  # fmt: skip
        except OSError as error:
            raise LauncherError(f"the trainer could not be started: {error.strerror}") from error
        self._reader = asyncio.create_task(self._listen(self._parent))

    async def _listen(self, parent: asyncio.subprocess.Process) -> None:
        assert parent.stdout is not None
        async for line in parent.stdout:
            self._hear(json.loads(line))
        for future in self._starting.values():
            if not future.done():
                future.set_exception(LauncherError("the trainer could not be started: its parent process has ended"))

    def _hear(self, message: dict[str, Any]) -> None:
        match message:
            case {"ready": int()}:
                self._ready = True
            case {"started": int(pid), "token": str(token)}:
                self._handles[pid] = _handle(pid)
                future = self._starting.get(token)
                if future is not None and not future.done():
                    future.set_result(self._handles[pid])
            case {"ended": int(pid), "code": int(code)}:
                handle = self._handles.pop(pid, None)
                if handle is not None:
                    self._exits.put_nowait(Exit(handle, code))
            case _:
                pass


def _handle(pid: int) -> str:
    """The process number, when it began, since numbers are used again, and on which machine."""
    try:
        return f"{pid}:{psutil.Process(pid).create_time():.2f}@{_HOST}"
    except psutil.NoSuchProcess:
        return f"{pid}:ended@{_HOST}"


def _is_here(handle: str) -> bool:
    """Whether a process is one of this machine; those that do not say are."""
    return handle.partition("@")[2] in ("", _HOST)


def _process(handle: str) -> psutil.Process | None:
    if not _is_here(handle):
        return None
    pid, _, began = handle.partition("@")[0].partition(":")
    try:
        process = psutil.Process(int(pid))
        same = f"{process.create_time():.2f}" == began
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, ValueError):
        return None
