"""Forward hooks that see what each layer gives, and nothing else: no weight, random number or graph changes."""

from __future__ import annotations

import logging
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from ..wire import Layer
from .calls import Listening
from .forks import opened
from .hooks import Border, End, Hook, suited
from .layers import Choice, choose, resting, slots_of
from .looks import Look, LookBefore, Way, in_backward
from .recorder import recorder
from .reduction import flat, reduce_there, widest
from .seen import Seen, to_host
from .summary import ALL, SAMPLE
from .tensors import first_tensor, is_of_transform, local
from .wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .recorder import Waiting


log = logging.getLogger("normscope")

_ENOUGH: Final = 10
"""Steps that were looked at, after which a layer that was not seen is probably never seen."""


class Capture:
    """Hooks on the chosen layers of a model.

    A tensor is summarized where it is: a large one in its hook, while the caches hold it, a small one at the end of the
    model's forward pass, unless something changes it in place before. Nothing keeps it alive longer. An error of ours
    ends watching, not training.

    Args:
        model: The net.
        layers: Which of its modules.
        kinds: What of each; names from `normscope.wire.KINDS`.

    Raises:
        TypeError: If `layers` is of no known kind.
        ValueError: If there is nothing to watch.
    """

    def __init__(self, model: nn.Module, layers: Choice = None, kinds: Sequence[str] = ("output",)) -> None:
        modules = choose(model, layers)
        self.slots = slots_of(modules.values(), kinds)
        self.layers = tuple(
            Layer(name, type(m).__name__, tuple(s.kind for s in self.slots if s.layer == i))
            for i, (name, m) in enumerate(modules.items())
        )
        self.active = False
        """Whether hooks look at what passes."""
        self.closed = False
        """Whether it is over."""
        self.seconds = 0.0
        """Time spent in hooks so far."""
        self.bounds = np.array([(slot.low, slot.high) for slot in self.slots], np.float32).T
        """Each slot's bounds of saturation, shape [2, slots]."""
        self.border = Border("watching failed")
        self.wiring: Wiring | None = Wiring([s.layer if s.kind == "output" else None for s in self.slots])
        """Follows which layer takes what another gives; None once that is known."""
        self._recorder = recorder(self.bounds)
        self.ways = [Way.UNKNOWN] * len(self.slots)
        self.put_off: list[tuple[int, Tensor, int]] = []
        """Slot, tensor and the tensor's version, of what is to be summarized later."""
        self._tried: list[tuple[int, Tensor, int]] = []
        self._away: list[tuple[int, Tensor]] = []
        self._seen_away: set[int] = set()
        self._steps = 0
        self.most_put_off = 2 * len(self.slots) + 16
        most = self._recorder.most * len(self.slots)
        self.write_to(np.zeros(most, np.float32), 0, most)
        hook, look, look_before = suited(model, Hook), suited(model, Look), suited(model, LookBefore)
        before: list[tuple[nn.Module, Any]] = []
        after: list[tuple[nn.Module, Any]] = []
        self._model = weakref.ref(model)
        self.at_rest: list[tuple[int, nn.Module, str]] = []
        """Slots of what a module has at the end of a step, whether it is called or not."""
        of = list(modules.values())
        for i, (layer, kind, *_) in enumerate(self.slots):
            match kind:
                case "output":
                    after.append((of[layer], look(self, i)))
                case "gradient":
                    after.append((of[layer], hook(partial(self._await_gradient, i))))
                case "input":
                    before.append((of[layer], look_before(self, i)))
                case "batch_mean" | "batch_variance":
                    before.append((of[layer], hook(partial(self._look_at_batch, i, kind))))
                case _:
                    self.at_rest.append((i, of[layer], kind))
        if before or after:
            after.append((model, suited(model, End)(lambda *_: self._end_forward())))
        self._listening = Listening(before, after, quickly=hook is Hook)
        self.attach()
        opened.add(self)

    def attach(self) -> None:
        """Put the hooks where they belong; does nothing if they are there."""
        self._listening.begin()

    def detach(self) -> None:
        """Take the hooks away: a module without any is called several microseconds sooner."""
        self._listening.end()

    def write_to(self, memory: NDArray[np.float32], start: int, most: int) -> None:
        """Say where the next step's values go: at most so many units of 4 bytes, from an even one, `start`, on."""
        self._place = memory, start, most
        self._recorder.begin(memory, start, most)

    def close(self) -> None:
        """Remove the hooks, for good."""
        self.detach()
        self._listening, self.at_rest = Listening((), (), quickly=False), []
        self.closed, self.active = True, False
        self.forget()

    @property
    def idle(self) -> bool:
        """Whether nothing was seen yet of the step that comes next."""
        return not (self.put_off or self._tried or self._away or self._recorder.begun)

    def forget(self) -> None:
        """Let go of what was seen of this step; the next one's values go where this one's went."""
        self.put_off.clear()
        self._tried.clear()
        self._away = []
        self._recorder.begin(*self._place)

    def see_now(self, slot: int, args: Any, x: Any) -> None:
        """Summarize an output or an input at once, or find out whether that is needed."""
        began = time.perf_counter()
        if self.wiring is not None:
            self.wiring.note(slot, args, x)
        if not self._recorder.add_plain(slot, x):
            self._see(slot, x)
        elif self.ways[slot] is Way.UNKNOWN:
            if x.numel() > ALL:  # while the caches hold it
                self.ways[slot] = Way.AT_ONCE
            elif len(self._tried) < self.most_put_off:
                self._tried.append((slot, x, x._version))
        self.seconds += time.perf_counter() - began

    def _await_gradient(self, slot: int, module: nn.Module, _: Any, output: Any) -> None:
        """Look at the loss's gradient with respect to an output, once backward has it.

        Also where checkpointing calls a layer again: one kind does so for the sake of gradients, and those of the other
        kind never come.
        """
        if not self.active or not module.training:
            return
        try:
            found = output if isinstance(output, Tensor) else first_tensor(output)
            if found is not None and found.requires_grad:
                found.register_hook(partial(self._at_once, slot))  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001  as above
            self.fail(error)

    def _look_at_batch(self, slot: int, kind: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        """Look at the statistics, one a channel, of the mini-batch that a batch normalization is about to see.

        Channels are on axis 1, as in torch's own, unless the module has an `axis` that says otherwise.
        """
        if not self.active or not module.training or in_backward() != -1:
            return
        try:
            (given, *_) = args or kwargs.values()
            x = given.detach().float()
            axis = getattr(module, "axis", 1) % x.dim()
            dims = [d for d in range(x.dim()) if d != axis]
            self._at_once(slot, x.mean(dims) if kind == "batch_mean" else x.var(dims, correction=0))
        except Exception as error:  # noqa: BLE001
            self.fail(error, (args, kwargs))

    def _at_once(self, slot: int, x: Tensor) -> None:
        """Summarize a tensor of any kind; never raises."""
        if not self.active:
            return
        began = time.perf_counter()
        try:
            self._see(slot, x)
        except Exception as error:  # noqa: BLE001
            self.fail(error, x)
        self.seconds += time.perf_counter() - began

    def fail(self, error: Exception, of: Any = None) -> None:
        """End watching, unless it failed at something that stands for a tensor and is left out."""
        if not is_of_transform(of):
            self.border.note(error)
            self.active = False

    def _end_forward(self) -> None:
        """Find out which slots may be put off from now on, and summarize what was.

        What watching costs a small net is mostly that Python and the net's own operations take turns: each finds its
        caches cold. So a small tensor waits for the others until the model's forward pass ends, if it does not matter
        that it does: the first time a slot is seen, it is summarized at once, and whether anything has changed the
        tensor in place by then tells how to go on.
        """
        if self.wiring is not None:  # which is to see every call
            self.wiring.let_go()
            self._tried.clear()
        for slot, x, version in self._tried:
            self.ways[slot] = Way.LATER if x._version == version else Way.AT_ONCE
        self._tried.clear()
        self.catch_up()

    def catch_up(self) -> None:
        """Summarize what was put off."""
        if not self.put_off:
            return
        began = time.perf_counter()
        waiting = self.put_off.copy()  # which keeps them, should another thread call a layer now
        self.put_off.clear()
        try:
            self._summarize(waiting)
        except Exception as error:  # noqa: BLE001  as in the hooks
            others = [one for one in waiting if not is_of_transform(one[1])]
            if len(others) == len(waiting):
                self.fail(error)
            else:  # from now on at once, where such a tensor is known
                for slot, _, _ in waiting:
                    self.ways[slot] = Way.AT_ONCE
        self.seconds += time.perf_counter() - began

    def _summarize(self, waiting: Waiting) -> None:
        for slot, x, version in self._recorder.add_all(waiting):
            if x._version != version:  # what it was is lost, this once
                self.ways[slot] = Way.AT_ONCE
                continue
            if x.numel() > ALL:  # it has grown
                self.ways[slot] = Way.AT_ONCE
            self._see(slot, x)

    def _see(self, slot: int, output: Any) -> None:
        """Summarize the first tensor of any output."""
        found = local(output if isinstance(output, Tensor) else first_tensor(output))
        if found is None or not found.is_floating_point() or found.is_inference() or found.layout is not torch.strided:
            return
        x = flat(found)
        if x.is_cpu:
            self._recorder.add(slot, x)
        else:
            most = SAMPLE if self._recorder.packs else min(self._place[2] // len(self.slots), SAMPLE)
            low, high = self.bounds[:, slot].tolist()
            self._away.append((slot, reduce_there(x, low, high, most, widest(x.device))))

    def _see_resting(self) -> None:
        """Summarize parameters, their gradients and what batch normalization keeps, of modules that are still there."""
        there = set(map(id, model.modules())) if (model := self._model()) is not None else set()
        self.at_rest = [row for row in self.at_rest if id(row[1]) in there]  # others may stand in their places
        for slot, module, kind in self.at_rest:
            for x in resting(module, kind):
                self._at_once(slot, x)

    def _warn_of_unseen(self) -> None:
        """Say of which layers nothing was ever seen that should have passed: someone may wait for them in vain."""
        seen = {self.slots[i].layer for i in self._recorder.seen() | self._seen_away}
        passing = {slot.layer for slot in self.slots if slot.kind in ("output", "input", "gradient")}
        names = [self.layers[i].name for i in sorted(passing - seen)]
        if names:
            log.warning(
                "normscope: nothing was seen of %s%s: not called in training mode, without a floating-point output, "
                "or in a graph of torch.compile that is fullgraph or was made after watch()",
                ", ".join(names[:5]), f" and {len(names) - 5} more" if len(names) > 5 else "",
            )  # fmt: skip

    def collect(self) -> Seen:
        """What was seen since the last call, off the graph."""
        if self.put_off or self._tried or self.wiring is not None:
            self._end_forward()
        if self.at_rest:
            self._see_resting()
        seen = self._recorder.take()
        self._steps += 1
        if self._steps == _ENOUGH:
            self._warn_of_unseen()
        if self.wiring is not None and (self.wiring.edges or self._steps == _ENOUGH):
            seen.edges, self.wiring = tuple(self.wiring.edges), None
        if self._away:
            self._seen_away.update(slot for slot, _ in self._away)
            with self.border:
                seen.away, seen.events = to_host(self._away)
            self._away = []
        return seen
