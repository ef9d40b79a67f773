"""Any range of a run's history, at the detail that is asked for."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from normscope import sketch, wire

from .history import blocks, cover, parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from ..store import Run, Store

T = TypeVar("T")

MEDIA: Final = "application/octet-stream"
"""What frames are called in an answer."""
PERCENTILES: Final = (5, 25, 50, 75, 95)


async def history(
    store: Store, run: Run, *, first_step: int, last_step: int | None, points: int, layers: Collection[int] | None
) -> AsyncIterator[list[bytes]]:
    """Encoded frames that cover the steps from `first_step` to `last_step`, about `points` of them, some at a time.

    Args:
        store: Where the run's blocks are.
        run: Whose history.
        first_step: The first step wanted.
        last_step: The last; None for the newest.
        points: At most this many frames, beside a few finer ones at the end.
        layers: Only these layers, by index; None for all.
    """
    first = await _seq_at(store, run, first_step)
    last = run.last_seq if last_step is None else await _seq_at(store, run, last_step, after=False)
    for level, start, stop in cover(first, last, points) if last >= first else ():
        async for part in parts(store, run.id, level, start, stop):
            yield part if layers is None else [wire.select(data, layers) for data in part]


async def _seq_at(store: Store, run: Run, step: int, *, after: bool = True) -> int:
    """Sequence number of the first frame at or after a step, or the last at or before it."""
    low, high = 0, run.last_seq + 1  # the first frame whose step is ≥ (or >) the wanted one lies in [low, high]
    likely = step if after else step + 1
    guesses = iter((likely - 1, likely))  # which it is if every step was captured, and came in one frame
    while low < high:
        middle = next((guess for guess in guesses if low <= guess < high), (low + high) // 2)
        frame = wire.check((await blocks(store, run.id, 0, middle, middle))[0])
        if frame.last_step < step or (not after and frame.first_step <= step):
            low = frame.seq + frame.frames
        else:
            high = min(middle, frame.seq)
    return low if after else low - 1


async def packed(history: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
    """A history as the bytes that answer for it, each frame with its length before it."""
    async for part in history:
        yield wire.pack(part)


async def in_words(history: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
    """A history as JSON: `{"frames": […]}`."""
    before = '{"frames":['
    async for part in history:
        yield (before + await asyncio.to_thread(_listed, part)).encode()
        before = ","
    yield b"]}" if before == "," else f"{before}]}}".encode()


def _listed(frames: list[bytes]) -> str:
    return ",".join(json.dumps(as_json(data), ensure_ascii=False, separators=(",", ":")) for data in frames)


async def begun(answer: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same, with its first part at hand: what fails at once does so while there can be another answer."""
    try:
        first = await anext(answer)
    except StopAsyncIteration:
        return answer

    async def whole() -> AsyncIterator[T]:
        yield first
        async for part in answer:
            yield part

    return whole()


def as_json(data: bytes) -> dict[str, Any]:
    """A frame in words and numbers, with percentiles instead of bins; what is not finite becomes null."""
    frame = wire.decode(data)
    return {
        "seq": frame.seq,
        "frames": frame.frames,
        "first_step": frame.first_step,
        "last_step": frame.last_step,
        "time": frame.time,
        "series": {
            name: {"mean": _finite(s.mean), "low": _finite(s.low), "high": _finite(s.high), "samples": s.samples}
            for name, s in frame.series.items()
        },
        "layers": [_layer(frame, row) for row in range(len(frame.layers))],
    }


def _layer(frame: wire.Frame, row: int) -> dict[str, Any]:
    mean, std, low, high = frame.moments[row].tolist()
    count, zeros, saturated, broken = frame.counters[row].tolist()
    quantiles = sketch.quantiles(frame.histogram(row), np.array(PERCENTILES) / 100, low, high)
    return {
        "layer": int(frame.layers[row]),
        "kind": wire.KINDS[int(frame.kinds[row])],
        "count": count,
        "zeros": zeros,
        "saturated": saturated,
        "nonfinite": broken,
        **dict(zip(("mean", "std", "min", "max"), _finite(np.array([mean, std, low, high])), strict=True)),
        "percentiles": dict(zip(map(str, PERCENTILES), _finite(quantiles), strict=True)),
    }


def _finite(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in values.tolist()]
