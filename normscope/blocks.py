"""The layers of a net as blocks of parameters that move together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor, nn

    Block = Sequence[str]


def blocks_of(model: nn.Module) -> list[list[str]]:
    """Names of the parameters of each layer, in order: a module with weights of two or more dimensions begins one.

    Modules without, such as a normalizer with its γ and β, go with the layer before them.
    """
    owners: dict[str, list[str]] = {}
    for name, _ in model.named_parameters():
        # What computes a layer's weights (`torch.nn.utils.parametrize`) is part of the layer.
        owner = name.split(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]
        owners.setdefault(owner, []).append(name)
    found: list[list[str]] = []
    for names in owners.values():
        if not found or any(model.get_parameter(name).dim() > 1 for name in names):
            found.append([])
        found[-1] += names
    return found


def set_weights(model: nn.Module, weights: Mapping[str, Tensor], names: Iterable[str] | None = None) -> None:
    """Give a model weights, all or the named ones, so that autograd does not notice."""
    for name, parameter in model.named_parameters():
        if names is None or name in names:
            parameter.data.copy_(weights[name])


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """All entries in a row, as float64."""
    return torch.cat([t.detach().double().reshape(-1) for t in tensors])
