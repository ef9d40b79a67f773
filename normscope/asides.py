"""Extra passes that a training loop makes at some steps, to measure: not captured, and charged like watching itself."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from torch import Tensor

from . import schedule as scheduling
from .capture.hooks import Border
from .capture.seen import Seen
from .measures.landscape import FACTORS, AlongGradient, along_gradient, check
from .scalars import scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray
    from torch import nn

    from .capture.capture import Capture
    from .schedule import Schedule

LONGEST: Final = 51 * 51
"""Numbers that a series may have at a step."""


class Asides:
    """What a loop measures beside its steps.

    Args:
        model: The net.
        capture: What watches it.
        alike: Whether other ranks measure the same at the same steps, and would wait for this one.

    Attributes:
        alike: As given.
        seconds: How long it has taken since this was last set to zero.
        series: What it has found for the step that is under way.
        outcome: What the run's end is to tell.
    """

    def __init__(self, model: nn.Module, capture: Capture, alike: bool = False) -> None:
        self.alike = alike
        self.seconds = 0.0
        self.series: dict[str, Any] = {}
        self.outcome: dict[str, float | None] = {}
        self._model = model
        self._capture = capture
        self._schedules: dict[int, Schedule] = {}
        self._border = Border("looking along the gradient failed")

    def due(self, step: int, every: int) -> bool:
        """Whether a step is watched and one of every so many; with other ranks, any of those, for these decide alike.

        Raises:
            ValueError: If `every` is not at least 1.
        """
        if every not in self._schedules:
            self._schedules[every] = scheduling.every(every)
        return (self._capture.active or self.alike) and self._schedules[every](step)

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


class Measuring(ABC):
    """What a `Watch` offers to a loop that measures."""

    _asides: Asides
    _capture: Capture
    _sending: Border
    _step: int

    def probe(
        self, closure: Callable[[], Tensor], rate: float, every: int = 10, factors: Sequence[float] = FACTORS
    ) -> AlongGradient | None:
        """Look along the gradient at every so many steps; call it after `backward` and before `optimizer.step`.

        Gives the series landscape.eta, .loss, .predictiveness and .beta, and returns them where it has looked; see
        `normscope.measures.landscape`. Nothing of the model, its gradients or the random state is different afterwards.
        If the closure fails, probing ends with a warning and training goes on.

        Args:
            closure: Computes this mini-batch's loss, as for the gradients that the weights now hold.
            rate: The learning rate.
            every: Steps between two looks; they share the budget, which may make them rarer.
            factors: Step lengths in learning rates.

        Raises:
            ValueError: If `rate`, `every` or `factors` makes no sense.
        """
        return self._asides.probe(closure, rate, self._step, every, factors)

    def due(self, every: int) -> bool:
        """Whether to measure something at the step that is under way: it is watched, and one of every so many.

        Raises:
            ValueError: If `every` is not at least 1.
        """
        return self._asides.due(self._step, every)

    def aside(self) -> AbstractContextManager[None]:
        """A block in the middle of a step for passes that measure: not captured, and charged to the budget."""
        return self._asides.apart()

    def add(self, **series: float | Tensor | Sequence[float] | NDArray[np.float64]) -> None:
        """Show numbers or vectors (shape [n], at most 2,601 long) beside those of the next `step`.

        Raises:
            TypeError: If a value is neither.
        """
        self._asides.add(series)

    def tell(self, **series: float | Tensor | Sequence[float] | NDArray[np.float64]) -> None:
        """Show numbers or vectors of the last step that were found after it, at once, in a frame of their own.

        What takes long can be told several times, first coarsely: of vectors that differ in length, the longest is kept
        where frames are merged. Where the next step has begun, before the first, and among ranks, it is as `add`.

        Raises:
            TypeError: If a value is neither.
        """
        if self._asides.alike or not (self._step and self._capture.idle):
            return self._asides.add(series)
        found = {name: vector(name, value) for name, value in series.items()}
        if not (self._capture.closed or self._sending.failures):
            with self._sending:
                self._put(self._step - 1, found, Seen.nothing())
        return None

    def conclude(self, **numbers: float) -> None:
        """Sum the run up in some numbers, which its end tells; what is not finite is told as missing."""
        self._asides.outcome |= {name: float(v) if math.isfinite(v) else None for name, v in numbers.items()}

    @abstractmethod
    def _put(self, step: int, series: dict[str, Any], seen: Seen) -> None:
        """Send what was seen at a step, and these numbers with it."""


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
