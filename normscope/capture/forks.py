"""What a forked process does with a copy of a model is no part of the run; and the memory is the parent's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from .capture import Capture

opened: Final[WeakSet[Capture]] = WeakSet()
"""Those that this process has, as long as anybody has them."""


def _stay_out() -> None:
    for capture in list(opened):
        capture.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stay_out)
