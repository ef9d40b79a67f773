"""What batch normalization does in a net: its parameters, the noise of its statistics, the weights it makes scale-free.

Normalized over a batch, a unit does not depend on the length of the weights that feed it: L(aW) = L(W), so the gradient
is orthogonal to W and inversely proportional to its length, and a step of rate η turns W as one of rate η/‖W‖² would
turn a unit vector (T. van Laarhoven 2017, arXiv 1706.05350).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .untouched import Untouched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray
    from torch import nn

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Statistics:
    """A normalizer's parameters and statistics, each of shape [units].

    Attributes:
        gamma: The learned scale γ; one if it learns none.
        beta: The learned shift β; zero if it learns none.
        batch_mean: Mean over the batch.
        batch_variance: Unbiased variance over the batch, which is what running variances average.
        running_mean: The running mean that evaluation would use, from before this batch.
        running_variance: The running variance, likewise.
        mean_noise: (batch mean − running mean) / √(running variance + ε), signed.
        scale_noise: √((batch variance + ε) / (running variance + ε)); 1 means equal.
    """

    gamma: Floats
    beta: Floats
    batch_mean: Floats
    batch_variance: Floats
    running_mean: Floats
    running_variance: Floats
    mean_noise: Floats
    scale_noise: Floats


def statistics(model: nn.Module, run: Callable[[], object]) -> dict[str, Statistics]:
    """What each normalizer with running statistics does to one batch, by its name; leaves no trace.

    Of batch normalization in training mode, torch's and any other that keeps `running_mean` and `running_var` with a
    `momentum`; ones that `run` does not call, or calls in evaluation mode, are left out. The batch's statistics are
    what the running ones become at a momentum of one: the module's own, whatever the layout of its input. The
    noise that they add to a sample's output is what regularizes (Ioffe and Szegedy 2015, arXiv 1502.03167, section 3.4;
    Luo et al. 2019, arXiv 1809.00846).

    Args:
        model: The net.
        run: Calls the model on a batch, as in `lambda: model(x)`.
    """
    chosen = {
        name: m
        for name, m in model.named_modules()
        if hasattr(m, "momentum")
        and all(isinstance(getattr(m, kept, None), Tensor) for kept in ("running_mean", "running_var"))
    }
    kept = {name: _kept(m) for name, m in chosen.items()}
    seen: dict[str, Tensor] = {}

    def look(name: str) -> Callable[..., None]:
        def hook(module: Any, _args: Any, _output: Any) -> None:
            if module.training:
                seen.setdefault(name, torch.stack([module.running_mean, module.running_var]).detach().double())

        return hook

    with Untouched(model), torch.no_grad(), ExitStack() as stack:
        for name, module in chosen.items():
            stack.callback(setattr, module, "momentum", module.momentum)
            stack.callback(module.register_forward_hook(look(name)).remove)
            module.momentum = 1.0
        run()
    if not seen:
        return {}
    sizes = [batch.shape[1] for batch in seen.values()]
    table = torch.cat([torch.cat([kept[name], batch]) for name, batch in seen.items()], 1).cpu().numpy()
    columns = np.split(table, np.cumsum(sizes)[:-1], axis=1)
    return {
        name: _statistics(part, float(getattr(chosen[name], "eps", 0.0)))
        for name, part in zip(seen, columns, strict=True)
    }


def _kept(module: nn.Module) -> Tensor:
    """γ, β, running mean and variance as float64, shape [4, units]."""
    mean, variance, gamma, beta = (getattr(module, n, None) for n in ("running_mean", "running_var", "weight", "bias"))
    assert isinstance(mean, Tensor)
    assert isinstance(variance, Tensor)
    gamma = gamma if isinstance(gamma, Tensor) else torch.ones_like(mean)
    beta = beta if isinstance(beta, Tensor) else torch.zeros_like(mean)
    return torch.stack([gamma, beta, mean, variance]).detach().double()


def _statistics(table: Floats, eps: float) -> Statistics:
    gamma, beta, mean, variance, batch_mean, batch_variance = table
    noise = (batch_mean - mean) / np.sqrt(variance + eps)
    return Statistics(
        gamma,
        beta,
        batch_mean,
        batch_variance,
        mean,
        variance,
        noise,
        np.sqrt((batch_variance + eps) / (variance + eps)),
    )


def feeds(model: nn.Module, run: Callable[[], object]) -> dict[str, str]:
    """The weight whose product each batch normalization takes as its input, by the normalizer's name.

    Those weights are scale-free in training mode. Found by running the model: the normalizer is given the very tensor
    that the weight's module gave, with nothing in between. Leaves no trace.

    Args:
        model: The net.
        run: Calls the model on a batch, as in `lambda: model(x)`.
    """
    given: list[tuple[Tensor, int, str]] = []
    found: dict[str, str] = {}

    def after(weight: str) -> Callable[..., None]:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                given.append((output, output._version, weight))

        return hook

    def before(name: str) -> Callable[..., None]:
        def hook(_module: Any, args: Any) -> None:
            # The version tells what an activation has changed in place.
            for output, version, weight in given:
                if args and output is args[0] and output._version == version:
                    found[name] = weight

        return hook

    with Untouched(model), torch.no_grad(), ExitStack() as stack:
        for name, module in model.named_modules():
            matrices = [n for n, p in module.named_parameters(name, recurse=False) if p.dim() > 1]
            if matrices:
                stack.callback(module.register_forward_hook(after(matrices[0])).remove)
            elif hasattr(module, "running_mean"):
                stack.callback(module.register_forward_pre_hook(before(name)).remove)
        run()
    return found


@dataclass(frozen=True, slots=True)
class Turn:
    """How far a step has turned scale-free weights.

    Attributes:
        names: The weights.
        length: ‖w‖₂ before the step, shape [k].
        angle: Between the weights before and after it, in radians, shape [k].
        effective_rate: η / ‖w‖₂², shape [k].
    """

    names: tuple[str, ...]
    length: Floats
    angle: Floats
    effective_rate: Floats


def turns(before: Mapping[str, Tensor], after: Mapping[str, Tensor], rate: float, names: Iterable[str]) -> Turn:
    """Lengths, angles and effective rates (T. van Laarhoven 2017, arXiv 1706.05350) of a step.

    Args:
        before: Weights by name, as `normscope.measures.untouched.snapshot` copies them.
        after: The same after the step.
        rate: The learning rate η.
        names: Which of them; the values of `feeds` are those that a batch normalization makes scale-free.
    """
    names = tuple(names)
    rows = []
    for name in names:
        old, new = before[name].double(), after[name].double()
        one, other = old / old.norm(), new / new.norm()
        # Kahan's formula: the arc cosine would lose small angles to rounding.
        rows.append(torch.stack([old.norm(), 2 * torch.atan2((one - other).norm(), (one + other).norm())]))
    length, angle = torch.stack(rows).cpu().numpy().T if rows else np.zeros((2, 0))
    with np.errstate(divide="ignore"):
        return Turn(names, length, angle, rate / length**2)
