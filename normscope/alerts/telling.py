"""Alerts on their way to the training loop, which hears of them at the end of a step."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..capture.hooks import Border

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import wire


class Telling:
    """Calls a loop's own function, on the loop's own thread.

    Args:
        on_alert: Called with each alert; None if nobody wants to hear.
    """

    def __init__(self, on_alert: Callable[[wire.Alert], object] | None) -> None:
        if not (on_alert is None or callable(on_alert)):
            raise TypeError(f"on_alert: {on_alert!r} is not a function of an alert")
        self._on_alert = on_alert
        self._waiting: deque[wire.Alert] = deque()
        self._border = Border("on_alert failed")

    def put(self, alert: wire.Alert) -> None:
        """Keep an alert for `tell`, from any thread; there are at most `normscope.alerts.MOST` of them."""
        if self._on_alert is not None:
            self._waiting.append(alert)

    def tell(self) -> None:
        """Call the function with every alert that waits."""
        while self._waiting:
            assert self._on_alert is not None
            with self._border:
                self._on_alert(self._waiting.popleft())
