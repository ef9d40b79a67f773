"""This process among those that train one net together, as `torch.distributed` knows them.

What watching has to agree on with the others goes through torch's store, a word at a time: never through the process
group, where a rank that is missing would hold up all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import torch
from torch import distributed

from .schedule import Budget, Nested
from .sending.company import MODES, Address, Company

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from .capture.capture import Capture
    from .schedule import Schedule
    from .sending.sender import Sender
    from .wire import Hello, Layer

log = logging.getLogger("normscope")

_LOOKS: Final = (0.05, 30.0)
"""Seconds between two looks for the first rank's address, and after which it is given up."""
_AGREE: Final = 5.0
"""Seconds that it may take until all know where to stop."""
_HOLD: Final = 300.0
"""Seconds that one rank may hold up the others while nobody knows how long they would wait."""
_turns: Final[Counter[str]] = Counter()
"""How often nets with these layers have been watched in this process: every rank counts alike."""


class Place:
    """Which rank this is, of how many, and what is to become of what it sees.

    Args:
        mode: One of MODES.

    Attributes:
        first: Whether it is the one that speaks for all.
        sends: Whether what it sees goes to a server or a file from here.
        sees: Whether anything is captured here.
    """

    def __init__(self, mode: str) -> None:
        self.rank, self.count, self._mode = distributed.get_rank(), distributed.get_world_size(), mode
        self.first = self.rank == 0
        self.sends = self.first or mode == "apart"
        self.sees = self.first or mode != "first"
        self._store = distributed.distributed_c10d._get_default_store()
        self._key = self._group = ""
        self._secret = secrets.token_urlsafe(24)
        self._proposed = False
        self._left = threading.Event()

    @classmethod
    def among(cls, mode: str) -> Self | None:
        """This process's place; None if it trains alone.

        Raises:
            ValueError: If the mode is none.
        """
        if mode not in MODES:
            raise ValueError(f"ranks: {mode!r} is none of {', '.join(MODES)}")
        if distributed.is_available() and distributed.is_initialized():
            return cls(mode) if distributed.get_world_size() > 1 else None
        if int(os.environ.get("WORLD_SIZE") or 1) > 1:
            log.warning("normscope: watch() was called before init_process_group(): each rank is a run of its own")
        return None

    def join(
        self, capture: Capture, model: nn.Module, hello: Hello, file: str | os.PathLike[str] | None,
        schedule: Schedule | None,
    ) -> tuple[Hello, str | os.PathLike[str] | None, Schedule | None]:  # fmt: skip
        """How this rank introduces its run, where it records it, and which steps it may look at."""
        self._agree(capture.layers)
        if not self.first and self._mode == "merge" and not sharded(model):
            capture.at_rest = []  # each rank has a copy of the weights, which are to count once
        if not self.sees:
            capture.detach()
        return self._introduce(hello), self._file(file), schedule if self.sees else lambda _: False

    def stop(self, sender: Sender, after: int) -> None:
        """Have all ranks stop behind a step that none of them has made yet.

        The first rank waits a moment for them to hear of it: meanwhile they can be at most at the step before, whose
        gradients they need from here.
        """
        if self._proposed:
            return
        self._proposed = True
        sender.stop(after)
        deadline = time.monotonic() + _AGREE
        while self.first and sender.last is None and time.monotonic() < deadline:
            time.sleep(0.001)

    def _agree(self, layers: Sequence[Layer]) -> None:
        """Agree with the other ranks that watch a net of these layers on what their runs have in common."""
        names = hashlib.sha256("\n".join(layer.name for layer in layers).encode()).hexdigest()[:16]
        self._key = f"normscope/{names}/address"
        group = f"normscope/{names}/{_turns[names]}/group"
        _turns[names] += 1
        self._group = self._store.compare_set(group, "", secrets.token_urlsafe(24)).decode()

    def budget(self, share: float | None) -> Budget:
        """One whose looks fall together with those of the other ranks."""
        return Nested(share)

    def _introduce(self, hello: Hello) -> Hello:
        """Introduce the run as that of all ranks, or as one of a group that belongs together."""
        said = {"processes": f"{self.count} ranks, {'merged' if self._mode == 'merge' else self._mode}"}
        group, arm = (None, "") if self._mode != "apart" else (self._group, f"rank {self.rank}")
        return replace(hello, versions=hello.versions | said, group=group, arm=arm)

    def _file(self, file: str | os.PathLike[str] | None) -> str | os.PathLike[str] | None:
        """Where this rank records, if it does: apart, each has a file of its own, `run.rank1.normscope`."""
        if file is None or not self.sends:
            return None
        path = Path(file)
        return path.with_suffix(f".rank{self.rank}{path.suffix}") if self._mode == "apart" else path

    def company(self) -> Company:
        """What the courier has to know."""
        return Company(self.rank, self.count, self._mode, self._secret, _host(self.count))

    def publish(self, address: Address) -> None:
        """As the first rank, tell the others where its courier listens."""
        self._set(json.dumps([address.host, address.port, self._secret]))

    def find(self, found: Callable[[Address], None]) -> None:
        """As another rank, wait for that on a thread of its own, and tell it."""
        threading.Thread(target=self._find, args=(found,), name="normscope-find", daemon=True).start()

    def leave(self) -> None:
        """Look no longer; as the first rank, let nobody find what is over."""
        self._left.set()
        if self.first:
            self._set("")

    def _set(self, value: str) -> None:
        try:
            self._store.set(self._key, value)
        except RuntimeError as error:  # the store went with the process that held it
            log.debug("normscope: the other ranks cannot be told: %s", error)

    def _find(self, found: Callable[[Address], None]) -> None:
        waited = 0.0
        try:
            # A store answers one request of a process at a time, so one that waits would hold up training.
            while not (self._store.check([self._key]) and (said := self._store.get(self._key))):
                if self._left.wait(_LOOKS[0]):
                    return
                waited += _LOOKS[0]
                if waited > _LOOKS[1]:
                    log.warning("normscope: rank 0 watches no such net: nothing of rank %d is shown", self.rank)
                    return
            found(Address(*json.loads(said)))
        except RuntimeError as error:
            if not self._left.is_set():
                log.warning("normscope: rank %d cannot join: %s", self.rank, error)

    @property
    def patience(self) -> float:
        """Seconds that this rank may hold up the others, without fear that their process group gives up."""
        try:
            group = distributed.distributed_c10d._get_default_group()
            device = torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")
            return float(group._get_backend(device).options._timeout.total_seconds()) / 2
        except (AttributeError, RuntimeError):  # not every backend says
            return _HOLD


def sharded(model: nn.Module) -> bool:
    """Whether each rank holds a part of the weights, and not a copy of all."""
    return any(hasattr(p, "to_local") for p in model.parameters()) or any(
        "_fsdp_wrapped_module" in module._modules for module in model.modules()
    )


def _host(count: int) -> str:
    """Where the first rank's courier listens: on this machine alone, if all ranks are here."""
    master = os.environ.get("MASTER_ADDR") or "127.0.0.1"
    alone = os.environ.get("LOCAL_WORLD_SIZE") == str(count)
    return "127.0.0.1" if alone or master in ("localhost", "::1") else master
