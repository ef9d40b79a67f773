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


def test_nothing_beyond_the_arrays_is_touched() -> None:
    """Values and results lie between guards that must stay as they were."""
    if not native.available():
        return
    guard = np.full(64, 7e7, np.float32)
    for count, stride in ((1, 1), (4095, 1), (4097, 3), (10_000, 7)):
        values = np.concatenate([guard, np.linspace(-1, 1, count, dtype=np.float32), guard])
        place = np.full(count + 128, 7e7, np.float32)
        size = -(-count // stride)
        numbers = native.reduce(
            values[64:].ctypes.data, count, "float32", -np.inf, np.inf, place[64 : 64 + size], stride
        )
        assert np.array_equal(place[64 : 64 + size], values[64 : 64 + count : stride])
        assert np.all(place[:64] == guard)
        assert np.all(place[64 + size :] == 7e7)
        assert numbers[0] == count
        assert -1 <= numbers[6] <= numbers[7] <= 1
