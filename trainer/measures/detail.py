"""What may be recorded of any claim's nets beside its own measures: health, normalizers, the surface of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from normscope.measures.blocks import blocks_of
from normscope.measures.directions import principal_directions, projection, random_directions
from normscope.measures.health import gradient_norms, update_ratios
from normscope.measures.normalizers import feeds, statistics, turns
from normscope.measures.surface import refined
from normscope.measures.untouched import snapshot

from .moment import Measure, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from .moment import Series

BATCH: Final = 256
"""Samples that a surface is computed on."""
MOST_POINTS: Final = 48
"""Points of a path that are kept; with more, every other is let go."""
MARGIN: Final = 0.35
"""How far the surface reaches beyond the path, in lengths of the path."""


class Health(Measure):
    """Whether every layer learns: how long its gradient is, and how far an update moves it."""

    def before(self, moment: Moment) -> Series:  # noqa: ARG002
        """`gradient`: ‖g‖₂, by layer."""
        return {"health.gradient": gradient_norms(self.net)}

    def after(self, moment: Moment) -> Series:
        """`update`: ‖ΔW‖₂ / ‖W‖₂, by layer."""
        return {"health.update": update_ratios(moment.start, snapshot(self.net), blocks_of(self.net))}


class Normalizers(Measure):
    """What batch normalizations do: γ, β, the noise of their statistics, how far steps turn the weights before them."""

    def before(self, moment: Moment) -> Series:
        """Means over units, by normalizer; none of nets without any that keep running statistics."""
        found = statistics(self.net, lambda: self.net(moment.x)).values()
        if not found:
            return {}
        if not hasattr(self, "_weights"):
            self._weights = tuple(feeds(self.net, lambda: self.net(moment.x)).values())
        return {
            "normalizer.gamma": [float(np.abs(s.gamma).mean()) for s in found],
            "normalizer.beta": [float(np.abs(s.beta).mean()) for s in found],
            "normalizer.mean_noise": [float(np.sqrt(np.square(s.mean_noise).mean())) for s in found],
            "normalizer.scale_noise": [float(np.abs(np.log(s.scale_noise)).mean()) for s in found],
        }

    def after(self, moment: Moment) -> Series:
        """Of the weights that a normalizer makes scale-free: `angle`, in degrees, of the step, and `rate`, η / ‖w‖².

        The latter says how they turn under plain gradient descent; under Adam it would say nothing.
        """
        if not getattr(self, "_weights", ()):
            return {}
        turn = turns(moment.start, snapshot(self.net), self.spec.rate, self._weights)
        angle = {"normalizer.angle": np.degrees(turn.angle)}
        return angle | {"normalizer.rate": turn.effective_rate} if self.spec.optimizer == "sgd" else angle


class Surface(Measure):
    """The loss over a plane through the last weights, once the run has made its last step.

    That in which it has moved most, with its path; or one of two random directions, filter-normalized, on [−1, 1]²
    (Li et al. 2018, arXiv 1712.09913, section 4), as the spec says.
    """

    def before(self, moment: Moment) -> Series:
        """Nothing yet: the weights are kept."""
        self._path: list[Mapping[str, Tensor]] = [*getattr(self, "_path", ()), moment.start]
        if len(self._path) > MOST_POINTS:
            self._path = self._path[::2]
        return {}

    def final(self) -> Iterator[Series]:
        """`loss`, row by row, at `a` along the first direction and `b` along the second; the path on that plane.

        At first coarsely. `done` is the share of all points that have been computed; of the path's plane, `explained`
        says how much of the path's variance lies along either direction.
        """
        path, points = [*getattr(self, "_path", ()), snapshot(self.net)], self.spec.surface_points
        if len(path) < 3 or not all(w.isfinite().all() for w in path[-1].values()):
            return
        more: Series = {}
        if self.spec.surface == "random":
            one, other = random_directions(self.net, self.spec.seed)
            directions, places = (one, other), np.zeros((1, 2))
            a = b = np.linspace(-1, 1, points)
        else:
            plane = principal_directions(path)
            directions, more = plane.directions, {"surface.explained": plane.explained}
            places = projection(path, path[-1], directions)
            a, b = (_reach(line, points) for line in places.T)
        x, y = self.task.train[:BATCH], self.task.train_targets[:BATCH]
        for spacing, done, losses in refined(self.net, lambda: self.loss_of(x, y), directions, a, b):
            yield more | {
                "surface.loss": losses.ravel(),
                "surface.a": a[::spacing],
                "surface.b": b[::spacing],
                "surface.path_a": places[:, 0],
                "surface.path_b": places[:, 1],
                "surface.done": done,
            }


def _reach(
    line: np.ndarray[tuple[int], np.dtype[np.float64]], points: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    low, high = line.min(), line.max()
    beyond = MARGIN * (high - low) or 1.0
    return np.linspace(low - beyond, high + beyond, points)
