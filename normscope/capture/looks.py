"""The hooks that look at what layers take and give: at once, or, what is small, with others later."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from .hooks import Hook, is_tracing

if TYPE_CHECKING:
    from collections.abc import Callable

    from .capture import Capture

in_backward: Final[Callable[[], int]] = getattr(torch._C, "_current_graph_task_id", lambda: -1)
"""Which backward pass is running, -1 for none: there, checkpointing calls layers again."""


class Way(Enum):
    """When a slot's small tensors are summarized."""

    UNKNOWN = 0
    AT_ONCE = 1
    """Something changes them in place."""
    LATER = 2
    """With the others, at the end of the model's forward pass."""


class Look(Hook):
    """Looks at a layer's output; all in one function, which is called between any two operations of the net."""

    __slots__ = ("_capture", "_most", "_put_off", "_slot", "_ways")

    def __init__(self, capture: Capture, slot: int) -> None:
        self._capture, self._slot = capture, slot
        self._ways, self._put_off, self._most = capture.ways, capture.put_off, capture.most_put_off

    def __call__(self, module: nn.Module, args: Any, output: Any = None) -> None:  # noqa: D102  torch's signature
        capture = self._capture
        if not capture.active or not module.training or is_tracing() or in_backward() != -1:
            return
        try:
            if self._ways[self._slot] is Way.LATER and type(output) is Tensor and not output.is_inference():
                self._put_off.append((self._slot, output, output._version))
                if len(self._put_off) > self._most:
                    capture.catch_up()
            else:
                capture.see_now(self._slot, args, output)
        except Exception as error:  # noqa: BLE001  the border: it is counted, and must not reach training
            capture.fail(error, output)

    def around(self, module: nn.Module, call: Callable[..., Any]) -> Callable[..., Any]:
        """Calls the module by `call` and does the same, without another call for what is nearly always the case."""
        capture, slot, ways, put_off, most = self._capture, self._slot, self._ways, self._put_off, self._most
        later, at_once, add, see_now = Way.LATER, Way.AT_ONCE, put_off.append, capture.see_now

        def called(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            if not capture.active or not module.training or is_tracing() or in_backward() != -1:
                return output
            way = ways[slot]
            try:
                if way is later and type(output) is Tensor and len(put_off) < most:
                    add((slot, output, output._version))
                elif way is at_once:
                    see_now(slot, args, output)
                else:
                    self(module, args, output)
            except Exception as error:  # noqa: BLE001  as above
                if not (type(output) is Tensor and output.is_inference()):  # which has no version
                    capture.fail(error, output)
            return output

        return called


class LookBefore(Look):
    """Looks at a layer's input, or the first of several."""

    __slots__ = ()

    def __call__(self, module: nn.Module, args: Any, kwargs: Any = None) -> None:  # noqa: D102
        given = args or tuple((kwargs or {}).values())
        super().__call__(module, args, given[0] if len(given) == 1 else given)
