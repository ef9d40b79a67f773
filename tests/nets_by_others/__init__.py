"""Nets that others have written, small and without weights, to be watched: `make nets` and a test train all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import of_lightning, of_packages, of_torch, of_transformers

if TYPE_CHECKING:
    from .net import Net

AT_HAND: Final[tuple[Net, ...]] = (*of_torch.NETS, *of_lightning.NETS, *of_transformers.NETS)
"""Those that need nothing beyond what the tests need anyway."""
FETCHED: Final[tuple[Net, ...]] = of_packages.NETS
"""Those whose packages the extra `nets` brings."""
