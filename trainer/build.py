"""From a Spec to its net, its data and its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch.nn.functional import cross_entropy

from . import nets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from normscope.spec import Spec

    from .data import Data

Loss = "Callable[[Tensor, Tensor], Tensor]"


def net_of(spec: Spec, task: Data) -> nn.Module:
    """The net of a spec, made for a task.

    Raises:
        ValueError: If there is no such net, or it does not fit the task.
    """
    if spec.net not in _NETS:
        raise ValueError(f"unknown net {spec.net!r}; there are {', '.join(_NETS)}")
    flat, shape = _NETS[spec.net]
    if not flat and len(task.shape) != 3:
        raise ValueError(f"net: {spec.net} takes images; {spec.data} has inputs of shape {list(task.shape)}")
    return shape(spec, task)


def _mlp(spec: Spec, task: Data) -> nn.Module:
    return nets.mlp(
        spec.norm, spec.seed, inputs=task.shape[0], outputs=task.outputs, depth=spec.depth, width=spec.width,
        activation=spec.activation, init=spec.init, init_std=spec.init_std, init_scale=spec.init_scale,
        skips=bool(spec.skips), ghost=spec.ghost,
    )  # fmt: skip


def _dln(spec: Spec, task: Data) -> nn.Module:
    return nets.dln(spec.norm, spec.seed, spec.depth, task.shape[0], spec.init_scale, ghost=spec.ghost)


def _vgg(make: Callable[..., nn.Module]) -> Callable[[Spec, Data], nn.Module]:
    def build(spec: Spec, task: Data) -> nn.Module:
        return make(
            spec.norm, spec.seed, width=spec.factor, inputs=task.shape[0], classes=task.outputs, side=task.shape[1],
            init=spec.init, init_scale=spec.init_scale, ghost=spec.ghost,
        )  # fmt: skip

    return build


def _cnn(spec: Spec, task: Data) -> nn.Module:
    return nets.small_cnn(
        spec.norm, spec.seed, inputs=task.shape[0], classes=task.outputs, side=task.shape[1], ghost=spec.ghost
    )


def _resnet(spec: Spec, task: Data) -> nn.Module:
    return nets.resnet20(
        spec.norm, spec.seed, bool(spec.skips), inputs=task.shape[0], classes=task.outputs, ghost=spec.ghost
    )


_NETS: Final[Mapping[str, tuple[bool, Callable[[Spec, Data], nn.Module]]]] = {
    "mlp": (True, _mlp),
    "dln": (True, _dln),
    "cnn": (False, _cnn),
    "vgg_a": (False, _vgg(nets.vgg_a)),
    "vgg_16": (False, _vgg(nets.vgg_16)),
    "resnet20": (False, _resnet),
}
"""By name: whether it takes flat inputs, and how it is made."""


def takes_flat(spec: Spec) -> bool:
    """Whether a spec's net takes vectors and not images."""
    return spec.net in _NETS and _NETS[spec.net][0]


def loss_of(task: Data) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a task: mean cross-entropy of classes; else squared errors, summed over samples, mean over outputs.

    The latter as Santurkar et al. 2018, arXiv 1805.11604, must have it for their deep linear net: its loss begins at
    about 1e4 with 1,000 samples, as their figure does.
    """
    return cross_entropy if task.classification else _squared


def _squared(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean(1).sum()
