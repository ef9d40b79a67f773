"""What people are told of a step beside its frame: where values first are not finite, and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..alerts import Sentry
from .pipe import Nonfinite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from .. import wire
    from ..alerts import Sight
    from .pipe import Start


class Notices:
    """Looks at what was seen of each step: by one process, or by all ranks together.

    Args:
        start: Names layers, slots and rules.
        tell: Hears what there is to tell.
    """

    def __init__(self, start: Start, tell: Callable[[wire.Alert | Nonfinite], None]) -> None:
        self._names = [layer.name for layer in start.hello.layers]
        self._slots = start.slots
        self._sentry = Sentry(start.rules, self._names, [(slot.layer, slot.kind) for slot in start.slots])
        self._nonfinite = False
        self._tell = tell

    def look(self, sights: Sequence[Sight]) -> None:
        """Look at some steps, in their order."""
        for sight in sights:
            if not self._nonfinite and sight.numbers[:, 3].any():
                self._tell(self._first_nonfinite(sight.step, sight.slots, sight.numbers))
        for alert in self._sentry.look(sights):
            self._tell(alert)

    def _first_nonfinite(self, step: int, slots: NDArray[np.int64], numbers: NDArray[np.float64]) -> Nonfinite:
        """In which layer values that are not finite have appeared; the first in the order of the model."""
        self._nonfinite = True
        row = int(np.argmax(numbers[:, 3] > 0))
        slot = self._slots[int(slots[row])]
        return Nonfinite(step, self._names[slot.layer], slot.kind, int(numbers[row, 3]), int(numbers[row, 0]))
