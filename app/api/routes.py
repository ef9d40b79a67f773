"""The HTTP interface."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from normscope import catalogue

from ..access.links import list_links, make_link, revoke_link
from ..access.rights import Owner, Reader, owner
from ..access.tokens import digest
from ..frames import query
from ..limits import LINKS
from ..runs.alerts import AlertOut, AlertsOut
from ..runs.estimate import estimate
from ..runs.experiments import Experiments, RefusedError
from ..runs.findings import Findings
from ..schemas import (
    BriefOut,
    Changes,
    EstimateOut,
    ExperimentBriefOut,
    ExperimentOut,
    ExperimentsOut,
    FindingOut,
    KnownOut,
    LinkOut,
    LinksOut,
    NewExperiment,
    NewLink,
    Pace,
    RunOut,
    RunsOut,
)
from ..store import Alert, Brief, Experiment, Run, Store
from .answers import ALWAYS, BODY, MISSING, STATE

if TYPE_CHECKING:
    from ..access.rights import Rights

router = APIRouter(responses=ALWAYS)


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _experiments(request: Request) -> Experiments:
    experiments: Experiments = request.app.state.experiments
    return experiments


def _findings(request: Request) -> Findings:
    findings: Findings = request.app.state.findings
    return findings


TheStore = Annotated[Store, Depends(_store)]


def _why(request: Request, rights: Reader) -> Why:
    """Why a run has not begun, for the owner: it may name a machine. A data folder that is only read launches none."""
    experiments: Experiments | None = getattr(request.app.state, "experiments", None)
    return experiments.reasons.of if experiments is not None and rights.owner else _unknown


def _unknown(_: Run) -> None:
    return None


Why = Callable[[Run], str | None]
TheWhy = Annotated[Why, Depends(_why)]
TheExperiments = Annotated[Experiments, Depends(_experiments)]
TheFindings = Annotated[Findings, Depends(_findings)]


async def find_experiment(store: Store, rights: Rights, id: str, why: Why = _unknown) -> ExperimentOut:
    """An experiment with its runs, and why some have not begun, if there is someone to ask.

    Raises:
        HTTPException: 404 if there is none that may be read.
    """
    experiment = await _experiment(store, rights, id)
    runs = await find_runs(store, rights, id)
    return ExperimentOut.of(experiment, [RunOut.of(run, why(run)) for run in runs])


async def find_runs(store: Store, rights: Rights, experiment: str) -> list[Run]:
    """Those of an experiment's runs that may be read, as they may be shown."""
    return [rights.shown(run) for run in await store.find(Run, experiment=experiment) if rights.sees(run)]


async def _experiment(store: TheStore, rights: Reader, id: str) -> Experiment:
    experiment = await store.get(Experiment, id)
    if experiment is None or experiment.deleted is not None or not rights.may_read(id):
        raise HTTPException(404, f"there is no experiment {id!r}")
    return rights.shown_experiment(experiment)


async def find_run(store: TheStore, rights: Reader, id: str) -> Run:
    """A run.

    Raises:
        HTTPException: 404 if there is none that may be read.
    """
    run = await store.get(Run, id)
    if run is None or not rights.sees(run):
        raise HTTPException(404, f"there is no run {id!r}")
    return rights.shown(run)


Id = Annotated[str, Query(pattern=r"^\w{1,16}$", description="Of a record.")]
TheExperiment = Annotated[Experiment, Depends(_experiment)]
TheRun = Annotated[Run, Depends(find_run)]


@router.get("/api/catalogue")
async def get_catalogue() -> dict[str, list[dict[str, Any]]]:
    """The claims that are ready to be tried."""
    return {"claims": [asdict(claim) for claim in catalogue.CLAIMS.values()]}


@router.get("/api/experiments")
async def get_experiments(store: TheStore, _: Owner) -> ExperimentsOut:
    """All experiments, newest first, with their runs in short."""
    # Experiments first: one that is added meanwhile is then left out whole, not shown without its runs.
    found = await store.find(Experiment, deleted=None)
    runs: defaultdict[str, list[Brief]] = defaultdict(list)
    for run in await store.find(Brief):
        runs[run.experiment].append(run)
    return ExperimentsOut(experiments=[ExperimentBriefOut.of(e, runs[e.id]) for e in reversed(found)])


