"""Extra passes that a training loop makes at some steps, to measure: not captured, and charged like watching itself."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from torch import Tensor

from . import schedule as scheduling
from .capture.hooks import Border
from .measures.landscape import AlongGradient, along_gradient, check
from .scalars import scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from .capture.capture import Capture
    from .schedule import Schedule

LONGEST: Final = 1024
"""Numbers that a series may have at a step."""


class Asides:
    """What a loop measures beside its steps.

    Attributes:
        seconds: How long it has taken since this was last set to zero.
        series: What it has found for the step that is under way.
    """

    def __init__(self, model: nn.Module, capture: Capture) -> None:
        self.seconds = 0.0
        self.series: dict[str, Any] = {}
        self._model = model
        self._capture = capture
        self._schedules: dict[int, Schedule] = {}
        self._border = Border("looking along the gradient failed")

    def due(self, step: int, every: int) -> bool:
        """Whether a step is watched and one of every so many.

        Raises:
            ValueError: If `every` is not at least 1.
        """
        if every not in self._schedules:
            self._schedules[every] = scheduling.every(every)
        return self._capture.active and self._schedules[every](step)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Nothing that happens inside is captured; it is timed."""
        began, active = time.perf_counter(), self._capture.active
        self._capture.active = False
        try:
            yield
        finally:
            self._capture.active = active
            self.seconds += time.perf_counter() - began

    def add(self, series: dict[str, Any]) -> None:
        """Keep numbers and short vectors for the step that is under way.

        Raises:
            TypeError: If something is neither.
        """
        self.series |= {name: vector(name, value) for name, value in series.items()}

    def probe(
        self, closure: Callable[[], Tensor], rate: float, step: int, every: int, factors: Sequence[float]
    ) -> AlongGradient | None:
        """As `Watch.probe` says."""
        due = self.due(step, every)
        check(rate, factors)
        if self._border.failures or not due:
            return None
        with self.apart(), self._border:
            found = along_gradient(self._model, closure, rate, factors)
            self.series |= {f"landscape.{name}": value for name, value in asdict(found).items()}
            return found
        return None


def vector(name: str, value: Any) -> Any:
    """A number as `scalar` has it, or a vector of float64, shape [n].

    Raises:
        TypeError: If it is neither, or longer than a series may be.
    """
    if isinstance(value, Tensor) and value.numel() != 1:
        value = value.detach().cpu().double().numpy()
    if not isinstance(value, np.ndarray | list | tuple):
        return scalar(name, value)
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: {value!r:.60} is not a vector of numbers") from error
    if found.ndim != 1 or not 0 < len(found) <= LONGEST:
        raise TypeError(
            f"{name}: its shape is {list(found.shape)}; a series is a number or a vector of at most {LONGEST}"
        )
    return found
