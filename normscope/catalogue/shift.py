"""Claims about the distribution of layers' inputs: 2, 5, 8."""

from __future__ import annotations

from typing import Final

from ..findings import Criterion
from .arms import BATCH, NOISE, NOISY, NONE
from .claim import Claim, Size
from .nets import VGG, paper
from .settings import settings

_TWO: Final = Claim(
    number=2,
    title="Inputs move because earlier weights move, more with depth",
    sentence="A layer's inputs change their distribution as earlier layers learn, the more layers lie before it.",
    measures=(
        "One fixed batch is passed through the net every few steps, so that only the weights can move what arrives at "
        "a layer. Measured is how far it moves (Wasserstein-1, in spreads) from one time to the next, at every depth."
    ),
    literature=(
        "Ioffe and Szegedy (2015) motivate batch normalization so. Santurkar et al. (2018): on VGG the difference that "
        "it makes to this is marginal."
    ),
    arms=(NONE, BATCH),
    default_arms=("none", "batch"),
    settings=settings(
        steps=400,
        batch=60,
        rate=0.1,
        depths=(3, 10, 20),
        width=64,
        activation="relu",
        data="digits",
        target=0.5,
        measure_every=20,
    ),
    rule=(
        Criterion("drift of the last layer's inputs ÷ the second's, none", "drift_growth", "none", ">", 1.0),
        Criterion(
            "drift of the last layer's inputs, deepest net ÷ shallowest, none",
            "drift_last",
            "none",
            ">",
            1.0,
            how="ratio",
            where={"depth": "max"},
            against_where={"depth": "min"},
        ),
        Criterion(
            "drift of the last layer's inputs ÷ the second's, batch", "drift_growth", "batch", ">", 1.0, decisive=False
        ),
        Criterion("drift, batch ÷ none", "drift", "batch", "<", 1.0, how="ratio", against="none", decisive=False),
    ),
    sizes={"quick": Size("Depths 3, 10 and 20, five seeds.")},
    fixed={"init": "he", "measures": ("drift",), "landscape_every": 0, "observe_every": 2},
    varied={"depths": "depth"},
)

_FIVE: Final = Claim(
    number=5,
    title="Stable distributions are not why it works",
    sentence=(
        "A net whose normalized inputs are made unstable again by noise trains about as well as with plain batch "
        "normalization, though its distributions drift more than those of a net without any."
    ),
    measures=(
        "After each batch normalization, units are shifted and scaled at random, anew at every step. Compared are the "
        "drift on a fixed batch and the accuracy. The same noise without normalization shows what it does by itself."
    ),
    literature=(
        "Santurkar et al. (2018, figure 2): noisy inputs are less stable than the plain net's, yet it trains nearly "
        "like batch normalization; the noise alone keeps the plain net from training."
    ),
    arms=(NONE, BATCH, NOISY, NOISE),
    default_arms=("none", "batch", "noisy batch", "noise alone"),
    settings=settings(
        steps=300,
        batch=64,
        optimizer="adam",
        rate=0.001,
        init="glorot",
        net="vgg_a",
        factor=0.125,
        data="shapes",
        target=0.5,
        measure_every=20,
    ),
    rule=(
        Criterion("drift, noisy batch ÷ batch", "drift", "noisy batch", ">", 1.0, how="ratio", against="batch"),
        Criterion("drift, noisy batch ÷ none", "drift", "noisy batch", ">", 1.0, how="ratio", against="none"),
        Criterion("drift, batch ÷ none", "drift", "batch", "<", 1.0, how="ratio", against="none", decisive=False),
        Criterion(
            "test accuracy, noisy batch − batch",
            "test_accuracy",
            "noisy batch",
            ">",
            -0.05,
            how="difference",
            against="batch",
        ),
        Criterion(
            "final loss in training, noisy batch ÷ none",
            "final_loss",
            "noisy batch",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "final loss in training, noisy batch ÷ batch",
            "final_loss",
            "noisy batch",
            "<",
            1.0,
            how="ratio",
            against="batch",
            decisive=False,
        ),
        Criterion(
            "test accuracy, noisy batch − none",
            "test_accuracy",
            "noisy batch",
            ">",
            0.0,
            how="difference",
            against="none",
            decisive=False,
        ),
        Criterion(
            "test accuracy, noise alone − none",
            "test_accuracy",
            "noise alone",
            "<",
            0.0,
            how="difference",
            against="none",
            decisive=False,
        ),
    ),
    sizes={
        "quick": Size("A VGG-A of an eighth of the channels on synthetic images, five seeds."),
        "paper": paper(measure_every=250),
    },
    fixed={**VGG, "measures": ("drift",), "landscape_every": 0, "observe_every": 5},
)

_EIGHT: Final = Claim(
    number=8,
    title="The shift is worse with mini-batches than with the full batch",
    sentence="Layers' inputs drift more from step to step when each step sees a small mini-batch.",
    measures=(
        "Two things are told apart: how far a fixed batch's distribution moves between two measurements, which is the "
        "weights' doing, and how far two mini-batches differ at the same weights, which is sampling."
    ),
    literature="Santurkar et al. (2018): their deep linear net is trained on the full batch and still shifts.",
    arms=(NONE, BATCH),
    default_arms=("none", "batch"),
    settings=settings(
        steps=300,
        batches=(8, 32, 128, 512, 1438),
        rate=0.1,
        depth=5,
        width=64,
        activation="relu",
        data="digits",
        target=0.5,
        measure_every=20,
    ),
    rule=(
        Criterion(
            "drift, smallest ÷ largest mini-batch, none",
            "drift",
            "none",
            ">",
            1.0,
            how="ratio",
            where={"batch": "min"},
            against_where={"batch": "max"},
        ),
        Criterion(
            "drift, smallest ÷ largest mini-batch, batch",
            "drift",
            "batch",
            ">",
            1.0,
            how="ratio",
            where={"batch": "min"},
            against_where={"batch": "max"},
        ),
        Criterion(
            "difference between two mini-batches, as a power of their size, none",
            "sampling",
            "none",
            "<",
            0.0,
            how="slope",
            over="batch",
            decisive=False,
        ),
        Criterion("drift, batch ÷ none", "drift", "batch", "<", 1.0, how="ratio", against="none", decisive=False),
    ),
    sizes={"quick": Size("Five sizes of mini-batch, five seeds.")},
    fixed={"init": "he", "measures": ("drift", "sampling"), "landscape_every": 0, "observe_every": 5},
    varied={"batches": "batch"},
)

CLAIMS: Final = (_TWO, _FIVE, _EIGHT)