@router.post("/api/experiments", status_code=201, responses=BODY | STATE)
async def post_experiment(
    body: NewExperiment, store: TheStore, experiments: TheExperiments, rights: Owner
) -> ExperimentOut:
    """Start an experiment: one training process for each arm, condition and seed."""
    try:
        experiment = await experiments.start(body.claim, body.settings, body.arms, body.size, body.name)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    return await find_experiment(store, rights, experiment.id)


@router.get("/api/experiments/{id}", responses=MISSING)
async def get_experiment(id: str, store: TheStore, rights: Reader, why: TheWhy) -> ExperimentOut:
    """One experiment with its runs."""
    return await find_experiment(store, rights, id, why)


@router.patch("/api/experiments/{id}", responses=MISSING | BODY)
async def patch_experiment(experiment: TheExperiment, body: Changes, store: TheStore, rights: Owner) -> ExperimentOut:
    """Give an experiment another name, tags or notes."""
    changes = body.model_dump(exclude_none=True)
    if not changes:
        raise HTTPException(422, "there is nothing to change: give a name, tags or notes")
    await store.change(Experiment, experiment.id, **changes)
    return await find_experiment(store, rights, experiment.id)


@router.delete("/api/experiments/{id}", status_code=204, responses=MISSING, dependencies=[Depends(owner)])
async def delete_experiment(experiment: TheExperiment, experiments: TheExperiments) -> None:
    """Stop an experiment's runs and throw it away; for some hours it can be brought back."""
    await experiments.delete(experiment.id)


@router.post("/api/experiments/{id}/restore", responses=MISSING)
async def post_restore(id: str, store: TheStore, rights: Owner) -> ExperimentOut:
    """Bring a deleted experiment back, as long as it has not been removed for good."""
    await store.change(Experiment, id, deleted=None)
    return await find_experiment(store, rights, id)


@router.post("/api/estimate", responses=BODY)
async def post_estimate(body: NewExperiment, store: TheStore, _: Owner) -> EstimateOut:
    """How long an experiment would take, were it started now."""
    try:
        return EstimateOut(**await estimate(store, body.claim, body.settings, body.arms, body.size))
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


@router.get("/api/experiments/{id}/runs", responses=MISSING)
async def get_experiment_runs(experiment: TheExperiment, store: TheStore, rights: Reader) -> RunsOut:
    """An experiment's runs in short."""
    found = await store.find(Brief, experiment=experiment.id)
    return RunsOut(runs=[BriefOut.of(run) for run in found if rights.sees(run)])


@router.get("/api/experiments/{id}/finding", responses=MISSING | STATE)
async def get_finding(experiment: TheExperiment, store: TheStore, findings: TheFindings, rights: Reader) -> FindingOut:
    """What the claim's rule says about what the experiment's runs came to so far."""
    return await findings.of(experiment, await find_runs(store, rights, experiment.id))


@router.post("/api/experiments/{id}/{action}", responses=MISSING | STATE)
async def post_control_all(
    experiment: TheExperiment, action: Literal["pause", "resume", "stop"], store: TheStore, experiments: TheExperiments,
    rights: Owner,
) -> RunsOut:  # fmt: skip
    """Pause, resume or stop all runs of an experiment that have not ended."""
    await experiments.control_all(experiment.id, action)
    return await get_experiment_runs(experiment, store, rights)


@router.get("/api/runs")
async def get_runs(store: TheStore, _: Owner, key: Annotated[str, Query(min_length=16, max_length=100)]) -> KnownOut:
    """The run that was introduced with this key, if there is one: whoever brings a run in parts asks what is there."""
    found = await store.find(Run, token_hash=digest(key))
    there = [run for run in found if await store.find(Experiment, id=run.experiment, deleted=None)]
    return KnownOut(runs=[RunOut.of(run) for run in there])


