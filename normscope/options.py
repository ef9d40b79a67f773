"""What the callbacks of other libraries pass on to `watch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from torch import Tensor

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from .alerts import Rule
    from .capture.layers import Choice
    from .schedule import Schedule
    from .wire import Alert


class Options(TypedDict, total=False):
    """Arguments of `normscope.watch` beside the model, as it describes them."""

    name: str | None
    url: str | None
    token: str | None
    layers: Choice
    budget: float | None
    kinds: str | Iterable[str]
    schedule: Schedule | None
    file: str | os.PathLike[str] | None
    alerts: Iterable[str | Rule] | None
    on_alert: Callable[[Alert], object] | None
    ranks: str


def numbers(values: Mapping[str, Any]) -> dict[str, float | Tensor]:
    """Those of some logged values that are single numbers, by name; what a library logs may be anything."""
    return {
        name: value.detach() if isinstance(value, Tensor) else float(value)
        for name, value in values.items()
        if (isinstance(value, Tensor) and value.numel() == 1 and not value.is_complex())
        or (isinstance(value, int | float) and not isinstance(value, bool))
    }
