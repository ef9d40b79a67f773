"""The pages, made by jinja2, with the data they first show inside them."""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
import plotly
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from normscope import __version__, catalogue
from normscope.spec import DETAILS

from . import figures
from .access import Owner, Reader, Rights, link_rights
from .api import TheRun, TheStore, find_experiment
from .comparison import compare
from .links import find_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from normscope.catalogue import Chart, Claim

    from .store import Store

router = APIRouter(include_in_schema=False)

HOUSE: Final = Path(__file__).parent.parent
"""Where `static` and `templates` are, in a checkout and where installed alike."""
_PLOTLY: Final = f"vendor/plotly-{plotly.__version__}.min.js"

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HOUSE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
)
_templates.policies["json.dumps_kwargs"] = {"sort_keys": False}  # a claim's sizes are in order


def _page(template: str, request: Request, **context: Any) -> HTMLResponse:
    root = request.scope.get("root_path", "")
    common = {"root": root, "version": __version__, "plotly_url": f"{root}/static/{_PLOTLY}"}
    html = _templates.get_template(template).render(**common, **context)
    return HTMLResponse(html, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


@router.get("/")
async def home(request: Request) -> HTMLResponse:
    """What can be started, and what has been."""
    first, *others = catalogue.CLAIMS.values()
    return _page("home.html", request, claim=asdict(first), others=others)


@router.get("/c/{number}")
async def claim(number: int, request: Request) -> HTMLResponse:
    """A claim: what it says, what would decide it, and the form that tries it."""
    if number not in catalogue.CLAIMS:
        raise HTTPException(404, f"there is no claim {number}")
    neighbours = {"before": catalogue.CLAIMS.get(number - 1), "after": catalogue.CLAIMS.get(number + 1)}
    return _page("claim.html", request, claim=asdict(catalogue.CLAIMS[number]), **neighbours)


@router.get("/e/{id}")
async def experiment(id: str, request: Request, store: TheStore, rights: Reader) -> HTMLResponse:
    """An experiment, live or finished."""
    return await _experiment(request, store, rights, id, None)


async def _experiment(request: Request, store: Store, rights: Rights, id: str, link: str | None) -> HTMLResponse:
    shown = (await find_experiment(store, rights, id)).model_dump()
    claim = catalogue.CLAIMS.get(shown["claim"])
    return _page(
        "experiment.html", request, experiment=shown, claim=None if claim is None else asdict(claim),
        figures=figures.build(shown, _measured(claim, shown["settings"])), link=link, differences=None,
    )  # fmt: skip


def _measured(claim: Claim | None, settings: Mapping[str, Any]) -> dict[str, list[Chart]]:
    """The charts of what an experiment measures, by tab. Looks along the gradient have a tab of their own."""
    detail = DETAILS[settings.get("detail", "outputs")]
    tabs = {
        "gradients": [name for name in detail if name == "health"],
        "normalizer": [name for name in detail if name == "normalizers"],
        "evidence": () if claim is None else claim.fixed.get("measures", ()),
    }
    charts = {tab: [c for name in names for c in catalogue.CHARTS.get(name, ())] for tab, names in tabs.items()}
    return {tab: found for tab, found in charts.items() if found}


@router.get("/compare/{ids}")
async def comparison(ids: str, request: Request, store: TheStore, _: Owner) -> HTMLResponse:
    """Runs of any experiments, given with commas between, as if they were of one."""
    try:
        shown, differences = await compare(store, ids.split(","))
    except ValueError as error:
        raise HTTPException(404, str(error)) from error
    return _page(
        "experiment.html", request, experiment=shown, claim=None, differences=differences,
        figures=figures.build(shown, _measured(None, {"detail": "everything"})), link=None,
    )  # fmt: skip


@router.get("/r/{id}")
async def run(run: TheRun, request: Request) -> RedirectResponse:
    """One run: its experiment's page, showing this run only."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/e/{run.experiment}?runs={run.id}", 307)


@router.get("/s/{token}")
async def shared(token: str, request: Request, store: TheStore) -> Response:
    """What a link opens: its view, read-only."""
    rights = await link_rights(store, token)
    link = await find_link(store, token)
    if rights is None or link is None:
        raise HTTPException(404, "this link is unknown or has been revoked")
    if link.view and not request.url.query:
        return RedirectResponse(f"{request.url.path}?{link.view}", 307)
    return await _experiment(request, store, rights, link.experiment, token)


@router.get(f"/static/{_PLOTLY}")
async def plotly_js() -> FileResponse:
    """Plotly's own JavaScript, from the installed package: no other host is needed, and versions cannot drift."""
    path = Path(str(files("plotly"))) / "package_data" / "plotly.min.js"
    return FileResponse(
        path, media_type="text/javascript", headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )
