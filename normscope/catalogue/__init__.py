"""The experiments that are ready to start: sixteen claims about batch normalization, and an exercise.

Declarative, needs no torch. Rules are written down before the data: a change of one is a commit that says why, never a
reaction to an outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import course, gradients, landscape, moments, rates, samples, shift, stability
from .chart import Chart
from .charts import CHARTS
from .claim import Arm, Claim, Size
from .settings import NO_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CHARTS", "CLAIMS", "NO_LIMIT", "Arm", "Chart", "Claim", "Size", "claim"]

_ROOMS: Final = (rates, shift, gradients, moments, samples, landscape, stability, course)
CLAIMS: Final[Mapping[int, Claim]] = {
    found.number: found for found in sorted((c for room in _ROOMS for c in room.CLAIMS), key=lambda c: c.number)
}


def claim(number: int) -> Claim:
    """The claim with this number.

    Raises:
        ValueError: If there is none.
    """
    if number not in CLAIMS:
        raise ValueError(f"unknown claim {number!r}; there are {', '.join(map(str, CLAIMS))}")
    return CLAIMS[number]
