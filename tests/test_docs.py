"""What the documentation shows works as it stands there, against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Server

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "docs" / "recipes").glob("*.md"))
PAGES = sorted((ROOT / "docs" / "integrations").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_an_integrations_page_trains_a_net_that_is_watched(
    shared_server: Server, page: Path, tmp_path: Path
) -> None:
    text = page.read_text("utf-8")
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    name = re.findall(r'name="(.*?)"', code)[0]
    environment = os.environ | {"NORMSCOPE_URL": shared_server.url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    experiments = shared_server.get("/api/experiments")["experiments"]
    runs = [run for one in experiments for run in one["runs"] if run["name"] == name]
    run = shared_server.run(runs[0]["id"])
    assert (run["status"], len(runs)) == ("finished", 1)
    assert run["last_step"] > 10
    assert len(run["edges"]) >= 3


def test_what_comes_in_goes_out_as_the_page_about_it_says(shared_server: Server, tmp_path: Path) -> None:
    blocks = re.findall(r"```(python|sh)\n(.*?)```", (ROOT / "docs" / "carrying.md").read_text("utf-8"), re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"NORMSCOPE_URL": shared_server.url, "PYTHONPATH": str(ROOT), "PATH": path}
    said = []
    for language, code in blocks:
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-ec", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert "first try: 100 of 100 steps were new; tags: 1 of scalars, 1 of histograms" in said[1]
    assert said[2].split() == ["first.parquet", "first.html"]
    assert said[3].startswith("fc1.weight 99 ")
    assert "p95" in said[4]


def test_the_programs_of_recipes_give_the_alerts_that_they_tell_of(shared_server: Server, tmp_path: Path) -> None:
    programs = ["\n".join(re.findall(r"```python\n(.*?)```", p.read_text("utf-8"), re.DOTALL)) for p in RECIPES]
    code = f"for program in {programs!r}: exec(program, {{}})"  # in one process: most of it is importing torch
    environment = os.environ | {"NORMSCOPE_URL": shared_server.url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    runs = {run["name"]: run for one in shared_server.get("/api/experiments")["experiments"] for run in one["runs"]}
    for path, program in zip(RECIPES, programs, strict=True):
        run = runs[re.findall(r'name="(.*?)"', program)[0]]
        said = [alert["sentence"] for alert in shared_server.get(f"/api/runs/{run['id']}/alerts")["alerts"]]
        assert [f"normscope: {one}" for one in said[:1]] == re.findall(
            r"^normscope: .*$", path.read_text("utf-8"), re.MULTILINE
        )
        assert (path.parent / f"../pictures/recipe-{path.stem}.png").exists()
