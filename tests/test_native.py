"""The compiled measuring core: built where there is a compiler, done without where there is none."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest

from normscope import native
from normscope.sketch import BINS, histogram

if TYPE_CHECKING:
    from types import ModuleType

HOUSE = Path(__file__).parent.parent
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
    shutil.copy(HOUSE / "normscope/native/summarize.c", tmp_path / "normscope/native")
    return tmp_path


def test_where_there_is_a_compiler_it_has_been_used() -> None:
    assert native.available() == bool(COMPILERS)


def test_it_compiles_without_a_warning_and_says_its_version(hook: ModuleType, root: Path) -> None:
    library = hook.compile_library(root)
    assert (library is not None) == bool(COMPILERS)
    if library is not None:
        assert ctypes.CDLL(str(library)).normscope_version() == native.VERSION
        assert sorted(p.name for p in library.parent.iterdir()) == sorted(["summarize.c", library.name])
        strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        subprocess.run([COMPILERS[0], *hook.FLAGS, *strict, "-o", root / "x", root / hook.SOURCE], check=True)


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
    assert [p.name for p in (root / "normscope/native").iterdir()] == ["summarize.c"]


def test_it_can_be_left_unused() -> None:
    code = "from normscope import native; import sys; sys.exit(native.available())"
    environment = os.environ | {"NORMSCOPE_NATIVE": "0"}
    assert subprocess.run([sys.executable, "-c", code], cwd=HOUSE, env=environment, check=False).returncode == 0


@pytest.mark.parametrize("count", [0, 1, 4095, 4097, 16_384])
@pytest.mark.parametrize("room", [0, 17, 18, 100, native.LARGEST])
def test_nothing_beyond_its_room_is_touched(count: int, room: int) -> None:
    """Values and records lie between guards that must stay as they were."""
    if not native.available():
        return
    guard = np.full(64, 7e7, np.float32)
    values = np.concatenate([guard, np.linspace(-1, 1, count, dtype=np.float32), guard])
    place = np.full(128 + native.LARGEST, 7e7, np.float32)
    before = values.copy()
    address = place[64:].ctypes.data
    size = native.look(values[64:].ctypes.data, count, "float32", (-0.5, 0.5), 1, address, room)
    assert size <= room
    assert size % 2 == 0
    assert np.array_equal(values, before)
    assert np.all(place[:64] == guard[0])
    assert np.all(place[64 + size :] == guard[0])
    if room >= 18:  # the numbers at least
        _, counters, bins, counts = native.unpack(place[64:], np.array([size]))
        assert counters[0, 0] == count
        assert counters[0, 2] == np.count_nonzero(np.abs(values[64 : 64 + count]) > 0.5)
        assert len(bins) == len(counts)
        if size > 18:
            assert np.array_equal(np.bincount(bins, counts, BINS), histogram(values[64 : 64 + count]))


def test_records_of_a_damaged_length_are_noticed() -> None:
    if not native.available():
        return
    record = native.record(np.ones(5, np.float32), [5.0, 0, 0, 0, 1.0, 0, 1.0, 1.0])
    native.unpack(record, np.array([len(record)]))
    for wrong in (len(record) - 2, 4):
        with pytest.raises(AssertionError):
            native.unpack(record, np.array([wrong]))
