"""What courses set as an exercise: 17."""

from __future__ import annotations

from typing import Final

from ..findings import Criterion
from .arms import BATCH, NONE
from .claim import Claim, Size
from .nets import VGG
from .settings import settings

_COURSE: Final = Claim(
    number=17,
    title="A course’s exercise: VGG-A with and without it",
    sentence="Trained at several rates, VGG-A’s losses spread less with batch normalization, and it trains better.",
    measures=(
        "VGG-A with and without batch normalization, at the four rates that courses ask for: the curves, the spread of "
        "the losses over rates, and how far the gradient is to be trusted. The spread over runs is not the range of "
        "losses along the gradient that Santurkar et al. plot: runs at other rates are at other places. Both are shown."
    ),
    literature=(
        "Santurkar et al. (2018, figure 4) take the range along the gradient at one place. Many reproductions plot the "
        "spread over runs under the same name."
    ),
    arms=(NONE, BATCH),
    default_arms=("none", "batch"),
    settings=settings(
        steps=200,
        batch=64,
        optimizer="adam",
        rates=(1e-4, 5e-4, 1e-3, 2e-3),
        init="glorot",
        net="vgg_a",
        factor=0.125,
        data="shapes",
        target=0.5,
        landscape_every=20,
    ),
    rule=(
        Criterion(
            "spread of the mean loss over rates, batch ÷ none",
            "mean_loss",
            "batch",
            "<",
            1.0,
            how="spread",
            against="none",
            over="rate",
        ),
        Criterion("final loss, batch ÷ none", "final_loss", "batch", "<", 1.0, how="ratio", against="none"),
        Criterion(
            "range of losses along the gradient, batch ÷ none",
            "loss_range",
            "batch",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "gradient predictiveness, batch ÷ none",
            "predictiveness",
            "batch",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
    ),
    sizes={
        "quick": Size("An eighth of the channels on synthetic images, four rates, five seeds."),
        "paper": Size(
            "VGG-A on CIFAR-10, twenty epochs, one seed. It downloads CIFAR-10 once.",
            {"data": "cifar10", "steps": 7_800, "batch": 128, "factor": 1.0, "landscape_every": 30, "seeds": 1},
        ),
    },
    fixed={**VGG, "measures": ("along_gradient",), "observe_every": 5},
    varied={"rates": "rate"},
)

CLAIMS: Final = (_COURSE,)
