"""The data a net trains on: built in, generated, downloaded once, or a person's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from . import generated, openml
from .digits import digits
from .own import from_file
from .task import Data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SOURCES", "Data", "load"]

SOURCES: Final[Mapping[str, Callable[[], Data]]] = {
    "digits": digits,
    "gaussian": generated.gaussian,
    "shapes": generated.shapes,
    "mixture": generated.mixture,
    "even_mixture": generated.even_mixture,
    "phrases": generated.phrases,
    "mnist": lambda: openml.fetch("mnist"),
    "fashion_mnist": lambda: openml.fetch("fashion_mnist"),
    "cifar10": lambda: openml.fetch("cifar10"),
}
"""By name; the first six need no download."""


def load(name: str) -> Data:
    """The data set with this name, or in the `.npz` file at this path.

    Raises:
        ValueError: If there is none, or the file is not as it has to be.
        NormscopeError: If it has to be downloaded and cannot be.
    """
    if name.endswith(".npz"):
        return from_file(Path(name))
    if name not in SOURCES:
        raise ValueError(f"unknown data {name!r}; there are {', '.join(SOURCES)}, and files that end in .npz")
    return SOURCES[name]()
