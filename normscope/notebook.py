"""The live page inside a notebook: `watch.show()` and `normscope.view(…)`. Needs no notebook to be imported."""

from __future__ import annotations

import os
import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEFAULT_URL: Final = "http://127.0.0.1:8000"
HEIGHT: Final = 640
_SCHEMES: Final = ("http://", "https://")
_PATIENCE: Final = 5.0
"""Seconds that a server has to answer a run that wants to be shown."""


class View:
    """A page of the dashboard, which a notebook shows in a frame and everything else by its address.

    Attributes:
        address: Of the whole page.
        height: Of the frame, in pixels.
    """

    def __init__(self, address: str, height: int = HEIGHT) -> None:
        if not (isinstance(height, int) and height >= 100):
            raise ValueError(f"height: {height!r} is not a number of pixels, at least 100")
        self.address = address
        self.height = height

    def __repr__(self) -> str:
        return self.address

    def _repr_html_(self) -> str:
        parts = urlsplit(self.address)
        framed = urlunsplit(parts._replace(query="&".join(filter(None, ("embed=1", parts.query)))))
        return (
            f'<iframe src="{escape(framed)}" width="100%" height="{self.height}" style="border: 0" '
            f'title="Normscope" allow="clipboard-write; fullscreen"></iframe>'
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": self.address}


def view(url_or_run: str | None = None, height: int = HEIGHT) -> View:
    """A page, to be the last line of a notebook's cell.

    Args:
        url_or_run: The address of any page as the browser reaches it, also below a path of a reverse proxy; or a run's
            id, for its page on the server that `NORMSCOPE_URL` names; that server's list of experiments unless given.
        height: Of the frame, in pixels.

    Raises:
        ValueError: If it is neither, or the height makes no sense.
    """
    server = (os.environ.get("NORMSCOPE_URL") or DEFAULT_URL).rstrip("/")
    if url_or_run is None:
        return View(f"{server}/", height)
    if url_or_run.startswith(_SCHEMES):
        return View(url_or_run, height)
    if not url_or_run.isalnum():
        raise ValueError(
            f"view: {url_or_run!r} is neither an address that begins with http:// or https:// nor a run's id"
        )
    return View(f"{server}/r/{quote(url_or_run)}", height)


def show(server: str, run: Callable[[], str | None], height: int, file: Path | None = None) -> None:
    """Show a run's page in the notebook that this runs in, or print its address.

    Args:
        server: Where the browser reaches the server.
        run: What the server calls the run, once it has answered.
        height: Of the frame, in pixels.
        file: Where the run is recorded, if that is done instead of asking a server.

    Raises:
        ValueError: If that is no address, or the height makes no sense.
    """
    if not server.startswith(_SCHEMES):
        raise ValueError(f"url: {server!r} does not begin with http:// or https://")
    if file is not None:
        print(f"the run is recorded to {file}, and no server is asked: there is nothing to show")  # noqa: T201
        return
    deadline = time.monotonic() + _PATIENCE
    while (found := run()) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if found is None:
        print(f"{server} has not answered yet: there is nothing to show")  # noqa: T201  someone wants to see it
        return
    one = View(f"{server.rstrip('/')}/r/{quote(found, safe='')}", height)
    shell = sys.modules.get("IPython")
    if shell is not None and shell.get_ipython() is not None:
        shell.display.display(one)
    else:
        print(one)  # noqa: T201
