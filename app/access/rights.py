"""Who may do what: the owner everything, a sender its own runs' frames, a viewer what its link was made for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection  # noqa: TC002  FastAPI reads it

from ..store import Experiment, Link, Token
from .links import find_link, is_unlocked
from .tokens import find_token, note_use

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..settings import Settings
    from ..store import Brief, Run, Store

_TOLD: Final = ("python", "torch", "normscope")
"""Of what a run was made with, what viewers are told: programs, not machines."""


class Role(StrEnum):
    """What someone is to this server."""

    NOBODY = "nobody"
    SENDER = "sender"
    VIEWER = "viewer"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Rights:
    """What a request may do.

    Attributes:
        role: As whom it comes.
        by: The link or the token that says so; none where nobody is asked for one, or a proxy has let them in.
    """

    role: Role
    by: Link | Token | None = None

    @property
    def owner(self) -> bool:
        """Whether it may do everything."""
        return self.role is Role.OWNER

    @property
    def session(self) -> bool:
        """Whether it comes from a browser in which the owner has logged in."""
        return isinstance(self.by, Token) and self.by.session

    def may_read(self, experiment: str) -> bool:
        """Whether this experiment may be read."""
        return self.owner or (isinstance(self.by, Link) and self.by.experiment == experiment)

    def sees(self, run: Run | Brief) -> bool:
        """Whether this run and its history may be read."""
        if self.owner:
            return True
        link = self.by
        return isinstance(link, Link) and link.experiment == run.experiment and run.id in (link.runs or [run.id])

    def shown(self, run: Run) -> Run:
        """A run as it may be shown: viewers are not told of the machine behind it, nor of files there."""
        if self.owner:
            return run
        error = run.error and "why, its owner can see"
        return replace(run, error=error, versions={k: v for k, v in run.versions.items() if k in _TOLD}, handle=None)

    def shown_experiment(self, experiment: Experiment) -> Experiment:
        """An experiment as it may be shown: of a file that its nets learn, viewers are told the name alone."""
        if self.owner:
            return experiment
        return replace(experiment, settings={name: _without_folder(v) for name, v in experiment.settings.items()})


def _without_folder(value: Any) -> Any:
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


async def link_rights(store: Store, token: str, cookies: Mapping[str, str]) -> Rights:
    """What a link's token allows in a browser with these cookies.

    Raises:
        HTTPException: 403 if it opens nothing, or not yet: its password is asked for first.
    """
    link = await find_link(store, token)
    experiment = None if link is None else await store.get(Experiment, link.experiment)
    if link is None or experiment is None or experiment.deleted is not None:
        raise HTTPException(403, "this link is unknown, has expired or has been revoked")
    if not is_unlocked(link, cookies):
        raise HTTPException(403, "this link asks for its password first")
    await note_use(store, link)
    return Rights(Role.VIEWER, link)


async def identify(asked: HTTPConnection) -> Rights:
    """The rights of a request or a socket, by what it brings.

    Raises:
        HTTPException: 401 or 403 if it brings a token or a link that opens nothing.
    """
    settings: Settings = asked.app.state.settings
    store: Store = asked.app.state.store
    if (link := asked.query_params.get("link")) is not None:
        return await link_rights(store, link, asked.cookies)
    if not settings.asks or (settings.user_header and asked.headers.get(settings.user_header)):
        return Rights(Role.OWNER)
    scheme, _, bearer = asked.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = await find_token(store, bearer.strip())
        if token is None:
            raise HTTPException(401, "this token is unknown or has been revoked", {"WWW-Authenticate": "Bearer"})
    else:
        token = await find_token(store, asked.cookies.get(settings.cookie, ""), session=True)
        if token is None:
            return Rights(Role.NOBODY)
    await note_use(store, token)
    return Rights(Role(token.role), token)


async def rights(asked: HTTPConnection) -> Rights:
    """The rights of a request or a socket, as `app.access.door` has found them."""
    found: Rights = asked.state.rights
    return found


async def owner(found: Annotated[Rights, Depends(rights)]) -> Rights:
    """The rights of a request that needs all of them.

    Raises:
        HTTPException: 403 if it has not.
    """
    if not found.owner:
        raise HTTPException(403, "a link is for reading only")
    return found


Reader = Annotated[Rights, Depends(rights)]
Owner = Annotated[Rights, Depends(owner)]
