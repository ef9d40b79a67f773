"""Claims about how well nets train: 1, 10, 11."""

from __future__ import annotations

from typing import Final

from ..findings import Criterion
from .arms import BATCH, MEAN, NONE, SYNCHRONIZED, VARIANCE
from .claim import Claim, Size
from .settings import settings

_ONE: Final = Claim(
    number=1,
    title="Zero-centred inputs of steady spread train faster",
    sentence=(
        "When each layer's inputs keep zero mean and unit spread, a net needs fewer steps to reach the same loss "
        "(Ioffe and Szegedy, 2015)."
    ),
    measures=(
        "Nets with the same initial weights see the same handwritten digits in the same order; one normalizes each "
        "layer's inputs over the mini-batch, others only centre or scale them. Watch how the distribution in front "
        "of each nonlinearity moves, and how soon each net learns. At size quick the digits are also shifted by a "
        "constant, which takes their centre away and leaves everything else."
    ),
    literature=(
        "Ioffe and Szegedy (2015, figure 1): on MNIST, 3×100 sigmoid units, the net with batch normalization learns "
        "sooner, and the percentiles of its last hidden layer's inputs stay far steadier."
    ),
    arms=(NONE, MEAN, VARIANCE, BATCH, SYNCHRONIZED),
    default_arms=("none", "batch"),
    settings=settings(
        steps=1200,
        pace=40.0,
        batch=60,
        rate=0.5,
        init_std=0.1,
        depth=3,
        width=100,
        activation="sigmoid",
        shifts=(0.0,),
        target=0.5,
        landscape_every=10,
        measure_every=20,
        data="digits",
        seeds=1,
    ),
    rule=(
        Criterion("steps to the loss, batch ÷ none", "steps_to_loss", "batch", "<", 1.0, how="ratio", against="none"),
        Criterion(
            "steps to the loss without normalization, inputs shifted most ÷ least",
            "steps_to_loss",
            "none",
            ">",
            1.0,
            how="ratio",
            where={"shift": "max"},
            against_where={"shift": "min"},
        ),
        Criterion(
            "steps to the loss, mean only ÷ none",
            "steps_to_loss",
            "mean only",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "steps to the loss, variance only ÷ none",
            "steps_to_loss",
            "variance only",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "drift of the last layer's inputs, batch ÷ none",
            "drift_last",
            "batch",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "distance of units' means from zero in spreads, batch − none",
            "off_centre",
            "batch",
            "<",
            0.0,
            how="difference",
            against="none",
            decisive=False,
        ),
    ),
    sizes={
        "watch": Size("Two nets, slow enough to be watched: half a minute."),
        "quick": Size(
            "Every arm, inputs shifted by 0, 1 and 5, five seeds.",
            {"pace": 0.0, "seeds": 5, "shifts": (0.0, 1.0, 5.0), "landscape_every": 0},
            ("none", "mean only", "variance only", "batch"),
        ),
        "paper": Size(
            "MNIST and 50,000 steps, as in the paper, but for inputs that are not binary. It downloads MNIST once.",
            {"data": "mnist", "steps": 50_000, "pace": 0.0, "seeds": 5, "landscape_every": 0, "measure_every": 500},
        ),
    },
    fixed={"measures": ("drift", "conditioning"), "test_every": 10},
    varied={"shifts": "shift"},
)

