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

from normscope import wire
from normscope.wire.file import MAGIC, filed

from ..conftest import HOUSE, free_port, wait_for
from ..frames import KEY, LAYERS, frame


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


def needed(name: str, extra: str = "") -> set[str]:
    """The packages that one brings along, and itself."""
    found, waiting = set[tuple[str, str]](), [(name, extra)]
    while waiting:
        name, extra = waiting.pop()
        if (name.lower(), extra) in found:
            continue
        found.add((name.lower(), extra))
        for line in distribution(name).requires or []:
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(one.name, more) for more in one.extras or {""}]
    return {name for name, _ in found}


def environment(folder: Path, wheel: Path, extra: str = "") -> str:
    """The Python of an environment that has nothing but the wheel and what comes along with it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    paths = set(wheel.iterdir())
    for name in needed("normscope", extra) - {"normscope"}:
        found = distribution(name)
        tops = {file.parts[0] for file in found.files or [] if not {"..", "__pycache__"} & set(file.parts)}
        paths |= {Path(str(found.locate_file(top))) for top in tops}
    for path in paths:
        (site / path.name).symlink_to(path)
    return str(folder / "bin" / "python")


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with what `pip install normscope` brings along."""
    return environment(tmp_path_factory.mktemp("base"), wheel)


@pytest.fixture(scope="module")
def serving(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with what `pip install 'normscope[server]'` brings along."""
    return environment(tmp_path_factory.mktemp("server"), wheel, "server")


def test_the_wheel_owns_one_name_and_serves(wheel: Path, serving: str, tmp_path: Path) -> None:
    names = {path.name for path in wheel.iterdir()} - {"bin"}
    assert {name for name in names if not name.endswith(".dist-info")} == {"normscope"}
    port = free_port()
    command = [serving, "-m", "normscope", "serve", "--no-browser", "--port", str(port)]
    process = subprocess.Popen([*command, "--data", str(tmp_path / "d")], cwd=tmp_path)
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
        [serving, "-m", "normscope", "run", "1", "--set", "steps=3", "--set", "pace=0", "--arms", "none"],
        cwd=tmp_path, env=os.environ | {"NORMSCOPE_DATA": str(tmp_path / "d")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (tried.returncode, "1 of 1 seeds done" in tried.stdout) == (0, True), tried.stderr


def test_the_base_package_is_small() -> None:
    direct = {Requirement(line).name for line in distribution("normscope").requires or [] if "extra ==" not in line}
    assert direct == {"torch", "numpy", "websockets"}


def test_the_base_package_watches_and_reads_what_it_recorded(base: str, tmp_path: Path) -> None:
    code = """
import torch, normscope
net = torch.nn.Linear(2, 2)
with normscope.watch(net, file='run.normscope', budget=None) as watch:
    for _ in range(3):
        watch.step(loss=net(torch.ones(4, 2)).sum())
assert len(normscope.open('run.normscope')) == 3
"""
    done = subprocess.run([base, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("extra", ["lightning", "transformers"])
def test_what_needs_an_extra_says_which(base: str, extra: str) -> None:
    done = subprocess.run([base, "-c", f"import normscope.{extra}"], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert re.fullmatch(rf"ImportError: normscope\.{extra} needs \w+: pip install 'normscope\[{extra}\]'", last)


def test_serving_without_the_server_says_what_it_needs(base: str, tmp_path: Path) -> None:
    done = subprocess.run([base, "-m", "normscope", "serve"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"normscope: [^\n]+pip install 'normscope\[server\]'\n", done.stderr)


def record(path: Path) -> None:
    """Write a run of one step."""
    path.write_bytes(MAGIC + filed(wire.Hello(KEY, "n", LAYERS).dump()) + filed(wire.encode(frame(0))))


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("serve --no-browser --port 0 --data d --bus redis://127.0.0.1", "redis"),
        ("serve --no-browser --port 0 --data d --store postgresql://127.0.0.1/n", "postgres"),
        ("serve --no-browser --port 0 --data d --launcher ray:http://127.0.0.1:8265", "ray"),
        ("import log", "tensorboard"),
        ("export run.normscope --format tensorboard", "tensorboard"),
        ("export run.normscope --format parquet", "parquet"),
    ],
)
def test_a_command_that_needs_an_extra_says_which_in_a_sentence(
    serving: str, tmp_path: Path, command: str, extra: str
) -> None:
    record(tmp_path / "run.normscope")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "events.out.tfevents.1.here").touch()
    done = subprocess.run(
        [serving, "-m", "normscope", *command.split()], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert re.fullmatch(rf"normscope: [^\n]+ needs? [^\n]+: pip install 'normscope\[{extra}\]'", last), done.stderr


def test_arrays_that_need_an_extra_say_which(serving: str, tmp_path: Path) -> None:
    record(tmp_path / "run.normscope")
    code = "import normscope; normscope.open('run.normscope').history('fc1').to_pandas()"
    done = subprocess.run([serving, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith("MissingError: this needs pandas; install it with: pip install 'normscope[pandas]'")


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
