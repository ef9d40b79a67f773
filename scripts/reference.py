"""`make reference`: write docs/reference.md from the code: the HTTP interface, and what crosses the sockets."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

HOUSE = Path(__file__).resolve().parent.parent
PAGE = HOUSE / "docs" / "reference.md"
sys.path.insert(0, str(HOUSE))

import app.frames  # noqa: E402  from wherever this is called
from app.main import create_app  # noqa: E402
from app.pages.reference import Field, Operation, Type, objects, operations  # noqa: E402
from app.settings import Settings  # noqa: E402
from normscope import wire  # noqa: E402
from normscope.wire import codec, counters, file, messages  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SAID: Final[tuple[tuple[str, tuple[type[Any], ...]], ...]] = (
    ("The training process says", (wire.Hello, wire.Graph, wire.State, wire.Alert, wire.End)),
    ("The server says", (wire.Welcome, wire.Ack, wire.Control, wire.Viewed)),
    ("What is inside of them", (wire.Layer, wire.Place)),
)
TYPES: Final = {
    "str": "string", "str | None": "string or null", "int": "integer", "int | None": "integer or null",
    "bool": "true or false", "float": "number", "float | None": "number or null", "tuple[str, ...]": "list of strings",
    "tuple[Layer, ...]": "list of Layer", "tuple[Place, ...]": "list of Place, each as a list",
    "tuple[tuple[int, int], ...]": "list of pairs of integers", "dict[str, str]": "strings by name",
    "dict[str, float | None]": "numbers or nulls by name",
}  # fmt: skip
"""What JSON has for it."""
HEAD: Final = """# Reference

Written by `make reference` from the code; a running server shows its HTTP interface at `/docs`, and as `/openapi.json`.
Who may ask for what is in [security.md](security.md), how much of it in [limits.md](limits.md).

- [HTTP](#http), and the [objects](#objects) that it takes and gives
- [The training socket](#the-training-socket-wsingest) and [its frames](#frames)
- [The viewer's socket](#the-viewers-socket-wslive)
- [Recordings](#recordings)
"""


def page() -> str:
    """The whole page."""
    interface = create_app(Settings(data=Path("unused"))).openapi()
    return "\n".join([HEAD, *_http(interface), *_sockets(), *_file()]) + "\n"


def _http(interface: dict[str, Any]) -> Iterator[str]:
    every = operations(interface)
    answers = Counter((a.status, a.about) for one in every for a in one.answers if not a.type)
    shared = {answer for answer, count in answers.items() if count > len(every) / 2}
    yield "## HTTP\n"
    yield 'Times are unix seconds. An error is `{"detail": "one sentence"}`. Beside its own answers, each may get\n'
    yield from _table(("status", "when"), sorted(shared))
    for one in every:
        yield from _request(one, shared)
    yield "## Objects\n"
    for name, fields in objects(interface).items():
        yield f"### {name}\n"
        yield from _fields(fields)


def _request(one: Operation, shared: set[tuple[str, str]]) -> Iterator[str]:
    yield f"### `{one.method} {one.path}`\n\n{one.about}\n"
    if one.body:
        yield f"It takes {_typed(one.body)} as JSON.\n"
    if one.fields:
        yield from _fields(one.fields)
    answers = [a for a in one.answers if (a.status, a.about) not in shared]
    yield from _table(
        ("status", "answer"), ((a.status, ": ".join(filter(None, (a.about, _typed(a.type))))) for a in answers)
    )


def _fields(fields: Iterable[Field]) -> Iterator[str]:
    rows = [(f"`{f.name}`" + ("" if f.needed else " (may be left out)"), _typed(f.type), f.about) for f in fields]
    yield from _table(("name", "type", "meaning"), rows)


def _typed(kind: Type) -> str:
    return "".join(f"[{text}](#{anchor.lower()})" if anchor else text for text, anchor in kind)


def _sockets() -> Iterator[str]:
    yield "## The training socket, /ws/ingest\n"
    yield f"{_about(messages)[0]} Each has a `type`, its name in small letters."
    yield "Between them go frames, as binary messages: each behind its length as u32.\n"
    for title, kinds in SAID:
        yield f"### {title}\n"
        for kind in kinds:
            yield from _message(kind)
    yield f"### Frames\n\n{_block(codec)}\n\nCounters: {_block(counters)}\n"
    yield "## The viewer's socket, /ws/live\n"
    yield inspect.cleandoc(app.frames.__doc__ or "").partition("\n\n")[2] + "\n"


def _message(kind: type[Any]) -> Iterator[str]:
    about, meanings = _about(kind)
    yield f"**{kind.__name__}**: {about}\n"
    fields = {name: str(getattr(text, "__forward_arg__", text)) for name, text in kind.__annotations__.items()}
    rows = [(f"`{name}`", TYPES[text], meanings.get(name, "")) for name, text in fields.items()]
    yield from _table(("field", "type", "meaning"), rows)


def _file() -> Iterator[str]:
    yield f"## Recordings\n\n{_block(file)}"


def _block(module: Any) -> str:
    """A module's docstring."""
    return inspect.cleandoc(module.__doc__)


def _about(kind: Any) -> tuple[str, dict[str, str]]:
    """The first paragraph of a docstring, and what it says of attributes."""
    about, _, rest = inspect.cleandoc(kind.__doc__).partition("\n\nAttributes:\n")
    found: dict[str, str] = {}
    for line in inspect.cleandoc(rest).splitlines():
        name, colon, text = line.partition(": ")
        if colon and not line.startswith(" "):
            found[name], last = text, name
        else:
            found[last] += f" {line.strip()}"
    return about.partition("\n\n")[0].replace("\n", " "), found


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
