"""Fully connected nets."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Unpack

from torch import Tensor, nn

from ..norms import Normalize, Options
from .initial import Initial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACTIVATIONS: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "identity": nn.Identity,
}


def mlp(
    arm: str,
    seed: int = 0,
    inputs: int = 64,
    outputs: int = 10,
    depth: int = 3,
    width: int = 100,
    activation: str = "sigmoid",
    init: str = "normal",
    init_std: float = 0.1,
    init_scale: float = 1.0,
    skips: bool = False,
    bias: bool = True,
    **options: Unpack[Options],
) -> nn.Sequential:
    """A fully connected net: linear, normalizer, activation for each hidden layer, then a linear layer.

    The layers are named fc1, norm1, act1, …, out, with skips and without. For depth 3 and width 100 this is the net of
    Ioffe and Szegedy 2015, arXiv 1502.03167, section 4.1. Input shape [batch, inputs], output shape [batch, outputs].

    Args:
        arm: The normalizer.
        seed: Of the initial weights and of normalizers' noise.
        inputs: Features of a sample.
        outputs: Units of the last layer.
        depth: Hidden layers.
        width: Units in each.
        activation: A key of ACTIVATIONS.
        init: normal, he or glorot; see `Initial`.
        init_std: Standard deviation of the weights for normal.
        init_scale: Times the standard deviation, for each init.
        skips: Whether a hidden layer's input is added to its output where it has as many units; see `Residual`.
        bias: Whether linear layers have one.
        options: Of the normalizer.

    Raises:
        ValueError: For an arm, activation or init that does not exist.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: {activation!r} is not one of {', '.join(ACTIVATIONS)}")
    initial, normalize = Initial(seed, init, init_std, init_scale), Normalize(arm, seed, **options)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    units = inputs
    for i in range(1, depth + 1):
        layers[f"fc{i}"], layers[f"norm{i}"] = normalize(initial.linear(units, width, bias), width)
        layers[f"act{i}"] = ACTIVATIONS[activation]()
        units = width
    layers["out"] = initial.linear(units, outputs, bias)
    return (Residual if skips else nn.Sequential)(layers)


class Residual(nn.Sequential):
    """Hidden layers fc, norm, act of which each gives x + act(norm(fc(x))), where both have the same shape.

    What is carried on is touched by nothing (He et al. 2016, arXiv 1603.05027), so act's output is the summand.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Shape [batch, outputs] for [batch, inputs]."""
        x = carried = input
        for name, layer in self.named_children():
            x = layer(x)
            if name.startswith("act"):
                x = carried = x + carried if x.shape == carried.shape else x
        return x
