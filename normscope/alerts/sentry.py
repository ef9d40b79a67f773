"""Looks at every step of a run, some at a time, and says which alerts begin and which are over."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from .. import wire
from .rules import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .rules import Rule

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MOST: Final = 1000
"""Alerts that a run may give; what comes after is not told."""
CALM: Final = 20
"""Steps without trouble, at least, after which an alert is over: one that flickers is told once."""
_PARTS: Final = 4
"""Parts of the time within which a loss has to fall: means over them are compared, since single losses are noise."""
_FALL: Final = 0.01
"""By which share of itself."""


class Sight(NamedTuple):
    """What there is to see of a step."""

    step: int
    """Its number."""
    series: Mapping[str, Any]
    """What the loop has told; vectors are passed over."""
    slots: Ints
    """Of which slots there are numbers, increasing, shape [n]."""
    numbers: Floats
    """Values, zeros, saturated, non-finite, mean, standard deviation, minimum, maximum, shape [n, 8]."""


@dataclass(slots=True)
class Fall:
    """When a series has last fallen, as far as means over some steps tell.

    Attributes:
        within: Steps after which it is called stalled.
    """

    within: float
    since: int = -1
    _best: float = math.inf
    _sum: float = 0.0
    _count: int = 0
    _begin: int = -1

    def steps_without(self, step: int, value: float) -> int:
        """Take the next value; for how many steps it has not fallen."""
        if self._begin < 0:
            self.since = self._begin = step
        self._sum += value
        self._count += 1
        if step - self._begin + 1 >= self.within / _PARTS:
            mean = self._sum / self._count
            if mean < self._best - _FALL * abs(self._best) or math.isinf(self._best):
                self._best, self.since = mean, step
            self._begin, self._sum, self._count = step + 1, 0.0, 0
        return step - self.since


@dataclass(slots=True)
class _Told:
    """An alert that lasts: as it was told, and for how many things it does."""

    alert: wire.Alert
    lasting: int = field(default=0)


class Sentry:
    """The rules of one run.

    Everything that a rule is about is a case: a kind of a layer, or a series. Cases of layers are looked at together,
    in a few calls for all of them.

    Args:
        rules: What to look for.
        layers: The names of the watched layers.
        slots: What is watched of them, as positions among the layers and kinds.
    """

    def __init__(self, rules: Sequence[Rule], layers: Sequence[str], slots: Sequence[tuple[int, str]]) -> None:
        of_layers = [(r, s) for r in rules for s, (at, kind) in enumerate(slots) if r.fits(layers[at], kind)]
        of_series = [(r, name) for r in rules for name in r.series]
        cases = [r for r, _ in (*of_layers, *of_series)]
        self._rules = cases
        self._places = [*((layers[slots[s][0]], slots[s][1]) for _, s in of_layers), *((None, n) for _, n in of_series)]
        self._measures = list(dict.fromkeys(r.measure for r, _ in of_layers))
        self._measure = np.array([self._measures.index(r.measure) for r, _ in of_layers], np.int64)
        self._slot = np.array([s for _, s in of_layers], np.int64)
        self._slots = len(slots)
        self._series = [(r.measure, name, Fall(r.bound)) for r, name in of_series]
        self._values = np.full(len(cases), np.nan)
        # All comparisons become "more than": upside down where it is less, and a hair lower where equal counts.
        self._sign = np.array([-1.0 if r.relation[0] == "<" else 1.0 for r in cases])
        limit = self._sign * np.array([r.bound for r in cases], np.float64)
        equal = np.array([r.relation[-1] == "=" for r in cases], bool)
        self._limit = np.where(equal, np.nextafter(limit, -np.inf), limit)
        self._steps = np.array([r.steps for r in cases], np.int64)
        known = {(r.name, s): i for i, (r, s) in enumerate(of_layers)}
        pairs = [(i, known[r.unless, s]) for i, (r, s) in enumerate(of_layers) if (r.unless, s) in known]
        self._mild, self._worse = np.array(pairs, np.int64).reshape(-1, 2).T
        self._since, self._last = np.full(len(cases), -1), np.full(len(cases), -1)
        self._number = np.full(len(cases), -1)
        self._stirred = False
        self._told: dict[int, _Told] = {}
        self._count = 0

    def look(self, sights: Sequence[Sight]) -> list[wire.Alert]:
        """What begins or is over with some steps, in their order; each alert is told once, and again when it is over.

        Nearly always nothing does, which is found out for all of them in a few calls.
        """
        if not sights:
            return []
        values = np.hstack([self._measure_layers(sights), self._measure_series(sights)])
        holds = self._sign * values > self._limit  # never of a NaN, which is what was not seen
        if not (self._stirred or holds.any()):
            return []
        holds[:, self._mild] &= ~holds[:, self._worse]
        found: list[wire.Alert] = []
        for sight, self._values, held in zip(sights, values, holds, strict=True):
            if self._stirred or held.any():
                found += [*self._raise(sight.step, held), *self._clear(sight.step, held)]
        return found

    def _measure_layers(self, sights: Sequence[Sight]) -> Floats:
        """What the cases of layers are about, shape [steps, cases]."""
        if not len(self._measure):
            return np.empty((len(sights), 0))
        numbers = np.full((len(sights), self._slots, 8), np.nan)
        for place, sight in zip(numbers, sights, strict=True):
            if len(sight.slots) == self._slots:  # nearly always all are there
                place[:] = sight.numbers
            else:
                place[sight.slots] = sight.numbers
        columns = numbers.transpose(2, 0, 1)
        by_measure = np.array([STATISTICS[name](columns) for name in self._measures])
        return by_measure[self._measure, :, self._slot].T

    def _measure_series(self, sights: Sequence[Sight]) -> Floats:
        """What the cases of series are about, shape [steps, cases]."""
        values = np.full((len(sights), len(self._series)), np.nan)
        for place, sight in zip(values, sights, strict=True):
            for i, (measure, name, fall) in enumerate(self._series):
                value = sight.series.get(name)
                if not isinstance(value, float | int):
                    continue
                if measure == "value":
                    place[i] = value
                elif measure == "nonfinite":
                    place[i] = not math.isfinite(value)
                elif math.isfinite(value):
                    place[i] = fall.steps_without(sight.step, value)
        return values

    def _raise(self, step: int, holds: NDArray[np.bool_]) -> Iterator[wire.Alert]:
        seen = ~np.isnan(self._values)
        quiet = self._number < 0
        self._since[holds & (self._since < 0)] = step
        self._since[seen & ~holds & quiet] = -1
        self._last[holds] = step
        new = np.flatnonzero(holds & quiet & (step - self._since + 1 >= self._steps))
        for name in dict.fromkeys(self._rules[i].name for i in new):
            mine = [int(i) for i in new if self._rules[i].name == name]
            if self._count == MOST:
                return
            told = self._told[self._count] = _Told(self._alert(step, mine), len(mine))
            self._number[mine] = self._count
            self._count += 1
            yield told.alert

    def _clear(self, step: int, holds: NDArray[np.bool_]) -> Iterator[wire.Alert]:
        calm = ~holds & (self._number >= 0) & ~np.isnan(self._values)
        for i in np.flatnonzero(calm & (step - self._last >= np.maximum(self._steps, CALM))):
            told = self._told[int(self._number[i])]
            self._number[i] = self._since[i] = -1
            told.lasting -= 1
            if not told.lasting:
                yield replace(self._told.pop(told.alert.number).alert, cleared=step)
        self._stirred = bool((self._since >= 0).any())

    def _alert(self, step: int, cases: list[int]) -> wire.Alert:
        """One alert for all that a rule begins to hold for at a step, in the order of the model."""
        rule = self._rules[cases[0]]
        places = tuple(wire.Place(*self._places[i], float(self._values[i])) for i in cases[: wire.MOST_PLACES])
        stalled = int(self._values[cases[0]]) if rule.measure == "stall" else None
        since = int(min(self._since[cases])) if stalled is None else step - stalled
        more = len(cases) - len(places)
        return wire.Alert(
            self._count, rule.name, _sentence(rule, places, len(cases) - 1, since), step, since, places, more
        )


def _sentence(rule: Rule, places: Sequence[wire.Place], others: int, since: int) -> str:
    """What people read: `dead: the output of fc1 and of 3 more is nothing but zeros since step 40 (100 %)`."""
    first = places[0]
    what = first.kind if first.layer is None else f"the {first.kind.replace('_', ' ')} of {first.layer}"
    if others:
        what += f" and of {others} more"
    if first.layer is None and rule.measure == "nonfinite":
        return f"{rule.name}: {what} is not finite since step {since}"
    shares = first.layer is not None and rule.measure in ("zeros", "saturated", "nonfinite")
    value = f"{100 * first.value:.3g} %" if shares else f"{first.value:.4g}"
    if rule.words and not shares:
        value = f"{rule.measure} {value}"
    number = "" if rule.measure == "stall" else f" ({value})"
    return f"{rule.name}: {what}{' ' if rule.words else ''}{rule.words} since step {since}{number}"
