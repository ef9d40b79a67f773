"""The charts of what claims measure: series, titles and a sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .chart import Chart
from .details import DETAILS

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        Chart(
            "jolts.left",
            "What is left of that jump after ten steps",
            "Ten steps on the same mini-batch from the turned weights, against ten from the weights as they are: the "
            "difference of the losses, as a share of the jump. All is put back afterwards.",
            "share of the jump",
        ),
        Chart(
            "jolts.moved_scale",
            "Later layers’ inputs: weights scaled",
            "How far the inputs of each layer behind the first move when its weights are doubled. Line: mean over "
            "layers; band: all of them.",
            "Wasserstein-1, in spreads",
            logarithmic=True,
        ),
        Chart(
            "jolts.moved_shift",
            "Later layers’ inputs: biases shifted",
            "How far the inputs of each layer behind the first move when its biases are raised by 1.",
            "Wasserstein-1, in spreads",
            logarithmic=True,
        ),
        Chart(
            "jolts.moved_turn",
            "Later layers’ inputs: weights turned",
            "How far the inputs of each layer behind the first move when its units’ weights are turned by 45°.",
            "Wasserstein-1, in spreads",
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
        Chart(
            "density.loss",
            "Loss by density",
            "The mean loss over each tenth of the training inputs, by how densely inputs lie there. Line: mean over "
            "tenths; band: all of them.",
            "loss",
            of="tenth",
        ),
    ),
    **DETAILS,
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
