"""A net trained twice, alone and watched, and what is wrong with that."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import normscope
from normscope.alerts import BUILT_IN

from .training import begin, one_thread, train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .net import Net
    from .training import Left

EVERYTHING: Final = ("output", "input", "gradient", "weight", "weight_gradient", "bias", "bias_gradient", "statistics")
_UNSEEN: Final = re.compile(r"nothing was seen of (.*?)(?: and (\d+) more)?: not called in training mode")


@dataclass
class Watched:
    """What watching has shown of a training whose every step was looked at.

    Attributes:
        alone: What the same training has left behind when nobody watched.
        left: What this one has left.
        called: The modules that give floating-point tensors, as torch's own hook hears of them.
        steps: Those that were recorded.
        layers: Those that were to be watched.
        seen: Those of which something was recorded.
        said: What was logged, but for alerts.
        alerts: Those that were given.
    """

    alone: Left
    left: Left
    called: set[str]
    steps: list[int]
    layers: list[str]
    seen: set[str]
    said: list[str]
    alerts: list[str]

    @property
    def unseen(self) -> list[str]:
        """Layers of which there is nothing to see: they are never called, or give no floating-point tensor."""
        return [name for name in self.layers if name not in self.called]

    @property
    def faults(self) -> list[str]:
        """What is not as it should be, in sentences; nothing if watching has harmed nothing and missed nothing."""
        found = [f"watching has changed {what}" for what in self.alone.differs_in(self.left)]
        if self.steps != list(range(len(self.left.losses))):
            found.append(f"of {len(self.left.losses)} steps these were recorded: {self.steps}")
        missed = set(self.layers) - set(self.unseen) - self.seen
        if missed:
            found.append(f"called and not seen: {', '.join(sorted(missed))}")
        return found + [f"logged: {sentence}" for sentence in self.said if not self._expected(sentence)]

    def _expected(self, sentence: str) -> bool:
        """Whether this says of which layers nothing was seen, and is right."""
        match = _UNSEEN.match(sentence)
        if match is None:
            return False
        named = match[1].split(", ")
        return set(named) <= set(self.unseen) and len(named) + int(match[2] or 0) <= len(self.unseen)


def compare(net: Net, steps: int, file: Path, kinds: Sequence[str] = ("output",)) -> Watched:
    """Train alone and watched, recorded to a file.

    What is called is found out before: what is imported on the way may draw random numbers, the first time.
    """
    called = modules_called(net)
    alone = train(net, steps)
    words = Words()
    log = logging.getLogger("normscope")
    log.addHandler(words)
    try:
        left = train(net, steps, lambda model: normscope.watch(model, file=file, budget=None, kinds=kinds))
    finally:
        log.removeHandler(words)
    run = normscope.open(file)
    frames = list(run.frames())
    layers = [layer.name for layer in run.layers]
    seen = {layers[index] for frame in frames for index in frame.layers.tolist()}
    recorded = [frame.first_step for frame in frames]
    return Watched(alone, left, called, recorded, layers, seen, words.said, words.alerts)


class Words(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.alerts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Tell alerts from the rest."""
        sentence = record.getMessage().removeprefix("normscope: ")
        is_alert = sentence.split(": ")[0] in {rule.name for rule in BUILT_IN}
        (self.alerts if is_alert else self.said).append(sentence)


def modules_called(net: Net, steps: int = 3) -> set[str]:
    """Names of the modules that are called and give a floating-point tensor, as torch's global hook hears of it."""
    model = begin(net)
    names = {module: name for name, module in model.named_modules()}
    found: set[str] = set()

    def hear(module: nn.Module, _: Any, output: Any) -> None:
        if module in names and any(isinstance(x, Tensor) and x.is_floating_point() for x in tree_leaves(output)):
            found.add(names[module])

    handle = nn.modules.module.register_module_forward_hook(hear)
    try:
        with one_thread():
            for _ in range(steps):
                net.loss(model)
    finally:
        handle.remove()
    return found
