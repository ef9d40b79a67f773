"""Curves as SVG paths, and the axes around them: the ranges, ticks and words that the page's own charts have. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Range = tuple[float, float]

WIDTH: Final = 10_000
HEIGHT: Final = 2_000
"""Units of the drawing area, well below a pixel of it."""
ACROSS: Final = 7
UPWARDS: Final = 5
"""Ticks that axes have at most, as `app/pages/figures.py` asks of Plotly."""
_HOPS: Final = (1, 1.5, 2, 3, 4, 6, 8, 10)
_LARGE: Final = 3
"""Powers of ten from which Plotly writes numbers as multiples of one."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Where an axis has a number.

    Attributes:
        at: Share of the axis, from its low end.
        text: The number, or what is to be multiplied with a power of ten.
        power: That power's exponent; empty if there is none.
    """

    at: float
    text: str
    power: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart's axes, and what each run draws between them.

    Attributes:
        across: Ticks of the axis of steps.
        upwards: Ticks of the axis of values.
        strokes: Of each curve: the `run`'s place, which `role` of the figure it has, and its path `d`.
    """

    across: list[Tick]
    upwards: list[Tick]
    strokes: list[dict[str, Any]] = field(default_factory=list)


def nice_range(low: float, high: float) -> Range:
    """A range around values, padded and rounded outward: `niceRange` in `static/lines/column.js`."""
    if not (low <= high and math.isfinite(high - low)):
        return 0.0, 1.0
    span = high - low or abs(high) or 1.0
    grain = _decade(span) / 2
    return math.floor((low - 0.04 * span) / grain) * grain, math.ceil((high + 0.04 * span) / grain) * grain


def step_range(newest: float, planned: int) -> Range:
    """The axis of steps, of which so many are planned, or 0: `stepRange` in `static/lines/column.js`."""
    size = _decade(max(newest, 20))
    end = next((hop * size for hop in _HOPS if hop * size >= newest), newest)
    last = min(max(end, 20), planned) if planned > 0 and planned >= newest else end
    return 0.0, float(max(last, 1))


def extent(lines: list[Floats]) -> Range:
    """The smallest and the largest finite value of some lines; what has none is infinite, and the wrong way round."""
    values = np.concatenate([np.zeros(0), *lines])
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (math.inf, -math.inf)


def ticks(bounds: Range, most: int, *, steps: bool = False) -> list[Tick]:
    """Where Plotly puts numbers on a linear axis that may have so many of them, and how it writes them."""
    low, high = bounds
    rough = (high - low) / most
    grain = 10.0 ** math.floor(_log10(rough))
    apart = grain * next((factor for factor in (2, 5) if factor > rough / grain), 10)
    slack = 1e-4 * (high - low)
    numbers = range(math.ceil((low - slack) / apart), math.floor((high + slack) / apart) + 1)
    size = math.floor(_log10(max(abs(low), abs(high))) + 0.01)
    power = size if abs(size) > _LARGE else 0
    decimals = max(0, 2 - math.floor(_log10(apart) + 0.01) + power)
    found = []
    for value in (number * apart for number in numbers):
        text = _in_thousands(value) if steps else _written(value / 10.0**power, decimals)
        told = f"{power}".replace("-", "−") if power and text != "0" and not steps else ""
        found.append(Tick((value - low) / (high - low), text, told))
    return found


def path(x: Floats, y: Floats, across: Range, upwards: Range) -> str:
    """A line as an SVG path in units of the drawing area; points without a value break it.

    Args:
        x: Places of its points, shape [n].
        y: Their values, shape [n].
        across: The axis that `x` is laid along.
        upwards: That of `y`.
    """
    right = np.rint((x - across[0]) / (across[1] - across[0]) * WIDTH)
    down = np.rint((upwards[1] - y) / (upwards[1] - upwards[0]) * HEIGHT)
    parts, pen = [], "M"
    for at, value in zip(right.tolist(), down.tolist(), strict=True):
        if not math.isfinite(value):
            pen = "M"
            continue
        parts.append(f"{pen}{at:.0f},{min(max(value, -1e6), 1e6):.0f}")
        pen = "L"
    return "".join(parts)


def number(value: float) -> str:
    """A number in few characters: `number` in `static/lines/scale.js`."""
    if not math.isfinite(value):
        return "–"
    small_or_large = value != 0 and not 1e-3 <= abs(value) < 1e5
    rounded = Context(prec=2 if small_or_large else 3, rounding=ROUND_HALF_UP).create_decimal(value)
    text = f"{rounded:.1e}".replace(".0e", "e").replace("e+", "e") if small_or_large else f"{rounded:f}"
    return (text.rstrip("0").rstrip(".") if "." in text and not small_or_large else text).replace("-", "−")


def _log10(value: float) -> float:
    """As Plotly reckons it: of 1,000 it is a little less than 3, and which ticks there are hangs on that."""
    return math.log(value) / math.log(10)


def _decade(value: float) -> float:
    return 10.0 ** math.floor(math.log10(value))


def _written(value: float, decimals: int) -> str:
    """A number in no more digits than it needs."""
    text = f"{abs(value):.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if value >= 0 or text == "0" else f"−{text}"


def _in_thousands(value: float) -> str:
    """A number of steps, as d3's format `~s` writes it."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m")):
        if value >= unit:
            return f"{value / unit:.6g}{letter}"
    return "0"
