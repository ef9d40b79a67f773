"""The training loop, as a user of `normscope.watch` would write it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

import normscope
from normscope.measures.untouched import snapshot
from normscope.spec import CHECKPOINT

from . import data
from .build import loss_of, net_of, takes_flat
from .device import Arriving, device_of, moved, settle_on
from .measures import MEASURES, AlongGradient, Moment, Progress, accuracy, evaluate, generalization
from .processes import Team

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from normscope.spec import Job, Spec

    from .data import Data

    Batch = tuple[Tensor, Tensor]


OPTIMIZERS: Final[Mapping[str, type[torch.optim.SGD | torch.optim.Adam]]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
}


MOST_TESTS: Final = 120
"""How often a run looks at the test data at most: a thousand images take as long as a dozen steps."""
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "outputs": ("output",),
    "gradients": ("output", "gradient", "weight_gradient"),
    "everything": ("output", "input", "gradient", "weight", "weight_gradient", "bias", "statistics"),
}
"""What is watched of every layer, by a spec's detail."""


def train(job: Job, team: Team | None = None) -> None:
    """Train the job's net to its last step, or until someone stops it; leave a checkpoint either way.

    Args:
        job: What to train.
        team: The processes that do it together, each of which comes here; this one alone unless given.
    """
    team = team or Team()
    spec = job.spec
    device = device_of(spec.device, team.rank)
    settle_on(device)
    torch.manual_seed(spec.seed)
    task = load(spec)
    net = moved(net_of(spec, task), device)
    task = task.to(device)
    optimizer = OPTIMIZERS[spec.optimizer](net.parameters(), lr=spec.rate)
    # The point of these small nets is to be seen: there is no budget.
    with team.together(), normscope.watch(
        net, name=job.name, url=job.url, token=job.token, budget=None, kinds=KINDS[spec.detail],
        schedule=watched(spec),
    ) as watch:  # fmt: skip
        run = Run(spec, task, net, optimizer, watch, team)
        try:
            with team.minded():
                run.train()
                outcome = run.outcome()
        finally:
            if team.rank == 0:
                save(net, optimizer, len(run.progress.losses), Path(job.folder))
        watch.conclude(**outcome)


def watched(spec: Spec) -> Callable[[int], bool]:
    """The steps that are watched: one of every so many, those at which something is measured or tested, the last."""
    measured = spec.measure_every if spec.all_measures else 0
    spacings = {spec.observe_every, measured, spec.landscape_every, tested(spec)} - {0}
    last = spec.steps - 1

    def at(step: int) -> bool:
        for spacing in spacings:  # in so many words: it is asked at every step
            if step % spacing == 0:
                return True
        return step == last

    return at


