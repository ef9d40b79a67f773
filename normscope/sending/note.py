"""What is said of a step beside its values, on its way from training to the courier.

Nearly always these are a few numbers under the same names as before. To pickle them would take little time, but room in
the processor's caches from the net in training, which then takes that time several times over.
"""

from __future__ import annotations

import pickle
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_PICKLED: Final = b"p"
_NUMBERS: Final = b"n"
_HEAD: Final = struct.Struct("<cqdqq")
_SHAPES: Final = 64
"""Sets of names that are remembered; a loop has one or two."""


class Step(NamedTuple):
    """What was captured at one step; values lie in the ring."""

    step: int
    time: float
    series: dict[str, Any]
    records: int
    """How many records of the compiled core the values are."""
    more: tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[list[float]]] | None = None
    """Of tensors that have none: slots, lengths, known and numbers, as `normscope.capture.summary.Raw` says."""


class Writer:
    """Writes notes; remembers under which names numbers came."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, ...], tuple[struct.Struct, bytes]] = {}

    def write(self, step: int, time: float, series: dict[str, Any], records: int, more: Any = None) -> bytes:
        """A `Step` as bytes, for `read`."""
        names = tuple(series)
        shape = self._shapes.get(names)
        if shape is None:
            shape = self._remember(names)
        if more is None:
            try:
                return shape[0].pack(_NUMBERS, step, time, records, len(names), *series.values(), shape[1])
            except struct.error:  # a vector is among them
                pass
        return _PICKLED + pickle.dumps((step, time, series, records, more), pickle.HIGHEST_PROTOCOL)

    def _remember(self, names: tuple[str, ...]) -> tuple[struct.Struct, bytes]:
        if len(self._shapes) == _SHAPES:
            self._shapes.clear()
        label = pickle.dumps(names, pickle.HIGHEST_PROTOCOL)
        shape = struct.Struct(f"{_HEAD.format}{len(names)}d{len(label)}s"), label
        self._shapes[names] = shape
        return shape


def read(note: bytes) -> Step:
    """The step that a `Writer` has written."""
    if note[:1] == _PICKLED:
        return Step(*pickle.loads(note[1:]))  # noqa: S301  our own parent wrote it
    _, step, time, records, count = _HEAD.unpack_from(note)
    values = struct.unpack_from(f"<{count}d", note, _HEAD.size)
    return Step(step, time, dict(zip(_names(note[_HEAD.size + 8 * count :]), values, strict=True)), records)


@lru_cache(_SHAPES)
def _names(label: bytes) -> tuple[str, ...]:
    names: tuple[str, ...] = pickle.loads(label)  # noqa: S301  as above
    return names
