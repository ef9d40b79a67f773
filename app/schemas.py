"""What requests and answers look like; the OpenAPI page is made from this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

if TYPE_CHECKING:
    from .store import Experiment, Link, Run

Text = Annotated[str, Field(min_length=1, max_length=200)]


class NewExperiment(BaseModel):
    """What to start."""

    model_config = ConfigDict(extra="forbid")

    claim: StrictInt = Field(description="The number of a claim in the catalogue.")
    settings: dict[str, StrictInt | StrictFloat | StrictStr | StrictBool] = Field(default_factory=dict)
    arms: list[str] | None = Field(None, description="The claim's own arms, unless given.")
    name: Text | None = None


class Pace(BaseModel):
    """How fast a run may go."""

    model_config = ConfigDict(extra="forbid")

    steps_per_second: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        description="Steps per second; null: no limit."
    )


class NewLink(BaseModel):
    """What to share."""

    model_config = ConfigDict(extra="forbid")

    experiment: str
    view: Annotated[str, Field(max_length=2000)] = ""


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


class RunOut(BaseModel):
    """One net's training."""

    id: str
    experiment: str
    arm: str
    seed: int
    name: str
    status: str
    error: str | None
    created: float
    started: float | None
    ended: float | None
    steps: int | None
    last_seq: int
    last_step: int
    layers: list[LayerOut]
    control: ControlOut
    versions: dict[str, str]

    @classmethod
    def of(cls, run: Run) -> Self:
        """What may be shown of a run."""
        return cls(
            **{name: getattr(run, name) for name in cls.model_fields if name not in ("layers", "control", "status")},
            # Not kept as a status of its own: a stop and a run's own end may cross, and the end is what counts.
            status="stopping" if run.stop and run.status in ("starting", "running", "paused") else run.status,
            layers=[LayerOut(**layer) for layer in run.layers],
            control=ControlOut(paused=run.paused, pace=run.pace, stop=run.stop),
        )


class ExperimentOut(BaseModel):
    """An experiment with its runs."""

    id: str
    name: str
    claim: int | None
    settings: dict[str, Any]
    created: float
    runs: list[RunOut]

    @classmethod
    def of(cls, experiment: Experiment, runs: list[Run]) -> Self:
        """What may be shown of an experiment."""
        e = experiment
        return cls(
            id=e.id,
            name=e.name,
            claim=e.claim,
            settings=e.settings,
            created=e.created,
            runs=[RunOut.of(r) for r in runs],
        )


class ExperimentsOut(BaseModel):
    """All experiments, newest first."""

    experiments: list[ExperimentOut]


class LinkOut(BaseModel):
    """A link; its address only where it has just been made."""

    id: str
    experiment: str
    view: str
    created: float
    revoked: float | None
    last_used: float | None
    url: str | None = None

    @classmethod
    def of(cls, link: Link, url: str | None = None) -> Self:
        """What may be shown of a link."""
        return cls(**{name: getattr(link, name) for name in cls.model_fields if name != "url"}, url=url)


class LinksOut(BaseModel):
    """An experiment's links, oldest first."""

    links: list[LinkOut]
