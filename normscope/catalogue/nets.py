"""The nets that several claims train, and the size at which the literature trains them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .claim import Arm, Size

if TYPE_CHECKING:
    from ..spec import Value

_DLN: Final = {
    "net": "dln",
    "data": "gaussian",
    "depth": 25,
    "width": 10,
    "batch": 1000,
    "optimizer": "sgd",
    "init": "glorot",
    "target": 1000.0,
    "landscape_low": 0.01,
    "landscape_high": 30.0,
}
_TAKES: Final = {"rate": "dln_rate"}
DLN_NONE: Final = Arm(
    "DLN none",
    "A deep linear net of 25 layers without normalization, by plain gradient descent on all of its 1,000 samples.",
    _DLN, _TAKES,
)  # fmt: skip
DLN_BATCH: Final = Arm(
    "DLN batch", "The same with batch normalization between its layers.", {**_DLN, "norm": "batch"}, _TAKES
)
DLN_L1: Final = Arm("DLN ℓ1", "The same, divided by the mean magnitude.", {**_DLN, "norm": "l1"}, _TAKES)
DLN_L2: Final = Arm("DLN ℓ2", "The same, divided by the root mean square.", {**_DLN, "norm": "l2"}, _TAKES)
DLN_LINF: Final = Arm("DLN ℓ∞", "The same, divided by the largest magnitude.", {**_DLN, "norm": "linf"}, _TAKES)
VGG: Final = {"init": "glorot", "activation": "relu", "test_every": 25}
"""At size quick it is trained by Adam: by plain gradient descent, at any rate, the net without normalization stays
where guessing is for the whole run, and what is measured of a net that does not move says nothing of one that learns.
"""


def paper(**more: Value) -> Size:
    """The size at which Santurkar et al. 2018, arXiv 1805.11604, train it, with settings that a claim has beside."""
    return Size("VGG-A on CIFAR-10 for 15,000 steps. It downloads CIFAR-10 once.", {**_PAPER, **more})


_PAPER: Final = {"data": "cifar10", "steps": 15_000, "batch": 128, "optimizer": "sgd", "rate": 0.1, "factor": 1.0}
