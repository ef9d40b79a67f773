"""What to train: it crosses from the form to the launcher to the trainer as JSON. Needs no torch."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = int | float | str | tuple[int | float, ...]
"""Of a setting."""
Kind = Literal["int", "float", "ints", "floats", "choice"]
DETAILS: Final[Mapping[str, tuple[str, ...]]] = {
    "outputs": (),
    "gradients": ("health",),
    "everything": ("health", "normalizers", "surface"),
}
"""How much may be recorded of any net: names of measures, which come beside a claim's own."""
MOST: Final = 12
"""How many values a setting that is varied may have."""
MOST_LETTERS: Final = 1000
"""Of a file's path."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing a person may change about an experiment, with all that a form needs to ask for it.

    Attributes:
        name: The key in a Spec's settings.
        label: What the form calls it.
        kind: int, float or choice; ints or floats for what is varied, one value after another.
        default: The value that is used unless another is given.
        sentence: What it does, for someone who has not met it.
        low: Smallest allowed number, inclusive.
        high: Largest allowed number, inclusive.
        unit: Of the number, empty for a pure one.
        choices: The allowed words of a choice.
        suffix: What files end in whose path may be given instead, on the machine that trains; empty if none may.
    """

    name: str
    label: str
    kind: Kind
    default: Value
    sentence: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] | None = None
    suffix: str = ""

    def check(self, value: object) -> Value:
        """The value in its proper type.

        Raises:
            ValueError: If it is of the wrong type or out of range; the message names the setting and what is allowed.
        """
        if self.kind == "choice":
            return self._check_choice(value)
        if self.kind in ("ints", "floats"):
            return self._check_list(value)
        return self._check_number(value)

    def _check_choice(self, value: object) -> str:
        assert self.choices is not None, f"choice {self.name} without choices"
        if isinstance(value, str) and (value in self.choices or self._names_a_file(value)):
            return value
        files = f", nor the whole path of a file that ends in {self.suffix}" if self.suffix else ""
        raise ValueError(f"{self.name}: {value!r:.300} is not one of {', '.join(self.choices)}{files}")

    def _names_a_file(self, value: str) -> bool:
        whole = len(value) <= MOST_LETTERS and value.isprintable() and Path(value).is_absolute()
        return bool(self.suffix) and value.endswith(self.suffix) and whole

    def _check_list(self, value: object) -> tuple[int | float, ...]:
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"{self.name}: {value!r} is not a list of numbers")
        if len(value) > MOST or len(set(value)) < len(value):
            raise ValueError(f"{self.name}: give at most {MOST} values, and each once")
        return tuple(self._check_number(part) for part in value)

    def _check_number(self, value: object) -> int | float:
        whole = self.kind in ("int", "ints")
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise ValueError(f"{self.name}: {value!r} is not a number")
        if whole and value != int(value):
            raise ValueError(f"{self.name}: {value!r} is not a whole number")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ValueError(f"{self.name}: {value!r} is not between {self.low:g} and {self.high:g}")
        return int(value) if whole else float(value)


def check_settings(settings: tuple[Setting, ...], values: Mapping[str, object]) -> dict[str, Any]:
    """Every setting with the given value or its default.

    Raises:
        ValueError: If a value is refused, or for a setting that does not exist.
    """
    unknown = set(values) - {s.name for s in settings}
    if unknown:
        raise ValueError(f"unknown setting {min(unknown)!r}; there are {', '.join(s.name for s in settings)}")
    return {s.name: s.check(values.get(s.name, s.default)) for s in settings}


