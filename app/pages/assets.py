"""The files that pages are made of, in a checkout and where installed alike, and how browsers may keep them."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

import plotly
import zstandard
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Scope

HOUSE: Final = Path(__file__).parents[2]
"""Where `static` and `templates` are."""
STATIC: Final = HOUSE / "static"
PLOTLY: Final = Path(str(files("plotly"))) / "package_data" / "plotly.min.js"
"""Plotly's own JavaScript, from the installed package: no other host is needed, and versions cannot drift."""
PLOTLY_PATH: Final = f"/vendor/plotly-{plotly.__version__}.min.js"
"""Where the server has it."""
FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For what is never anything else under the same address."""
TYPES: Final = {".js": "text/javascript", ".css": "text/css"}
"""What files of `static` are to browsers."""
PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": partial(zstandard.compress, level=12),
    "gzip": partial(gzip.compress, mtime=0),
}
"""How Plotly can be packed, what is smallest and soonest unpacked first; browsers take zstd over safe lines alone."""
IMPORT: Final = re.compile(r'(\bfrom |^import )"(\.{1,2}/[^"]+)"', re.MULTILINE)
"""How a module of ours imports another."""


class StampedFiles(StaticFiles):
    """`static` under an address that changes with it, so that browsers may keep what they have got.

    From memory: a page is some sixty small files, and to look for each, read it and pack it took longer than all else
    that a page asks of the server.
    """

    def __init__(self) -> None:
        super().__init__(directory=STATIC)
        self._stamp = ""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, to be kept.

        Raises:
            HTTPException: If there is none of that name, or something else than reading is asked for.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        if (
            scope["path_params"]["stamp"] != self._stamp
        ):  # it has changed, or is of a page that was opened before it did
            self._stamp = stamp()
        found = packed_static(self._stamp).get(path)
        if found is None:
            raise HTTPException(404)
        kind, data = found
        headers = FOREVER | {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        if "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
            data = gzip.decompress(data)
            del headers["Content-Encoding"]
        return Response(data, headers=headers, media_type=kind)


def stamp() -> str:
    """What tells this state of `static` from others. It takes well under a millisecond."""
    found = sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in STATIC.rglob("*.*"))
    return hashlib.sha256(repr(found).encode()).hexdigest()[:12]


def modules(*entries: str) -> list[str]:
    """Modules and all that they import, each once, by their paths in `static`."""
    return list(_modules(entries, stamp()))


@lru_cache(maxsize=8)
def _modules(entries: tuple[str, ...], _stamp: str) -> dict[str, None]:
    found: dict[str, None] = {}
    for entry in entries:
        _follow(entry, found)
    return found


def _follow(entry: str, found: dict[str, None]) -> None:
    """Add a module, and those that it imports, to what was found."""
    waiting = [entry]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            waiting += [urljoin(path, match[2]) for match in IMPORT.finditer((STATIC / path).read_text("utf-8"))]


@lru_cache(maxsize=1)
def packed_static(_stamp: str) -> dict[str, tuple[str, bytes]]:
    """What is in `static` for browsers, by path: its type, and it as gzip. It takes 20 ms, once."""
    found = [(path, TYPES[path.suffix]) for path in STATIC.rglob("*.*") if path.suffix in TYPES]
    return {str(path.relative_to(STATIC)): (kind, gzip.compress(path.read_bytes(), mtime=0)) for path, kind in found}


def encoding_for(accepted: str) -> str | None:
    """The best of how Plotly can be packed that a browser takes, by its `Accept-Encoding`; None if it takes neither."""
    names = [part.partition(";")[0].strip() for part in accepted.split(",")]
    return next((name for name in PACKERS if name in names), None)


@lru_cache(maxsize=2)
def packed_plotly(encoding: str) -> bytes:
    """Plotly, packed. It takes a third of a second to half a one, once."""
    return PACKERS[encoding](PLOTLY.read_bytes())
