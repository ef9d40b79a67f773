"""Write tests/golden: frames as Python encodes them, and what Python reads in them.

The JavaScript tests read the same files, so that the two readers cannot drift apart. The values come from integer
arithmetic alone, so that every machine writes the same bytes.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from normscope import sketch, wire

GOLDEN: Final = Path(__file__).parent.parent / "tests" / "golden"
PROBABILITIES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def golden() -> dict[str, bytes]:
    """Every golden file by its name."""
    frames = {f"step{i}": _frame(i) for i in range(wire.MERGE)}
    frames["merged"] = wire.merge(list(frames.values()))
    frames["twice_merged"] = wire.merge([frames["merged"]])
    frames |= {f"unlike{i}": _sampled(i, share) for i, share in enumerate((1, 3, 7))}
    frames["unlike"] = wire.merge([frames[f"unlike{i}"] for i in range(3)])
    frames["bare"] = wire.Frame(7, 7, 7, 1.5, series={"loss": wire.Series.of(float("nan"))})
    files = {f"{name}.bin": wire.encode(frame) for name, frame in frames.items()}
    expected: dict[str, Any] = {name: _expected(wire.decode(files[f"{name}.bin"])) for name in frames}
    steps = [wire.decode(files[f"step{i}.bin"]) for i in range(2)]
    document = {"probabilities": PROBABILITIES, "frames": expected, "distances": _distances(*steps)}
    files["expected.json"] = (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
    return files


def _values(seed: int, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers in (-0.5, 0.5), the same on every machine."""
    return ((np.arange(count) * 7919 + seed * 104729) % 10007) / 10007 - 0.5


def _frame(step: int) -> wire.Frame:
    """A frame with a bell, a rectified layer, a far one that lost values, and an input without any finite value."""
    bell = _values(step, 400) + _values(step + 9, 400) + step / 4
    layers = [bell, np.maximum(bell, 0), 1e12 * _values(step, 50) ** 3, np.zeros(0)]
    counts = [sketch.histogram(values) for values in layers]
    filled = [np.flatnonzero(c) for c in counts]
    moments = [[step / 4, 0.5, float(v.min()), float(v.max())] if len(v) else [math.nan] * 4 for v in layers]
    return wire.Frame(
        step, 10 * step, 10 * step, 1.7e9 + step,
        series={"loss": wire.Series.of(2.0 / (step + 1)), "landscape.loss": wire.Series.of([1.0, 0.5, step / 8.0])},
        layers=np.array([0, 1, 2, 2]),
        kinds=np.array([0, 0, 0, 1]),
        moments=np.array(moments),
        counters=np.array([[400, 0, 3, 0], [400, 200, 0, 0], [60, 0, 0, 10], [5, 0, 0, 5]]),
        bins=np.concatenate([row * sketch.BINS + bins for row, bins in enumerate(filled)]),
        counts=np.concatenate([c[bins] for c, bins in zip(counts, filled, strict=True)]),
    )  # fmt: skip


def _sampled(step: int, every: int) -> wire.Frame:
    """A frame with a bell of which only so many-th values are counted."""
    values = _values(step, 900) + _values(step + 9, 900) + step / 4
    counts = sketch.histogram(values[::every])
    bins = np.flatnonzero(counts)
    return wire.Frame(
        step, step, step, 1.7e9 + step, layers=np.array([0]), kinds=np.array([0]),
        moments=np.array([[step / 4, 0.5, float(values.min()), float(values.max())]]),
        counters=np.array([[900, 0, 0, 0]]), bins=bins, counts=counts[bins],
    )  # fmt: skip


def _expected(frame: wire.Frame) -> dict[str, Any]:
    return {
        "seq": frame.seq, "frames": frame.frames, "level": frame.level, "time": frame.time,
        "firstStep": frame.first_step, "lastStep": frame.last_step,
        "series": {
            name: {"mean": _round(s.mean), "low": _round(s.low), "high": _round(s.high), "samples": s.samples}
            for name, s in frame.series.items()
        },
        "layers": frame.layers.tolist(), "kinds": frame.kinds.tolist(),
        "moments": [_round(row) for row in frame.moments],
        "counters": frame.counters.tolist(),
        "histograms": [_sparse(frame.histogram(row)) for row in range(len(frame.layers))],
        "quantiles": [
            _round(sketch.quantiles(frame.histogram(row), PROBABILITIES, frame.moments[row, 2], frame.moments[row, 3]))
            for row in range(len(frame.layers))
        ],
    }  # fmt: skip


def _sparse(counts: np.ndarray[Any, np.dtype[np.int64]]) -> list[list[int]]:
    bins = np.flatnonzero(counts)
    return [bins.tolist(), counts[bins].tolist()]


def _distances(a: wire.Frame, b: wire.Frame) -> list[dict[str, float | None]]:
    rows = range(len(a.layers))
    measures = (sketch.wasserstein, sketch.jensen_shannon, sketch.kolmogorov_smirnov)
    return [{m.__name__: _round([m(a.histogram(r), b.histogram(r))], 6)[0] for m in measures} for r in rows]


def _round(values: Any, digits: int = 9) -> list[float | None]:
    """To so many digits that every processor agrees on; what is not finite becomes null."""
    return [float(f"{v:.{digits}g}") if math.isfinite(v) else None for v in np.asarray(values, np.float64).tolist()]


def main() -> int:
    """Write the files."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, data in golden().items():
        (GOLDEN / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
