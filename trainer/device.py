"""The device that a net trains on, and numbers on their way from there."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import torch

from normscope.errors import NormscopeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor, nn

LAG: Final = 8
"""Steps after which a loss is read that is on a GPU: it has arrived by then, and always the same steps wait for it."""


class DeviceError(NormscopeError):
    """A device that was asked for and is not there."""


def device_of(name: str, rank: int = 0) -> torch.device:
    """The device with this name, on this machine.

    Args:
        name: `cpu`, `cuda:N`; `cuda`, of several processes another GPU for each as far as there are any; or `auto`,
            which is a GPU where there is one.
        rank: Of this process among those that train together.

    Raises:
        DeviceError: If there is no such device here; the sentence names those that there are.
    """
    count = torch.cuda.device_count() if name != "cpu" and torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if count else "cpu"
    if name == "cuda" and count:
        name = f"cuda:{rank % count}"
    here = ["cpu", *(f"cuda:{i}" for i in range(count))]
    if name not in here:
        raise DeviceError(f"device: {name} is not on this machine; torch {torch.__version__} sees {', '.join(here)}")
    return torch.device(name)


def settle_on(device: torch.device) -> None:
    """Have this process compute there as exactly as on a processor, and the same twice; for the CPU nothing is to do.

    Without TF32, whose ten bits leave nothing of differences between losses. What torch cannot do twice alike it warns
    of, in the run's log.
    """
    if device.type != "cuda":
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.cuda.set_device(device)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.use_deterministic_algorithms(True, warn_only=True)


def moved(net: nn.Module, device: torch.device) -> nn.Module:
    """The net on a device, but for counters of batches: Python reads those, and would wait for a GPU at every step."""
    counters = {
        module: module.num_batches_tracked for module in net.modules() if hasattr(module, "num_batches_tracked")
    }
    net.to(device)
    for module, counter in counters.items():
        module.num_batches_tracked = counter
    return net


@dataclass(slots=True)
class Arriving:
    """Numbers that are computed on a device, and read in order once they have arrived; nothing waits for them.

    Those on the CPU have arrived at once.
    """

    _coming: deque[tuple[Tensor, torch.cuda.Event]] = field(default_factory=deque)

    def put(self, number: Tensor) -> Iterable[float]:
        """Have a number come, a tensor of one element; those that are to be read by now."""
        if number.is_cpu:
            return (number.item(),)
        here = torch.empty((), dtype=number.dtype, device="cpu", pin_memory=True)
        here.copy_(number.detach(), non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        self._coming.append((here, event))
        return self.read(LAG)

    def read(self, leave: int = 0) -> Iterator[float]:
        """All numbers but for so many, the last ones."""
        while len(self._coming) > leave:
            number, event = self._coming.popleft()
            event.synchronize()
            yield number.item()
