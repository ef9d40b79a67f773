"""What a frame of a training process has to be, beside well-formed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from normscope import wire
from normscope.errors import WireError
from normscope.wire import bounds

if TYPE_CHECKING:
    from collections.abc import Iterable


THINNEST: Final = 8
"""How coarse a frame may be that was merged on its way: 4^8 steps in one."""


class Admission:
    """Looks at the frames of one run.

    Args:
        layers: How many its Hello named.
    """

    def __init__(self, layers: int) -> None:
        self.layers = layers
        self._names: set[bytes] = set()

    def know(self, frames: Iterable[bytes]) -> None:
        """Take note of what was let in before."""
        self._names.update(*map(wire.series_names, frames))

    def check(self, head: wire.Head, frame: bytes) -> None:
        """Let a frame in, of which this is known already.

        Raises:
            WireError: If it is not one of this run, or more than a run may send.
        """
        span = wire.MERGE**head.level
        if head.frames != span or head.seq % span or head.level > THINNEST:
            raise WireError(f"a frame of level {head.level} holds {span} frames, and begins where such a block does")
        if head.rows > bounds.ROWS:
            raise WireError(f"a frame has at most {bounds.ROWS:,} summaries")
        if head.largest >= self.layers:
            raise WireError(f"frame of layer {head.largest}, but the hello named {self.layers}")
        names = wire.series_names(frame)
        self._names.update(names)
        if len(names) > bounds.SERIES or len(self._names) > bounds.SERIES_NAMES:
            raise WireError(f"at most {bounds.SERIES:,} series in a frame, and {bounds.SERIES_NAMES:,} names in a run")
