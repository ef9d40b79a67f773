"""The example notebooks run from their first cell to their last, and pages are shown in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import nbclient
import nbformat
import pytest
from torch import nn

import normscope
from normscope import notebook

if TYPE_CHECKING:
    from ..conftest import Server
    from ..peer import Peer

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def outputs(shared_server: Server) -> dict[str, list[dict[str, Any]]]:
    """What the cells of each notebook have put out; one kernel is started for all, since that is what takes long."""
    whole, of = nbformat.v4.new_notebook(), {}  # type: ignore[no-untyped-call]
    for path in NOTEBOOKS:
        cells = nbformat.read(path, 4).cells  # type: ignore[no-untyped-call]
        assert not any(cell.get("outputs") for cell in cells), "it is committed without outputs"
        whole.cells += [nbformat.v4.new_code_cell("%reset -f"), *cells]  # type: ignore[no-untyped-call]
        of[path.stem] = cells
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NORMSCOPE_URL", shared_server.url)
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        nbclient.NotebookClient(whole, timeout=60, resources={"metadata": {"path": str(ROOT)}}).execute()
    return {name: [out for cell in cells for out in cell.get("outputs", ())] for name, cells in of.items()}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_trains_a_net_and_shows_its_page(
    shared_server: Server, outputs: dict[str, list[dict[str, Any]]], path: Path
) -> None:
    first, *_, last = outputs[path.stem]
    found = re.search(rf'<iframe src="{shared_server.url}/r/(\w+)\?embed=1"', first["data"]["text/html"])
    assert found is not None
    run = shared_server.run(found[1])
    assert (run["status"], run["last_step"] > 50) == ("finished", True)
    assert first["data"]["text/plain"] == f"{shared_server.url}/r/{found[1]}"
    if path.stem == "first-look":
        assert f'<iframe src="{shared_server.url}/?embed=1"' in last["data"]["text/html"]
    else:
        assert last["data"]["text/plain"] == "[]"


def test_what_is_framed_is_the_address_below_any_path_and_escaped() -> None:
    one = normscope.view('https://lab.example/user/me/proxy/8000/e/abc?tab=landscape&layers="x"', height=300)
    html = one._repr_mimebundle_()["text/html"]
    assert (
        'src="https://lab.example/user/me/proxy/8000/e/abc?embed=1&amp;tab=landscape&amp;layers=&quot;x&quot;"' in html
    )
    assert 'height="300"' in html
    assert repr(one).startswith("https://lab.example/user/me/proxy/8000/e/abc?tab")


@pytest.mark.parametrize(
    ("arguments", "words"), [(("ftp://x",), "'ftp://x'"), (("a/b",), "'a/b'"), (("abc", 3), "3 is")]
)
def test_what_cannot_be_shown_is_refused(arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=r"view|height") as error:
        normscope.view(*arguments)
    assert words in str(error.value)


def test_outside_of_notebooks_the_address_is_printed(peer: Peer, capsys: pytest.CaptureFixture[str]) -> None:
    with normscope.watch(nn.Linear(1, 1), url=peer.url) as watch:
        watch.show()
        watch.show(url="https://lab.example/proxy/8000/")
    assert capsys.readouterr().out.split() == [f"{peer.url}/r/r1", "https://lab.example/proxy/8000/r/r1"]


def test_what_a_server_calls_a_run_is_part_of_an_address_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    attack = '"><script>alert(1)</script>/../../\x1b[2J?token=x#'
    notebook.show("http://127.0.0.1:8000", lambda: attack, 200)
    (address,) = capsys.readouterr().out.splitlines()
    assert address == f"http://127.0.0.1:8000/r/{quote(attack, safe='')}"
    html = notebook.View(f"http://127.0.0.1:8000/e/x?layers={attack}", 200)._repr_html_()
    assert (html.count("<"), html.count('"')) == (2, 12)  # of the frame itself
    for url in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"):
        with pytest.raises(ValueError, match="neither an address"):
            normscope.view(url)
        with pytest.raises(ValueError, match="does not begin with http"):
            notebook.show(url, lambda: "r1", 200)


def test_a_notebook_is_not_needed_to_watch() -> None:
    code = "import sys, normscope; normscope.watch, normscope.view(); sys.exit('IPython' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small(path: Path) -> None:
    assert path.stat().st_size < 8000
    assert all(cell["source"] for cell in json.loads(path.read_text("utf-8"))["cells"])
