"""What a claim is: a sentence, what would decide it, the arms, the settings, and the rule."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from ..spec import Setting, Spec, check_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..findings import Criterion

_SPEC: Final = {f.name for f in fields(Spec)}


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant: its name, in a sentence what is special about it, and the fields of a Spec that make it so.

    Attributes:
        name: What it is called.
        sentence: What is special about it.
        changes: Fields of a Spec with what they are for it, whatever the settings say.
        takes: Fields of a Spec that for it take the value of another setting than the one of their name.
    """

    name: str
    sentence: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    takes: Mapping[str, str] = field(default_factory=dict)

    def spec(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that it has of its own, with these settings."""
        return {**self.changes, **{name: settings[setting] for name, setting in self.takes.items()}}


@dataclass(frozen=True, slots=True)
class Size:
    """A whole set of settings that fits an occasion.

    Attributes:
        sentence: What it is for, and about how long it takes.
        settings: Those that differ from the defaults.
        arms: Which variants; the claim's default ones unless given.
    """

    sentence: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    arms: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim about batch normalization, as an experiment.

    Attributes:
        number: In the order of `docs/science.md`.
        title: A few words.
        sentence: The claim itself.
        measures: What will be measured, and why that decides it.
        literature: What has been found before, and where.
        arms: The variants to choose from.
        default_arms: Those that a click on Start trains.
        settings: What can be changed.
        rule: What the verdict rests on.
        sizes: Sets of settings by name; the first is what the form begins with. `quick` is always there.
        fixed: Fields of a Spec that all its runs share.
        varied: For each setting that is a list, the field of a Spec that takes its values one after another.
        mapped: The number that is shown first where several conditions were run; that of the rule unless given.
    """

    number: int
    title: str
    sentence: str
    measures: str
    literature: str
    arms: tuple[Arm, ...]
    default_arms: tuple[str, ...]
    settings: tuple[Setting, ...]
    rule: tuple[Criterion, ...]
    sizes: Mapping[str, Size]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    varied: Mapping[str, str] = field(default_factory=dict)
    mapped: str = ""

    def specs(self, settings: Mapping[str, Any], arms: Sequence[str]) -> list[Spec]:
        """One spec per seed, condition and arm, from settings that `check` has returned; a whole seed first."""
        shared: dict[str, Any] = {**self.fixed, **{k: v for k, v in settings.items() if k in _SPEC}}
        first = int(shared.pop("seed"))
        lists = [settings[name] for name in self.varied]
        names = tuple(self.varied.values())
        several = tuple(name for name, values in zip(names, lists, strict=True) if len(values) > 1)
        own = {arm.name: arm.spec(settings) for arm in self.arms}
        return [
            Spec(
                **{**shared, **dict(zip(names, values, strict=True)), **own[arm]},
                arm=arm,
                seed=seed,
                varied=several,
            )
            for seed in range(first, first + int(settings["seeds"]))
            for values in product(*lists)
            for arm in arms
        ]

    def own(self, settings: Mapping[str, Any], arms: Sequence[str]) -> dict[str, dict[str, Any]]:
        """By arm, what it has of its own in place of settings of this claim."""
        known = {setting.name for setting in self.settings}
        found = {
            arm.name: {name: value for name, value in arm.spec(settings).items() if name in known}
            for arm in self.arms if arm.name in arms
        }  # fmt: skip
        return {name: fields for name, fields in found.items() if fields}

    def sized(self, size: str, settings: Mapping[str, object]) -> dict[str, object]:
        """The settings of a size, with some changed.

        Raises:
            ValueError: If there is no such size.
        """
        if size not in self.sizes:
            raise ValueError(f"unknown size {size!r} of claim {self.number}; there are {', '.join(self.sizes)}")
        return {**self.sizes[size].settings, **settings}

    def plan(
        self, settings: Mapping[str, object], arms: Sequence[str] | None, size: str | None
    ) -> tuple[dict[str, Any], Sequence[str]]:
        """The settings made whole, and the arms: what is given wins over what a size says, and that over the claim.

        Raises:
            ValueError: If the size, a setting or an arm is refused.
        """
        if size is not None:
            settings = self.sized(size, settings)
            arms = self.sizes[size].arms if arms is None else arms
        arms = self.default_arms if arms is None else arms
        return self.check(settings, arms), arms

    def check(self, settings: Mapping[str, object], arms: Sequence[str]) -> dict[str, Any]:
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
        whole = check_settings(self.settings, settings)
        _check_parts(whole)
        _check_net(whole, [arm.changes.get("norm") for arm in self.arms if arm.name in arms])
        runs = len(self.specs(whole, arms))
        if runs > MOST_RUNS:
            raise ValueError(f"these settings make {runs} runs; an experiment has at most {MOST_RUNS}")
        return whole


def _check_parts(settings: Mapping[str, Any]) -> None:
    """See whether each process gets two samples, without which there is no spread to normalize by."""
    batches = (settings[name] for name in ("batch", "batches") if name in settings)
    least = min((size for given in batches for size in (given if isinstance(given, tuple) else (given,))), default=None)
    count = settings["processes"]
    if least is not None and least < 2 * count:
        raise ValueError(f"processes: {count} cannot share a mini-batch of {least} samples; each needs two at least")


def _check_net(settings: Mapping[str, Any], norms: Sequence[str | None]) -> None:
    """See whether the net that was chosen, if there is a choice, takes the data, and the normalizers fit it."""
    if "net" not in settings:
        return
    tokens = settings["net"] == "transformer"
    if tokens != (settings["data"] == "phrases"):
        takes = "phrases, and nothing else" if tokens else "images; phrases are for the transformer"
        raise ValueError(f"data: {settings['net']} takes {takes}")
    if tokens and "instance" in norms:
        raise ValueError("arms: instance normalizes each channel of an image; leave it out for the transformer")


MOST_RUNS: Final = 1000
