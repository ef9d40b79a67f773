"""What requests and answers look like; the OpenAPI page is made from this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

if TYPE_CHECKING:
    from .store import Brief, Experiment, Link, Run

Number = StrictInt | StrictFloat
Text = Annotated[str, Field(min_length=1, max_length=200)]
Tag = Annotated[str, Field(pattern=r"^[^\s,]{1,40}$")]
"""A word without blanks and commas."""


class NewExperiment(BaseModel):
    """What to start."""

    model_config = ConfigDict(extra="forbid")

    claim: StrictInt = Field(description="The number of a claim in the catalogue.")
    size: str | None = Field(None, description="One of the claim's sizes, whose settings and arms to begin with.")
    settings: dict[str, Number | StrictStr | StrictBool | list[Number]] = Field(default_factory=dict)
    arms: list[str] | None = Field(None, description="The size's arms, else the claim's own, unless given.")
    name: Text | None = None


class Changes(BaseModel):
    """What to change about an experiment: whatever is given."""

    model_config = ConfigDict(extra="forbid")

    name: Text | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None
    notes: Annotated[str, Field(max_length=10_000)] | None = None


class EstimateOut(BaseModel):
    """How long an experiment would take."""

    runs: int
    seconds: float | None = Field(description="Until the last run ends; null if none of the claim has finished here.")
    basis: int = Field(description="How many finished runs this rests on.")


class Pace(BaseModel):
    """How fast a run may go."""

    model_config = ConfigDict(extra="forbid")

    steps_per_second: Annotated[float, Field(gt=0, le=1e6)] | None = Field(description="Null: no limit.")


class NewLink(BaseModel):
    """What to share."""

    model_config = ConfigDict(extra="forbid")

    experiment: str
    view: Annotated[str, Field(max_length=2000)] = ""
    runs: Annotated[list[str], Field(min_length=1)] | Literal["now", "all"] = Field(
        "now", description="Ids of runs; or all that the experiment has now; or all, also those added later."
    )
    hours: Annotated[float, Field(gt=0, le=87_600)] | None = Field(None, description="After these it ends; or never.")
    password: Annotated[str, Field(min_length=4, max_length=200)] | None = Field(
        None, description="What it asks whoever opens it for."
    )


class LayerOut(BaseModel):
    """A watched layer."""

    name: str
    type: str
    kinds: list[str]


class ControlOut(BaseModel):
    """What a person wants of a run."""

    paused: bool
    pace: float | None
    stop: bool


class BriefOut(BaseModel):
    """One net's training in short."""

    id: str
    experiment: str
    arm: str
    seed: int
    varied: dict[str, Any]
    name: str
    status: str
    steps: int | None
    last_step: int
    alerts: int = Field(description="How many there have been.")
    lasting: int = Field(description="How many of them last.")

    @classmethod
    def of(cls, run: Brief | Run) -> Self:
        """What may be shown of a run."""
        return cls(**_plain(cls, run), varied=varied(run), status=status(run))


class RunOut(BaseModel):
    """One net's training."""

    id: str
    experiment: str
    arm: str
    seed: int
    varied: dict[str, Any]
    name: str
    status: str
    reason: str | None = Field(description="Why it has not begun; null once it has. Of a cluster: where it is queued.")
    error: str | None
    created: float
    started: float | None
    ended: float | None
    steps: int | None
    last_seq: int
    last_step: int
    alerts: int = Field(description="How many there have been.")
    lasting: int = Field(description="How many of them last.")
    layers: list[LayerOut]
    edges: list[tuple[int, int]] = Field(
        description="Pairs of layers: the second takes what the first gives. Empty until a step has been seen."
    )
    thinned: int = Field(
        description="Captured steps in one frame at most: 1 unless the server was long out of reach or the run is old."
    )
    control: ControlOut
    versions: dict[str, str]
    outcome: dict[str, float | None]

    @classmethod
    def of(cls, run: Run, reason: str | None = None) -> Self:
        """What may be shown of a run, with why it has not begun where that is known."""
        control = ControlOut(paused=run.paused, pace=run.pace, stop=run.stop)
        return cls(**_plain(cls, run), varied=varied(run), status=status(run), reason=reason, control=control)


