"""What watching every layer at every step costs, as a multiple of the plain step, beside other tools."""

from __future__ import annotations

import gc
import json
import os
import statistics
import tempfile
import threading
import time
import tracemalloc
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import normscope
from trainer import data, nets

from .table import middle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor
    from websockets.sync.client import ClientConnection

    from .table import Table

    Made = tuple[nn.Module, Iterator[tuple[Tensor, Tensor]]]
    Make = Callable[[], Made]


@dataclass
class Loop:
    """A net in training, and what is done at the end of each step."""

    net: nn.Module
    batches: Iterator[tuple[Tensor, Tensor]]
    after: Callable[[int, Tensor], None]
    step: int = 0
    rate: float = 1e-30
    """So small that the deepest net stays finite: what is not finite takes another path through most code."""

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=self.rate)

    def block(self, steps: int) -> float:
        """Seconds that so many steps take."""
        began = time.perf_counter()
        for _ in range(steps):
            x, y = next(self.batches)
            self.optimizer.zero_grad()
            loss = cross_entropy(self.net(x).flatten(0, -2), y.flatten())
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.after(self.step, loss)
            self.step += 1
        return time.perf_counter() - began


def digits_net() -> Made:
    """Experiment 1 as it stands: 64-100-100-100-10, sigmoid, batch normalization, mini-batches of 60."""
    task = data.load("digits").flat()
    return nets.mlp("batch"), task.batches(60, 0)


def paper_net() -> Made:
    """The same net on inputs of 784 values, mini-batches of 128: the size of MNIST."""
    return nets.mlp("batch", inputs=784), _noise(torch.rand(10_000, 784, generator=_generator()))


def cnn() -> Made:
    """A small convolutional net on images of the digits' size, mini-batches of 128."""
    return nets.small_cnn("batch"), _noise(torch.rand(10_000, 1, 8, 8, generator=_generator()))


def vgg() -> Made:
    """VGG-A of half the width on 32×32 images, mini-batches of 128."""
    return nets.vgg_a("batch", width=0.5), _noise(torch.rand(1024, 3, 32, 32, generator=_generator()))


def resnet() -> Made:
    """ResNet-20 on 32×32 images, mini-batches of 128."""
    return nets.resnet20("batch"), _noise(torch.rand(1024, 3, 32, 32, generator=_generator()))


def transformer() -> Made:
    """Four blocks of width 128 on 32 × 128 tokens."""
    tokens = torch.randint(64, (512, 129), generator=_generator())
    return nets.transformer("layer"), _cycle(tokens[:, :-1], tokens[:, 1:], 32)


def deep() -> Made:
    """About 500 layers of 16 units, mini-batches of 128."""
    return nets.narrow("batch"), _noise(torch.rand(10_000, 16, generator=_generator()))


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _noise(images: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Mini-batches of 128 of these and of labels drawn at random: what a step costs does not depend on them."""
    return _cycle(images, torch.randint(10, (len(images),), generator=_generator()), 128)


def _cycle(inputs: Tensor, labels: Tensor, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        for at in range(0, len(inputs) - batch + 1, batch):
            yield inputs[at : at + batch], labels[at : at + batch]


def observe(net: nn.Module) -> dict[str, Tensor]:
    """Hooks by hand, as users of the other tools write them: each leaf's newest output."""
    seen: dict[str, Tensor] = {}
    for name, module in net.named_modules():
        if not any(module.children()):
            module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out.detach()}))
    return seen


def tensorboard(net: nn.Module, folder: str) -> Callable[[int, Tensor], None]:
    """`add_histogram` and two scalars per layer."""
    from torch.utils.tensorboard import SummaryWriter

    writer, seen = SummaryWriter(folder), observe(net)

    def log(step: int, loss: Tensor) -> None:
        writer.add_scalar("loss", loss.item(), step)
        for name, out in seen.items():
            writer.add_scalar(f"mean/{name}", out.mean(), step)
            writer.add_scalar(f"variance/{name}", out.var(), step)
            writer.add_histogram(name, out, step)

    return log


def wandb_offline(net: nn.Module, folder: str) -> Callable[[int, Tensor], None]:
    """`wandb.Histogram` and two scalars per layer, written to disk only."""
    os.environ["WANDB_SILENT"] = "true"
    import wandb

    run = wandb.init(mode="offline", dir=folder, project="bench", settings=wandb.Settings(disable_git=True))
    seen, histogram = observe(net), cast("Any", wandb.Histogram)

    def log(_: int, loss: Tensor) -> None:
        row: dict[str, Any] = {"loss": loss.item()}
        for name, out in seen.items():
            row |= {f"mean/{name}": out.mean().item(), f"variance/{name}": out.var().item()}
            row[name] = histogram(out.numpy())
        run.log(row)

    return log


def bare(net: nn.Module, _: str) -> Callable[[int, Tensor], None]:
    """The least that torch itself needs: `var_mean` and `histc`, kept nowhere."""
    seen = observe(net)

    def log(_: int, loss: Tensor) -> None:
        loss.item()
        for out in seen.values():
            torch.var_mean(out)
            torch.histc(out, 64)

    return log


@dataclass(frozen=True)
class Case:
    """A net to watch.

    Attributes:
        title: What the table calls it.
        make: The net and its mini-batches, alike at every call.
        goal: At most so many times the plain step.
        threads: That torch computes with. Nets this small are slower on more than one.
        block: Steps timed together.
        pairs: Blocks of each variant.
        peers: Whether other tools are measured beside.
    """

    title: str
    make: Make
    goal: str
    threads: int = 1
    block: int = 25
    pairs: int = 60
    peers: bool = True


