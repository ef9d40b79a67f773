"""Claims about which samples there are: in a mini-batch, and in dense and sparse regions of the input: 14, 15."""

from __future__ import annotations

from typing import Final

from ..findings import Criterion
from ..spec import Setting
from .arms import BATCH, GHOST, LAYER, NONE, POPULATION, SYNCHRONIZED, VARIANCE
from .claim import Claim, Size
from .settings import settings

_FOURTEEN: Final = Claim(
    number=14,
    title="It regularizes",
    sentence=(
        "What batch normalization puts out for a sample depends on the other samples of the mini-batch; this noise, "
        "larger for smaller batches, keeps nets from overfitting."
    ),
    measures=(
        "One input's output over 64 random mini-batches, while training and in evaluation mode; and the gap between "
        "training and test accuracy at every size of mini-batch."
    ),
    literature="The noise is about proportional to 1/B, none in evaluation; Luo et al. (2018) derive the regularizer.",
    arms=(NONE, BATCH, GHOST, SYNCHRONIZED, LAYER, POPULATION),
    default_arms=("none", "batch", "ghost batch", "layer", "population"),
    settings=settings(
        steps=400,
        batches=(8, 32, 128, 512, 1438),
        rate=0.1,
        depth=3,
        width=100,
        activation="relu",
        ghost=8,
        data="digits",
        target=0.5,
        measure_every=100,
    ),
    rule=(
        Criterion("variance of one input's output in evaluation, batch", "spread_eval", "batch", "<", 1e-12),
        Criterion(
            "variance of one input's output in training, as a power of the size, batch",
            "spread_train",
            "batch",
            "<",
            -0.5,
            how="slope",
            over="batch",
        ),
        Criterion(
            "gap of training and test accuracy, batch − none",
            "gap",
            "batch",
            "<",
            0.0,
            how="difference",
            against="none",
        ),
        Criterion(
            "the power of the size is above −1.5",
            "spread_train",
            "batch",
            ">",
            -1.5,
            how="slope",
            over="batch",
            decisive=False,
        ),
        Criterion(
            "gap, smallest − largest mini-batch, batch",
            "gap",
            "batch",
            "<",
            0.0,
            how="difference",
            where={"batch": "min"},
            against_where={"batch": "max"},
            decisive=False,
        ),
        Criterion(
            "gap, batch − population", "gap", "batch", "<", 0.0, how="difference", against="population", decisive=False
        ),
        Criterion(
            "accuracy on what it was trained on, batch − none",
            "train_accuracy",
            "batch",
            "<",
            0.0,
            how="difference",
            against="none",
            decisive=False,
        ),
        Criterion(
            "test accuracy, batch − none",
            "test_accuracy",
            "batch",
            ">",
            0.0,
            how="difference",
            against="none",
            decisive=False,
        ),
        Criterion("gap, batch − layer", "gap", "batch", "<", 0.0, how="difference", against="layer", decisive=False),
    ),
    sizes={"quick": Size("Five sizes of mini-batch, five normalizers, five seeds.")},
    fixed={"init": "he", "measures": ("output_spread",), "landscape_every": 0, "observe_every": 5},
    varied={"batches": "batch"},
)

_FIFTEEN: Final = Claim(
    number=15,
    title="Nets fit dense regions of the input first",
    sentence="Where inputs lie densely the loss falls sooner than where they are sparse, normalized or not.",
    measures=(
        "Nine in ten inputs come from a narrow cluster, one from a wide one, each with its labels in quadrants about "
        "its centre. The loss is followed for each tenth of the inputs, from the sparsest to the densest, and steps "
        "are counted until each is learned. Mind that the sparsest inputs lie farther from borders between labels, too."
    ),
    literature="To be measured.",
    arms=(NONE, VARIANCE, BATCH),
    default_arms=("none", "variance only", "batch"),
    settings=(
        *settings(steps=800, batch=60, rate=0.1, depth=3, width=64, activation="relu", target=0.5, measure_every=10),
        Setting(
            "data",
            "Data",
            "choice",
            "mixture",
            "A narrow, dense cluster and one four times as wide; or, even, both of one spread.",
            choices=("mixture", "even_mixture"),
        ),
    ),
    rule=(
        Criterion("steps of the sparsest ÷ densest inputs, none", "density_order", "none", ">", 1.0),
        Criterion("steps of the sparsest ÷ densest inputs, batch", "density_order", "batch", ">", 1.0),
        Criterion(
            "the same, batch ÷ none", "density_order", "batch", "<", 1.0, how="ratio", against="none", decisive=False
        ),
        Criterion(
            "the same, variance only ÷ none",
            "density_order",
            "variance only",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "rank correlation of sparsity and steps over all tenths, none",
            "density_rank",
            "none",
            ">",
            0.0,
            decisive=False,
        ),
        Criterion(
            "rank correlation of sparsity and steps over all tenths, batch",
            "density_rank",
            "batch",
            ">",
            0.0,
            decisive=False,
        ),
    ),
    sizes={"quick": Size("Three nets, five seeds.")},
    fixed={"init": "he", "measures": ("density",), "landscape_every": 0, "observe_every": 2},
)

CLAIMS: Final = (_FOURTEEN, _FIFTEEN)
