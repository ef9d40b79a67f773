"""A net's weights as the blocks that a measure moves or differentiates one at a time: its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    Blocks = Mapping[str, Sequence[str]]


def blocks_of(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """The names of the trainable weights of each layer, by the layer's name, in the order of registration.

    A layer is a module that owns a matrix or a kernel, with its bias. A module that only owns vectors, as a normalizer
    does with γ and β, joins the layer before it. Parametrized weights (`torch.nn.utils.parametrize`) count as their
    module's.
    """
    owned: dict[str, list[str]] = {}
    matrices: set[str] = set()
    for name, p in model.named_parameters():
        if p.requires_grad:
            owner = _owner(name)
            owned.setdefault(owner, []).append(name)
            if p.dim() > 1:
                matrices.add(owner)
    found: dict[str, tuple[str, ...]] = {}
    for owner, names in owned.items():
        if found and owner not in matrices:
            last = next(reversed(found))
            found[last] += tuple(names)
        else:
            found[owner] = tuple(names)
    return found


def _owner(name: str) -> str:
    """The dotted name of the module that a weight belongs to."""
    parts = name.split(".")
    return ".".join(parts[: parts.index("parametrizations") if "parametrizations" in parts else -1])


def checked(model: nn.Module, blocks: Blocks | None) -> Blocks:
    """The given blocks of weights, or the model's layers.

    Raises:
        ValueError: If there is none, or one names what is no trainable weight of the model.
    """
    if blocks is None:
        blocks = blocks_of(model)
    if not blocks:
        raise ValueError(f"blocks: there is none; {type(model).__name__} has no trainable weights or none was given")
    known = {name for name, p in model.named_parameters() if p.requires_grad}
    for block, names in blocks.items():
        if not names or not known.issuperset(names):
            raise ValueError(f"blocks: {block!r} is {tuple(names)}, which are no trainable weights of the model")
    return blocks
