"""The charts of what may be recorded of any claim's nets, whatever the claim: health and normalizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .chart import Chart

if TYPE_CHECKING:
    from collections.abc import Mapping

DETAILS: Final[Mapping[str, tuple[Chart, ...]]] = {
    "health": (
        Chart(
            "health.gradient",
            "Length of the gradient",
            "How long each layer’s gradient is. Line: mean over layers; band: all layers. A wide band means that some "
            "layers learn far faster than others.",
            "‖gradient‖₂",
            logarithmic=True,
        ),
        Chart(
            "health.update",
            "Length of a step",
            "How far an update moves each layer’s weights, as a share of their length. About a thousandth is healthy.",
            "‖ΔW‖₂ / ‖W‖₂",
            logarithmic=True,
        ),
    ),
    "normalizers": (
        Chart(
            "normalizer.gamma",
            "Learned scale γ",
            "How large γ is, the mean over each normalizer’s units. It begins at 1.",
            "mean |γ|",
        ),
        Chart(
            "normalizer.beta",
            "Learned shift β",
            "How large β is, the mean over each normalizer’s units. It begins at 0.",
            "mean |β|",
        ),
        Chart(
            "normalizer.mean_noise",
            "Mini-batch mean against running mean",
            "How far this mini-batch’s means lie from the running ones that evaluation uses: noise that regularizes.",
            "root mean square, in spreads",
            logarithmic=True,
        ),
        Chart(
            "normalizer.scale_noise",
            "Mini-batch spread against running spread",
            "How much this mini-batch’s spreads differ from the running ones. 0.1: by about a tenth.",
            "mean |log ratio|",
            logarithmic=True,
        ),
        Chart(
            "normalizer.rate",
            "Effective learning rate",
            "Of weights that a normalizer makes scale-free: the rate at which a unit vector would turn as they do.",
            "η / ‖w‖²",
            logarithmic=True,
        ),
        Chart(
            "normalizer.angle",
            "Turn of a step",
            "By how many degrees an update turns those weights: all that it can do to what the net computes.",
            "degrees",
            logarithmic=True,
        ),
    ),
}
"""By the name of the measure."""
