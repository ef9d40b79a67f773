"""What the quantities that a claim measures look like over steps: series, titles and a sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    """

    series: str
    title: str
    sentence: str
    axis: str
    logarithmic: bool = False
    over: Literal["steps", "layers"] = "steps"


CHARTS: Final[Mapping[str, tuple[Chart, ...]]] = {
    "drift": (
        Chart(
            "drift.distance",
            "Drift of layers’ inputs",
            "How far the inputs of each layer, on one fixed batch, have moved since the last measurement. The line is "
            "the mean over layers, the band reaches from the least to the most.",
            "Wasserstein-1, in spreads",
        ),
    ),
    "conditioning": (
        Chart(
            "conditioning.off_centre",
            "Off centre",
            "How far units’ means lie from zero, before each nonlinearity. Line: mean over layers; band: all layers.",
            "|mean| / spread",
        ),
        Chart(
            "conditioning.rank",
            "Directions in use",
            "How many directions a layer’s outputs spread over, as a share of its units. Higher: better conditioned.",
            "effective rank / units",
        ),
    ),
    "gradient_change": (
        Chart(
            "gradient_change.relative",
            "Gradient change",
            "How much each layer’s gradient changes when the layers before it are updated: internal covariate shift as "
            "Santurkar et al. define it. Line: mean over layers; band: all layers.",
            "‖G′ − G‖ / ‖G‖",
            logarithmic=True,
        ),
        Chart(
            "gradient_change.cosine",
            "Gradient direction",
            "The cosine between a layer’s gradient before and after the layers before it move. 1: nothing turned.",
            "cosine",
        ),
    ),
    "matched": (
        Chart(
            "matched.range",
            "Range of losses, steps of equal length",
            "The largest less the smallest loss along the gradient, for steps up to 4 % of the weights’ length.",
            "loss",
            logarithmic=True,
        ),
    ),
    "sampling": (
        Chart(
            "sampling.distance",
            "Difference between two mini-batches",
            "How far the inputs of each layer differ between two mini-batches at the same weights.",
            "Wasserstein-1, in spreads",
        ),
    ),
    "next_batch": (
        Chart(
            "next_batch.this",
            "Change of this mini-batch’s loss",
            "What a step did to the loss of the mini-batch it was made for. Below zero: it helped.",
            "loss",
        ),
        Chart(
            "next_batch.next",
            "Change of the next mini-batch’s loss",
            "What the same step did to the loss of the mini-batch that comes next. Above zero: it harmed.",
            "loss",
        ),
        Chart(
            "next_batch.interaction",
            "Interaction of layers",
            "How much the effect of moving all layers at once differs from the sum of moving each alone, relatively.",
            "|all − Σ alone| / |Σ alone|",
            logarithmic=True,
        ),
    ),
    "initial_gradients": (
        Chart(
            "initial_gradients.norm",
            "Gradient norm by layer",
            "The length of the loss’s gradient with respect to each layer’s output, before the first step.",
            "‖∂L/∂h‖",
            logarithmic=True,
            over="layers",
        ),
    ),
    "normalized": (
        Chart(
            "normalized.mean_error",
            "Error of the mean",
            "The largest distance of a unit’s mean from zero, before γ and β. Line: mean over layers.",
            "largest |mean|",
            logarithmic=True,
        ),
        Chart(
            "normalized.variance_error",
            "Error of the variance",
            "The largest distance of a unit’s variance from var/(var+ε), before γ and β. Line: mean over layers.",
            "largest error",
            logarithmic=True,
        ),
    ),
    "jolts": (
        Chart(
            "jolts.scale",
            "Loss jump: weights scaled",
            "How much the loss changes when the first layer’s weights are doubled. All is put back afterwards.",
            "|Δ loss| / loss",
            logarithmic=True,
        ),
        Chart(
            "jolts.shift",
            "Loss jump: biases shifted",
            "How much the loss changes when the first layer’s biases are raised by 1. All is put back afterwards.",
            "|Δ loss| / loss",
            logarithmic=True,
        ),
        Chart(
            "jolts.turn",
            "Loss jump: weights turned",
            "How much the loss changes when each unit’s weights are turned by 45° at the same length.",
            "|Δ loss| / loss",
            logarithmic=True,
        ),
    ),
    "restoring": (
        Chart(
            "restoring.error",
            "Distance to the original",
            "With γ = √(var+ε) and β = mean put in for a moment: the largest difference of output and input.",
            "in spreads of the input",
            logarithmic=True,
        ),
        Chart(
            "restoring.distance",
            "Where γ and β are heading",
            "How far the learned γ and β are from the values that restore, as a share of how far they began.",
            "share",
        ),
    ),
    "output_spread": (
        Chart(
            "output_spread.train",
            "One input’s output over mini-batches, training",
            "How much the output for one input depends on the mini-batch that it is in.",
            "variance",
            logarithmic=True,
        ),
        Chart(
            "output_spread.eval",
            "The same in evaluation",
            "In evaluation mode running statistics are used: an output depends on its input alone.",
            "variance",
        ),
    ),
    "density": (
        Chart(
            "density.dense",
            "Loss where inputs are densest",
            "The mean loss over the tenth of the training inputs that lie densest.",
            "loss",
        ),
        Chart(
            "density.sparse",
            "Loss where inputs are sparsest",
            "The mean loss over the tenth of the training inputs that lie sparsest.",
            "loss",
        ),
    ),
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
    "sharpness": (
        Chart(
            "sharpness.edge",
            "Sharpness ÷ (2/η)",
            "The largest eigenvalue of the Hessian of the training loss (of 2,000 samples at most) over what gradient "
            "descent can bear: above 1 it is unstable.",
            "sharpness · η / 2",
        ),
        Chart(
            "sharpness.residual",
            "How exact the sharpness is",
            "‖Hv − λv‖ for the direction v that was found: an eigenvalue of the Hessian is within this of that shown.",
            "residual",
            logarithmic=True,
        ),
    ),
}
"""By the name of the measure; the looks along the gradient have a tab of their own."""
