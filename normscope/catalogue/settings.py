"""Every setting that a form may ask for, once; a claim chooses from them and gives the values to begin with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..spec import DETAILS, Setting, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_LIMIT: Final = 0.0
"""The pace at which a run goes as fast as it can."""
IMAGES: Final = ("digits", "shapes", "mnist", "fashion_mnist", "cifar10")
NETS: Final = ("vgg_a", "vgg_16", "resnet20", "resnet20_plain", "transformer")
"""Those that claims let one choose from."""
_MOST: Final = 1_000_000

_ALL: Final = (
    Setting("steps", "Steps", "int", 300, "How many optimizer updates each net makes.", 1, _MOST),
    Setting(
        "pace",
        "Pace",
        "float",
        NO_LIMIT,
        "Small nets train faster than a person can watch, so they wait; 0 lets them run as fast as they can.",
        NO_LIMIT,
        10_000,
        "steps/s",
    ),
    Setting(
        "batch",
        "Mini-batch",
        "int",
        60,
        "How many samples each update sees; at most the whole data set.",
        2,
        _MOST,
        "samples",
    ),
    Setting(
        "batches",
        "Mini-batches",
        "ints",
        60,
        "How many samples an update sees, one value after another; at most all.",
        2,
        _MOST,
        "samples",
    ),
    Setting(
        "optimizer",
        "Optimizer",
        "choice",
        "sgd",
        "Plain stochastic gradient descent, or Adam.",
        choices=("sgd", "adam"),
    ),
    Setting("rate", "Learning rate", "float", 0.1, "How far the optimizer moves along the gradient.", 0.0, 1000.0),
    Setting(
        "dln_rate",
        "Rate of the deep linear net",
        "float",
        1e-6,
        "How far it moves along the gradient, which is long: its loss is summed over 1,000 samples.",
        0.0,
        1.0,
    ),
    Setting(
        "reduction",
        "Loss of the deep linear net",
        "choice",
        "sum",
        "Squared errors are summed over its 1,000 samples, as the figures of Santurkar et al. have it, or averaged: "
        "then its rate is to be a thousand times as large.",
        choices=("sum", "mean"),
    ),
    Setting(
        "rates",
        "Learning rates",
        "floats",
        0.1,
        "How far a step goes, one value after another.",
        0.0,
        1000.0,
    ),
    Setting(
        "init",
        "Initial weights",
        "choice",
        "he",
        "How their spread is chosen: he keeps signals through rectifiers alive, glorot lets them shrink with depth.",
        choices=("he", "glorot"),
    ),
    Setting(
        "init_std",
        "Initial spread",
        "float",
        0.1,
        "Standard deviation of the Gaussian that the initial weights are drawn from.",
        0.0,
        100.0,
    ),
    Setting(
        "init_scales",
        "Initial scales",
        "floats",
        1.0,
        "Times the usual initial weights, one value after another.",
        0.001,
        1000.0,
    ),
    Setting("depth", "Hidden layers", "int", 3, "How many hidden layers the net has.", 1, 80),
    Setting(
        "depths", "Hidden layers", "ints", 3, "How many hidden layers the net has, one value after another.", 1, 80
    ),
    Setting("width", "Width", "int", 100, "How many units each hidden layer has.", 1, 4096, "units"),
    Setting(
        "net",
        "Net",
        "choice",
        "vgg_a",
        "VGG-A has eight convolutions, VGG-16 thirteen, ResNet-20 nineteen (plain: without its skip connections); "
        "they take images. The transformer takes phrases.",
        choices=NETS,
    ),
    Setting(
        "factor",
        "Channels",
        "float",
        0.125,
        "Times 64 channels in the first layer, of which ResNet-20 has a quarter; of a transformer, times 512 units.",
        0.05,
        2.0,
    ),
    Setting(
        "shifts", "Shifts of the inputs", "floats", 0.0, "Added to every input, one value after another.", -100.0, 100.0
    ),
    Setting(
        "skips",
        "Skip connections",
        "ints",
        0,
        "Whether each hidden layer's input is added to its output: 0 without, 1 with.",
        0,
        1,
    ),
    Setting(
        "shift_first",
        "Mean first",
        "int",
        0,
        "What ℓ1, ℓ2 and ℓ∞ are of: 0 the values as they come, as Santurkar et al. have it; 1 those whose mean was "
        "taken away.",
        0,
        1,
    ),
    Setting("ghost", "Ghost batch", "int", 16, "How many samples a ghost batch has.", 2, _MOST, "samples"),
    Setting(
        "activation",
        "Activation",
        "choice",
        "relu",
        "The nonlinearity after each hidden layer.",
        choices=("sigmoid", "tanh", "relu", "leaky_relu", "gelu", "silu"),
    ),
    Setting(
        "data",
        "Data",
        "choice",
        "digits",
        "What the nets learn. Digits and shapes need no download; or the whole path of a file of your own, as "
        "docs/data.md describes it.",
        choices=IMAGES,
        suffix=".npz",
    ),
    Setting(
        "target",
        "Loss that counts",
        "float",
        0.5,
        "A net has learned when its training loss stays below this.",
        0.0,
        1e12,
    ),
    Setting(
        "measure_every",
        "Measure every",
        "int",
        20,
        "At such a step the quantities of this claim are measured.",
        1,
        _MOST,
        "steps",
    ),
    Setting(
        "landscape_every",
        "Look along the gradient every",
        "int",
        10,
        "At such a step the loss is sampled at eight lengths along the gradient; 0 never does.",
        0,
        _MOST,
        "steps",
    ),
    Setting(
        "detail",
        "Detail",
        "choice",
        "outputs",
        "What is recorded beside each layer's outputs: gradients too, or everything there is; more takes longer.",
        choices=tuple(DETAILS),
    ),
    Setting(
        "surface",
        "Plane of the surface",
        "choice",
        "path",
        "If everything is recorded, the loss is computed on a plane through the last weights: the one in which the run "
        "has moved most, or one of two random directions, each filter as long as the net's own.",
        choices=("path", "random"),
    ),
    Setting(
        "surface_points",
        "Points of the surface",
        "int",
        21,
        "How many points each side of that plane has; Li et al. (2018) take 51.",
        5,
        51,
    ),
    Setting(
        "processes",
        "Processes",
        "int",
        1,
        "How many processes train each net together, each on its part of every mini-batch, as several GPUs would.",
        1,
        8,
    ),
    Setting(
        "device",
        "Device",
        "choice",
        "auto",
        "Where each net trains: auto is a GPU of the machine that trains where there is one, and else its processor.",
        choices=("auto", "cpu", "cuda", *(f"cuda:{number}" for number in range(8))),
    ),
    Setting("seed", "First seed", "int", 0, "Fixes the initial weights and the order of the data.", 0, 2**31 - 1),
    Setting("seeds", "Seeds", "int", 5, "How many times each arm is trained, each with its own seed.", 1, 20),
    Setting(
        "parallel",
        "At once",
        "int",
        2,
        "How many nets train at the same time; the others wait for their turn.",
        1,
        64,
        "runs",
    ),
)
_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in _ALL}
_LAST: Final = ("detail", "surface", "surface_points", "processes", "device", "seed", "seeds", "parallel", "pace")


def settings(**defaults: Value) -> tuple[Setting, ...]:
    """The named settings with these values to begin with, and what every claim has: detail, device, seeds, pace."""
    names = [*(name for name in defaults if name not in _LAST), *_LAST]
    found = [replace(_BY_NAME[n], default=defaults.get(n, _BY_NAME[n].default)) for n in names]
    if "net" in names:  # one of them takes no images
        found = [replace(s, choices=(*IMAGES, "phrases")) if s.name == "data" else s for s in found]
    return tuple(found)
