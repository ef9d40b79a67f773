"""Normscope: see what happens inside a neural network while it trains.

```python
import normscope

with normscope.watch(model, name="my net") as watch:
    for x, y in loader:
        ...                                   # an ordinary training step
        watch.step(loss=loss, accuracy=acc)   # any scalars
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .alerts import Rule, alert
    from .notebook import view
    from .recording import Recording, open  # noqa: A004  people call it as normscope.open
    from .schedule import every, log_spaced
    from .watching import Watch, watch
    from .wire import Alert

__version__ = "0.1.0"
__all__ = [
    "Alert", "Recording", "Rule", "Watch", "__version__", "alert", "every", "log_spaced", "open", "view",
    "watch",
]  # fmt: skip
_HOMES = {
    "Alert": "wire",
    "Recording": "recording",
    "Rule": "alerts",
    "Watch": "watching",
    "alert": "alerts",
    "every": "schedule",
    "log_spaced": "schedule",
    "open": "recording",
    "view": "notebook",
    "watch": "watching",
}


def __getattr__(name: str) -> Any:
    """Load `watch` when it is used: the server imports this package's other modules, and never torch."""
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
