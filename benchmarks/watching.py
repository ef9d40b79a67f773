"""What watching every layer at every step costs, as a multiple of the plain step, beside other tools."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import normscope
from normscope.spec import Spec
from trainer import data, nets

from .table import middle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from .table import Table

    Make = Callable[[], tuple[nn.Module, Iterator[tuple[Tensor, Tensor]]]]

BLOCK = 25
"""Steps timed together."""
PAIRS = 60
"""Blocks of each variant, in turn."""
WARM = 100


@dataclass
class Loop:
    """A net in training, and what is done at the end of each step."""

    net: nn.Module
    batches: Iterator[tuple[Tensor, Tensor]]
    after: Callable[[int, Tensor], None]
    step: int = 0

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)

    def block(self, steps: int = BLOCK) -> float:
        """Seconds that so many steps take."""
        began = time.perf_counter()
        for _ in range(steps):
            x, y = next(self.batches)
            self.optimizer.zero_grad()
            loss = cross_entropy(self.net(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.after(self.step, loss)
            self.step += 1
        return time.perf_counter() - began


def digits_net() -> tuple[nn.Module, Iterator[tuple[Tensor, Tensor]]]:
    """Experiment 1 as it stands: 64-100-100-100-10, sigmoid, batch normalization, mini-batches of 60."""
    task = data.digits()
    return nets.mlp(Spec("batch"), 64, 10), task.batches(60, 0)


def paper_net() -> tuple[nn.Module, Iterator[tuple[Tensor, Tensor]]]:
    """The same net on inputs of 784 values, mini-batches of 128: the size of MNIST."""
    generator = torch.Generator().manual_seed(0)
    task = data.Data(
        torch.rand(10_000, 784, generator=generator), torch.randint(10, (10_000,), generator=generator),
        torch.zeros(1, 784), torch.zeros(1, dtype=torch.int64), classes=10,
    )  # fmt: skip
    return nets.mlp(Spec("batch"), 784, 10), task.batches(128, 0)


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


def measure(url: str, table: Table) -> None:
    """Interleave blocks of the plain step and of each tool; medians of paired ratios."""
    torch.set_num_threads(1)
    for title, make in (("784-100-100-100-10, batch 128", paper_net), ("experiment 1, batch 60", digits_net)):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            plain = Loop(*make(), lambda *_: None)
            ratios = {"normscope": _normscope(url, plain, make, None)}
            within = _normscope(url, plain, make, 0.05)
            for name, tool in (("TensorBoard", tensorboard), ("W&B", wandb_offline), ("var_mean + histc", bare)):
                net, batches = make()
                ratios[name] = pair(plain, Loop(net, batches, tool(net, folder)))
        beside = ", ".join(f"{name} {middle(found)}" for name, found in ratios.items() if name != "normscope")
        step = 1000 * plain.block(200) / 200
        table.add(
            f"watching every layer at every step, × plain step of {step:.1f} ms ({title})",
            middle(ratios["normscope"]), "≤ 1.15", beside,
        )  # fmt: skip
        table.add(f"watching with `budget=0.05`, the default ({title})", middle(within), "", "the row above")


def _normscope(url: str, plain: Loop, make: Make, budget: float | None) -> list[float]:
    net, batches = make()
    with normscope.watch(net, name="bench", url=url, budget=budget) as watch:
        return pair(plain, Loop(net, batches, lambda _, loss: watch.step(loss=loss)))


def pair(plain: Loop, watched: Loop) -> list[float]:
    """Ratios of the time of a watched block to that of the plain block beside it."""
    plain.block(WARM)
    watched.block(WARM)
    ratios = []
    for turn in range(PAIRS):
        # Who goes first changes, so that a drift of the machine's speed favours nobody.
        if turn % 2:
            a, b = plain.block(), watched.block()
        else:
            b, a = watched.block(), plain.block()
        ratios.append(b / a)
    return ratios
