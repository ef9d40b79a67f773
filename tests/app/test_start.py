"""Starting the server, and what a person is told when it cannot start."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import socket
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Server, free_port

HOUSE = Path(__file__).parents[2]


def serve(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", "--no-browser", *flags], cwd=HOUSE, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def one_sentence(found: subprocess.CompletedProcess[str], words: str) -> None:
    assert found.returncode != 0
    assert re.fullmatch(r"normscope: [^\n]+\n", found.stderr), found.stderr
    assert words in found.stderr


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one_sentence(serve("--port", str(port), "--data", str(tmp_path)), f"cannot listen on 127.0.0.1:{port}: Address")


def test_a_port_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    one_sentence(serve("--port", "99999", "--data", str(tmp_path)), "a number from 0 to 65535")


def test_a_data_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    one_sentence(serve("--port", "0", "--data", str(tmp_path / "file" / "data")), "cannot use the data folder")


def test_a_data_folder_that_another_server_holds_is_a_sentence(server: Server) -> None:
    words = f"the data folder {server.data} is in use by the server at {server.url}"
    one_sentence(serve("--port", "0", "--data", str(server.data)), words)
    server.kill()
    server.start()  # what is dead holds nothing


def test_a_broken_or_newer_database_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "normscope.db").write_bytes(b"no database at all" * 500)
    one_sentence(serve("--port", "0", "--data", str(tmp_path)), "cannot open the database")
    (tmp_path / "normscope.db").unlink()
    with contextlib.closing(sqlite3.connect(tmp_path / "normscope.db")) as db:
        db.execute("CREATE TABLE alembic_version (version_num VARCHAR)")
        db.execute("INSERT INTO alembic_version VALUES ('9999')")
        db.commit()
    one_sentence(serve("--port", "0", "--data", str(tmp_path)), "newer than this program's")


@pytest.fixture
def install() -> Any:
    spec = importlib.util.spec_from_file_location("install", HOUSE / "scripts" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_python_that_is_too_old_is_a_sentence(
    install: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "OLDEST", (99, 0))
    monkeypatch.setattr(install, "find_newer", lambda: None)  # or it would start afresh with what it finds
    assert install.main() == 1
    assert capsys.readouterr().err.startswith("normscope: Python 99.0 or newer is needed; this is 3.")


def test_a_full_disk_is_a_sentence(
    install: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "ROOM", 1 << 60)
    monkeypatch.setattr(sys, "argv", ["install.py", "server"])
    assert install.main() == 1
    assert re.fullmatch(r"normscope: the disk is full: \d+ MB are free, \d+ MB are needed\n", capsys.readouterr().err)


def test_pytorch_comes_without_cuda_where_there_is_no_gpu(
    install: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A real pip and a real environment; the indexes are folders, with a package called torch in each."""
    for name, version in (("usual", "2.13.0"), ("cpu", "2.13.0+cpu")):
        folder = tmp_path / name / "torch"
        folder.mkdir(parents=True)
        described = f"torch-{version}.dist-info"
        with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as made:
            made.writestr(f"{described}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
            made.writestr(f"{described}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            made.writestr(f"{described}/RECORD", "")
        page = f'<a href="torch-{version.replace("+", "%2B")}-py3-none-any.whl">torch</a>'
        (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{page}</body></html>")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    monkeypatch.setattr(install, "PIP", (python, *install.PIP[1:]))
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "usual").as_uri())
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)

    def installed() -> str:
        code = "from importlib.metadata import version; print(version('torch'))"
        return subprocess.check_output([python, "-c", code], text=True).strip()

    monkeypatch.setattr(install, "CPU_BUILDS", (tmp_path / "cpu").as_uri())
    install.install_cpu_build()
    assert installed() == "2.13.0+cpu"
    subprocess.check_call([*install.PIP, "torch"])  # the step behind it keeps what is there
    assert installed() == "2.13.0+cpu"
    monkeypatch.setattr(install, "CPU_BUILDS", f"http://127.0.0.1:{free_port()}/")
    subprocess.check_call([python, "-m", "pip", "uninstall", "--quiet", "--yes", "torch"])
    install.install_cpu_build()
    assert "cannot be used: PyTorch comes from where pip usually looks" in capfd.readouterr().out
    subprocess.check_call([*install.PIP, "torch"])
    assert installed() == "2.13.0"


@pytest.mark.parametrize(
    ("system", "machine", "driver", "wanted"),
    [
        ("linux", "x86_64", False, True), ("linux", "x86_64", True, False), ("linux", "aarch64", False, False),
        ("darwin", "x86_64", False, False),
    ],
)  # fmt: skip
def test_where_pytorch_is_to_come_without_cuda(
    install: Any, monkeypatch: pytest.MonkeyPatch, system: str, machine: str, driver: bool, wanted: bool
) -> None:
    monkeypatch.setattr(install.sys, "platform", system)
    monkeypatch.setattr(install.platform, "machine", lambda: machine)
    monkeypatch.setattr(install.shutil, "which", lambda name: "/usr/bin/nvidia-smi" if driver else None)
    monkeypatch.setattr(install.Path, "exists", lambda path: False)
    assert install.wants_cpu_build() == wanted
