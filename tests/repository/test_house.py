"""The layout and the import rule of docs/architecture.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
TORCH_FREE = {"normscope", "normscope.wire", "normscope.sketch", "normscope.spec", "normscope.catalogue",
              "normscope.errors", "normscope.background", "normscope.findings", "normscope.alerts",
              "normscope.words"}  # fmt: skip
FIXED = [
    *("pyproject.toml", "app", "trainer", "static", "templates", "tests", "docker-compose.yml"),
    *("normscope", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "Dockerfile"),
    *("constraints.txt", "benchmarks", "docs/architecture.md", "docs/adr", ".ci/run"),
]


def imports(path: Path) -> set[str]:
    """Absolute dotted names of everything a file imports, inside functions too."""
    package = path.relative_to(HOUSE).parent.parts
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def files(room: str) -> list[Path]:
    found = sorted((HOUSE / room).rglob("*.py"))
    assert found, f"{room} is empty"
    return found


def foreign(path: Path, *rooms: str) -> set[str]:
    return {name for name in imports(path) if name.split(".")[0] in rooms}


@pytest.mark.parametrize("name", FIXED)
def test_what_the_house_consists_of_is_there(name: str) -> None:
    assert (HOUSE / name).exists()


def test_the_library_imports_nothing_of_ours_but_itself() -> None:
    assert {str(p): foreign(p, "app", "trainer") for p in files("normscope") if foreign(p, "app", "trainer")} == {}


def test_the_trainer_imports_only_the_library() -> None:
    assert {str(p): foreign(p, "app") for p in files("trainer") if foreign(p, "app")} == {}


def test_the_trainer_watches_as_a_user_would() -> None:
    public = ("normscope.spec", "normscope.errors", "normscope.measures")
    for path in files("trainer"):
        if path.name in ("__main__.py", "processes.py"):  # where processes are made, before there is anything to watch
            continue
        assert not {name for name in foreign(path, "normscope") if name != "normscope" and not name.startswith(public)}


def test_the_server_imports_only_the_torch_free_library() -> None:
    for path in files("app"):
        assert not foreign(path, "trainer", "torch"), path
        for name in foreign(path, "normscope"):
            assert name in TORCH_FREE or name.rpartition(".")[0] in TORCH_FREE, f"{path} imports {name}"


@pytest.mark.parametrize("port", ["store", "bus", "launcher"])
def test_ports_import_nothing_above_them(port: str) -> None:
    for path in files(f"app/{port}"):
        if "migrations" in path.parts:
            continue
        inside = {name for name in foreign(path, "app") if not name.startswith(f"app.{port}")}
        assert inside == set(), path


ROOMS = ("access", "runs", "frames", "api", "pages")
"""The server's rooms above the ports, each of which may look into those before it."""


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_look_only_into_those_below(room: str) -> None:
    above = tuple(f"app.{other}" for other in (*ROOMS[ROOMS.index(room) + 1 :], "commands", "main"))
    for path in files(f"app/{room}"):
        assert not {name for name in foreign(path, "app") if name.startswith(above)}, path


@pytest.mark.parametrize(("port", "protocol"), [("store", "Store"), ("bus", "Bus"), ("launcher", "Launcher")])
def test_a_port_asks_for_at_most_seven_methods(port: str, protocol: str) -> None:
    tree = ast.parse((HOUSE / "app" / port / "__init__.py").read_text())
    (found,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == protocol]
    functions = [n for n in found.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    methods = [n for n in functions if len(n.body) == 1]  # a docstring alone: the adapter has to write it
    assert 1 <= len(methods) <= 7


def test_a_running_server_never_loads_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from app.main import create_app; from app.settings import Settings\n"
        "import app.store.sql, app.bus.memory, app.launcher.local\n"
        "create_app(Settings(data=Path('unused'))); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=HOUSE, check=False).returncode == 0


def test_one_file_knows_plotly_and_one_knows_bytes() -> None:
    scripts = {p.name: p.read_text() for p in (HOUSE / "static").rglob("*.js")}
    assert {name for name, text in scripts.items() if "Plotly." in text} == {"charts.js"}
    assert {name for name, text in scripts.items() if "DataView" in text} == {"wire.js"}


def test_pages_need_no_other_host() -> None:
    for path in [*(HOUSE / "static").rglob("*"), *(HOUSE / "templates").iterdir()]:
        if path.suffix in (".js", ".css", ".html"):
            text = path.read_text()
            for scheme in ("http://", "https://"):
                outside = [
                    t
                    for t in text.split(scheme)[1:]
                    if not t.startswith(("www.w3.org/", "arxiv.org/", "localhost", "127.0.0.1"))
                ]
                assert not outside, f"{path.name} mentions {scheme}{outside[0][:40]}"


def test_source_files_stay_readable() -> None:
    long: dict[str, int] = {}
    for room in ("normscope", "app", "trainer"):
        long |= {str(p): n for p in files(room) if (n := len(p.read_text().splitlines())) > 300}
    long |= {p.name: n for p in (HOUSE / "static").rglob("*.js") if (n := len(p.read_text().splitlines())) > 300}
    assert long == {}
