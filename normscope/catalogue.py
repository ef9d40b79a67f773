"""The experiments that are ready to start: claims, arms, settings. Declarative, needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from .spec import Setting, Spec, Value, check_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant, and in a sentence what is special about it."""

    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim about batch normalization, as an experiment.

    Attributes:
        number: In the order of `docs/science.md`.
        title: A few words.
        sentence: The claim itself.
        measures: What will be measured, and why that decides it.
        arms: The variants to choose from.
        default_arms: Those that a click on Start trains.
        settings: What can be changed.
    """

    number: int
    title: str
    sentence: str
    measures: str
    arms: tuple[Arm, ...]
    default_arms: tuple[str, ...]
    settings: tuple[Setting, ...]

    def specs(self, settings: Mapping[str, Value], arms: Sequence[str]) -> list[Spec]:
        """One spec per seed and arm, from settings that `check` has returned."""
        own = {f.name for f in fields(Spec)}
        shared: dict[str, Any] = {name: value for name, value in settings.items() if name in own}
        first = int(shared.pop("seed"))
        seeds = range(first, first + int(settings["seeds"]))
        return [Spec(arm=arm, seed=seed, **shared) for seed in seeds for arm in arms]

    def check(self, settings: Mapping[str, object], arms: Sequence[str]) -> dict[str, Value]:
        """The settings made whole.

        Raises:
            ValueError: If a setting or an arm is refused.
        """
        names = [arm.name for arm in self.arms]
        for arm in arms:
            if arm not in names:
                raise ValueError(f"unknown arm {arm!r}; there are {', '.join(names)}")
        if not arms or len(set(arms)) < len(arms):
            raise ValueError("arms: choose at least one, and each once")
        return check_settings(self.settings, settings)


NO_LIMIT: Final = 0.0
"""The pace at which a run goes as fast as it can."""

_MLP: Final = (
    Setting("steps", "Steps", "int", 1200, "How many optimizer updates each net makes.", 1, 1_000_000),
    Setting(
        "pace", "Pace", "float", 40.0,
        "Small nets train faster than a person can watch, so they wait; 0 lets them run as fast as they can.",
        NO_LIMIT, 10_000, "steps/s",
    ),
    Setting("batch", "Mini-batch", "int", 60, "How many samples each update sees.", 2, 1437, "samples"),
    Setting("rate", "Learning rate", "float", 0.5, "How far plain SGD moves along the gradient.", 0.0, 1000.0),
    Setting(
        "init_std", "Initial spread", "float", 0.1,
        "Standard deviation of the Gaussian that the initial weights are drawn from.", 0.0, 100.0,
    ),
    Setting("depth", "Hidden layers", "int", 3, "How many hidden layers the net has.", 1, 80),
    Setting("width", "Width", "int", 100, "How many units each hidden layer has.", 1, 4096, "units"),
    Setting(
        "activation", "Activation", "choice", "sigmoid", "The nonlinearity after each hidden layer.",
        choices=("sigmoid", "tanh", "relu"),
    ),
    Setting("seed", "First seed", "int", 0, "Fixes the initial weights and the order of the data.", 0, 2**31 - 1),
    Setting("seeds", "Seeds", "int", 1, "How many times each arm is trained, each with its own seed.", 1, 20),
    Setting(
        "landscape_every", "Look along the gradient every", "int", 10,
        "At such a step the loss is sampled at eight lengths along the gradient; 0 never does.", 0, 1_000_000, "steps",
    ),
)  # fmt: skip

_ONE: Final = Claim(
    number=1,
    title="Zero-centred inputs of steady spread train faster",
    sentence=(
        "When each layer's inputs keep zero mean and unit spread, a net needs fewer steps to reach the same loss "
        "(Ioffe and Szegedy, 2015)."
    ),
    measures=(
        "Two nets with the same initial weights see the same handwritten digits in the same order; one normalizes "
        "each layer's inputs over the mini-batch. Watch how the distribution in front of each nonlinearity moves, and "
        "how soon each net learns."
    ),
    arms=(
        Arm("none", "No normalization."),
        Arm("batch", "Batch normalization before each nonlinearity, with γ and β learned."),
    ),
    default_arms=("none", "batch"),
    settings=_MLP,
)

CLAIMS: Final[Mapping[int, Claim]] = {claim.number: claim for claim in (_ONE,)}


def claim(number: int) -> Claim:
    """The claim with this number.

    Raises:
        ValueError: If there is none.
    """
    if number not in CLAIMS:
        raise ValueError(f"unknown claim {number!r}; there are {', '.join(map(str, CLAIMS))}")
    return CLAIMS[number]
