"""The wheel: what it owns, what it needs, and what it says where an extra is missing."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from ..conftest import HOUSE, free_port, wait_for


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, alone in a folder."""
    tmp_path = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(HOUSE)], check=True, capture_output=True)
    (path,) = tmp_path.glob("*.whl")
    target = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(path)], check=True
    )
    return target


def test_the_wheel_owns_one_name_and_serves(wheel: Path, tmp_path: Path) -> None:
    names = {path.name for path in wheel.iterdir()} - {"bin"}
    assert {name for name in names if not name.endswith(".dist-info")} == {"normscope"}
    port = free_port()
    command = [sys.executable, "-m", "normscope", "serve", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path / "d")], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(wheel)}
    )
    try:
        url = f"http://127.0.0.1:{port}"

        def page() -> str:
            assert process.poll() is None
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(url).text
            return ""

        first = wait_for(page, "the first page")
        assert "Normscope" in first
        files = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', first)
        assert files
        assert all(httpx.get(f"{url}{file}").status_code == 200 for file in files), files
        body = {"claim": 1, "settings": {"steps": 3, "pace": 0}}
        runs = httpx.post(f"{url}/api/experiments", json=body, timeout=60).json()["runs"]
        wait_for(
            lambda: all(httpx.get(f"{url}/api/runs/{r['id']}").json()["status"] == "finished" for r in runs), "the runs"
        )
    finally:
        process.terminate()
        process.wait(15)
    tried = subprocess.run(
        [sys.executable, "-m", "normscope", "run", "1", "--set", "steps=3", "--set", "pace=0", "--arms", "none"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(wheel), "NORMSCOPE_DATA": str(tmp_path / "d")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (tried.returncode, "1 of 1 seeds done" in tried.stdout) == (0, True), tried.stderr


def needed(name: str, extra: str = "") -> set[str]:
    """The packages that one brings along, and itself."""
    found, waiting = set[str](), [(name, extra)]
    while waiting:
        name, extra = waiting.pop()
        if name.lower() in found:
            continue
        found.add(name.lower())
        for line in distribution(name).requires or []:
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(one.name, more) for more in one.extras or {""}]
    return found


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A Python with nothing but the wheel and what `pip install normscope` brings along."""
    site = tmp_path_factory.mktemp("base")
    for name in needed("normscope") - {"normscope"}:
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or [] if not {"..", "__pycache__"} & set(file.parts)}
        for top in tops:
            with contextlib.suppress(FileExistsError):
                (site / top).symlink_to(Path(str(found.locate_file(top))))
    program = (
        f"import sys; sys.path[:0] = [{str(wheel)!r}, {str(site)!r}]; import runpy; sys.argv = sys.argv[1:]\n"
        "exec(sys.argv[1]) if sys.argv[0] == 'code' else runpy.run_module('normscope', run_name='__main__')"
    )
    return [sys.executable, "-I", "-S", "-c", program]  # without the packages that are installed here


def test_the_base_package_is_small() -> None:
    direct = {Requirement(line).name for line in distribution("normscope").requires or [] if "extra ==" not in line}
    assert direct == {"torch", "numpy", "websockets"}


def test_the_base_package_watches_and_reads_what_it_recorded(base: list[str], tmp_path: Path) -> None:
    code = """
import torch, normscope
net = torch.nn.Linear(2, 2)
with normscope.watch(net, file='run.normscope', budget=None) as watch:
    for _ in range(3):
        watch.step(loss=net(torch.ones(4, 2)).sum())
assert len(normscope.open('run.normscope')) == 3
"""
    done = subprocess.run([*base, "code", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("extra", ["lightning", "transformers"])
def test_what_needs_an_extra_says_which(base: list[str], extra: str) -> None:
    done = subprocess.run([*base, "code", f"import normscope.{extra}"], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert re.fullmatch(rf"ImportError: normscope\.{extra} needs \w+: pip install 'normscope\[{extra}\]'", last)


def test_serving_without_the_server_says_what_it_needs(base: list[str], tmp_path: Path) -> None:
    done = subprocess.run([*base, "module", "serve"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"normscope: [^\n]+pip install 'normscope\[server\]'\n", done.stderr)


def test_importing_loads_nothing_that_is_not_used() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import normscope; normscope.__version__\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    found = subprocess.check_output([sys.executable, "-c", code], cwd=HOUSE, text=True).split()
    assert found == ["normscope"]


def test_watching_loads_no_extra() -> None:
    code = "import sys, normscope; normscope.watch; print(*{name.split('.')[0] for name in sys.modules})"
    found = set(subprocess.check_output([sys.executable, "-c", code], cwd=HOUSE, text=True).split())
    assert not found & {
        "fastapi",
        "sqlalchemy",
        "lightning",
        "transformers",
        "accelerate",
        "scipy",
        "sklearn",
        "plotly",
    }
