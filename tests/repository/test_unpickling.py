"""What makes objects out of bytes, and so may run what someone else has written: few places, each with its reason."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

import pytest

from ..conftest import HOUSE
from .test_house import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOADERS: Final = {
    "pickle": {"load", "loads", "Unpickler"}, "_pickle": {"load", "loads", "Unpickler"},
    "marshal": {"load", "loads"}, "shelve": {"open"}, "dill": {"load", "loads"}, "joblib": {"load"},
    "cloudpickle": {"load", "loads"}, "pandas": {"read_pickle"}, "yaml": {"load", "unsafe_load", "full_load"},
    "torch": {"load", "jit.load", "package.PackageImporter", "hub.load"}, "numpy": {"load"},
    "multiprocessing.connection": {"Client", "Listener"}, "multiprocessing": {"Pipe", "Queue"},
    "": {"eval", "exec", "compile", "__import__"},
}  # fmt: skip
"""What does so, by module; the last are built in."""
ALLOWED: Final = {
    ("normscope/sending/note.py", "pickle.loads"): "of the ring, memory that its own parent alone writes",
    ("normscope/sending/pipe.py", "pickle.loads"): "of its standard input, a pipe of its own parent's",
    ("normscope/sending/sender.py", "pickle.load"): "of the standard output of a process that it has started itself",
    ("trainer/data/own.py", "numpy.load"): "without pickles: anyone's .npz file",
    ("trainer/data/openml.py", "numpy.load"): "without pickles: what was downloaded before",
}  # fmt: skip
"""File and call, and why it may."""
SAFE: Final = {"numpy.load": ("allow_pickle", False), "torch.load": ("weights_only", True)}
"""With which argument a call unpickles nothing."""


def calls(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every mention of a loader in a file, by its full name."""
    tree = ast.parse(path.read_text("utf-8"))
    called: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            called |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and not node.level:
            called |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    known = {f"{module}.{name}".lstrip(".") for module, names in LOADERS.items() for name in names}
    last = {name.rpartition(".")[2] for name in known} | set(called)
    for node in ast.walk(tree):
        named = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if named in last:
            first, dot, rest = ast.unparse(node).partition(".")
            name = called.get(first, first) + dot + rest
            if name in known:
                yield name, node


def found(path: Path) -> list[str]:
    return [name for name, _ in calls(path)]


def source() -> list[Path]:
    return [path for room in ("normscope", "app", "trainer", "benchmarks", "scripts") for path in files(room)]


def test_only_what_this_user_has_written_is_unpickled() -> None:
    there = {(path.relative_to(HOUSE).as_posix(), name) for path in source() for name in found(path)}
    assert there == set(ALLOWED)
    assert all(ALLOWED.values())


@pytest.mark.parametrize(("name", "safe"), SAFE.items())
def test_what_could_unpickle_is_told_not_to(name: str, safe: tuple[str, bool]) -> None:
    rooms = [*source(), *(HOUSE / "docs").rglob("*.py")]
    for path in rooms:
        mentions = {node for one, node in calls(path) if one == name}
        if not mentions:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        spelled = {ast.unparse(node) for node in mentions}
        told = [
            node for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) in spelled
            and any(k.arg == safe[0] and ast.literal_eval(k.value) is safe[1] for k in node.keywords)
        ]  # fmt: skip
        assert len(told) == len(mentions), f"{path}: {name} without {safe[0]}={safe[1]}"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("import pickle as p\np.loads(b'')", ["pickle.loads"]),
        ("from pickle import Unpickler as U\nU(x).load()", ["pickle.Unpickler"]),
        ("import torch\ntorch.load(f)", ["torch.load"]),
        ("import numpy as np\nload = np.load\nload(f)", ["numpy.load"]),
        ("from multiprocessing.connection import Client\nClient(a)", ["multiprocessing.connection.Client"]),
        ("eval('1')", ["eval"]),
        ("model.eval(); json.loads(x); re.compile(y)", []),
    ],
)
def test_however_it_is_written(tmp_path: Path, code: str, names: list[str]) -> None:
    path = tmp_path / "code.py"
    path.write_text(code)
    assert found(path) == names
