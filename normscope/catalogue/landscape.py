"""Claims about the loss landscape: 6 and 7."""

from __future__ import annotations

from typing import Final

from ..findings import Criterion
from .arms import BATCH, GROUP, INSTANCE, L1, L2, LAYER, LINF, NONE, RMS, WEIGHT
from .claim import Claim, Size
from .nets import DLN_BATCH, DLN_L1, DLN_L2, DLN_LINF, DLN_NONE, VGG, paper
from .settings import settings

_SIX: Final = Claim(
    number=6,
    title="It smooths the loss landscape",
    sentence=(
        "With batch normalization the loss and its gradient change less along the gradient: steps of many lengths are "
        "safe, and the gradient is to be trusted further ahead."
    ),
    measures=(
        "At some steps the loss and its gradient are sampled at eight distances along the gradient, on the same "
        "mini-batch: the range of losses, how far the gradient turns away (predictiveness), and how fast it does per "
        "distance (effective β). A VGG net on images, and a deep linear net."
    ),
    literature=(
        "Santurkar et al. (2018, figure 4): clearly smaller and steadier with batch normalization, predictiveness by "
        "up to two orders of magnitude early in training."
    ),
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
        landscape_every=10,
    ),
    rule=(
        Criterion("range of losses, batch ÷ none, VGG", "loss_range", "batch", "<", 1.0, how="ratio", against="none"),
        Criterion(
            "gradient predictiveness, batch ÷ none, VGG",
            "predictiveness",
            "batch",
            "<",
            1.0,
            how="ratio",
            against="none",
        ),
        Criterion("effective β, batch ÷ none, VGG", "beta", "batch", "<", 1.0, how="ratio", against="none"),
        Criterion(
            "range of losses, batch ÷ none, deep linear net",
            "loss_range",
            "DLN batch",
            "<",
            1.0,
            how="ratio",
            against="DLN none",
        ),
        Criterion(
            "gradient predictiveness, batch ÷ none, deep linear net",
            "predictiveness",
            "DLN batch",
            "<",
            1.0,
            how="ratio",
            against="DLN none",
        ),
        Criterion(
            "effective β, batch ÷ none, deep linear net", "beta", "DLN batch", "<", 1.0, how="ratio", against="DLN none"
        ),
        Criterion(
            "range of losses for steps of 1 % of the weights' length, batch ÷ none, VGG",
            "matched_range",
            "batch",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "relative predictiveness for such steps, batch ÷ none, VGG",
            "matched_predictiveness",
            "batch",
            "<",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        Criterion(
            "range of losses for such steps, batch ÷ none, deep linear net",
            "matched_range",
            "DLN batch",
            "<",
            1.0,
            how="ratio",
            against="DLN none",
            decisive=False,
        ),
        Criterion(
            "relative predictiveness for such steps, batch ÷ none, deep linear net",
            "matched_predictiveness",
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
        "paper": paper(landscape_every=250),
        "deep linear": Size(
            "The deep linear net at the paper's full size: 10,000 steps.",
            {"steps": 10_000, "landscape_every": 100},
            ("DLN none", "DLN batch"),
        ),
    },
    fixed={**VGG, "measures": ("along_gradient", "matched"), "measure_every": 20, "observe_every": 5},
)

_OTHERS: Final = ("layer", "group", "instance", "RMS", "weight", "ℓ1", "ℓ2", "ℓ∞")
_DLN_LP: Final = ("DLN ℓ1", "DLN ℓ2", "DLN ℓ∞")
_SEVEN: Final = Claim(
    number=7,
    title="So do other normalizations",
    sentence="Other normalizations smooth the loss landscape and speed up training too, whatever they do to moments.",
    measures=(
        "As for the landscape of batch normalization, for nine normalizations of the same net, and five of the deep "
        "linear net; and their drift."
    ),
    literature=(
        "Santurkar et al. (2018, section 3.3): ℓ1, ℓ2 and ℓ∞ are comparable, ℓ1 better on the deep linear net, with "
        "more drift than the plain net."
    ),
    arms=(
        NONE,
        BATCH,
        LAYER,
        GROUP,
        INSTANCE,
        RMS,
        WEIGHT,
        L1,
        L2,
        LINF,
        DLN_NONE,
        DLN_BATCH,
        DLN_L1,
        DLN_L2,
        DLN_LINF,
    ),
    default_arms=("none", "batch", *_OTHERS, "DLN none", "DLN batch", *_DLN_LP),
    settings=settings(
        steps=200,
        batch=32,
        optimizer="adam",
        rate=0.001,
        init="he",
        dln_rate=1e-6,
        reduction="sum",
        shift_first=0,
        net="vgg_a",
        factor=0.125,
        data="shapes",
        target=2.0,
        landscape_every=20,
        measure_every=40,
    ),
    rule=(
        Criterion(
            "range of losses, mean of the others ÷ none", "loss_range", _OTHERS, "<", 1.0, how="ratio", against="none"
        ),
        Criterion(
            "gradient predictiveness, mean of the others ÷ none",
            "predictiveness",
            _OTHERS,
            "<",
            1.0,
            how="ratio",
            against="none",
        ),
        Criterion("effective β, mean of the others ÷ none", "beta", _OTHERS, "<", 1.0, how="ratio", against="none"),
        Criterion(
            "steps to the loss, mean of the others ÷ none",
            "steps_to_loss",
            _OTHERS,
            "<",
            1.0,
            how="ratio",
            against="none",
        ),
        Criterion(
            "drift, ℓ1, ℓ2 and ℓ∞ ÷ none",
            "drift",
            ("ℓ1", "ℓ2", "ℓ∞"),
            ">",
            1.0,
            how="ratio",
            against="none",
            decisive=False,
        ),
        *(
            Criterion(
                f"range of losses, {arm} ÷ none",
                "loss_range",
                arm,
                "<",
                1.0,
                how="ratio",
                against="none",
                decisive=False,
            )
            for arm in ("batch", *_OTHERS)
        ),
        Criterion(
            "range of losses, ℓ1, ℓ2 and ℓ∞ ÷ none, deep linear net",
            "loss_range",
            _DLN_LP,
            "<",
            1.0,
            how="ratio",
            against="DLN none",
            decisive=False,
        ),
        Criterion(
            "final loss, ℓ1 ÷ batch, deep linear net",
            "final_loss",
            "DLN ℓ1",
            "<",
            1.0,
            how="ratio",
            against="DLN batch",
            decisive=False,
        ),
        Criterion(
            "drift, ℓ1, ℓ2 and ℓ∞ ÷ none, deep linear net",
            "drift",
            _DLN_LP,
            ">",
            1.0,
            how="ratio",
            against="DLN none",
            decisive=False,
        ),
    ),
    sizes={
        "quick": Size("Ten nets, and five deep linear ones; five seeds."),
        "deep linear": Size(
            "The deep linear nets at the paper's full size: 10,000 steps.",
            {"steps": 10_000, "landscape_every": 100, "measure_every": 200},
            ("DLN none", "DLN batch", *_DLN_LP),
        ),
        "paper": paper(landscape_every=250, init="glorot", target=0.5),
    },
    fixed={**VGG, "measures": ("along_gradient", "drift"), "observe_every": 5},
)

CLAIMS: Final = (_SIX, _SEVEN)