@router.get("/api/runs/{id}", responses=MISSING)
async def get_run(run: TheRun, why: TheWhy) -> RunOut:
    """One run."""
    return RunOut.of(run, why(run))


@router.get("/api/runs/{id}/alerts", responses=MISSING)
async def get_alerts(run: TheRun, store: TheStore) -> AlertsOut:
    """What people were told of a run."""
    return AlertsOut(alerts=[AlertOut.of(alert) for alert in await store.find(Alert, run=run.id)])


@router.post("/api/runs/{id}/pace", responses=MISSING | BODY | STATE, dependencies=[Depends(owner)])
async def post_pace(run: TheRun, body: Pace, experiments: TheExperiments) -> RunOut:
    """Limit how many steps a run makes in a second."""
    return RunOut.of(await experiments.control(run, "pace", body.steps_per_second))


@router.post("/api/runs/{id}/{action}", responses=MISSING | STATE, dependencies=[Depends(owner)])
async def post_control(
    run: TheRun, action: Literal["pause", "resume", "step", "stop"], experiments: TheExperiments
) -> RunOut:
    """Pause a run, let it go on, let it make one step, or end it with a checkpoint."""
    return RunOut.of(await experiments.control(run, action))


@router.get("/api/runs/{id}/history", responses=MISSING, response_class=Response)
async def get_history(
    run: TheRun,
    store: TheStore,
    first_step: Annotated[int, Query(ge=0, le=2**32)] = 0,
    last_step: Annotated[int | None, Query(ge=0, le=2**32)] = None,
    points: Annotated[int, Query(ge=1, le=10_000)] = 600,
    layers: Annotated[
        str | None, Query(pattern=r"^(\d{1,5}(,\d{1,5})*)?$", description="Indices; all unless given.")
    ] = None,
    format: Literal["frames", "json"] = "frames",
) -> Response:
    """The frames that cover a range of steps, merged to about as many points as asked for."""
    chosen = None if layers is None else {int(i) for i in layers.split(",") if i}
    frames = query.history(store, run, first_step=first_step, last_step=last_step, points=points, layers=chosen)
    headers = {"Cache-Control": "no-store", "X-Last-Seq": str(run.last_seq)}
    parts, kind = (
        (query.in_words(frames), "application/json") if format == "json"
        else (query.packed(frames), query.MEDIA)
    )  # fmt: skip
    return StreamingResponse(await query.begun(parts), media_type=kind, headers=headers)


@router.get("/api/links")
async def get_links(store: TheStore, experiment: Id, _: Owner) -> LinksOut:
    """An experiment's links that still open."""
    return LinksOut(links=[LinkOut.of(link) for link in await list_links(store, experiment)])


@router.post("/api/links", status_code=201, responses=MISSING | BODY | STATE)
async def post_link(body: NewLink, store: TheStore, rights: Owner, request: Request) -> LinkOut:
    """Make a link that opens a view read-only. Its address is in this answer and nowhere else."""
    known = [run.id for run in (await find_experiment(store, rights, body.experiment)).runs]
    runs = {"now": known, "all": None}[body.runs] if isinstance(body.runs, str) else body.runs
    if unknown := [run for run in runs or () if run not in known]:
        raise HTTPException(422, f"runs: the experiment has no run {unknown[0][:40]!r}")
    if len(await list_links(store, body.experiment)) >= LINKS:
        raise RefusedError(f"this experiment has {LINKS} links, as many as can be; revoke some")
    view = body.view.removeprefix("?")
    link, token = await make_link(store, body.experiment, view, runs, body.hours, body.password)
    return LinkOut.of(link, f"{request.scope.get('root_path', '')}/s/{token}")


@router.delete("/api/links/{id}", responses=MISSING)
async def delete_link(id: str, store: TheStore, request: Request, _: Owner) -> LinkOut:
    """Revoke a link; pages that it opened close within a second."""
    link = await revoke_link(store, request.app.state.bus, id)
    if link is None:
        raise HTTPException(404, f"there is no link {id!r}")
    return LinkOut.of(link)
