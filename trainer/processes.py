"""The processes that train one net together: a run's own and those that it forks, each on its part of every mini-batch.

They meet over loopback, with gloo. Each has the same weights and takes the same steps; gradients are those of the whole
mini-batch. What a process measures is of its own part, as in any such training; `normscope.watch` merges what all see.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from normscope.background import leave_with_parent
from normscope.errors import NormscopeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

_PATIENCE: Final = timedelta(days=7)
"""For which a run may be paused: a process that is gone is noticed at once, however long that is."""
_LEAVE: Final = 30.0
"""Seconds that the others may take to leave when the first one has done its part."""
_LOOPBACK: Final = "lo0" if sys.platform == "darwin" else "lo"


class FallenError(NormscopeError):
    """Another of the processes that train together has ended; the message says which and how."""


class Team:
    """What one of them knows of all; of a run with one process, that it is alone.

    Attributes:
        rank: Its number; 0 is the run's own process.
        count: How many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1, listener: socket.socket | None = None) -> None:
        self.rank = rank
        self.count = count
        self._listener = listener
        self._others: dict[int, int] = {}
        self._told = False

    @classmethod
    def of(cls, count: int) -> Team:
        """Fork the others; each goes on from here, as the first does.

        For a process that has no thread but this one, has computed nothing, and has no pipes whose end someone awaits.
        """
        if count == 1:
            return cls()
        team = cls(0, count, socket.create_server(("127.0.0.1", 0)))
        first = os.getpid()
        for rank in range(1, count):
            pid = os.fork()
            if pid == 0:
                _follow(first)
                return cls(rank, count, team._listener)
            team._others[pid] = rank
        return team

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Meet, so that what follows can be done together; afterwards see the others off."""
        if self._listener is None:
            yield
            return
        from torch import distributed

        os.environ["GLOO_SOCKET_IFNAME"] = _LOOPBACK
        port = self._listener.getsockname()[1]
        file = self._listener.detach() if self.rank == 0 else None
        store = distributed.TCPStore(  # type: ignore[attr-defined]
            "127.0.0.1", port, self.count, self.rank == 0, master_listen_fd=file, wait_for_workers=False
        )
        distributed.init_process_group("gloo", store=store, rank=self.rank, world_size=self.count, timeout=_PATIENCE)
        try:
            yield
            distributed.destroy_process_group()
            self._see_off(_LEAVE)
        finally:
            self._see_off(0.0)

    @contextlib.contextmanager
    def minded(self) -> Iterator[None]:
        """Training that ends when another has fallen, with the reason, wherever it is: it may wait for a person.

        Raises:
            FallenError: If another has ended in a way that is no success.
        """
        if not self._others:
            yield
            return
        before = signal.signal(signal.SIGCHLD, lambda *_: self._look())
        try:
            yield
        except RuntimeError:  # from what they did together: its words are about a socket
            self._look(1.0)
            raise
        finally:
            signal.signal(signal.SIGCHLD, before)

    def share(self, whole: Tensor) -> Tensor:
        """This process's part of a mini-batch's samples."""
        return whole if self.count == 1 else whole.tensor_split(self.count)[self.rank]

    def total(self, net: nn.Module, loss: Tensor) -> Tensor:
        """The sum of all processes' losses; the net's gradients become those of it."""
        if self.count == 1:
            return loss.detach()
        import torch
        from torch import distributed

        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        together = torch.cat([loss.detach().reshape(1), *(g.flatten() for g in gradients)])
        distributed.all_reduce(together)
        total, *parts = torch.split(together, [1, *(g.numel() for g in gradients)])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return total[0]

    def _look(self, patience: float = 0.0) -> None:
        """Raise FallenError if another has ended badly, or does so soon; once, for the others follow it."""
        deadline = time.monotonic() + patience
        while not self._told:
            codes = self._reap()
            for rank in sorted(codes, key=lambda rank: codes[rank]):  # who was killed, not who fell over that
                if codes[rank]:
                    self._told = True
                    raise FallenError(f"process {rank} of {self.count} {_words(codes[rank])}")
            if time.monotonic() >= deadline:
                return
            time.sleep(0.01)

    def _reap(self) -> dict[int, int]:
        """Of those that have ended, how."""
        codes = {}
        for pid, rank in list(self._others.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._others[pid]
                codes[rank] = os.waitstatus_to_exitcode(status)
        return codes

    def _see_off(self, patience: float) -> None:
        """Wait for the others to leave, and make those that do not."""
        deadline = time.monotonic() + patience
        while self._others and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.01)
        for pid in self._others:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._others = {}


def _follow(first: int) -> None:
    """In one of the others: end at once when told to, or when the first is gone, whatever it waits for."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    leave_with_parent()
    if os.getppid() != first:  # it went while we came
        os._exit(1)


def _words(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"has failed with status {code}; its log says why"
