"""A view as one file: everything that the page needs to show it, so that it opens without a server, anywhere, later."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urljoin

from ..access.headers import saved_policy
from ..frames import query
from ..runs.alerts import AlertOut
from ..store import Alert, Run
from .assets import IMPORT, STATIC, modules, packed_plotly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..schemas import FindingOut
    from ..store import Store

MOST: Final = 12
"""Runs in a file: each adds about two megabytes."""
POINTS: Final = 600
"""Frames of a run's whole history, and of the span that is shown, as on the page."""
SUMMARIES: Final = 200_000
"""Summaries of layers in all of a file's histories, about 26 MB; those of nets of very many layers are coarser."""
ENTRY: Final = "experiment.js"


async def keep(store: Store, shown: dict[str, Any], ids: Sequence[str], view: str) -> dict[str, Any]:
    """What a file keeps of some of an experiment's runs, which become all that it has.

    Args:
        store: Where the histories are.
        shown: The experiment, as its page gets it; runs that are not kept are taken out of it.
        ids: The runs to keep.
        view: The page's query, for the view that the file opens with.

    Returns:
        `at` (unix seconds), `view`, `arms` (those of the whole experiment: their order gives colours), and by run
        `histories`, `alerts` and, if the view shows only some steps, `closeups`, both base64 of frames as `GET
        /api/runs/{id}/history` answers them.

    Raises:
        ValueError: If there are no runs, too many, or one is not of the experiment.
    """
    known = {run["id"]: run for run in shown["runs"]}
    if unknown := [one for one in ids if one not in known]:
        raise ValueError(f"there is no run {unknown[0]!r} here")
    if not 1 <= len(ids) <= MOST:
        raise ValueError(f"{len(ids)} runs cannot be saved in one file; show 1 to {MOST} of them")
    arms = list(dict.fromkeys(run["arm"] for run in shown["runs"]))
    shown["runs"] = [run for run in shown["runs"] if run["id"] in ids]
    span = _span(view)
    runs = await store.find(Run, id=list(ids))
    points = points_of(runs)
    return {
        "at": time.time(),
        "view": view,
        "arms": arms,
        "histories": {run.id: await _history(store, run, points, 0, None) for run in runs},
        "alerts": {run.id: [AlertOut.of(a).model_dump() for a in await store.find(Alert, run=run.id)] for run in runs},
        "closeups": {} if span is None else {run.id: await _history(store, run, points, *span) for run in runs},
    }


def points_of(runs: Sequence[Run]) -> int:
    """How many frames there is room for of each run."""
    summaries = sum(len(layer["kinds"]) for run in runs for layer in run.layers)
    return max(1, min(POINTS, SUMMARIES // max(summaries, 1)))


async def _history(store: Store, run: Run, points: int, first: int, last: int | None) -> str:
    parts = query.history(store, run, first_step=first, last_step=last, points=points, layers=None)
    return base64.b64encode(b"".join([part async for part in query.packed(parts)])).decode()


def _span(view: str) -> tuple[int, int] | None:
    """The steps that a view shows alone, if it tells them in steps; the page's `static/data/view.js` writes it."""
    if "by" in parse_qs(view):
        return None
    found = re.fullmatch(r"(\d{1,15})-(\d{1,15})", parse_qs(view).get("span", [""])[0])
    return None if found is None else (int(found[1]), int(found[2]))


def whole(saved: dict[str, Any], finding: FindingOut | None) -> dict[str, Any]:
    """What the page's script reads, with the finding as it was."""
    return saved | {"finding": None if finding is None else finding.model_dump()}


async def parts() -> dict[str, Any]:
    """What every file has.

    `modules` (an import map), `style`, `early` (a script), `plotly` (gzip, in base64), and what allows these and no
    other scripts: a `policy` and its `nonce`.
    """
    plotly = base64.b64encode(await asyncio.to_thread(packed_plotly, "gzip")).decode()
    nonce = secrets.token_urlsafe(16)
    return {
        "modules": {f"normscope/{path}": _address(path) for path in modules(ENTRY)},
        "style": (STATIC / "style.css").read_text("utf-8"),
        "early": (STATIC / "early.js").read_text("utf-8"),
        "plotly": plotly,
        "policy": saved_policy(nonce),
        "nonce": nonce,
    }


def _address(path: str) -> str:
    """A module as an address that holds it whole.

    A module of which only the text is known has no place that others could be beside, so what it imports by a path gets
    a name of its own.
    """
    text = IMPORT.sub(
        lambda match: f'{match[1]}"normscope/{urljoin(path, match[2])}"', (STATIC / path).read_text("utf-8")
    )
    return "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()
