"""Watching a `LightningModule`: `Trainer(callbacks=[NormscopeCallback()])`."""

from __future__ import annotations

import math
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .options import numbers
from .watching import watch

if TYPE_CHECKING:
    from typing import Unpack

    from lightning.pytorch import Callback, LightningModule, Trainer

    from .options import Options
    from .watching import Watch
else:
    # Whoever trains with the package of the old name gets a callback of that package.
    _OLD = "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules
    try:
        Callback = import_module("pytorch_lightning" if _OLD else "lightning.pytorch").Callback
    except ImportError as error:
        raise ImportError("normscope.lightning needs Lightning: pip install 'normscope[lightning]'") from error


class NormscopeCallback(Callback):
    """Watches the module that is fitted, from the first training batch to the last.

    Its steps are optimizer steps: of batches whose gradients are accumulated, the last one ends it. Shown beside the
    layers are the loss that `training_step` returns, every number that the module logs, and the epoch. Stop on the page
    ends the fit as early stopping does. Several processes are one run, unless `ranks` says otherwise.

    Args:
        **options: As of `normscope.watch`: name, url, token, layers, budget, kinds, schedule, file, alerts, on_alert,
            ranks.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        self._options = options
        self._watch: Watch | None = None
        self._step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin a run."""
        self._step = trainer.global_step
        self._watch = watch(pl_module, **self._options)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End a step, if the optimizer has made one."""
        if self._watch is None or trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        shown = numbers({**trainer.logged_metrics, "loss": loss, "epoch": _epoch(trainer, batch_idx)})
        self._watch.step(**shown)
        if self._watch.stopped:
            trainer.should_stop = True

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the run."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """End the run as failed, or as stopped if someone pressed Ctrl-C."""
        self._close(exception)

    def _close(self, error: BaseException | None = None) -> None:
        if self._watch is not None:
            self._watch.close(error)
        self._watch = None


def _epoch(trainer: Trainer, batch: int) -> float:
    """How many epochs have passed, as far as anyone knows how long one is."""
    batches = float(trainer.num_training_batches)
    return trainer.current_epoch + ((batch + 1) / batches if math.isfinite(batches) and batches else 0.0)
