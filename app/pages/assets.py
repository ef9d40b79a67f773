"""The files that pages are made of, in a checkout and where installed alike, and how browsers may keep them."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import plotly
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.responses import Response

HOUSE: Final = Path(__file__).parents[2]
"""Where `static` and `templates` are."""
STATIC: Final = HOUSE / "static"
PLOTLY: Final = Path(str(files("plotly"))) / "package_data" / "plotly.min.js"
"""Plotly's own JavaScript, from the installed package: no other host is needed, and versions cannot drift."""
PLOTLY_PATH: Final = f"/vendor/plotly-{plotly.__version__}.min.js"
"""Where the server has it."""
FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For what is never anything else under the same address."""
IMPORT: Final = re.compile(r'(\bfrom |^import )"(\.{1,2}/[^"]+)"', re.MULTILINE)
"""How a module of ours imports another."""


class StampedFiles(StaticFiles):
    """`static` under an address that changes with it, so that browsers may keep what they have got."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """A file, to be kept."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(FOREVER)
        return response


def stamp() -> str:
    """What tells this state of `static` from others. It takes well under a millisecond."""
    found = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in STATIC.rglob("*.*"))
    return hashlib.sha256(repr(found).encode()).hexdigest()[:12]


def modules(entry: str) -> list[str]:
    """A module and all that it imports, by their paths in `static`."""
    return list(_modules(entry, stamp()))


@lru_cache(maxsize=8)
def _modules(entry: str, _stamp: str) -> dict[str, None]:
    found: dict[str, None] = {}
    waiting = [entry]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            waiting += [urljoin(path, match[2]) for match in IMPORT.finditer((STATIC / path).read_text("utf-8"))]
    return found


@lru_cache(maxsize=1)
def packed_plotly() -> bytes:
    """Plotly as gzip. It takes a third of a second, once."""
    return gzip.compress(PLOTLY.read_bytes(), mtime=0)
