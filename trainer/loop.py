"""The training loop, as a user of `normscope.watch` would write it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

import normscope
from normscope.spec import CHECKPOINT

from . import data, nets

if TYPE_CHECKING:
    from torch import Tensor, nn

    from normscope.spec import Job


def train(job: Job) -> None:
    """Train the job's net to its last step, or until someone stops it; leave a checkpoint either way."""
    spec = job.spec
    task = data.load(spec.data)
    net = nets.mlp(
        spec.arm,
        spec.seed,
        inputs=task.train.shape[1],
        outputs=task.classes,
        depth=spec.depth,
        width=spec.width,
        activation=spec.activation,
        init_std=spec.init_std,
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=spec.rate)
    batches = task.batches(spec.batch, spec.seed)
    scores: dict[str, float] = {}
    step = 0
    # budget=None: every step is observed, which is the point of these small nets.
    with normscope.watch(net, name=job.name, url=job.url, token=job.token, budget=None) as watch:
        try:
            for step, (x, y) in zip(range(1, spec.steps + 1), batches, strict=False):
                optimizer.zero_grad()
                outputs = net(x)
                loss = cross_entropy(outputs, y)
                loss.backward()  # type: ignore[no-untyped-call]
                if spec.landscape_every:
                    again = partial(loss_of, net, x, y)
                    watch.probe(again, rate=spec.rate, every=spec.landscape_every)
                optimizer.step()
                scores = {"accuracy": accuracy(outputs, y)}
                if step % spec.test_every == 0 or step == spec.steps:
                    scores["test_accuracy"] = evaluate(net, task)
                watch.step(loss=loss, **scores)
                if watch.stopped:
                    break
        finally:
            save(net, optimizer, step, Path(job.folder))


def loss_of(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The mean cross-entropy of a mini-batch."""
    return cross_entropy(net(x), y)


def accuracy(outputs: Tensor, labels: Tensor) -> float:
    """Share of rows of `outputs` (shape [n, classes]) whose largest entry is at the label (shape [n])."""
    return (outputs.argmax(1) == labels).float().mean().item()


def evaluate(net: nn.Module, task: data.Data) -> float:
    """Accuracy on the test samples, in evaluation mode."""
    net.eval()
    with torch.no_grad():
        score = accuracy(net(task.test), task.test_labels)
    net.train()
    return score


def save(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int, folder: Path) -> None:
    """Write the checkpoint whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{CHECKPOINT}.partial"
    torch.save({"steps": steps, "net": net.state_dict(), "optimizer": optimizer.state_dict()}, partial)
    partial.replace(folder / CHECKPOINT)
