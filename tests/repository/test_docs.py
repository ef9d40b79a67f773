"""What the documentation shows works as it stands there, against a real server; and its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..conftest import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..conftest import Server

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "docs" / "recipes").glob("*.md"))
PAGES = [ROOT / "docs" / "quickstart.md", *sorted((ROOT / "docs" / "integrations").glob("*.md"))]
TEXTS = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if path.parent.name != "findings"
)  # there are parts of docs/science.md
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Where a page's links lead in the house: files, and the heading that is meant."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    for _, target in LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """What its headings are called in addresses, as forges do it."""
    text = page.read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    named = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return named | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_every_page_and_picture_is_found_from_the_readme() -> None:
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in found:
            found.add(page)
            waiting += [target for target, _ in links(page)] if page.suffix == ".md" else []
    folders = [path for path in found if path.is_dir()]
    there = {*TEXTS, *(ROOT / "docs").rglob("*.png"), *(ROOT / "docs").rglob("*.ipynb")}
    assert {path.name for path in there if path not in found and path.parent not in folders} == set()


def test_there_is_a_page_for_each_integration_and_a_picture_for_each_recipe() -> None:
    known = (ROOT / "normscope").glob("*.py")
    modules = [path for path in known if "class NormscopeCallback" in path.read_text("utf-8")]
    assert {"lightning", "transformers"} <= {path.stem for path in modules} <= {page.stem for page in PAGES}
    assert {"pytorch", "distributed", "quickstart"} <= {page.stem for page in PAGES}
    assert len(RECIPES) >= 3
    for recipe in RECIPES:
        assert any(path.suffix == ".png" for path, _ in links(recipe)), recipe


def test_the_reference_is_what_the_program_does() -> None:
    code = "import sys; sys.path.insert(0, 'scripts'); import reference; sys.stdout.write(reference.page())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "docs" / "reference.md").read_text("utf-8"), "run make reference"


def test_what_viewers_may_say_and_hear_is_in_the_reference() -> None:
    said = re.findall(r'"type": "(\w+)"|kind == "(\w+)"', (ROOT / "app" / "frames" / "live.py").read_text("utf-8"))
    text = (ROOT / "docs" / "reference.md").read_text("utf-8").partition("/ws/live\n")[2]
    assert {one or other for one, other in said} == set(re.findall(r'"type": "(\w+)"', text))


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "distributed"], ids=lambda page: page.stem)
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


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("name", ["several ranks", "accelerated"])
def test_the_programs_of_several_processes_run_as_their_page_says(
    shared_server: Server, name: str, ranks: int, tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "integrations" / "distributed.md").read_text("utf-8")
    (code,) = (code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if f'name="{name}"' in code)
    (tmp_path / "train.py").write_text(code, "utf-8")
    starting = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)] if ranks > 1 else []
    if name == "accelerated" and ranks == 1:
        plain = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
        starting = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "1", *plain]
    environment = os.environ | {"NORMSCOPE_URL": shared_server.url, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *starting, "train.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    newest = shared_server.get("/api/experiments")["experiments"][0]
    (run,) = (shared_server.run(run["id"]) for run in newest["runs"])
    assert (run["name"], run["status"], len(run["edges"])) == (name, "finished", 3)
    assert run["versions"].get("processes") == (f"{ranks} ranks, merged" if ranks > 1 else None)
    assert run["last_step"] > 100


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES[:1], ROOT / "docs" / "integrations" / "pytorch.md"])
def test_a_loop_is_watched_by_two_lines_and_an_import(page: Path) -> None:
    (code, *_) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    lines = [line.strip() for line in code.splitlines() if re.search(r"normscope|watch", line)]
    stop = [line for line in lines if "watch.stopped" in line]
    assert lines[0] == "import normscope"
    assert [line.split("(")[0] for line in lines[1:] if line not in stop] == ["with normscope.watch", "watch.step"]


def test_what_comes_in_goes_out_as_the_page_about_it_says(shared_server: Server, tmp_path: Path) -> None:
    blocks = re.findall(r"```(python|sh)\n(.*?)```", (ROOT / "docs" / "carrying.md").read_text("utf-8"), re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"NORMSCOPE_URL": shared_server.url, "PYTHONPATH": str(ROOT), "PATH": path}
    environment["NORMSCOPE_UNSENT"] = str(tmp_path / "unsent")
    away = blocks[0][1].replace(', file="run.normscope"', "").replace("far away", "left behind")
    nowhere = environment | {"NORMSCOPE_URL": f"http://127.0.0.1:{free_port()}"}
    subprocess.run([sys.executable, "-c", away], cwd=tmp_path, env=nowhere, capture_output=True, check=True)
    said = []
    for language, code in blocks:
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-ec", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    assert said[1] == "200 (200, 4) (200, 1)\n"
    assert said[2] == "run.normscope: far away, 200 of 200 steps were new\n"
    assert "left behind, 200 of 200 steps were new" in said[3]
    assert list((tmp_path / "unsent").iterdir()) == []
    assert "first try: 100 of 100 steps were new; tags: 1 of scalars, 1 of histograms" in said[5]
    assert said[6].split() == ["first.parquet", "first.html"]
    assert said[7].startswith("fc1.weight 99 ")
    assert "p95" in said[8]


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
