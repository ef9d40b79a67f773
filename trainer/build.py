"""From a Spec to its net, its data and its loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from torch.nn.functional import cross_entropy, mse_loss

from . import nets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from normscope.spec import Spec

    from .data import Data
    from .norms import Options

Loss = "Callable[[Tensor, Tensor], Tensor]"


def net_of(spec: Spec, task: Data) -> nn.Module:
    """The net of a spec, made for a task.

    Raises:
        ValueError: If there is no such net, or it does not fit the task.
    """
    if spec.net not in _NETS:
        raise ValueError(f"unknown net {spec.net!r}; there are {', '.join(_NETS)}")
    takes, shape = _NETS[spec.net]
    fits = task.tokens if takes == "tokens" else not task.tokens and (takes == "vectors" or len(task.shape) == 3)
    if not fits:
        raise ValueError(f"net: {spec.net} takes {takes}; {spec.data} has inputs of shape {list(task.shape)}")
    return shape(spec, task)


def _options(spec: Spec) -> Options:
    """What some normalizers are told."""
    return {"ghost": spec.ghost, "shift_first": bool(spec.shift_first)}


def _mlp(spec: Spec, task: Data) -> nn.Module:
    return nets.mlp(
        spec.norm, spec.seed, inputs=task.shape[0], outputs=task.outputs, depth=spec.depth, width=spec.width,
        activation=spec.activation, init=spec.init, init_std=spec.init_std, init_scale=spec.init_scale,
        skips=bool(spec.skips), **_options(spec),
    )  # fmt: skip


def _dln(spec: Spec, task: Data) -> nn.Module:
    return nets.dln(spec.norm, spec.seed, spec.depth, task.shape[0], spec.init_scale, **_options(spec))


def _vgg(make: Callable[..., nn.Module]) -> Callable[[Spec, Data], nn.Module]:
    def build(spec: Spec, task: Data) -> nn.Module:
        return make(
            spec.norm, spec.seed, width=spec.factor, inputs=task.shape[0], classes=task.outputs, side=task.shape[1],
            init=spec.init, init_scale=spec.init_scale, **_options(spec),
        )  # fmt: skip

    return build


def _cnn(spec: Spec, task: Data) -> nn.Module:
    return nets.small_cnn(
        spec.norm, spec.seed, inputs=task.shape[0], classes=task.outputs, side=task.shape[1], **_options(spec)
    )


def _resnet(skip: bool) -> Callable[[Spec, Data], nn.Module]:
    def build(spec: Spec, task: Data) -> nn.Module:
        return nets.resnet20(
            spec.norm, spec.seed, skip, width=CHANNELS * spec.factor, inputs=task.shape[0], classes=task.outputs,
            init=spec.init, init_scale=spec.init_scale, **_options(spec),
        )  # fmt: skip

    return build


def _transformer(spec: Spec, task: Data) -> nn.Module:
    width = HEADS * max(2, round(UNITS * spec.factor / HEADS))
    return nets.transformer(
        spec.norm, spec.seed, vocabulary=task.outputs, tokens=task.shape[0], width=width, heads=HEADS, **_options(spec)
    )


CHANNELS: Final = 4
"""Times the 16, 32 and 64 channels of ResNet-20: as many as VGG-A has in its first layers, for the same factor."""
UNITS: Final = 512
"""Of a token in a transformer, before they are fewer by a spec's factor."""
HEADS: Final = 4

_NETS: Final[Mapping[str, tuple[str, Callable[[Spec, Data], nn.Module]]]] = {
    "mlp": ("vectors", _mlp),
    "dln": ("vectors", _dln),
    "cnn": ("images", _cnn),
    "vgg_a": ("images", _vgg(nets.vgg_a)),
    "vgg_16": ("images", _vgg(nets.vgg_16)),
    "resnet20": ("images", _resnet(skip=True)),
    "resnet20_plain": ("images", _resnet(skip=False)),
    "transformer": ("tokens", _transformer),
}
"""By name: what it takes, and how it is made."""


def takes_flat(spec: Spec) -> bool:
    """Whether a spec's net takes vectors and not images."""
    return spec.net in _NETS and _NETS[spec.net][0] == "vectors"


def loss_of(task: Data, reduction: str = "sum") -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a task: mean cross-entropy of classes, or of all tokens; of values, squared errors.

    These are averaged over outputs and, for the reduction `sum`, summed over samples, as Santurkar et al. 2018, arXiv
    1805.11604, must have it for their deep linear net: its loss begins at about 1e4 with 1,000 samples, as their figure
    does. For `mean` they are averaged over samples as well.
    """
    if task.tokens:
        return _next_token
    if task.classification:
        return cross_entropy
    return mse_loss if reduction == "mean" else _squared


def _next_token(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs.flatten(0, 1), targets.flatten())


def _squared(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean(1).sum()
