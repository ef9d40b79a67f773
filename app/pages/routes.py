"""The pages, made by jinja2, with the data they first show inside them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import jinja2
from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from normscope import __version__, catalogue
from normscope.alerts import BUILT_IN
from normscope.spec import DETAILS

from ..access.links import find_link, is_unlocked
from ..access.rights import Owner, Reader, Rights, link_rights
from ..api.routes import TheFindings, TheRun, TheStore, find_experiment, find_runs
from ..store import Experiment
from . import figures, reference, standalone
from .assets import FOREVER, HOUSE, PLOTLY, PLOTLY_PATH, encoding_for, modules, packed_plotly, stamp
from .comparison import compare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import HTTPConnection

    from normscope.catalogue import Chart, Claim

    from ..runs.experiments import Experiments
    from ..runs.findings import Findings
    from ..store import Link, Store
    from .glimpse import Glimpses

router = APIRouter(include_in_schema=False)

Runs = Annotated[str, Query(max_length=400, description="Ids with commas between.")]
View = Annotated[str, Query(max_length=2000, description="A page's query.")]

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HOUSE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
)
_templates.policies["json.dumps_kwargs"] = {"sort_keys": False}  # a claim's sizes are in order

_RULES = [
    {name: getattr(rule, name) for name in ("name", "measure", "relation", "bound", "steps", "words")}
    for rule in BUILT_IN
    if "output" in rule.kinds
]
"""When a layer is in trouble, wherever the step cursor stands: by the same rules as alerts."""


def page(template: str, request: HTTPConnection, **context: Any) -> HTMLResponse:
    """A template with what all of them need."""
    root = request.scope.get("root_path", "")
    common = {
        "root": root, "version": __version__, "plotly_url": root + PLOTLY_PATH, "static": f"{root}/static/{stamp()}",
        "modules": modules, "saved": None, "rules": _RULES,
        "access": {"asks": request.app.state.settings.asks, "session": request.state.rights.session},
    }  # fmt: skip
    html = _templates.get_template(template).render(common | context)
    # A form that is sent without a referrer has no origin either, and would look as if it came from elsewhere.
    referrer = {"Referrer-Policy": "same-origin"} if template == "login.html" else {}
    return HTMLResponse(html, headers={"Cache-Control": "no-store", **referrer})


def _expecting(request: Request, background: BackgroundTasks) -> None:
    """From the page that is asked for, an experiment may be started: once it has been sent, be ready for that."""
    experiments: Experiments | None = getattr(request.app.state, "experiments", None)
    if experiments is not None:  # a data folder that is only read launches none
        background.add_task(experiments.expect)


@router.get("/", dependencies=[Depends(_expecting)])
async def home(request: Request) -> HTMLResponse:
    """What can be started, and what has been."""
    first, *others = catalogue.CLAIMS.values()
    return page("home.html", request, claim=asdict(first), others=others)


@router.get("/c/{number}", dependencies=[Depends(_expecting)])
async def claim(number: int, request: Request) -> HTMLResponse:
    """A claim: what it says, what would decide it, and the form that tries it."""
    if number not in catalogue.CLAIMS:
        raise HTTPException(404, f"there is no claim {number}")
    neighbours = {"before": catalogue.CLAIMS.get(number - 1), "after": catalogue.CLAIMS.get(number + 1)}
    return page("claim.html", request, claim=asdict(catalogue.CLAIMS[number]), **neighbours)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The HTTP interface."""
    interface = request.app.openapi()
    parts = {"operations": reference.operations(interface), "objects": reference.objects(interface)}
    return page("reference.html", request, **parts)


@router.get("/e/{id}")
async def experiment(id: str, request: Request, store: TheStore, rights: Reader) -> HTMLResponse:
    """An experiment, live or finished."""
    return await _opened(request, await _experiment(store, rights, id, None))


@router.get("/e/{id}/saved.html")
async def saved_experiment(
    id: str, request: Request, store: TheStore, rights: Reader, findings: TheFindings, runs: Runs, view: View = ""
) -> HTMLResponse:
    """A view of an experiment as one file that needs no server."""
    return await _saved(request, store, findings, rights, await _experiment(store, rights, id, None), runs, view)


async def _opened(request: Request, context: dict[str, Any]) -> HTMLResponse:
    """The page of runs, with a picture of what it shows first if they have ended."""
    glimpses: Glimpses = request.app.state.glimpses
    glimpse = await glimpses.of(context["experiment"], context["figures"]["charts"], request.url.query)
    return page("experiment.html", request, **context, glimpse=glimpse)


