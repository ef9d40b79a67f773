"""What a training process and its courier tell each other beside the ring: pickled, through two pipes."""

from __future__ import annotations

import os
import pickle
import select
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .backlog import MEMORY

if TYPE_CHECKING:
    from pathlib import Path

    from .. import wire
    from ..alerts import Rule
    from ..capture.summary import Slot
    from .company import Company

LENGTH: Final = struct.Struct("<I")
"""Before each pickled record: how many bytes it has."""
_READ: Final = 1 << 20


@dataclass(slots=True)
class Start:
    """The first record: what is summarized, and where frames go."""

    url: str
    hello: wire.Hello
    slots: list[Slot]
    ring: tuple[str, int]
    memory: int = MEMORY
    file: Path | None = None
    """Where they go instead, if to no server."""
    rules: list[Rule] = field(default_factory=list)
    """What people are to be told of."""
    company: Company | None = None
    """The ranks that train together, if there are several."""


class Nonfinite(NamedTuple):
    """Where values that are not finite were seen first."""

    step: int
    layer: str
    kind: str
    """One of `normscope.wire.KINDS`."""
    broken: int
    """How many of its values they were,"""
    values: int
    """of how many."""


@dataclass(slots=True)
class Close:
    """Training has left its loop."""

    end: wire.End
    patience: float


class Inbox:
    """Messages from the training process: pickled, each behind its length."""

    def __init__(self, source: int) -> None:
        os.set_blocking(source, False)
        self._source = source
        self._data = b""
        self.closed = False

    def take(self) -> list[Any]:
        """What has come; nothing more will if `closed`."""
        try:
            found = os.read(self._source, _READ)
        except BlockingIOError:
            return []
        self.closed = not found
        data, at, whole = self._data + found, 0, []
        while at + LENGTH.size <= len(data):
            end = at + LENGTH.size + LENGTH.unpack_from(data, at)[0]
            if end > len(data):
                break
            whole.append(pickle.loads(data[at + LENGTH.size : end]))  # noqa: S301  our own parent wrote it
            at = end
        self._data = data[at:]
        return whole

    def wait(self, seconds: float) -> None:
        """Until something comes, or for so long."""
        select.select([self._source], [], [], seconds)
