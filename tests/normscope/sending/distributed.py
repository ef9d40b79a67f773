"""The processes of one job: `torchrun --nproc-per-node 2 -m tests.normscope.sending.distributed CASE URL OUT`.

Each case is what someone might do; what a rank has to say of it is written to OUT as JSON, by rank.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import normscope
from trainer.norms.synchronized import SyncBatchNorm

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 6
BATCH = 16
KINDS = ("output", "weight", "batch_mean")
ILL = 5
"""The step from which rank 1 is."""


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))


def batch(step: int) -> torch.Tensor:
    """The whole mini-batch, of which each rank takes its part."""
    return torch.randn(BATCH, 4, generator=torch.Generator().manual_seed(step))


def share(step: int) -> torch.Tensor:
    return batch(step).chunk(distributed.get_world_size())[distributed.get_rank()]


def train(
    watch: normscope.Watch | None, model: nn.Module, steps: int = STEPS, behind: Callable[[int], Any] = lambda _: None
) -> list[float]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = model(share(step)).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if watch is not None:
            watch.step(loss=loss)
            if watch.stopped:
                break
        behind(step)
    return losses


def merge(url: str) -> Any:
    """Two ranks as one run; the same losses, to the last bit, as without."""
    plain = train(None, DistributedDataParallel(net()))
    model = DistributedDataParallel(net())
    with normscope.watch(model, name="merged", url=url, budget=None, kinds=KINDS) as watch:
        watched = train(watch, model)
    return plain, watched


def apart(url: str) -> Any:
    """Two runs side by side."""
    model = DistributedDataParallel(net())
    with normscope.watch(model, name="apart", url=url, budget=None, kinds=KINDS, ranks="apart") as watch:
        return train(watch, model)


def sync(url: str) -> Any:
    """Batch normalization over the mini-batches of both ranks; torch's own, and DDP around any, need a GPU."""
    model = net()
    model[1] = SyncBatchNorm(8, 1)
    with normscope.watch(model, name="sync", url=url, budget=None, kinds=KINDS, ranks="apart") as watch:
        return train(watch, model)


def first(url: str) -> Any:
    """Only what rank 0 sees."""
    model = DistributedDataParallel(net())
    with normscope.watch(model, name="first", url=url, budget=None, ranks="first") as watch:
        return train(watch, model)


def alone(url: str) -> Any:
    """Rank 0 is the only one that calls `watch`."""
    model = DistributedDataParallel(net())
    if distributed.get_rank():
        return train(None, model)
    with normscope.watch(model, name="alone", url=url, budget=None) as watch:
        return train(watch, model)


def early(url: str) -> Any:
    """Rank 1 has fewer mini-batches than rank 0."""
    model = DistributedDataParallel(net())
    with normscope.watch(model, name="early", url=url, budget=None) as watch, model.join():
        return train(watch, model, STEPS - 2 * distributed.get_rank())


def ill(url: str) -> Any:
    """Rank 1 meets a value that is none, at a step of its own; what both ranks hear of it, until that stops them."""
    model, heard = DistributedDataParallel(net()), []

    def hear(alert: normscope.Alert) -> None:
        heard.append(alert)
        if distributed.get_rank() == 1:
            watch.stop()

    def spoilt(_: nn.Module, arguments: tuple[torch.Tensor]) -> torch.Tensor:
        return torch.cat([arguments[0][1:], torch.full((1, 4), math.nan)])

    def spoil(step: int) -> None:
        if step == ILL - 1 and distributed.get_rank() == 1:
            model.register_forward_pre_hook(spoilt)

    own = normscope.alert("nonfinite > 0.1", layers="0")
    with normscope.watch(model, name="ill", url=url, budget=None, alerts=[own], on_alert=hear) as watch:
        losses = train(watch, model, 100_000, spoil)
    return len(losses), watch.nonfinite, [(alert.rule, alert.step, alert.places) for alert in heard]


def stop(url: str) -> Any:
    """Someone presses stop; `stopped` is to be true behind the same step everywhere, or one rank would wait forever."""
    model = DistributedDataParallel(net())
    with normscope.watch(model, name="stop", url=url, budget=None) as watch:
        return train(watch, model, 100_000, lambda _: time.sleep(0.001))


def shards(url: str) -> Any:
    """Weights in parts: those of all ranks together are the whole."""
    from torch.distributed.fsdp import fully_shard

    model = net()
    fully_shard(model)
    with normscope.watch(model, name="shards", url=url, budget=None, kinds=KINDS) as watch:
        return train(watch, model)


def prepared(url: str) -> Any:
    """What Accelerate has prepared."""
    from accelerate import Accelerator  # type: ignore[import-untyped]

    accelerator = Accelerator(cpu=True)
    model = accelerator.prepare(net())
    with normscope.watch(model, name="prepared", url=url, budget=None) as watch:
        return train(watch, model)


def dies(url: str) -> Any:
    """Rank 1 is killed; rank 0 goes on by itself, as far as it can."""
    model = net()  # without gradients of others, which would end rank 0 too
    with normscope.watch(model, name="dies", url=url, budget=None) as watch:

        def die(step: int) -> None:
            if step == 2 and distributed.get_rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        return train(watch, model, STEPS, die)


def main() -> None:
    names, url, out = sys.argv[1:]
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    found = {}
    for name in names.split(","):
        found[name] = globals()[name](url)
        Path(out, f"{rank}.json").write_text(json.dumps(found))
        if name != "dies":
            distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