CASES = (
    Case("784-100-100-100-10, batch 128", paper_net, "≤ 1.10"),
    Case("experiment 1, batch 60", digits_net, "≤ 1.15"),
    Case("small CNN, 8×8, batch 128", cnn, "≤ 1.05", threads=2, block=10, pairs=40),
    Case("half-width VGG-A, 32×32, batch 128", vgg, "≤ 1.05", threads=2, block=1, pairs=12),
    Case("ResNet-20, 32×32, batch 128", resnet, "≤ 1.05", threads=2, block=1, pairs=10, peers=False),
    Case("transformer, 4 blocks, 32 × 128 tokens", transformer, "≤ 1.05", threads=2, block=1, pairs=12, peers=False),
    Case("500 layers of 16 units, batch 128", deep, "≤ 1.15", block=2, pairs=24, peers=False),
)
BUDGET = 0.02
PEERS = {"TensorBoard": tensorboard, "W&B": wandb_offline, "var_mean + histc": bare}


def measure(url: str, table: Table, seconds: float) -> None:
    """Interleave blocks of the plain step and of each tool; medians of paired ratios.

    Args:
        url: Of the server.
        table: Gets the rows.
        seconds: How long each net is watched within a budget.
    """
    for case in CASES:
        torch.set_num_threads(case.threads)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            plain = Loop(*case.make(), lambda *_: None)
            every, step = _every_step(url, plain, case)
            viewed, _ = _every_step(url, plain, case, viewed=True)
            within, told = _within_budget(url, plain, case, seconds)
            beside = [f"while someone looks {middle(viewed)}"]
            for name, tool in PEERS.items() if case.peers else ():
                net, batches = case.make()
                beside.append(f"{name} {middle(pair(plain, Loop(net, batches, tool(net, folder)), case)[0])}")
        table.add(
            f"watching every layer at every step, × plain step of {1000 * step:.3g} ms ({case.title})",
            middle(every), case.goal, ", ".join(beside),
        )  # fmt: skip
        _memory(url, table, case)
        table.add(
            f"watching within `budget={BUDGET}`, total time over {seconds:g} s ({case.title})",
            f"{within:.3f}", "≤ 1.03", f"the page says {told:.3f}",
        )  # fmt: skip


def _memory(url: str, table: Table, case: Case) -> None:
    """What the training process holds for watching: in Python, and in the memory that it shares with the courier."""
    net, batches = case.make()
    layers = len([module for module in net.modules() if not any(module.children())])
    steps = 4 * case.block
    with normscope.watch(net, name="bench", url=url, budget=None) as watch:  # what is imported is not held for it
        Loop(net, batches, lambda _, loss: watch.step(loss=loss)).block(steps)
    gc.collect()
    tracemalloc.start()
    with normscope.watch(net, name="bench", url=url, budget=None) as watch:
        Loop(net, batches, lambda _, loss: watch.step(loss=loss)).block(steps)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] + 4 * watch._sender._ring.size
    tracemalloc.stop()
    most = (2 << 20) + layers * (4 << 10)
    table.add(
        f"memory held by watching {layers} layers ({case.title})", f"{held / 1e6:.2f} MB", f"≤ {most / 1e6:.2f} MB",
        f"of it shared with the process beside training: {4 * watch._sender._ring.size / 1e6:.2f} MB",
    )  # fmt: skip


def _every_step(url: str, plain: Loop, case: Case, *, viewed: bool = False) -> tuple[list[float], float]:
    net, batches = case.make()
    with (
        normscope.watch(net, name="bench", url=url, budget=None) as watch,
        _viewer(url, watch) if viewed else nullcontext(),
    ):
        return pair(plain, Loop(net, batches, lambda _, loss: watch.step(loss=loss)), case)


@contextmanager
def _viewer(url: str, watch: normscope.Watch) -> Iterator[None]:
    """A viewer's socket, from which everything is read that comes: with it, frames are sent as often as for a page."""
    deadline = time.monotonic() + 10
    while watch._sender.run is None and time.monotonic() < deadline:
        time.sleep(0.05)

    def read(socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                socket.recv()

    with connect(url.replace("http", "ws", 1) + "/ws/live", compression=None) as socket:
        socket.send(json.dumps({"type": "watch", "runs": [watch._sender.run]}))
        reading = threading.Thread(target=read, args=(socket,), daemon=True)
        reading.start()
        yield
    reading.join()


def _within_budget(url: str, plain: Loop, case: Case, seconds: float) -> tuple[float, float]:
    """How many times as long training took in all, and the same as the page shows it.

    Most steps of a net that is watched within a budget are not looked at: a median would not see those that are.
    """
    net, batches = case.make()
    watched_for = alone_for = 0.0
    with normscope.watch(net, name="bench", url=url, budget=BUDGET) as watch:
        watched = Loop(net, batches, lambda _, loss: watch.step(loss=loss))
        watched.block(case.block)
        plain.block(case.block)
        while watched_for < seconds:
            watched_for += watched.block(case.block)
            alone_for += plain.block(case.block)
            watch._began = time.perf_counter()  # the plain steps were no time of its
        return watched_for / alone_for, watch.cost


def pair(plain: Loop, watched: Loop, case: Case) -> tuple[list[float], float]:
    """Ratios of the time of a watched block to that of the plain block beside it, and the plain step's seconds."""
    warm = max(2, 4 * case.block)
    plain.block(warm)
    watched.block(warm)
    ratios, alone = [], []
    for turn in range(case.pairs):
        # Who goes first changes, so that a drift of the machine's speed favours nobody.
        if turn % 2:
            a, b = plain.block(case.block), watched.block(case.block)
        else:
            b, a = watched.block(case.block), plain.block(case.block)
        ratios.append(b / a)
        alone.append(a / case.block)
    return ratios, statistics.median(alone)