_TEN: Final = Claim(
    number=10,
    title="Without it, rates must be small and initialization careful",
    sentence="Batch normalization lets nets train at larger learning rates and from a wider range of initial weights.",
    measures=(
        "The same net is trained from initial weights at several scales and at several rates. Counted is on which part "
        "of that map it learns: its loss falls below the target. If normalization widens the range, its part is larger."
    ),
    literature=(
        "Ioffe and Szegedy (2015): five times the rate diverges without batch normalization, thirty times trains with "
        "it. Bjorck et al. (2018): larger rates are what is gained."
    ),
    arms=(NONE, BATCH),
    default_arms=("none", "batch"),
    settings=settings(
        steps=300,
        batch=60,
        rates=(0.01, 0.1, 0.5, 2.0),
        init_scales=(0.1, 1.0, 4.0),
        depth=5,
        width=64,
        activation="relu",
        target=0.5,
        data="digits",
    ),
    rule=(
        Criterion(
            "share of the map that learns, batch − none", "learned", "batch", ">", 0.0, how="difference", against="none"
        ),
        Criterion(
            "share that learns at the largest rate, batch − none",
            "learned",
            "batch",
            ">",
            0.0,
            how="difference",
            against="none",
            where={"rate": "max"},
        ),
        Criterion(
            "share that learns from the largest weights, batch − none",
            "learned",
            "batch",
            ">",
            0.0,
            how="difference",
            against="none",
            where={"init_scale": "max"},
        ),
        Criterion(
            "share that learns from the smallest weights, batch − none",
            "learned",
            "batch",
            ">",
            0.0,
            how="difference",
            against="none",
            where={"init_scale": "min"},
            decisive=False,
        ),
    ),
    sizes={"quick": Size("Four rates, three scales, five seeds.")},
    fixed={"init": "he", "observe_every": 10, "landscape_every": 0},
    varied={"rates": "rate", "init_scales": "init_scale"},
    mapped="final_loss",
)

_ELEVEN: Final = Claim(
    number=11,
    title="It helps shallow nets; in deep ones training can fail",
    sentence=(
        "Batch normalization helps in shallow nets; in deep ones without skip connections small differences add up, "
        "gradients grow towards the input, and training can fail."
    ),
    measures=(
        "Nets of several depths, with and without skip connections. Counted are those that learn, the steps that "
        "takes, and how much the gradient grows per layer towards the input before the first step."
    ),
    literature=(
        "Yang et al. (2019): at initialization, with ReLU and no skips, the squared gradient grows by π/(π−1) ≈ 1.47 a "
        "layer for large batches: gradually, with no cliff at twenty layers."
    ),
    arms=(NONE, BATCH),
    default_arms=("none", "batch"),
    settings=settings(
        steps=300,
        batch=60,
        rate=0.1,
        depths=(3, 10, 40),
        skips=(0, 1),
        width=64,
        activation="relu",
        target=0.5,
        data="digits",
        measure_every=20,
        seeds=10,
    ),
    rule=(
        Criterion(
            "steps to the loss in the shallowest net, batch ÷ none",
            "steps_to_loss",
            "batch",
            "<",
            1.0,
            how="ratio",
            against="none",
            where={"depth": "min"},
        ),
        Criterion(
            "share of the deepest nets without skips that learn, batch",
            "learned",
            "batch",
            "<",
            0.5,
            where={"depth": "max", "skips": "min"},
        ),
        Criterion(
            "the same, batch − none",
            "learned",
            "batch",
            "<",
            0.0,
            how="difference",
            against="none",
            where={"depth": "max", "skips": "min"},
            decisive=False,
        ),
        Criterion(
            "share of the deepest nets with skips that learn, batch",
            "learned",
            "batch",
            ">",
            0.5,
            where={"depth": "max", "skips": "max"},
            decisive=False,
        ),
        Criterion(
            "growth of the squared gradient per layer at the start, batch, deepest without skips",
            "gradient_growth",
            "batch",
            ">",
            1.2,
            where={"depth": "max", "skips": "min"},
            decisive=False,
            unit="× a layer",
        ),
        Criterion(
            "the same without normalization",
            "gradient_growth",
            "none",
            "<",
            1.2,
            where={"depth": "max", "skips": "min"},
            decisive=False,
            unit="× a layer",
        ),
    ),
    sizes={
        "quick": Size("Depths 3, 10 and 40, with skips and without, ten seeds."),
        "deep": Size("Depths up to 80.", {"depths": (3, 5, 10, 20, 40, 80), "steps": 1000}),
    },
    fixed={"init": "he", "measures": ("initial_gradients", "drift"), "observe_every": 10, "landscape_every": 0},
    varied={"depths": "depth", "skips": "skips"},
)

CLAIMS: Final = (_ONE, _TEN, _ELEVEN)
