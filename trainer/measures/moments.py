"""What normalization does to units' moments, and what γ and β have to do with it: claims 1, 3, 12, 13."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import torch

from normscope.measures.activations import inputs, outputs
from normscope.measures.health import rank_measure
from normscope.measures.untouched import Untouched

from .moment import Measure, Moment
from .taps import by_unit, distance, normalizers, tapped, weight_layers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from .moment import Series


class Conditioning(Measure):
    """How well conditioned the inputs of each nonlinearity are: centred, and spread over many directions."""

    def before(self, moment: Moment) -> Series:
        """By layer, `off_centre`: mean |mean| of units over their mean spread; `rank`: effective rank over units."""
        found = outputs(self.net, normalizers(self.net), lambda: self.net(moment.x))
        layers = [by_unit(values).double() for values in found.values()]
        off = [(x.mean(0).abs().mean() / x.std(0).mean().clamp_min(1e-30)).item() for x in layers]
        rank = [rank_measure(x) / x.shape[1] for x in layers]
        self.note(off_centre=sum(off) / len(off), rank=sum(rank) / len(rank))
        return {"conditioning.off_centre": off, "conditioning.rank": rank}

    def outcome(self) -> dict[str, float]:
        """Means over layers and steps."""
        return {"off_centre": self.mean("off_centre"), "rank": self.mean("rank")}


class Normalized(Measure):
    """How exactly units have zero mean and unit variance before γ and β, and β and |γ| after them."""

    def before(self, moment: Moment) -> Series:
        """The largest error of any unit, by layer."""
        with Untouched(self.net), torch.no_grad():
            with tapped(_affine(self.net)) as found:
                self.net(moment.x)
            rows = [_errors(self.net.get_submodule(name), *pair) for name, pair in found.items()]
        if not rows:
            return {}
        columns = dict(zip(_ERRORS, map(list, zip(*rows, strict=True)), strict=True))
        self.note(**{name: max(column) for name, column in columns.items()})
        return {f"normalized.{name}": columns[name] for name in _ERRORS[:2]}

    def outcome(self) -> dict[str, float]:
        """The largest of any unit, layer and step."""
        return {name: self.largest(name) for name in _ERRORS if name in self.seen}


_ERRORS = ("mean_error", "variance_error", "affine_mean_error", "affine_spread_error")


def _affine(net: nn.Module) -> dict[str, nn.Module]:
    """The batch normalizers of a net that have γ and β."""
    return {
        name: m for name, m in net.named_modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm) and m.affine
    }


def _errors(module: nn.Module, before: Tensor, after: Tensor) -> tuple[float, float, float, float]:
    norm = cast("Any", module)
    gamma, beta = norm.weight.detach().double(), norm.bias.detach().double()
    variance = by_unit(before).double().var(0, correction=0)
    expected = variance / (variance + norm.eps)
    plain = by_unit(_with(module, torch.ones_like(gamma), torch.zeros_like(beta), before)).double()
    affine = by_unit(after).double()
    return (
        plain.mean(0).abs().max().item(),
        (plain.var(0, correction=0) - expected).abs().max().item(),
        (affine.mean(0) - beta).abs().max().item(),
        (affine.std(0, correction=0) - gamma.abs() * expected.sqrt()).abs().max().item(),
    )


def _with(module: nn.Module, gamma: Tensor, beta: Tensor, x: Tensor) -> Tensor:
    """What a normalizer itself makes of its input if these are its γ and β."""
    parameters = {"weight": gamma.to(x.dtype), "bias": beta.to(x.dtype)}
    return cast("Tensor", torch.func.functional_call(module, parameters, x))


class Restoring(Measure):
    """Whether γ = √(var+ε), β = mean give back what came in, and whether nets go there by themselves."""

    def before(self, moment: Moment) -> Series:
        """`error` by layer, in spreads of what came in; `distance` of γ and β from there, as a share of the first."""
        with Untouched(self.net), torch.no_grad():
            with tapped(_affine(self.net)) as found:
                self.net(moment.x)
            rows = [_restored(self.net.get_submodule(name), before) for name, (before, _) in found.items()]
        if not rows:
            return {}
        errors, now, first = zip(*rows, strict=True)
        distance = math.sqrt(sum(now) / sum(first))
        self.note(error=max(errors), distance=distance)
        return {"restoring.error": errors, "restoring.distance": distance}

    def outcome(self) -> dict[str, float]:
        """The largest error, and the last distance."""
        return {"restore_error": self.largest("error"), "return_distance": self.seen.get("distance", [math.nan])[-1]}


def _restored(module: nn.Module, before: Tensor) -> tuple[float, float, float]:
    """The error, and how far γ and β are from where they restore, now and as they began, squared."""
    norm = cast("Any", module)
    values = by_unit(before).double()
    mean, spread = values.mean(0), (values.var(0, correction=0) + norm.eps).sqrt()
    restored = by_unit(_with(module, spread, mean, before)).double()
    return (
        ((restored - values).abs().amax(0) / spread).max().item(),
        ((norm.weight.double() - spread).square() + (norm.bias.double() - mean).square()).sum().item(),
        ((1 - spread).square() + mean.square()).sum().item(),
    )


class Jolts(Measure):
    """How much later layers and the loss on the same mini-batch notice when the first layer is changed for a moment."""

    def before(self, moment: Moment) -> Series:
        """Of weights doubled, biases raised by 1, and units' weights turned by 45°.

        By change, the relative jump of the loss; `moved_` and the change, how far the inputs of each later layer move,
        Wasserstein-1 in spreads. `left`: what is left of the jump by the turn after ten steps on the same mini-batch,
        against as many from the weights as they are.
        """
        first, *later = weight_layers(self.net)
        weight, bias = f"{first}.weight", f"{first}.bias"
        generator = torch.Generator().manual_seed(self.spec.seed)
        found: dict[str, float] = {}
        moved: dict[str, list[float]] = {}
        with Untouched(self.net) as net:
            start = net.start
            changes = {
                "scale": {weight: 2 * start[weight]},
                "shift": {bias: start[bias] + 1},
                "turn": {weight: _turned(start[weight], generator)},
            }

            def closure() -> Tensor:
                return self.loss_of(moment.x, moment.y)

            def seen_with(changed: dict[str, Tensor]) -> tuple[float, Mapping[str, Tensor]]:
                net.put(start | changed)
                return net.loss(closure).item(), inputs(self.net, later, lambda: self.net(moment.x))

            loss, usual = seen_with({})
            for name, changed in changes.items():
                other, now = seen_with(changed)
                found[name] = abs(other - loss) / loss
                moved[name] = [distance(usual[layer], now[layer]) for layer in later]
            left = _left(net, closure, start | changes["turn"], self.spec.rate)
        self.note(**{f"jump_{name}": jump for name, jump in found.items()}, left=left)
        self.note(**{f"moved_{name}": sum(layers) / len(layers) for name, layers in moved.items()})
        series: Series = {f"jolts.{name}": jump for name, jump in found.items()} | {"jolts.left": left}
        return series | {f"jolts.moved_{name}": layers for name, layers in moved.items()}

    def outcome(self) -> dict[str, float]:
        """The middle of what was seen: single mini-batches may be nearly without loss."""
        middle = {name: float(torch.tensor(values, device="cpu").nanmedian()) for name, values in self.seen.items()}
        return {"jump_left" if name == "left" else name: value for name, value in middle.items()}


_STEPS = 10
"""Of gradient descent, after which it is looked how much of a jump is left."""
_JUMP = 1e-2
"""Of the loss, relatively: what is left of a smaller jump is what else ten steps do."""


def _left(net: Untouched, closure: Callable[[], Tensor], changed: dict[str, Tensor], rate: float) -> float:
    """The share of the jump of the loss, from a net's weights to others, that gradient descent leaves."""
    pairs = []
    for weights in (net.start, changed):
        net.put(weights)
        first = net.loss(closure).item()
        for _ in range(_STEPS):
            _, gradient = net.gradient(closure)
            for name, p in net.weights.items():
                p.data.add_(gradient[name], alpha=-rate)
        pairs.append((first, net.loss(closure).item()))
    (usual, usual_after), (other, other_after) = pairs
    return (other_after - usual_after) / (other - usual) if abs(other - usual) > _JUMP * usual else math.nan


def _turned(weight: Tensor, generator: torch.Generator) -> Tensor:
    """Each unit's weights at the same length, 45° from where they point, in a random direction."""
    flat = weight.flatten(1)
    length = flat.norm(dim=1, keepdim=True)
    unit = flat / length.clamp_min(1e-30)
    other = torch.randn(flat.shape, generator=generator, device="cpu").to(flat)
    other -= (other * unit).sum(1, keepdim=True) * unit
    other /= other.norm(dim=1, keepdim=True).clamp_min(1e-30)
    turned: Tensor = (length * (unit + other) / math.sqrt(2)).view_as(weight)
    return turned
