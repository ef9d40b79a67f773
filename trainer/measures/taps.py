"""What goes into and comes out of modules in one forward pass."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import Tensor, nn

from normscope.measures.shift import unit_wasserstein

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def weight_layers(net: nn.Module) -> dict[str, nn.Module]:
    """The layers that multiply by weights, by name, in order."""
    return {name: m for name, m in net.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}


def normalizers(net: nn.Module) -> dict[str, nn.Module]:
    """The modules where a normalizer stands, an identity in the arm without one."""
    return {name: m for name, m in net.named_modules() if name.rpartition(".")[2].startswith("norm")}


@contextmanager
def tapped(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, tuple[Tensor, Tensor]]]:
    """Input and output of each module by name, as its last call in the block left them."""
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def tap(name: str, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # Clones: an activation may work in place on what it is given.
        found[name] = inputs[0].detach().clone(), output.detach().clone()

    def hook(name: str) -> object:
        return lambda _module, inputs, output: tap(name, inputs, output)

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]  # type: ignore[arg-type]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def by_unit(x: Tensor) -> Tensor:
    """Values by unit, shape [values, units].

    Of activations of shape [batch, units], [batch, tokens, units] or [batch, channels, h, w].
    """
    if x.dim() == 3:
        return x.flatten(0, 1)
    return x.flatten(2).transpose(1, 2).flatten(0, 1) if x.dim() > 2 else x


def distance(a: Tensor, b: Tensor) -> float:
    """Units' mean Wasserstein-1 distance over their mean spread in `a`: single units that hardly vary must not decide.

    NaN where a net that has diverged gives values that are not finite.
    """
    if not (a.isfinite().all() and b.isfinite().all()):
        return math.nan
    spread = by_unit(a).double().std(0, correction=0).mean().item()
    axis = 2 if a.dim() == 3 else 1
    return float(unit_wasserstein(a, b, axis).mean()) / spread if spread else math.nan
