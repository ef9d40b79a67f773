"""What a person asked of a run from the page, and the place where training waits for it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .wire import Control, Welcome


class Controls:
    """Set by the sender's thread, obeyed by the training thread at the end of each step.

    Args:
        held: Called with True when training is held at a step, with False when it goes on.
        patience: Seconds after which a held run makes a step all the same, because others wait for it; None for never.
    """

    def __init__(self, held: Callable[[bool], None], patience: float | None = None) -> None:
        self._patience = patience
        self._held = held
        self._changed = threading.Condition()
        self._paused = False
        self._singles = 0
        self._pace: float | None = None
        self._due = 0.0
        self.stopped = False
        """Whether someone asked the run to end."""

    def welcome(self, message: Welcome) -> None:
        """Take over what the server says after a connection, new or renewed."""
        with self._changed:
            self._paused, self._pace = message.paused, message.pace
            self.stopped = self.stopped or message.stop
            self._changed.notify_all()

    def apply(self, control: Control) -> None:
        """Take note of one wish."""
        with self._changed:
            match control.action:
                case "pause":
                    self._paused, self._singles = True, 0
                case "resume":
                    self._paused, self._singles = False, 0
                case "step":
                    self._paused = True
                    self._singles += 1
                case "stop":
                    self.stopped = True
                case "pace":
                    self._pace = control.value
            self._changed.notify_all()

    def wait(self) -> float:
        """Wait as long as a person wants the run to; the seconds it was held by a pause (not by the pace)."""
        if not self._paused and self._pace is None:  # nearly always; what is said meanwhile is obeyed a step later
            return 0.0
        with self._changed:
            self._wait_for_pace()
            if not self._paused or self.stopped:
                return 0.0
            began = time.monotonic()
            if self._singles == 0:
                self._held(True)
                self._changed.wait_for(lambda: not self._paused or self._singles > 0 or self.stopped, self._patience)
                if not self._paused or self.stopped:
                    self._held(False)
            self._singles = max(0, self._singles - 1)
            self._due = 0.0
            return time.monotonic() - began

    def _wait_for_pace(self) -> None:
        if self._pace is None:
            self._due = 0.0
            return
        # A late step is not made up for: after a hiccup the run goes on at its pace, without a burst.
        self._due = max(self._due + 1 / self._pace, time.monotonic())
        while self._pace is not None and not self._paused and not self.stopped:
            now = time.monotonic()
            self._due = min(self._due, now + 1 / self._pace)  # the pace may have been raised meanwhile
            if self._due <= now:
                return
            self._changed.wait(self._due - now)
