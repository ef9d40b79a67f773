"""What a quantity that is measured looks like over steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Chart:
    """A measured quantity over steps.

    Attributes:
        series: The name under which runs send it: a number, or a vector with one number per layer.
        title: A few words.
        sentence: What it shows, and how to read it.
        axis: What its numbers are, with their unit.
        logarithmic: Whether its numbers span orders of magnitude.
        over: What it is drawn over; layers for what is measured once.
        of: What each number of a vector belongs to.
    """

    series: str
    title: str
    sentence: str
    axis: str
    logarithmic: bool = False
    over: Literal["steps", "layers"] = "steps"
    of: Literal["layer", "tenth"] = "layer"
