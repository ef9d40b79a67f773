"""How fast TensorBoard's logs are imported, beside its own readers on the same files, and in how much memory."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from tests.conftest import HOUSE, Server

from .table import middle

if TYPE_CHECKING:
    from .table import Table


class Log(NamedTuple):
    """What a log has at each of its steps."""

    name: str
    steps: int
    scalars: int
    histograms: int


LOGS: Final = (
    Log("10 scalars at 5,000 steps", 5_000, 10, 0),
    Log("1 scalar at 30,000 steps", 30_000, 1, 0),
    Log("2 scalars and 10 histograms at 300 steps", 300, 2, 10),
)
GROWTH: Final = (1, 4, 16)
"""How many times as long a log is whose import's memory is looked at."""
ROUNDS: Final = 3
_VALUES: Final = 4_000
_OURS: Final = """
import resource, sys
from normscope.__main__ import main
sys.argv[1:] = ["import", sys.argv[1], "--url", sys.argv[2], "--finished"]
assert main() == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
_LOADER: Final = """
import sys
from pathlib import Path
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
for path in Path(sys.argv[1]).iterdir():
    for event in EventFileLoader(str(path)).Load():
        pass
"""
_ACCUMULATOR: Final = """
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
EventAccumulator(sys.argv[1], {"scalars": 0, "histograms": 0, "tensors": 0}).Reload()
"""


def measure(table: Table) -> None:
    """Whole commands, from their start to their end: with us that is when the server has committed everything."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = Server(Path(folder) / "data")
        server.start()
        try:
            for log in LOGS:
                _beside_tensorboard(server, table, Path(folder), log)
            _memory(server, table, Path(folder))
        finally:
            server.close()


def _beside_tensorboard(server: Server, table: Table, folder: Path, log: Log) -> None:
    ratios: dict[str, list[float]] = {_LOADER: [], _ACCUMULATOR: []}
    ours = []
    source = _write(folder / "source", log)
    for number in range(ROUNDS):
        copy = folder / f"{log.name} {number}"  # by another name it is another run
        copy.mkdir()
        shutil.copy(source, copy / f"{source.name}.{number}")
        ours.append(_seconds(_OURS, copy, server.url))
        for reader, found in ratios.items():
            found.append(_seconds(reader, copy) / ours[-1])
    loader, accumulator = (middle(found) for found in ratios.values())
    size = source.stat().st_size / 1e6
    table.add(
        f"import of {log.name}, {size:.1f} MB; TensorBoard's EventFileLoader ÷ Normscope", loader,
        "≥ 1", f"{sorted(ours)[ROUNDS // 2]:.1f} s; its EventAccumulator ÷ Normscope {accumulator}",
    )  # fmt: skip


def _memory(server: Server, table: Table, folder: Path) -> None:
    peaks = []
    for times in GROWTH:
        path = _write(folder / f"grown {times}", LOGS[2]._replace(steps=100 * times, scalars=20)).parent
        peaks.append(int(_run(_OURS, path, server.url).splitlines()[-1]) / 1024)
    table.add(
        f"peak memory of an import, log {GROWTH[-1]} times as long", f"{peaks[-1] / peaks[0]:.2f}", "flat",
        ", ".join(f"{peak:.0f} MB" for peak in peaks),
    )  # fmt: skip


def _write(folder: Path, log: Log) -> Path:
    """An event file by torch's writer."""
    shutil.rmtree(folder, ignore_errors=True)
    rng = np.random.default_rng(0)
    with SummaryWriter(folder) as writer:
        for step in range(log.steps):
            for i in range(log.scalars):
                writer.add_scalar(f"scalar {i}", rng.random(), step)
            for i in range(log.histograms):
                writer.add_histogram(f"layer {i}", rng.normal(size=_VALUES), step)
    (path,) = folder.iterdir()
    return path


def _seconds(code: str, *arguments: object) -> float:
    began = time.perf_counter()
    _run(code, *arguments)
    return time.perf_counter() - began


def _run(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HOUSE)
    return done.stdout
