"""What the ranks of a job see of a step, made one frame on its way to the server."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from .. import wire
from .parts import SILENT, Parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from .company import Company
    from .delivery import Delivery, Listener
    from .filing import Filing

_ROOM: Final = 64 << 20
"""Bytes of parts that may wait for those of other ranks."""
_LOOK: Final = 0.2
"""Seconds after which it is seen to that nobody is waited for in vain."""


class Gathering:
    """Takes the first rank's frames as a `Delivery` does, those of the others too, and delivers what they make.

    Args:
        company: The ranks.
        delivery: Takes the frames of all.
        listener: Hears which ranks are missing.
        look: Looks at each frame, once it is on its way.
    """

    def __init__(
        self, company: Company, delivery: Delivery | Filing, listener: Listener, look: Callable[[bytes], None]
    ) -> None:
        self._company = company
        self._delivery = delivery
        self._listener = listener
        self._look = look
        self._changed = threading.Condition()
        self._delivering = threading.Lock()
        self._parts = Parts(company.count, time.monotonic())
        self._warned: set[int] = set()
        self._over = False
        self.seq = 0
        """A part has no number yet: its frame gets one."""
        self._gathering = threading.Thread(target=self._gather, name="normscope-gathering", daemon=True)
        self._gathering.start()

    @property
    def dropped(self) -> int:
        """Frames that were lost; steps that not all ranks looked at are no frames."""
        return self._delivery.dropped

    @property
    def reached(self) -> bool:
        """As of the delivery."""
        return self._delivery.reached

    @property
    def viewed(self) -> bool:
        """As of the delivery."""
        return self._delivery.viewed

    def has_room(self) -> bool:
        """Always: where there is none, other ranks are no longer waited for."""
        return True

    def put(self, data: bytes) -> None:
        """Take the first rank's part of a step."""
        self.part(0, data)

    def part(self, rank: int, data: bytes) -> None:
        """Take a rank's part of a step.

        Raises:
            WireError: If it is malformed.
        """
        step = wire.check(data).first_step
        with self._changed:
            self._parts.add(rank, step, data, time.monotonic())
            self._changed.notify_all()

    def reach(self, rank: int, step: int) -> None:
        """A rank has no more parts of the steps before this one."""
        with self._changed:
            self._parts.reach(rank, step, time.monotonic())
            self._changed.notify_all()

    def leave(self, rank: int) -> None:
        """A rank's courier has gone."""
        with self._changed:
            self._parts.leave(rank)
            self._changed.notify_all()

    def say(self, word: wire.State | wire.Graph | wire.Alert) -> None:
        """Pass it on."""
        with self._delivering:  # a file takes one thing after the other
            self._delivery.say(word)

    def close(self, end: wire.End | None, patience: float) -> bool:
        """Deliver what is left, whole or not, then the End; as a `Delivery` does."""
        with self._changed:  # the others are about to give their last parts too, if they are there
            self._changed.wait_for(lambda: not self._parts.waits(0), min(patience, SILENT))
            self._over = True
            self._changed.notify_all()
        self._gathering.join(patience)
        missed = {rank: n for rank, n in self._parts.missed.items() if n}
        if missed and end is not None:
            self._listener.warning("of some steps, parts are missing: " + ", ".join(
                f"{n:,} of rank {rank}" for rank, n in sorted(missed.items())
            ))  # fmt: skip
        return self._delivery.close(end, patience)

    def _gather(self) -> None:
        while True:
            with self._changed:
                over = self._over
                full = self._parts.size > _ROOM
                ready = list(self._parts.take(time.monotonic(), force=over or full))
                self._changed.notify_all()
                missing = set(self._parts.missed) - self._warned
                if not (ready or over):
                    self._changed.wait(_LOOK if self._parts.waits() else None)
            for _, parts in ready:
                self._deliver(parts)
            if missing and not over:
                self._warn(missing)
            if over and not ready:
                return

    def _deliver(self, parts: list[bytes]) -> None:
        if not self._delivery.has_room():
            return
        with self._delivering:
            data = wire.merge_ranks(parts, self._delivery.seq)
            self._delivery.put(data)
        self._look(data)

    def _warn(self, missing: set[int]) -> None:
        self._warned |= missing
        some = ", ".join(map(str, sorted(missing)[:8]))
        self._listener.warning(
            f"nothing comes from rank {some}{' and others' if len(missing) > 8 else ''}: frames go without its part "
            f"until there is (call watch on every rank; one that is silent is waited for {SILENT:g} s)"
        )
