"""How hooks hear of a call: in torch's own slot between a module and its forward, or as hooks of the module.

A module with any hook is called by a way through torch that takes several microseconds longer. `Module.compile` keeps
what it has made in a slot of the module, which torch looks into at every call; where that is free, we stand there, call
the module as if we did not, and look at what it gives.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, cast, runtime_checkable

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    After = Callable[..., None]

SLOT: Final = "_compiled_call_impl"


@runtime_checkable
class Around(Protocol):
    """A hook that has a quicker way than to be called after a module: to do the calling."""

    def around(self, module: nn.Module, call: Callable[..., Any]) -> Callable[..., Any]:
        """What calls the module by `call`, and does what the hook does."""


class Handle(Protocol):
    """What was put somewhere and can be taken away."""

    def remove(self) -> None:
        """Take it away."""


class Called(partial[Any]):
    """Calls a module as torch would, hooks and all, then ours. Pickled and copied it is None: an empty slot.

    Attributes:
        module: Whose slot it is for.
    """

    module: nn.Module

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()

    @classmethod
    def of(cls, module: nn.Module, hooks: Sequence[After]) -> Self:
        """For a module whose output these are to hear of, in this order."""
        call: Callable[..., Any] = module._call_impl
        for hook in hooks:
            call = hook.around(module, call) if isinstance(hook, Around) else _around(module, call, hook)
        called = cls(call)
        called.module = module
        return called

    def put(self) -> None:
        """Stand in the slot."""
        self.module.__dict__[SLOT] = self

    def remove(self) -> None:
        """Leave it, unless something else has taken the place."""
        if self.module.__dict__.get(SLOT) is self:
            del self.module.__dict__[SLOT]


def _around(module: nn.Module, call: Callable[..., Any], hook: After) -> Callable[..., Any]:
    """Calls a module, then a hook."""

    def called(*args: Any, **kwargs: Any) -> Any:
        output = call(*args, **kwargs)
        hook(module, args, output)
        return output

    return called


class Listening:
    """Hooks before and after modules, put in their places and taken away together.

    Args:
        before: Modules and what hears of what they take.
        after: Modules and what hears of what they give.
        quickly: Whether slots may be used.
    """

    def __init__(
        self, before: Sequence[tuple[nn.Module, After]], after: Sequence[tuple[nn.Module, After]], *, quickly: bool
    ) -> None:
        self._before = before
        self._after: dict[nn.Module, list[After]] = {}
        for module, hook in after:
            self._after.setdefault(module, []).append(hook)
        quick = {m: hooks for m, hooks in self._after.items() if quickly and suits(m)}
        self._called = {m: Called.of(m, hooks) for m, hooks in quick.items()}
        self._handles: list[Handle] = []

    def begin(self) -> None:
        """Put the hooks where they belong; does nothing if they are there."""
        if self._handles:
            return
        self._handles = [module.register_forward_pre_hook(hook, with_kwargs=True) for module, hook in self._before]
        for module, hooks in self._after.items():
            called = self._called.get(module)
            if called is not None and module.__dict__.get(SLOT) is None:
                called.put()
                self._handles.append(called)
            else:
                for hook in hooks:
                    always = getattr(hook, "always", False)
                    self._handles.append(module.register_forward_hook(hook, always_call=always))

    def end(self) -> None:
        """Take the hooks away: a module without any is called several microseconds sooner."""
        for handle in self._handles:
            handle.remove()
        self._handles = []


def suits(module: nn.Module) -> bool:
    """Whether a module has such a slot, through which torch calls it, and that may be ours.

    Not where several GPUs are: `DataParallel` makes a copy of a module for each, with what is in the slot, which would
    call the original.
    """
    kind = type(module)
    return (
        getattr(kind, SLOT, kind) is None
        and cast("Any", kind.__call__) is nn.Module.__call__
        and kind._call_impl is nn.Module._call_impl
        and not isinstance(module, torch.jit.ScriptModule)
        and torch.cuda.device_count() < 2
    )
