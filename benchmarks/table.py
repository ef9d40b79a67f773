"""A table of figures, each with its goal and what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Table:
    """Rows of what was measured, and of some what it costs each time, for `docs/capacity.md` to reckon with."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)

    def add(self, figure: str, value: str, goal: str = "", beside: str = "") -> None:
        """Add one figure, and show it at once: a benchmark takes minutes."""
        self.rows.append((figure, value, goal, beside))
        print(f"{figure}: {value}  {beside}", flush=True)

    def cost(self, name: str, value: float) -> None:
        """Note what something takes, in the unit that its name says."""
        self.costs[name] = value

    def markdown(self) -> str:
        """The rows as a Markdown table."""
        head = [("figure", "measured", "goal", "beside it, in the same run"), ("---",) * 4]
        return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *self.rows])


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def likely(values: Sequence[float]) -> str:
    """The median, and the interval that holds that of all such values with 95 % probability, were each by itself.

    By order statistics: of n values, so many lie below the median as heads are thrown in n.
    """
    half, away = len(values) / 2, 0.98 * len(values) ** 0.5
    low, high = (quantile(values, max(0.0, half + side * away) / len(values)) for side in (-1, 1))
    return f"{median(values):.3f} ({low:.3f} to {high:.3f})"


def middle(values: Sequence[float]) -> str:
    """The median, and between which values the middle half lies."""
    return f"{median(values):.2f} ({quantile(values, 0.25):.2f} to {quantile(values, 0.75):.2f})"
