"""The compiled measuring core: built where there is a compiler, done without where there is none."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from array import array
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest
import torch

from normscope import native
from normscope.sketch import BINS, histogram

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

HOUSE = Path(__file__).parents[2]
SOURCES = ["frames.c", "record.h", "ring.c", "summarize.c", "tensors.c"]
COMPILERS = [c for c in ("cc", "gcc", "clang") if shutil.which(c)]


@pytest.fixture
def hook() -> ModuleType:
    """hatch_build.py, which is no module that anyone imports."""
    spec = importlib.util.spec_from_file_location("hatch_build", HOUSE / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "normscope" / "native").mkdir(parents=True)
    for source in SOURCES:
        shutil.copy(HOUSE / "normscope/native" / source, tmp_path / "normscope/native")
    return tmp_path


def test_where_there_is_a_compiler_it_has_been_used() -> None:
    assert native.available() == bool(COMPILERS)


def test_it_compiles_without_a_warning_and_says_its_version(hook: ModuleType, root: Path) -> None:
    library = hook.compile_library(root)
    assert (library is not None) == bool(COMPILERS)
    if library is not None:
        assert ctypes.CDLL(str(library)).normscope_version() == native.VERSION
        assert sorted(p.name for p in library.parent.iterdir()) == sorted([*SOURCES, library.name])
        sources = [root / source for source in hook.SOURCES]
        strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        subprocess.run([COMPILERS[0], *hook.FLAGS, *strict, "-o", root / "x", *sources], check=True)


@pytest.mark.parametrize("compiler", ["/nowhere/cc", "false", None])
def test_without_a_compiler_one_line_says_so(
    hook: ModuleType, root: Path, compiler: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = "/nowhere" if compiler is None else os.environ["PATH"]
    with mock.patch.dict(os.environ, {"PATH": path, "CC": compiler or ""}):
        assert hook.compile_library(root) is None
    said = capsys.readouterr().err
    assert said.startswith("normscope: the measuring core is not compiled, which makes watching slower: ")
    assert len(said.splitlines()) == 1
    assert sorted(p.name for p in (root / "normscope/native").iterdir()) == SOURCES


def test_it_can_be_left_unused() -> None:
    code = "from normscope import native; import sys; sys.exit(native.available())"
    environment = os.environ | {"NORMSCOPE_NATIVE": "0"}
    assert subprocess.run([sys.executable, "-c", code], cwd=HOUSE, env=environment, check=False).returncode == 0


def pad(*bounds: tuple[float, float]) -> native.Pad:
    return native.Pad(np.array(bounds, np.float32).T)


def job(values: NDArray[np.float32], slot: int = 0) -> array[int]:
    return array("q", (values.ctypes.data, len(values), native.KINDS["float32"], slot))


needs_core = pytest.mark.skipif(not COMPILERS, reason="without a compiler there is no core to test")


@needs_core
@pytest.mark.parametrize("count", [0, 1, 4095, 4097, 16_384])
@pytest.mark.parametrize("room", [0, 17, 18, 100, native.LARGEST])
def test_nothing_beyond_its_room_is_touched(count: int, room: int) -> None:
    """Values and records lie between guards that must stay as they were."""
    guard = np.full(64, 7e7, np.float32)
    values = np.concatenate([guard, np.linspace(-1, 1, count, dtype=np.float32), guard])
    place = np.full(128 + native.LARGEST, 7e7, np.float32)
    before = values.copy()
    notes = pad((-0.5, 0.5))
    notes.begin(place.ctypes.data, 64, 64 + room, 1)
    done = notes.add(job(values[64 : 64 + count]), 1)
    assert done == notes.rows == (room >= native.HEAD)
    assert notes.end <= 64 + room
    assert notes.end % 2 == 0
    assert np.array_equal(values, before)
    assert np.all(place[:64] == guard[0])
    assert np.all(place[notes.end :] == guard[0])
    if done:  # the numbers at least
        slots, _, counters, bins, counts = native.unpack(place[64 : notes.end], 1)
        assert slots.tolist() == [0]
        assert counters[0, 0] == count
        assert counters[0, 2] == np.count_nonzero(np.abs(values[64 : 64 + count]) > 0.5)
        assert len(bins) == len(counts)
        if notes.end > 64 + native.HEAD:
            assert np.array_equal(np.bincount(bins, counts, BINS), histogram(values[64 : 64 + count]))


@needs_core
def test_each_slot_finds_its_share_and_the_rest_is_told() -> None:
    values, place = np.linspace(-1, 1, 1000, dtype=np.float32), np.zeros(100, np.float32)
    notes = pad(*[(-np.inf, np.inf)] * 4)
    notes.begin(place.ctypes.data, 0, 100, 1)
    # A histogram does not fit into a quarter; once each slot has been seen, nobody's share needs to be kept.
    assert notes.add(job(values, 2) + job(values, 0) + job(values, 0) + job(values, 1) + job(values, 3), 5) == 2
    assert notes.add(job(values, 1) + job(values, 3) + job(values, 3) + job(values, 3), 4) == 3
    assert native.unpack(place[: notes.end], notes.rows)[0].tolist() == [0, 1, 2, 3, 3]
    notes.begin(place.ctypes.data, 0, 100, 1)
    assert notes.add(job(values, 1), 1) == 1


@needs_core
@pytest.mark.parametrize("count", [1, 7, 8, 1003, 5000, 70_000])
@pytest.mark.parametrize("offset", [-9.0, -1.0, 0.0, 1.0, 9.0])
def test_extremes_are_exact_whatever_the_signs(count: int, offset: float) -> None:
    """All negative, all positive, and both with a few zeros of either sign: extremes are found among the bits."""
    values = (np.random.default_rng(count).uniform(-1, 1, count) + offset).astype(np.float32)
    values[3::50], values[4::50] = 0.0, -0.0
    for part in (values, values[values != 0], np.abs(values), -np.abs(values)):
        found = native.numbers(job(np.ascontiguousarray(part)), (-np.inf, np.inf)) if len(part) else [0.0] * 8
        assert found[1] == np.count_nonzero(part == 0)
        assert found[6:] == ([part.min(), part.max()] if len(part) else [0.0, 0.0])


@needs_core
@pytest.mark.parametrize("threads", [2, 3, 40])
@pytest.mark.parametrize("count", [65_536, 100_003, 1_000_000])
def test_several_threads_find_what_one_does(count: int, threads: int) -> None:
    assert torch.get_num_threads()
    assert (
        all(native.library.threads()) or sys.platform != "linux"
    )  # only there, torch brings the OpenMP that is borrowed
    values = np.random.default_rng(0).normal(0.1, 2, count).astype(np.float32)
    values[[1, count // 2, -1]] = 0, np.nan, 50
    found = []
    for many in (1, threads):
        place = np.zeros(native.LARGEST, np.float32)
        notes = pad((-3, 3))
        notes.begin(place.ctypes.data, 0, len(place), many)
        assert notes.add(job(values), 1) == 1
        found.append(native.unpack(place[: notes.end], 1))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert found[0][2][0].tolist() == [count, 1, np.count_nonzero(np.abs(values) > 3), 1]


@needs_core
def test_damaged_records_are_noticed() -> None:
    record = native.record(3, np.ones(5, np.float32), [5.0, 0, 0, 0, 1.0, 0, 1.0, 1.0])
    assert native.unpack(record, 1)[0].tolist() == [3]
    for wrong, rows in ((record[:-2], 1), (record[:4], 1), (record, 2), (np.append(record, record), 1)):
        with pytest.raises(ValueError, match="damaged"):
            native.unpack(wrong, rows)
