"""When to look: at every so many steps, and within a share of the training time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    Schedule = Callable[[int], bool]

_MEMORY: Final = 20.0
"""Seconds after which a cost counts half: long enough for a rare probe, short enough to follow a changing net."""


def every(steps: int) -> Schedule:
    """True at steps 0, `steps`, 2·`steps` and so on.

    Raises:
        ValueError: If `steps` is not at least 1.
    """
    if steps < 1:
        raise ValueError(f"every: {steps!r} is not a positive number of steps")
    return lambda step: step % steps == 0


class Budget:
    """Keeps what watching costs within a share of the training time.

    Args:
        share: The largest share of time that may be spent, in (0, 1]; None for no bound.

    Raises:
        ValueError: If `share` is out of range.
    """

    def __init__(self, share: float | None) -> None:
        if share is not None and not 0 < share <= 1:
            raise ValueError(f"budget: {share!r} is not a share of time between 0 and 1")
        self._share = share
        self._spent = 0.0
        self._elapsed = 0.0

    def note(self, spent: float, elapsed: float) -> None:
        """Take into account that of `elapsed` seconds, watching took `spent`; older times fade."""
        fade = 0.5 ** (elapsed / _MEMORY)
        self._spent = self._spent * fade + spent
        self._elapsed = self._elapsed * fade + elapsed

    @property
    def cost(self) -> float:
        """The share of recent time that watching took, in [0, 1]."""
        return min(self._spent / self._elapsed, 1.0) if self._elapsed > 0 else 0.0

    def allows(self) -> bool:
        """Whether there is room for another look. The first look is free: nothing is known before it."""
        return self._share is None or self.cost <= self._share
