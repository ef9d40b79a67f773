"""Watching what a Hugging Face `Trainer` trains: `Trainer(..., callbacks=[NormscopeCallback()])`."""

from __future__ import annotations

import atexit
import sys
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from torch import Tensor

from .capture.hooks import Hook
from .errors import NormscopeError
from .options import numbers
from .watching import watch

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ImportError("normscope.transformers needs Transformers: pip install 'normscope[transformers]'") from error

if TYPE_CHECKING:
    from typing import Unpack

    from torch import nn
    from torch.utils.hooks import RemovableHandle
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from .options import Options
    from .watching import Watch


class BrokenOffError(NormscopeError):
    """Training has left `Trainer.train` before its end; by what, nobody knows: the trainer tells no callback."""

    def __init__(self) -> None:
        super().__init__("training never came to its end: an exception or Ctrl-C has ended it")


class NormscopeCallback(TrainerCallback):
    """Watches the model of a `Trainer`, from its first step to its last.

    Its steps are optimizer steps, over however many mini-batches gradients are accumulated. Shown beside the layers are
    the loss at every step, if the model's output has one, the epoch, and what the trainer logs, at the step after that
    which it logs. Stop on the page ends training at the next step. Several processes are one run, unless `ranks` says
    otherwise.

    A run that an exception has ended is told as failed when the next training begins, or when Python exits; one that
    Ctrl-C has ended, as stopped. By which of the two is known where nothing caught it.

    Args:
        **options: As of `normscope.watch`: name, url, token, layers, budget, kinds, schedule, file, alerts, on_alert,
            ranks.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        self._options = options
        self._watch: Watch | None = None
        self._handle: RemovableHandle | None = None
        self._losses: list[Tensor] = []
        self._logged: dict[str, Any] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Begin a run."""
        model: nn.Module = given["model"]
        self._break_off()  # if there is one that is still open
        self._watch = watch(model, **self._options)
        self._handle = model.register_forward_hook(Hook(self._note_loss))
        _training.add(self)

    def _note_loss(self, module: nn.Module, _: Any, output: Any) -> None:
        loss = output.get("loss") if isinstance(output, dict) else getattr(output, "loss", None)
        if module.training and isinstance(loss, Tensor) and loss.numel() == 1:
            self._losses.append(loss.detach())

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """End a step."""
        if self._watch is None:
            return
        shown = numbers({**self._logged, "epoch": state.epoch})
        if self._losses:
            shown["loss"] = sum(self._losses[1:], start=self._losses[0]) / len(self._losses)
        self._losses, self._logged = [], {}
        self._watch.step(**shown)
        if self._watch.stopped:
            control.should_training_stop = True

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        logs: dict[str, Any] | None = None, **given: Any,
    ) -> None:  # fmt: skip
        """Keep what is logged for the next step; the loss is a mean over many, and each step has its own."""
        self._logged = {name: value for name, value in (logs or {}).items() if name not in ("loss", "epoch")}

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """End the run."""
        self._close()

    def _break_off(self) -> None:
        """End the run of a training that never came to its end."""
        # What nothing caught last, in a program or a notebook's cell; Python 3.12 has it by a new name.
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        if not (isinstance(error, BaseException) and self._was_left_by(error)):
            error = BrokenOffError()
        self._close(error)

    def _was_left_by(self, error: BaseException) -> bool:
        """Whether it came out of a trainer that has this callback, not out of something else that went wrong since."""
        trainers = (frame.f_locals.get("self") for frame, _ in walk_tb(error.__traceback__))
        handlers = (getattr(trainer, "callback_handler", None) for trainer in trainers)
        return any(self in getattr(handler, "callbacks", ()) for handler in handlers)

    def _close(self, error: BaseException | None = None) -> None:
        if self._handle is not None:
            self._handle.remove()
        if self._watch is not None:
            self._watch.close(error)
        self._watch = self._handle = None
        self._losses, self._logged = [], {}
        _training.discard(self)


_training: Final = WeakSet[NormscopeCallback]()
"""Those whose run is open; a model that nobody has any more goes, whatever became of its training."""


@atexit.register
def _break_off() -> None:
    """End the runs of trainings that never came to their end."""
    for callback in list(_training):
        callback._break_off()
