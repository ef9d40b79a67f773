"""The variants that several claims share."""

from __future__ import annotations

from typing import Final

from .claim import Arm

NONE: Final = Arm("none", "No normalization.")
BATCH: Final = Arm("batch", "Batch normalization before each nonlinearity, with γ and β learned.", {"norm": "batch"})
PLAIN: Final = Arm("batch without γ, β", "Batch normalization whose outputs stay normalized.", {"norm": "batch_plain"})
MEAN: Final = Arm(
    "mean only", "The mini-batch's mean is taken away; the spread stays as it is.", {"norm": "batch_mean"}
)
VARIANCE: Final = Arm(
    "variance only", "Divided by the mini-batch's spread; the mean stays where it is.", {"norm": "batch_variance"}
)
NOISY: Final = Arm(
    "noisy batch",
    "Batch normalization, then random shifts and scales that change at every step.",
    {"norm": "batch_noisy"},
)
NOISE: Final = Arm("noise alone", "The same random shifts and scales, and no normalization.", {"norm": "noise"})
GHOST: Final = Arm("ghost batch", "Batch normalization over small parts of the mini-batch.", {"norm": "batch_ghost"})
SYNCHRONIZED: Final = Arm(
    "synchronized batch",
    "Batch normalization over the mini-batches of all processes together; of one process it is batch.",
    {"norm": "sync_batch"},
)
POPULATION: Final = Arm(
    "population", "Normalized by running statistics while training, too: no noise from the mini-batch.",
    {"norm": "batch_population"},
)  # fmt: skip
LAYER: Final = Arm("layer", "Normalized over the units of each sample.", {"norm": "layer"})
GROUP: Final = Arm("group", "Normalized over groups of channels of each sample.", {"norm": "group"})
INSTANCE: Final = Arm("instance", "Normalized over each channel of each sample.", {"norm": "instance"})
RMS: Final = Arm("RMS", "Divided by the root mean square of each sample; no mean is taken away.", {"norm": "rms"})
WEIGHT: Final = Arm(
    "weight", "Each unit's weights have a length of their own; outputs are as they come.", {"norm": "weight"}
)
L1: Final = Arm("ℓ1", "As batch, divided by the mean magnitude.", {"norm": "l1"})
L2: Final = Arm("ℓ2", "As batch, divided by the root mean square of what is not yet centred.", {"norm": "l2"})
LINF: Final = Arm("ℓ∞", "As batch, divided by the largest magnitude.", {"norm": "linf"})
