"""When to look: at every so many steps, and within a share of the training time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

Schedule: TypeAlias = Callable[[int], bool]
"""Whether to look at a step."""

_MEMORY: Final = (20.0, 1.0)
"""Seconds after which a cost counts half. The first is long enough for a rare probe; the other keeps what was saved up
while looks were cheap from being spent at once when they have become dear."""
_TOGETHER: Final = 0.05
"""Seconds of steps that are taken into account together where there is no bound."""
_COMPARED: Final = 25
"""Steps with a look, and without one, that are compared."""
_IN_ROW: Final = 4
"""Looks after which there is a step without one, for comparison."""


def every(steps: int) -> Schedule:
    """True at steps 0, `steps`, 2·`steps` and so on.

    Raises:
        ValueError: If `steps` is not at least 1.
    """
    if steps < 1:
        raise ValueError(f"every: {steps!r} is not a positive number of steps")
    return lambda step: step % steps == 0


def log_spaced(per_decade: int = 50) -> Schedule:
    """True at about so many steps between any step and ten times that step; early on at every step.

    Looks are as dense as the changes are that they are to show: fast at first, slow later. Of 100,000 steps and 50 per
    decade, 205 are looked at, among them the first 24.

    Raises:
        ValueError: If `per_decade` is not at least 1.
    """
    if per_decade < 1:
        raise ValueError(f"per_decade: {per_decade!r} is not a positive number of steps")

    def at(step: int) -> bool:
        return step == 0 or math.floor(per_decade * math.log10(step)) < math.floor(per_decade * math.log10(step + 1))

    return at


class Budget:
    """Keeps what watching costs within a share of the training time.

    What a look costs is more than the time it takes itself: caches are left cold, and another process may have needed
    the processor. So steps with a look are compared with steps without one, of which there are always some, and a look
    is charged the difference where that is more.

    Args:
        share: The largest share of time that may be spent, in (0, 1]; None for no bound.

    Raises:
        ValueError: If `share` is out of range.
    """

    def __init__(self, share: float | None) -> None:
        if share is not None and not 0 < share <= 1:
            raise ValueError(f"budget: {share!r} is not a share of time between 0 and 1")
        self._share = share
        self._spent = [0.0] * len(_MEMORY)
        self._elapsed = [0.0] * len(_MEMORY)
        self._walls: tuple[deque[float], deque[float]] = (deque(maxlen=_COMPARED), deque(maxlen=_COMPARED))
        self._in_row = 0
        self._lately = (0.0, 0.0)

    def note(self, spent: float, elapsed: float, *, looked: bool = True) -> None:
        """Take a step into account that took `elapsed` seconds and watching `spent` of them; older times fade."""
        if self._share is None:  # nobody decides by it: several short steps are as good as one
            spent, elapsed = self._lately = self._lately[0] + spent, self._lately[1] + elapsed
            if elapsed < _TOGETHER:
                return
            self._lately = (0.0, 0.0)
        else:
            self._walls[looked].append(elapsed)
            self._in_row = self._in_row + 1 if looked else 0
        if looked and self._share is not None:
            spent = max(spent, min(self._difference(), elapsed))
        for i, half in enumerate(_MEMORY):
            fade = 0.5 ** (elapsed / half)
            self._spent[i] = self._spent[i] * fade + spent
            self._elapsed[i] = self._elapsed[i] * fade + elapsed

    def _difference(self) -> float:
        """By how many seconds a step with a look is longer than one without, as far as that is known."""
        without, with_look = map(sorted, self._walls)
        if len(without) < _COMPARED // 3 or not with_look:
            return 0.0
        # Work that a look leaves behind is done during the next steps: the quicker ones are those without any.
        return with_look[len(with_look) // 2] - without[len(without) // 4]

    @property
    def cost(self) -> float:
        """The share of recent time that watching took, in [0, 1]."""
        spent, elapsed = self._spent[0] + self._lately[0], self._elapsed[0] + self._lately[1]
        return min(spent / elapsed, 1.0) if elapsed > 0 else 0.0

    def allows(self) -> bool:
        """Whether there is room for another look. The first look is free: nothing is known before it."""
        share = self._share
        return share is None or (
            self._in_row < _IN_ROW and all(s <= share * e for s, e in zip(self._spent, self._elapsed, strict=True))
        )


class Nested(Budget):
    """A budget whose looks fall together with those of others like it, which nobody has to tell what the others do.

    It looks at every 1st, 2nd, 4th, … of the steps that may be looked at, as the share allows: where two of them
    differ, whoever looks less often looks at steps that the other looks at too. Each has to be asked about the same
    steps.
    """

    _MANY: Final = 16
    """Looks after which it may look twice as often, if that leaves room."""

    def __init__(self, share: float | None) -> None:
        super().__init__(share)
        self._asked = self._looks = 0
        self._stride = 1

    def allows(self) -> bool:
        """Whether to look at this one of the steps that may be looked at."""
        if self._share is None:
            return True
        place, self._asked = self._asked, self._asked + 1
        # One without a look, for comparison: an odd one, at which nobody who looks less often looks.
        if self._stride == 1 and place % (2 * _IN_ROW + 2) == 2 * _IN_ROW + 1:
            return False
        if place % self._stride:
            return False
        pressure = max(s / (self._share * e) if e else 0.0 for s, e in zip(self._spent, self._elapsed, strict=True))
        if pressure > 1:
            self._stride, self._looks = self._stride * 2, 0
        elif pressure < 1 / 3 and self._looks >= self._MANY and self._stride > 1:
            self._stride, self._looks = self._stride // 2, 0
        self._looks += 1
        return place % self._stride == 0
