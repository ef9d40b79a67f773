"""The process beside training: a fresh interpreter, or one forked ahead of time where that is safe."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, cast

from ..background import ONE_THREAD
from . import courier

if TYPE_CHECKING:
    from typing import NoReturn


class Beside(Protocol):
    """A process that reads records from one pipe and writes news to another, see `normscope.sending.courier`."""

    stdin: BinaryIO
    stdout: BinaryIO

    def kill(self) -> None:
        """End it at once."""

    def wait(self) -> int:
        """Until it has ended."""


class Forked:
    """A copy of this process that goes on as a courier.

    A fork copies the calling thread alone, with every lock as it stands: the process may have no other threads.
    """

    def __init__(self) -> None:
        self._parent = os.getpid()
        ours_in, records = os.pipe()
        news, ours_out = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(records)
            os.close(news)
            _become_courier(ours_in, ours_out)
        os.close(ours_in)
        os.close(ours_out)
        self.stdin: BinaryIO = os.fdopen(records, "wb", buffering=0)  # closed by the one who uses them
        self.stdout: BinaryIO = os.fdopen(news, "rb", buffering=0)

    @property
    def ours(self) -> bool:
        """Whether this process made it; one that was forked since has no part in it."""
        return os.getpid() == self._parent

    def kill(self) -> None:
        """End it at once."""
        os.kill(self._pid, 9)

    def wait(self) -> int:
        """Until it has ended."""
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def _become_courier(records: int, news: int) -> NoReturn:
    try:
        for source, target in ((records, 0), (news, 1)):
            os.dup2(source, target)
            os.close(source)
        sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
        courier.main()
    finally:
        os._exit(1)


_ahead: Final[list[Forked]] = []


def fork_ahead() -> None:
    """Make the process that the next `watch` will need, by a fork, which takes milliseconds instead of a second.

    For a process that has no thread but this one, and has not yet used a GPU.
    """
    _ahead.append(Forked())


def beside() -> Beside:
    """The process that was made ahead, or a new one."""
    while _ahead:
        process = _ahead.pop()
        if process.ours:
            return process
    # The child finds our modules where we found them, however they came onto the path.
    program = f"import sys; sys.path[:] = {sys.path!r}; from {courier.__name__} import main; main()"
    spawned = subprocess.Popen(  # noqa: S603  our own
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=os.environ | ONE_THREAD,
    )  # fmt: skip
    return cast("Beside", spawned)