def tested(spec: Spec) -> int:
    """Steps between two looks at the test data."""
    return max(spec.test_every, spec.steps // MOST_TESTS)


def load(spec: Spec) -> Data:
    """The data of a spec, as its net takes them."""
    task = data.load(spec.data)
    if spec.shift:
        task = task.shifted(spec.shift)
    return task.flat() if takes_flat(spec) else task


class Run:
    """A net being trained."""

    def __init__(
        self, spec: Spec, task: Data, net: nn.Module, optimizer: torch.optim.Optimizer, watch: normscope.Watch,
        team: Team,
    ) -> None:  # fmt: skip
        if not task.classification and spec.reduction == "mean":  # the loss that counts is said of the sum
            spec = replace(spec, target=spec.target / len(task.train))
        self.spec = spec
        self.task = task
        self.net = net
        self.progress = Progress(spec)
        self._optimizer = optimizer
        self._watch = watch
        self._team = team
        self._size = min(spec.batch, len(task.train))
        self._criterion = loss_of(task, spec.reduction)
        self._classification = task.classification
        self._averaged = task.classification or spec.reduction == "mean"
        self._measures = [MEASURES[name](spec, net, task, self.loss) for name in spec.all_measures]
        self._arriving = Arriving()
        self._test_every = tested(spec)
        self._affine = affine(net) if spec.frozen else []
        self._factors = tuple(float(f) for f in np.geomspace(spec.landscape_low, spec.landscape_high, 8))

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The net's loss on a mini-batch."""
        return self._criterion(self.net(x), y)

    def _loss_of_all(self, x: Tensor, y: Tensor) -> Tensor:
        """Whose mean over the processes is the loss on the whole mini-batch."""
        count = self._team.count
        return self.loss(x, y) if count == 1 else self.loss(x, y) * (count * self._weight(x))

    def _weight(self, x: Tensor) -> float:
        """How much the loss on this process's part of a mini-batch counts, whether it is a mean or a sum."""
        return len(x) / self._size if self._averaged else 1.0

    def train(self) -> None:
        """Make every step, unless someone stops the run or the loss is no number any more."""
        whole = self._make_steps()
        self._note(self._arriving.read())
        if whole and not self.progress.diverged:
            self._finish()

    def _make_steps(self) -> bool:
        """Whether there were as many as there should be."""
        batches = pairwise(self._batches())
        for step, (batch, upcoming) in zip(range(self.spec.steps), batches, strict=False):
            for parameter in self._affine:
                parameter.requires_grad_(step >= self.spec.frozen * self.spec.steps)
            scores = self._step(step, batch, upcoming)
            if step % self._test_every == 0 or step + 1 == self.spec.steps:
                found = evaluate(self.net, self.task.test, self.task.test_targets, self._criterion)
                scores |= {f"test_{name}": value for name, value in found.items()}
            self._watch.step(**scores)
            if self._watch.stopped or self.progress.diverged:
                return False
        return True

    def _note(self, losses: Iterable[float]) -> None:
        """Take losses into account up to the first that is no number: steps that followed it count for nothing."""
        for loss in losses:
            if not self.progress.diverged:
                self.progress.note(loss)

    def _batches(self) -> Iterator[Batch]:
        """This process's part of each mini-batch."""
        share = self._team.share
        return ((share(x), share(y)) for x, y in self.task.batches(self._size, self.spec.seed))

    def _step(self, step: int, batch: Batch, upcoming: Batch) -> dict[str, Any]:
        """Make a step; what it says of the mini-batch."""
        x, y = batch
        self._optimizer.zero_grad()
        outputs = self.net(x)
        loss = self._criterion(outputs, y)
        if self._team.count > 1:
            loss = loss * self._weight(x)
        loss.backward()  # type: ignore[no-untyped-call]
        loss = self._team.total(self.net, loss)
        self._note(self._arriving.put(loss))
        self._look(x, y)
        moment = None
        if self._measures and not self.progress.diverged and self._watch.due(self.spec.measure_every):
            moment = Moment(step, x, y, *upcoming, snapshot(self.net))
            self._measure([measure.before for measure in self._measures], moment)
        self._optimizer.step()
        if moment is not None:
            self._measure([measure.after for measure in self._measures], moment)
        if not self._watch.due(1):
            return {}
        scores: dict[str, Any] = {"loss": loss, "epoch": (step + 1) * self._size / len(self.task.train)}
        if self._classification:
            scores["accuracy"] = accuracy(outputs, y)
        return scores

    def _look(self, x: Tensor, y: Tensor) -> None:
        """Sample the loss along the gradient, if it is time."""
        spec = self.spec
        if spec.landscape_every:
            found = self._watch.probe(partial(self._loss_of_all, x, y), spec.rate, spec.landscape_every, self._factors)
            for measure in self._measures:
                if found is not None and isinstance(measure, AlongGradient):
                    measure.take(found)

    def _measure(self, parts: Sequence[Callable[[Moment], dict[str, Any]]], moment: Moment) -> None:
        with self._watch.aside():
            for part in parts:
                self._watch.add(**part(moment))

    def _finish(self) -> None:
        """Show what can be measured once the last step is made."""
        with self._watch.aside():
            for measure in self._measures:
                for found in measure.final():
                    self._watch.tell(**found)

    def outcome(self) -> dict[str, float]:
        """What the run has come to."""
        found = self.progress.outcome() | generalization(self.net, self.task, self._criterion)
        for measure in self._measures:
            found |= measure.outcome()
        return found


def affine(net: nn.Module) -> list[nn.Parameter]:
    """γ and β of every normalizer."""
    return [p for name, m in net.named_modules() if name.rpartition(".")[2].startswith("norm") for p in m.parameters()]


def save(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int, folder: Path) -> None:
    """Write the checkpoint whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{CHECKPOINT}.partial"
    torch.save({"steps": steps, "net": net.state_dict(), "optimizer": optimizer.state_dict()}, unfinished)
    unfinished.replace(folder / CHECKPOINT)
