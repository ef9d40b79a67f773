"""Rules: a measure, a comparison, a bound, and for how many steps it has to hold before people are told."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import numpy as np

from ..wire import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STATISTICS: Final[dict[str, Callable[[Floats], Floats]]] = {
    "mean": lambda n: n[4],
    "std": lambda n: np.where(n[0] > 1, n[5], np.nan),  # that a single value does not vary is no news
    "min": lambda n: n[6],
    "max": lambda n: n[7],
    "size": lambda n: np.maximum(-n[6], n[7]),
    "norm": lambda n: np.sqrt((n[0] - n[3]) * (n[4] * n[4] + n[5] * n[5])),
    "zeros": lambda n: n[1] / np.maximum(n[0], 1),
    "saturated": lambda n: n[2] / np.maximum(n[0], 1),
    "nonfinite": lambda n: n[3] / np.maximum(n[0], 1),
}
"""What of a layer rules may be about, from its numbers (values, zeros, saturated, non-finite, mean, standard deviation,
minimum, maximum; shape [8, n]), shape [n]: `size` is the largest absolute value, `norm` the Euclidean length, the last
three are shares in [0, 1]."""
LOSSES: Final = ("loss", "train_loss", "train/loss")
"""Series that are losses by their name."""
GRADIENTS: Final = ("gradient", "weight_gradient")
RELATIONS: Final = (">", ">=", "<", "<=")
_TEXT: Final = re.compile(r"\s*(.+?)\s*(<=|>=|<|>)\s*(.+?)\s*")


@dataclass(frozen=True, slots=True)
class Rule:
    """When people are to be told.

    Attributes:
        name: What it is called; a rule of one's own is called as it is written.
        measure: One of STATISTICS; of series "nonfinite", "stall" (steps since it has fallen), or its own "value".
        relation: One of RELATIONS.
        bound: What the measure is compared with.
        steps: For how many steps the comparison has to hold.
        kinds: What of layers it is about; empty for nothing.
        layers: A glob over dotted names.
        series: What else it is about.
        words: What may be said of whatever it holds for; empty where the name says it.
        unless: The name of a worse rule, which is told instead where both hold.
    """

    name: str
    measure: str
    relation: str
    bound: float
    steps: int = 1
    kinds: tuple[str, ...] = ()
    layers: str = "*"
    series: tuple[str, ...] = ()
    words: str = ""
    unless: str = ""

    def fits(self, layer: str, kind: str) -> bool:
        """Whether it is about this kind of this layer."""
        return kind in self.kinds and fnmatchcase(layer, self.layers)


BUILT_IN: Final = (
    Rule("non-finite", "nonfinite", ">", 0, 1, KINDS, series=LOSSES, words="has values that are not finite"),
    Rule("dead", "zeros", ">=", 0.99, 20, ("output",), words="is nothing but zeros"),
    Rule("exploding", "size", ">", 1e6, 1, ("output", *GRADIENTS), words="has values beyond a million"),
    Rule("vanishing", "std", "<", 1e-6, 20, ("output",), words="hardly varies", unless="dead"),
    Rule("saturated", "saturated", ">=", 0.5, 20, ("output",), words="is saturated in most places"),
    Rule("stalled", "stall", ">=", 1000, series=LOSSES, words="has not fallen by a hundredth"),
)  # fmt: skip
"""What everyone is told, the worst first."""
LOST: Final = "lost"
"""The name of the alert that only a server can give: a training process that is not heard of any more."""


def alert(rule: str, layers: str | None = None, kind: str | None = None, steps: int | None = None) -> Rule:
    """A rule for `watch(alerts=[…])`.

    Args:
        rule: A measure, a comparison and a bound: "loss > 10", for any series that the loop tells, or "std < 0.001",
            for layers: mean, std, min, max, size (the largest absolute value), norm (Euclidean), or the shares zeros,
            saturated and nonfinite. Or the name of a built-in rule, to change it.
        layers: Which layers, a glob over their dotted names; all unless given.
        kind: What of them, as in `watch(kinds=…)`; their output unless given.
        steps: For how many steps that has to hold; 1 unless given.

    Raises:
        ValueError: If that makes no sense.
    """
    if steps is not None and not (isinstance(steps, int) and steps >= 1):
        raise ValueError(f"steps: {steps!r} is not a number of steps, at least 1")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind: {kind!r} is not one of {', '.join(KINDS)}")
    known = {one.name: one for one in BUILT_IN}
    if rule in known:
        return _changed(known[rule], layers, kind, steps)
    found = _TEXT.fullmatch(rule)
    if found is None:
        raise ValueError(f"alert: {rule!r} is neither a comparison such as 'loss > 10' nor one of {', '.join(known)}")
    measure, relation, text = found.groups()
    bound = _number(rule, text)
    if measure in STATISTICS:
        return Rule(rule.strip(), measure, relation, bound, steps or 1, (kind or "output",), layers or "*")
    if layers is not None or kind is not None:
        raise ValueError(f"alert: {measure!r} is not measured of layers; choose from {', '.join(STATISTICS)}")
    return Rule(rule.strip(), "value", relation, bound, steps or 1, series=(measure,))


def _changed(rule: Rule, layers: str | None, kind: str | None, steps: int | None) -> Rule:
    """A built-in rule for other layers, kinds or numbers of steps."""
    if not rule.kinds and (layers is not None or kind is not None):
        raise ValueError(f"alert: {rule.name!r} is not about layers, but about the loss")
    if rule.measure == "stall" and steps is not None:
        rule, steps = replace(rule, bound=steps), 1
    return replace(
        rule, steps=steps or rule.steps, kinds=rule.kinds if kind is None else (kind,), layers=layers or rule.layers,
        series=rule.series if layers is None and kind is None else (),
    )  # fmt: skip


def _number(rule: str, text: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise ValueError(f"alert: {text!r} in {rule!r} is not a number to compare with")
    return bound


def chosen(alerts: Iterable[str | Rule] | None, layers: Sequence[str], slots: Sequence[tuple[int, str]]) -> list[Rule]:
    """All rules for a net: the built-in ones, of which one's own replace those of their name, and these; None for none.

    Args:
        alerts: Rules of one's own.
        layers: The watched layers.
        slots: What is watched of them: a position among the layers, and one of `normscope.wire.KINDS`.

    Raises:
        TypeError: If something is neither a rule nor the text of one.
        ValueError: If a rule makes no sense, or is about nothing that is watched.
    """
    if alerts is None:
        return []
    own = [alert(one) if isinstance(one, str) else one for one in ([alerts] if isinstance(alerts, str) else alerts)]
    for rule in own:
        if not isinstance(rule, Rule):
            raise TypeError(f"alerts: {rule!r} is neither a rule's text nor made by normscope.alert")
        if not rule.series and not any(rule.fits(layers[layer], kind) for layer, kind in slots):
            watched = ", ".join(sorted({kind for _, kind in slots}))
            raise ValueError(
                f"alerts: {rule.name!r} is about the {rule.kinds[0]} of layers {rule.layers!r}, "
                f"of which there are none; watched are: {watched}"
            )
    names = {rule.name for rule in own}
    return [*(rule for rule in BUILT_IN if rule.name not in names), *own]