@dataclass(frozen=True, slots=True)
class Spec:
    """One net's training, whole: what a trainer process is started with.

    Attributes:
        arm: What the variant is called.
        seed: Of the initial weights, of the order of the data, and of whatever else is drawn.
        steps: Optimizer updates to make.
        varied: The names of the fields that other runs of the experiment have other values of.
        data: Name of the data set, or the path of an `.npz` file.
        shift: Added to every input.
        net: Which kind: mlp, cnn, vgg_a, vgg_16, dln, resnet20, resnet20_plain, transformer.
        norm: The normalizer, a key of `trainer.norms.NORMS`.
        ghost: Samples in a ghost batch, where there are any.
        shift_first: Whether ℓp norms are of values whose mean was taken away, 0 or 1.
        depth: Hidden layers of an mlp; layers of a dln.
        width: Units in each.
        factor: Times 64 channels in the first layer, of a VGG net or a ResNet; times 512 units, of a transformer.
        activation: The nonlinearity of an mlp.
        skips: Whether inputs are added to outputs, 0 or 1, of every hidden layer of an mlp.
        init: How initial weights are drawn: normal (with `init_std`), he or glorot; biases start at zero.
        init_std: Standard deviation of normal initial weights.
        init_scale: Times the initial weights, however they are drawn.
        batch: Samples in a mini-batch; the whole data set if it has no more.
        optimizer: Plain sgd, or adam.
        rate: Its learning rate.
        reduction: Of squared errors over samples, where values are to be learned: sum or mean.
        target: The loss that counts as learned.
        measures: What is measured beside, by name; see `trainer.measures`.
        measure_every: Steps between two measurements.
        landscape_every: Steps between two looks along the gradient; 0 for none.
        landscape_low: The shortest look, in learning rates.
        landscape_high: The longest.
        test_every: Steps between two measurements of test accuracy; more of them in long runs.
        observe_every: Steps between two that are watched.
        frozen: Share of the steps, from the first, during which γ and β stay as they begin.
        detail: What is recorded beside: a key of DETAILS.
        surface: What spans the plane of the loss surface: path or random; see `trainer.measures.detail.Surface`.
        surface_points: Along each side of it.
        processes: How many train it together, each with its part of every mini-batch.
        device: Where: auto, cpu, cuda, or cuda:N; see `trainer.device.device_of`.
    """

    arm: str
    seed: int = 0
    steps: int = 1200
    varied: tuple[str, ...] = ()
    data: str = "digits"
    shift: float = 0.0
    net: str = "mlp"
    norm: str = "none"
    ghost: int = 16
    shift_first: int = 0
    depth: int = 3
    width: int = 100
    factor: float = 1.0
    activation: str = "sigmoid"
    skips: int = 0
    init: str = "normal"
    init_std: float = 0.1
    init_scale: float = 1.0
    batch: int = 60
    optimizer: str = "sgd"
    rate: float = 0.5
    reduction: str = "sum"
    target: float = 0.5
    measures: tuple[str, ...] = ()
    measure_every: int = 20
    landscape_every: int = 10
    landscape_low: float = 0.5
    landscape_high: float = 4.0
    test_every: int = 10
    observe_every: int = 1
    frozen: float = 0.0
    detail: str = "outputs"
    surface: str = "path"
    surface_points: int = 21
    processes: int = 1
    device: str = "auto"

    def dump(self) -> str:
        """This spec as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """The spec in `text`.

        Raises:
            ValueError: If it is not a JSON object with exactly this class's fields.
        """
        values: dict[str, Any] = json.loads(text)
        known = {f.name for f in fields(cls)}
        if not isinstance(values, dict) or set(values) - known or "arm" not in values:
            raise ValueError(f"a spec has an arm and some of {', '.join(sorted(known))}")
        lists: dict[str, Any] = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **lists})

    @property
    def all_measures(self) -> tuple[str, ...]:
        """The names of all that is measured, what the detail asks for included."""
        return (*self.measures, *(name for name in DETAILS[self.detail] if name not in self.measures))

    @property
    def conditions(self) -> dict[str, Any]:
        """The varied fields with their values."""
        return {name: getattr(self, name) for name in self.varied}


@dataclass(frozen=True, slots=True)
class Job:
    """A Spec on its way to a trainer process.

    Attributes:
        spec: What to train.
        name: What people call the run.
        url: Of the server the trainer reports to.
        token: What proves that it is this run's trainer.
        folder: Where its log and its checkpoint go.
    """

    spec: Spec
    name: str
    url: str
    token: str = field(repr=False)
    folder: str

    def dump(self) -> str:
        """This job as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Self:
        """The job in `text`; ValueError if there is none."""
        values = json.loads(text)
        return cls(**{**values, "spec": Spec.load(json.dumps(values["spec"]))})


CHECKPOINT: Final = "final.pt"
"""The file in a job's folder that holds the weights a run ended with."""
