"""What the claims measure while a net trains, by the names that a Spec uses.

Each is glue between the training loop and a function of `normscope`, which says what is computed, and from where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .detail import Health, Normalizers, Surface
from .landscape import AlongGradient, Matched, NextBatch, Sharpness
from .moment import Measure, Moment
from .moments import Conditioning, Jolts, Normalized, Restoring
from .progress import Progress, accuracy, evaluate, generalization
from .sampling import Density, OutputSpread
from .shift import Drift, GradientChange, InitialGradients, Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MEASURES", "AlongGradient", "Measure", "Moment", "Progress", "accuracy", "evaluate", "generalization"]

MEASURES: Final[Mapping[str, type[Measure]]] = {
    "along_gradient": AlongGradient,
    "conditioning": Conditioning,
    "density": Density,
    "drift": Drift,
    "gradient_change": GradientChange,
    "health": Health,
    "initial_gradients": InitialGradients,
    "jolts": Jolts,
    "matched": Matched,
    "next_batch": NextBatch,
    "normalized": Normalized,
    "normalizers": Normalizers,
    "output_spread": OutputSpread,
    "restoring": Restoring,
    "sampling": Sampling,
    "sharpness": Sharpness,
    "surface": Surface,
}
