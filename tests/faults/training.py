"""A user's own training loop, as a process that tests may harm: `python -m tests.faults.training NAME STEPS PACE`.

It says every step that it has made, so that a test knows what the run must have.
"""

from __future__ import annotations

import sys
import time

import torch
from torch import nn

import normscope


def main(name: str, steps: int, pace: float) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with normscope.watch(model, name=name, budget=None) as watch:
        for step in range(steps):
            began = time.monotonic()
            x = torch.randn(32, 8)
            optimizer.zero_grad()
            loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
            loss.backward()
            optimizer.step()
            watch.step(loss=loss)
            sys.stdout.write(f"{step}\n")
            sys.stdout.flush()
            time.sleep(max(0.0, began + 1 / pace - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
