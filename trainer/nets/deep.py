"""Deep nets of small layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from .mlp import mlp

if TYPE_CHECKING:
    from torch import nn

    from ..norms import Options


def dln(
    arm: str, seed: int = 0, depth: int = 25, width: int = 10, init_scale: float = 1.0, **options: Unpack[Options]
) -> nn.Sequential:
    """A deep linear network (Santurkar et al. 2018, arXiv 1805.11604, section 2.2 and appendix).

    `depth` square matrices without biases, Glorot, a normalizer after each but the last; named as in `mlp`, the
    activations being identities. Shapes [batch, width] in and out.
    """
    return mlp(
        arm, seed, width, width, depth - 1, width, "identity", "glorot",
        init_scale=init_scale, bias=False, **options,
    )  # fmt: skip


def narrow(
    arm: str, seed: int = 0, layers: int = 500, width: int = 16, classes: int = 10, **options: Unpack[Options]
) -> nn.Sequential:
    """About `layers` modules: as many linear layers of `width` units as that takes, each with normalizer and ReLU.

    Input shape [batch, width], output shape [batch, classes].
    """
    return mlp(arm, seed, width, classes, (layers - 1) // 3, width, "relu", "he", **options)
