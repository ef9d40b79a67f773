"""What to train: it crosses from the form to the launcher to the trainer as JSON. Needs no torch."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = int | float | str
Kind = Literal["int", "float", "choice"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing a person may change about an experiment, with all that a form needs to ask for it.

    Attributes:
        name: The key in a Spec's settings.
        label: What the form calls it.
        kind: int, float or choice.
        default: The value that is used unless another is given.
        sentence: What it does, for someone who has not met it.
        low: Smallest allowed number, inclusive.
        high: Largest allowed number, inclusive.
        unit: Of the number, empty for a pure one.
        choices: The allowed words of a choice.
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

    def check(self, value: object) -> Value:
        """The value in its proper type.

        Raises:
            ValueError: If it is of the wrong type or out of range; the message names the setting and what is allowed.
        """
        if self.kind == "choice":
            assert self.choices is not None, f"choice {self.name} without choices"
            if not isinstance(value, str) or value not in self.choices:
                raise ValueError(f"{self.name}: {value!r} is not one of {', '.join(self.choices)}")
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"{self.name}: {value!r} is not a number")
        if self.kind == "int" and value != int(value):
            raise ValueError(f"{self.name}: {value!r} is not a whole number")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ValueError(f"{self.name}: {value!r} is not between {self.low:g} and {self.high:g}")
        return int(value) if self.kind == "int" else float(value)


def check_settings(settings: tuple[Setting, ...], values: Mapping[str, object]) -> dict[str, Value]:
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
        arm: The normalizer between each linear layer and its activation.
        seed: Of the initial weights and of the order of the data.
        steps: Optimizer updates to make.
        data: Name of the data set.
        depth: Hidden layers.
        width: Units in each.
        activation: Their nonlinearity.
        init_std: Standard deviation of the Gaussian initial weights; biases start at zero.
        batch: Samples in a mini-batch.
        rate: Learning rate of plain SGD.
        landscape_every: Steps between two looks along the gradient; 0 for none.
        test_every: Steps between two measurements of test accuracy.
    """

    arm: str
    seed: int = 0
    steps: int = 1200
    data: str = "digits"
    depth: int = 3
    width: int = 100
    activation: str = "sigmoid"
    init_std: float = 0.1
    batch: int = 60
    rate: float = 0.5
    landscape_every: int = 10
    test_every: int = 10

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
        return cls(**values)


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
