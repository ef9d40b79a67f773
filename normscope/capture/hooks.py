"""What stands between a model and what we do when its layers are called."""

from __future__ import annotations

import inspect
import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch

from .calls import Called

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from torch import nn

log = logging.getLogger("normscope")


class Border:
    """What fails on the far side of it does not reach training: it is counted, and logged the first time."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.failures = 0

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        self.note(error)
        return True

    def note(self, error: Exception) -> None:
        """Count an error that was stopped here."""
        self.failures += 1
        if self.failures == 1:
            log.warning("normscope: %s; training goes on without it", self._what, exc_info=error)


H = TypeVar("H", bound="Hook")
is_tracing: Callable[[], bool] = torch.compiler.is_dynamo_compiling
"""Whether torch.compile is looking at the hook that asks, which then does nothing: a graph may have to be whole."""


class Hook:
    """A hook before or after a module that calls a function of ours; its copy, in a copied model, does nothing."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[nn.Module, Any, Any], None]) -> None:
        self._call = call

    def __call__(self, module: nn.Module, args: Any, output: Any = None) -> None:
        """As a module's hook."""
        if not is_tracing():
            self._call(module, args, output)

    def __reduce__(self) -> tuple[Any, ...]:
        # Something of Python's own that takes any arguments: a pickled model can be read where we are not installed.
        return getattr, (nullcontext(), "__exit__")


class End(Hook):
    """A hook after a module that is called also if the module fails: what was kept of it must not live on."""

    __slots__ = ()

    always = True

    def around(self, module: nn.Module, call: Callable[..., Any]) -> Callable[..., Any]:
        """Calls the module by `call` and does the same."""
        end = self._call

        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                return call(*args, **kwargs)
            finally:
                if not is_tracing():
                    end(module, args, None)

        return called


def suited(model: nn.Module, kind: type[H]) -> type[H]:
    """The kind of hook as it suits a model.

    Of a model that was compiled, the graph breaks at each watched layer and at the end, and goes on behind. What says
    so to the compiler makes every call of a hook slower, so other models are spared it. Where the graph must not break
    (`fullgraph=True`, or what is compiled later), hooks are left out of it, and layers are not seen.
    """
    compiled = [found for m in model.modules() for found in _contexts(m)]
    if not compiled or any(getattr(context, "fullgraph", False) for context in compiled):
        return kind
    disable = cast("Callable[..., Any]", torch.compiler.disable)
    hidden = disable(kind.__call__, reason="normscope watches this layer")
    return type("Hidden", (kind,), {"__call__": hidden, "__slots__": ()})


def _contexts(module: nn.Module) -> list[object]:
    """What torch.compile has noted of how it compiled a module, if it has."""
    found: list[object] = []
    if "_orig_mod" in module._modules:
        found.append(getattr(module, "dynamo_ctx", None))
    if module._compiled_call_impl and not isinstance(module._compiled_call_impl, Called):
        call = cast("Any", module._compiled_call_impl)
        found.append(inspect.getclosurevars(call).nonlocals.get("self") if inspect.isfunction(call) else None)
    return found
