"""Claims about what normalization does to moments, and γ and β: 3, 12, 13."""

from __future__ import annotations

from typing import Final

from ..findings import Criterion
from .arms import BATCH, NONE, PLAIN
from .claim import Arm, Claim, Size
from .settings import settings

_THREE: Final = Claim(
    number=3,
    title="Every unit has zero mean and unit variance over the batch",
    sentence="Before γ and β, batch normalization gives each unit zero mean and unit variance over the mini-batch.",
    measures=(
        "At some steps the inputs and outputs of every normalizer are taken: mean and variance before the affine part "
        "are compared with 0 and var/(var+ε), after it with β and |γ|. Errors are the largest of any unit, layer, step."
    ),
    literature="Arithmetic: exact up to rounding in single precision, and up to ε where a unit hardly varies.",
    arms=(BATCH, NONE),
    default_arms=("batch", "none"),
    settings=settings(
        steps=300,
        batch=60,
        rate=0.5,
        init_std=0.1,
        depth=3,
        width=100,
        activation="sigmoid",
        data="digits",
        target=0.5,
        measure_every=10,
    ),
    rule=(
        Criterion("largest error of a unit's mean before γ and β", "mean_error", "batch", "<", 1e-3),
        Criterion("largest error of a unit's variance before γ and β", "variance_error", "batch", "<", 1e-3),
        Criterion(
            "largest error of a unit's mean after γ and β", "affine_mean_error", "batch", "<", 1e-3, decisive=False
        ),
        Criterion(
            "largest error of a unit's spread after γ and β", "affine_spread_error", "batch", "<", 1e-3, decisive=False
        ),
        Criterion(
            "distance of units' means from zero in spreads, none", "off_centre", "none", ">", 1e-3, decisive=False
        ),
    ),
    sizes={"quick": Size("Two nets, five seeds.")},
    fixed={"measures": ("normalized", "conditioning"), "landscape_every": 0},
)

_FROZEN: Final = Arm(
    "batch, γ, β frozen first",
    "γ and β stay at 1 and 0 for the first half of the training.",
    {"norm": "batch", "frozen": 0.5},
)
_TWELVE: Final = Claim(
    number=12,
    title="γ and β absorb what earlier layers do",
    sentence="The learned γ and β act like a checkpoint: a layer's later neighbours do not notice how it changes.",
    measures=(
        "In mid-training the first layer's weights are scaled, its biases shifted, its weights turned into another "
        "direction, and the loss on the same mini-batch and the inputs of all later layers are compared with before; "
        "then all is put back. If γ and β absorb the change, nets without them must notice it. Beside it: how much of "
        "the jump is left after ten steps from there."
    ),
    literature=(
        "A change of scale or shift per unit has exactly no effect behind any batch normalization; directions pass "
        "through. Frankle et al. (2020): γ and β are worth half a point to two of accuracy."
    ),
    arms=(NONE, PLAIN, BATCH, _FROZEN),
    default_arms=("none", "batch without γ, β", "batch", "batch, γ, β frozen first"),
    settings=settings(
        steps=300, batch=60, rate=0.2, depth=5, width=64, activation="relu", data="digits", target=0.5, measure_every=20
    ),
    rule=(
        Criterion("jump of the loss when weights are scaled, batch", "jump_scale", "batch", "<", 1e-3),
        Criterion("jump of the loss when biases are shifted, batch", "jump_shift", "batch", "<", 1e-3),
        Criterion(
            "jump when scaled, without γ, β − with them",
            "jump_scale",
            "batch without γ, β",
            ">",
            1e-3,
            how="difference",
            against="batch",
        ),
        Criterion("jump of the loss when weights are scaled, none", "jump_scale", "none", ">", 1e-3, decisive=False),
        Criterion("jump of the loss when weights are turned, batch", "jump_turn", "batch", ">", 1e-3, decisive=False),
        Criterion(
            "movement of later layers' inputs when weights are scaled, batch",
            "moved_scale",
            "batch",
            "<",
            1e-2,
            decisive=False,
            unit="spreads",
        ),
        Criterion(
            "movement of later layers' inputs when biases are shifted, batch",
            "moved_shift",
            "batch",
            "<",
            1e-2,
            decisive=False,
            unit="spreads",
        ),
        Criterion(
            "movement of later layers' inputs when weights are scaled, none",
            "moved_scale",
            "none",
            ">",
            1e-2,
            decisive=False,
            unit="spreads",
        ),
        Criterion(
            "movement of later layers' inputs when weights are turned, batch",
            "moved_turn",
            "batch",
            ">",
            1e-2,
            decisive=False,
            unit="spreads",
        ),
        Criterion(
            "share of the turn's jump left after ten steps, batch with γ, β − without",
            "jump_left",
            "batch",
            "<",
            0.0,
            how="difference",
            against="batch without γ, β",
            decisive=False,
        ),
        Criterion(
            "share of the turn's jump left after ten steps, batch − none",
            "jump_left",
            "batch",
            "<",
            0.0,
            how="difference",
            against="none",
            decisive=False,
        ),
        Criterion(
            "test accuracy, batch with γ, β − without",
            "test_accuracy",
            "batch",
            ">",
            0.0,
            how="difference",
            against="batch without γ, β",
            decisive=False,
        ),
    ),
    sizes={"quick": Size("Four nets, five seeds.")},
    fixed={"init": "he", "measures": ("jolts",), "landscape_every": 0, "observe_every": 2},
)

_THIRTEEN: Final = Claim(
    number=13,
    title="γ = √(var+ε) and β = mean restore the original distribution",
    sentence="It can represent the identity: with γ = √(var+ε) and β = mean, its outputs are its inputs.",
    measures=(
        "At some steps γ and β of each normalizer are computed from the mini-batch so, its output is compared with its "
        "input, and all is put back. Beside it: do nets that learn from γ = 1, β = 0 go towards those values?"
    ),
    literature="Ioffe and Szegedy (2015, section 3): equal up to rounding. Whether nets go there is to be measured.",
    arms=(BATCH,),
    default_arms=("batch",),
    settings=settings(
        steps=600,
        batch=60,
        rate=0.5,
        init_std=0.1,
        depth=3,
        width=100,
        activation="sigmoid",
        data="digits",
        target=0.5,
        measure_every=20,
    ),
    rule=(
        Criterion("largest difference to the input, in its spreads", "restore_error", "batch", "<", 1e-3),
        Criterion(
            "distance of the learned γ and β from there ÷ that of the first ones",
            "return_distance",
            "batch",
            "<",
            0.5,
            decisive=False,
        ),
    ),
    sizes={"quick": Size("One net, five seeds.")},
    fixed={"measures": ("restoring",), "landscape_every": 0},
)

CLAIMS: Final = (_THREE, _TWELVE, _THIRTEEN)
