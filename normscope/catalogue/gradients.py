"""Claim 4, about internal covariate shift as a change of gradients."""

from __future__ import annotations

from typing import Final

from ..findings import Criterion
from .arms import BATCH, NONE
from .claim import Claim, Size
from .nets import DLN_BATCH, DLN_NONE, VGG, paper
from .settings import settings

_FOUR: Final = Claim(
    number=4,
    title="It does not remove internal covariate shift",
    sentence=(
        "Measured as how much a layer's gradient changes when the layers before it are updated, internal covariate "
        "shift is not removed by batch normalization, in nets that train better with it."
    ),
    measures=(
        "At some steps the gradient of each layer is found twice on the same batch: as it is, and with the earlier "
        "layers moved as the optimizer really moves them. Removed would mean: the relative change falls to less than "
        "half. A VGG net on images, and a deep linear net."
    ),
    literature="Santurkar et al. (2018, figure 3): as large or larger with batch normalization.",
    arms=(NONE, BATCH, DLN_NONE, DLN_BATCH),
    default_arms=("none", "batch", "DLN none", "DLN batch"),
    settings=settings(
        steps=300,
        batch=64,
        optimizer="adam",
        rate=0.001,
        init="glorot",
        dln_rate=1e-6,
        reduction="sum",
        net="vgg_a",
        factor=0.125,
        data="shapes",
        target=0.5,
        measure_every=20,
    ),
    rule=(
        Criterion(
            "relative gradient change, batch ÷ none, VGG",
            "gradient_change",
            "batch",
            ">",
            0.5,
            how="ratio",
            against="none",
        ),
        Criterion(
            "relative gradient change, batch ÷ none, deep linear net",
            "gradient_change",
            "DLN batch",
            ">",
            0.5,
            how="ratio",
            against="DLN none",
        ),
        Criterion(
            "cosine of the two gradients, batch − none, VGG",
            "gradient_cosine",
            "batch",
            "<",
            0.0,
            how="difference",
            against="none",
            decisive=False,
        ),
        Criterion(
            "length of the gradient change, batch ÷ none, VGG",
            "gradient_change_l2",
            "batch",
            ">",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "length of the gradient change, batch ÷ none, deep linear net",
            "gradient_change_l2",
            "DLN batch",
            ">",
            1.0,
            how="ratio",
            against="DLN none",
            decisive=False,
        ),
        Criterion(
            "cosine of the two gradients, batch − none, deep linear net",
            "gradient_cosine",
            "DLN batch",
            "<",
            0.0,
            how="difference",
            against="DLN none",
            decisive=False,
        ),
        Criterion(
            "final loss, batch ÷ none, VGG",
            "final_loss",
            "batch",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "final loss, batch ÷ none, deep linear net",
            "final_loss",
            "DLN batch",
            "<",
            1.0,
            how="ratio",
            against="DLN none",
            decisive=False,
        ),
    ),
    sizes={
        "quick": Size(
            "A VGG-A of an eighth of the channels on synthetic images, the deep linear net for 300 steps; five seeds."
        ),
        "paper": paper(measure_every=250),
        "deep linear": Size(
            "The deep linear net at the paper's full size: 10,000 steps.",
            {"steps": 10_000, "measure_every": 200},
            ("DLN none", "DLN batch"),
        ),
    },
    fixed={**VGG, "measures": ("gradient_change",), "landscape_every": 0, "observe_every": 5},
)

CLAIMS: Final = (_FOUR,)
