"""Claims about single steps and their stability: 9 and 16."""

from __future__ import annotations

from typing import Final

from ..findings import Criterion
from .arms import BATCH, NONE
from .claim import Claim, Size
from .settings import settings

_NINE: Final = Claim(
    number=9,
    title="A step good for this batch may not help the next",
    sentence=(
        "A step that lowers the loss of this mini-batch often raises that of the next, and layers that move at once "
        "change the loss by much else than what they change it by one at a time."
    ),
    measures=(
        "At some steps the loss before and after the update is found on this mini-batch and the next; and the change "
        "when all layers move is compared with the sum of the changes when each moves alone (their interaction)."
    ),
    literature="To be measured.",
    arms=(NONE, BATCH),
    default_arms=("none", "batch"),
    settings=settings(
        steps=400,
        batch=60,
        rates=(0.02, 0.1, 0.3),
        depth=5,
        width=64,
        activation="relu",
        data="digits",
        target=0.5,
        measure_every=5,
    ),
    rule=(
        Criterion(
            "share of steps that help this batch and harm the next, largest rate, none",
            "harmful",
            "none",
            ">",
            0.05,
            where={"rate": "max"},
        ),
        Criterion(
            "interaction of layers ÷ what they do alone, largest rate, none",
            "interaction",
            "none",
            ">",
            0.1,
            where={"rate": "max"},
        ),
        Criterion(
            "share of harmful steps, largest − smallest rate, none",
            "harmful",
            "none",
            ">",
            0.0,
            how="difference",
            where={"rate": "max"},
            against_where={"rate": "min"},
            decisive=False,
        ),
        Criterion(
            "share of harmful steps, batch − none",
            "harmful",
            "batch",
            "<",
            0.0,
            how="difference",
            against="none",
            decisive=False,
        ),
        Criterion(
            "interaction, batch ÷ none", "interaction", "batch", "<", 1.0, how="ratio", against="none", decisive=False
        ),
    ),
    sizes={"quick": Size("Three rates, five seeds.")},
    fixed={"init": "he", "measures": ("next_batch",), "landscape_every": 0, "observe_every": 5},
    varied={"rates": "rate"},
)

_SIXTEEN: Final = Claim(
    number=16,
    title="Gradient descent trains at the edge of stability",
    sentence="On the full batch, the sharpness rises until gradient descent is just stable, 2/η, and hovers there.",
    measures=(
        "The largest eigenvalue of the Hessian of the loss over all training data, in training mode, times half the "
        "rate: 1 is where steps on a quadratic would begin to diverge. Trained on the full batch and on mini-batches; "
        "the median of the last third counts."
    ),
    literature="Cohen et al. (2021): with the full batch it rises to 2/η and hovers there; mini-batches stay below.",
    arms=(NONE, BATCH),
    default_arms=("none", "batch"),
    settings=settings(
        steps=1000,
        batches=(60, 1438),
        rate=1.0,
        depth=3,
        width=64,
        activation="tanh",
        data="digits",
        target=0.5,
        measure_every=20,
    ),
    rule=(
        Criterion("sharpness ÷ (2/η), full batch, none", "edge", "none", ">", 0.8, where={"batch": "max"}),
        Criterion("the same is not far above", "edge", "none", "<", 1.5, where={"batch": "max"}),
        Criterion(
            "largest sharpness of the run ÷ (2/η), full batch, none",
            "edge_largest",
            "none",
            ">",
            0.8,
            where={"batch": "max"},
            decisive=False,
        ),
        Criterion(
            "sharpness ÷ (2/η), full batch, batch", "edge", "batch", ">", 0.8, where={"batch": "max"}, decisive=False
        ),
        Criterion(
            "sharpness ÷ (2/η), mini-batches, none", "edge", "none", "<", 0.8, where={"batch": "min"}, decisive=False
        ),
        Criterion("sharpness, batch ÷ none", "edge", "batch", "<", 1.0, how="ratio", against="none", decisive=False),
    ),
    sizes={"quick": Size("Mini-batches of 60 and the full batch of 1,438, five seeds.")},
    fixed={"init": "he", "measures": ("sharpness",), "landscape_every": 0, "observe_every": 5},
    varied={"batches": "batch"},
)

CLAIMS: Final = (_NINE, _SIXTEEN)
