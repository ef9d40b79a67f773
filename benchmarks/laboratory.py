"""The trainer beside a bare loop of the same net, and surfaces at once beside point by point."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import httpx
import numpy as np
import torch

from normscope.catalogue import CLAIMS
from normscope.measures.directions import random_directions
from normscope.measures.surface import surface
from normscope.spec import Job, Spec
from trainer.build import loss_of, net_of
from trainer.loop import Run, load, train

from .table import Table, middle

if TYPE_CHECKING:
    from collections.abc import Callable

_FREE: Final = Spec(
    "batch", norm="batch", landscape_every=0, test_every=1_000_000, observe_every=5, init="he", rate=0.05
)
"""Nothing is measured beside; one step in five is watched, as most claims have it."""
NETS: Final = {
    "MLP 5×64, digits": replace(_FREE, depth=5, width=64, activation="relu", steps=1500),
    "deep linear net, full batch": replace(
        _FREE, net="dln", data="gaussian", depth=25, batch=1000, rate=1e-6, steps=400
    ),
    "VGG-A, an eighth, 32×32": replace(_FREE, net="vgg_a", data="shapes", factor=0.125, batch=64, steps=150),
    "VGG-16, an eighth, 32×32": replace(_FREE, net="vgg_16", data="shapes", factor=0.125, batch=64, steps=100),
    "ResNet-20, 8×8": replace(_FREE, net="resnet20", factor=0.25, batch=64, steps=150),
    "transformer, 64 units, 32 tokens": replace(
        _FREE, net="transformer", data="phrases", factor=0.125, batch=64, steps=100
    ),
}
SIXTEEN: Final = 16
"""Claims; what comes after them is an exercise."""
_PAIRS: Final = 7
_BLOCK: Final = 5
"""Steps in a row: one of them is watched, as most claims have it."""
_WARM: Final = 2
"""Blocks that do not count."""
_GRID: Final = 15
"""Points along each side of a surface."""


def measure(url: str, table: Table) -> None:
    """Each net in turns under the trainer and bare; its surface in turns at once and point by point; every claim."""
    torch.set_num_threads(1)
    for name, spec in NETS.items():
        alone = middle(_in_turns(replace(spec, observe_every=spec.steps), url))
        figure = f"steps per processor second under the trainer, one in five watched, × a bare loop ({name})"
        table.add(figure, middle(_in_turns(spec, url)), "≥ 0.95", f"none watched but the first and the last {alone}")
    for name, spec in NETS.items():
        table.add(
            f"loss surface of {_GRID} × {_GRID} points, × point by point ({name})", middle(_surfaces(spec)), "≤ 1"
        )
    _claims(url, table)


def _claims(url: str, table: Table) -> None:
    """One seed of all arms of each of the sixteen claims at size quick, one claim after another."""
    seconds = {number: _claim(url, number) for number in CLAIMS if number <= SIXTEEN}
    slowest = max(seconds, key=lambda number: seconds[number])
    each = ", ".join(f"{number}: {taken:.0f} s" for number, taken in seconds.items())
    figure = "one seed of all arms at size quick, the slowest of the sixteen claims"
    table.add(figure, f"{seconds[slowest]:.0f} s (claim {slowest})", "≤ 90 s", each)


def _claim(url: str, number: int) -> float:
    """Seconds from the request to the end of the last run."""
    with httpx.Client(base_url=url, timeout=30) as http:
        began = time.perf_counter()
        body = {"claim": number, "size": "quick", "settings": {"seeds": 1}}
        path = f"/api/experiments/{http.post('/api/experiments', json=body).json()['id']}"
        while any(run["status"] != "finished" for run in http.get(path).json()["runs"]):
            time.sleep(0.2)
        return time.perf_counter() - began


def _in_turns(spec: Spec, url: str) -> list[float]:
    """Processor time of a block of bare steps over that of the trainer's steps after it, block after block.

    Of the training thread alone: what others do on this machine is not counted, nor what the courier does on another
    core. The trainer's steps are all that its loop does from one step to the next, watching included.
    """
    bare, make = _bare(spec), Run._step
    ratios: list[float] = []
    taken = ended = 0.0

    def step(run: Run, number: int, *rest: Any) -> dict[str, Any]:
        nonlocal taken, ended
        if number % _BLOCK == 0:
            began = time.thread_time()
            if number:
                ratios.append(taken / (began - ended))
            for _ in range(_BLOCK):
                bare()
            ended = time.thread_time()
            taken = ended - began
        return make(run, number, *rest)

    Run._step = step  # type: ignore[method-assign,assignment]
    try:
        with tempfile.TemporaryDirectory() as folder:
            train(Job(spec, "bench", url, "", folder))
    finally:
        Run._step = make  # type: ignore[method-assign]
    return ratios[_WARM:]


def _bare(spec: Spec) -> Callable[[], None]:
    """A step of the same net on the same data in a loop that does nothing else."""
    task = load(spec)
    net, loss = net_of(spec, task), loss_of(task, spec.reduction)
    optimizer = torch.optim.SGD(net.parameters(), lr=spec.rate)
    batches = task.batches(min(spec.batch, len(task.train)), spec.seed)

    def step() -> None:
        x, y = next(batches)
        optimizer.zero_grad()
        loss(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _surfaces(spec: Spec) -> list[float]:
    """A surface's seconds over those of the same one evaluated point by point, in turns."""
    task = load(spec)
    net, loss = net_of(spec, task), loss_of(task, spec.reduction)
    x, y = next(iter(task.batches(min(spec.batch, len(task.train)), spec.seed)))
    directions = random_directions(net, 0)
    where = np.linspace(-1, 1, _GRID)

    def seconds(together: int | None) -> float:
        began = time.perf_counter()
        surface(net, lambda: loss(net(x), y), directions, where, where, together)
        return time.perf_counter() - began

    return [seconds(None) / seconds(1) for _ in range(_PAIRS + 1)][1:]