async def _experiment(store: Store, rights: Rights, id: str, link: str | None) -> dict[str, Any]:
    shown = (await find_experiment(store, rights, id)).model_dump()
    claim = catalogue.CLAIMS.get(shown["claim"])
    return {
        "experiment": shown, "claim": None if claim is None else asdict(claim), "link": link, "differences": None,
        "figures": figures.build(shown, _measured(claim, shown["settings"])), "reading": link is not None,
    }  # fmt: skip


async def _saved(
    request: Request, store: Store, findings: Findings, rights: Rights, context: dict[str, Any], runs: str, view: str
) -> HTMLResponse:
    shown = context["experiment"]
    try:
        kept = await standalone.keep(store, shown, [one for one in runs.split(",") if one], view)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    finding = None
    if context["claim"] is not None:
        experiment = await store.get(Experiment, shown["id"])
        assert experiment is not None
        runs_seen = await find_runs(store, rights, experiment.id)
        finding = await findings.of(rights.shown_experiment(experiment), runs_seen)
    context |= {"link": None, "reading": True, "saved": standalone.whole(kept, finding)}
    response = page("experiment.html", request, **context, glimpse=None, parts=await standalone.parts())
    response.headers["Content-Disposition"] = f'attachment; filename="{_file_name(shown["name"])}.html"'
    return response


def _file_name(name: str) -> str:
    """A name in letters that every system takes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80] or "experiment"


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
    return await _opened(request, await _comparison(store, ids))


@router.get("/compare/{ids}/saved.html")
async def saved_comparison(
    ids: str, request: Request, store: TheStore, findings: TheFindings, rights: Owner, runs: Runs, view: View = ""
) -> HTMLResponse:
    """A view of runs of any experiments as one file that needs no server."""
    return await _saved(request, store, findings, rights, await _comparison(store, ids), runs, view)


async def _comparison(store: Store, ids: str) -> dict[str, Any]:
    try:
        shown, differences = await compare(store, ids.split(","))
    except ValueError as error:
        raise HTTPException(404, str(error)) from error
    return {
        "experiment": shown, "claim": None, "link": None, "differences": differences, "reading": False,
        "figures": figures.build(shown, _measured(None, {"detail": "everything"})),
    }  # fmt: skip


@router.get("/r/{id}")
async def run(run: TheRun, request: Request) -> RedirectResponse:
    """One run: its experiment's page, showing this run only."""
    query = "&".join(filter(None, (request.url.query, f"runs={run.id}")))
    return RedirectResponse(f"{request.scope.get('root_path', '')}/e/{run.experiment}?{query}", 307)


@router.get("/s/{token}")
async def shared(token: str, request: Request, store: TheStore) -> Response:
    """What a link opens: its view, read-only; or where it asks for its password."""
    try:
        link = await _link(store, token)
    except HTTPException as error:
        if "text/html" not in request.headers.get("accept", ""):
            raise
        response = page("gone.html", request)
        response.status_code = error.status_code
        return response
    if not is_unlocked(link, request.cookies):
        return page("login.html", request, next="", password=True, wrong=None)
    rights = await link_rights(store, token, request.cookies)
    if link.view and not request.url.query:
        return RedirectResponse(f"{request.url.path}?{link.view}", 307)
    return await _opened(request, await _experiment(store, rights, link.experiment, token))


@router.get("/s/{token}/saved.html")
async def saved_shared(
    token: str, request: Request, store: TheStore, findings: TheFindings, runs: Runs, view: View = ""
) -> HTMLResponse:
    """A view of what a link opens as one file that needs no server."""
    link = await _link(store, token)
    rights = await link_rights(store, token, request.cookies)
    context = await _experiment(store, rights, link.experiment, None)
    return await _saved(request, store, findings, rights, context, runs, view)


async def _link(store: Store, token: str) -> Link:
    """A link that opens."""
    link = await find_link(store, token)
    experiment = None if link is None else await store.get(Experiment, link.experiment)
    if link is None or experiment is None or experiment.deleted is not None:
        raise HTTPException(404, "this link is unknown, has expired or has been revoked")
    return link


@router.get(PLOTLY_PATH)
async def plotly_js(request: Request) -> Response:
    """Plotly's own JavaScript, packed beforehand: it is most of what a page weighs."""
    encoding = encoding_for(request.headers.get("accept-encoding", ""))
    if encoding is None:
        return FileResponse(PLOTLY, media_type="text/javascript", headers=FOREVER)
    packed = await asyncio.to_thread(packed_plotly, encoding)
    headers = FOREVER | {"Content-Encoding": encoding, "Vary": "Accept-Encoding"}
    return Response(packed, media_type="text/javascript", headers=headers)