_MADE: Final = frozenset({"varied", "status", "reason", "control", "runs", "locked", "url"})
"""Fields that are not kept as they are shown."""


def _plain(kind: type[BaseModel], record: object) -> dict[str, Any]:
    """The fields that are shown as they are kept."""
    return {name: getattr(record, name) for name in kind.model_fields if name not in _MADE}


def status(run: Brief | Run) -> str:
    """What people call a run's state."""
    # Not kept as a status of its own: a stop and a run's own end may cross, and the end is what counts.
    return "stopping" if run.stop and run.status in ("starting", "running", "paused") else run.status


def varied(run: Brief | Run) -> dict[str, Any]:
    """In what a run differs from others of its arm, apart from the seed; see Spec.conditions."""
    return {name: run.spec[name] for name in run.spec.get("varied", ())}


class ExperimentOut(BaseModel):
    """An experiment with its runs."""

    id: str
    name: str
    claim: int | None
    settings: dict[str, Any]
    tags: list[str]
    notes: str
    created: float
    runs: list[RunOut]

    @classmethod
    def of(cls, experiment: Experiment, runs: list[RunOut]) -> Self:
        """What may be shown of an experiment."""
        return cls(**_plain(cls, experiment), runs=runs)


class ExperimentBriefOut(BaseModel):
    """An experiment with its runs in short."""

    id: str
    name: str
    claim: int | None
    settings: dict[str, Any]
    tags: list[str]
    notes: str
    created: float
    runs: list[BriefOut]

    @classmethod
    def of(cls, experiment: Experiment, runs: list[Brief]) -> Self:
        """What may be shown of an experiment."""
        return cls(**_plain(cls, experiment), runs=[BriefOut.of(run) for run in runs])


class ExperimentsOut(BaseModel):
    """All experiments, newest first."""

    experiments: list[ExperimentBriefOut]


class RunsOut(BaseModel):
    """An experiment's runs in short, in the order in which they start."""

    runs: list[BriefOut]


class KnownOut(BaseModel):
    """The run of a key, if there is one."""

    runs: list[RunOut]


class EvidenceOut(BaseModel):
    """A criterion, and what the data say about it."""

    name: str
    of: str
    arm: str | list[str]
    relation: str
    threshold: float
    how: str
    against: str | None
    where: dict[str, Any]
    against_where: dict[str, Any] | None
    over: str | None
    decisive: bool
    unit: str
    seeds: dict[int, float | None] = Field(description="The effect, by seed.")
    estimate: float | None
    low: float | None
    high: float | None
    verdict: str
    missing: list[int] = Field(description="Seeds that are done and have no such number, as where a net diverged.")


class OutcomeOut(BaseModel):
    """What a run came to."""

    run: str
    arm: str
    seed: int
    varied: dict[str, Any]
    status: str
    numbers: dict[str, float | None]


class SeedsOut(BaseModel):
    """How many seeds all of whose runs are finished there are, of how many."""

    done: int
    planned: int


class FindingOut(BaseModel):
    """A verdict by the claim's rule, and all that it rests on."""

    verdict: str
    reason: str
    evidence: list[EvidenceOut]
    outcomes: list[OutcomeOut]
    seeds: SeedsOut
    min_seeds: int
    command: str = Field(description="What repeats the experiment.")
    settings: dict[str, Any]
    own: dict[str, dict[str, Any]] = Field(description="By arm, what it has of its own in place of settings.")
    versions: list[dict[str, str]] = Field(description="Of programs and machines that the runs were made with.")


class LinkOut(BaseModel):
    """A link; its address only where it has just been made."""

    id: str
    experiment: str
    view: str
    created: float
    revoked: float | None
    last_used: float | None
    runs: list[str] | None = Field(description="Those that it opens; null: all of the experiment, and those to come.")
    expires: float | None
    locked: bool = Field(description="Whether it asks for a password.")
    url: str | None = None

    @classmethod
    def of(cls, link: Link, url: str | None = None) -> Self:
        """What may be shown of a link."""
        return cls(**_plain(cls, link), runs=link.runs, locked=link.password is not None, url=url)


class LinksOut(BaseModel):
    """An experiment's links, oldest first."""

    links: list[LinkOut]
