"""Who may do what. On this machine everyone is the owner; whoever comes by a link reads its experiment, no more."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, HTTPException, Request

from .links import find_link
from .store import Experiment, Link

if TYPE_CHECKING:
    from fastapi import WebSocket

    from .store import Store


@dataclass(frozen=True, slots=True)
class Rights:
    """What a request may do.

    Attributes:
        owner: May do everything.
        experiment: The one experiment that may be read.
        link: The id of the link that gives this right.
    """

    owner: bool = True
    experiment: str | None = None
    link: str | None = None

    def may_read(self, experiment: str) -> bool:
        """Whether this experiment, its runs and their history may be read."""
        return self.owner or experiment == self.experiment


async def link_rights(store: Store, token: str) -> Rights | None:
    """What a link's token allows; None if it is unknown or revoked."""
    link = await find_link(store, token)
    if link is None:
        return None
    experiment = await store.get(Experiment, link.experiment)
    if experiment is None or experiment.deleted is not None:
        return None
    if time.time() - (link.last_used or 0) > 60:  # noted by the minute: reading must not become writing
        await store.change(Link, link.id, last_used=time.time())
    return Rights(owner=False, experiment=link.experiment, link=link.id)


async def rights(request: Request) -> Rights:
    """The rights of a request.

    Raises:
        HTTPException: 403 if it brings a link that is unknown or revoked.
    """
    token = request.query_params.get("link")
    if token is None:
        return Rights()
    found = await link_rights(request.app.state.store, token)
    if found is None:
        raise HTTPException(403, "this link is unknown or has been revoked")
    return found


async def socket_rights(socket: WebSocket) -> Rights | None:
    """The rights of a socket; None if it brings a link that is unknown or revoked."""
    token = socket.query_params.get("link")
    return Rights() if token is None else await link_rights(socket.app.state.store, token)


async def owner(found: Annotated[Rights, Depends(rights)]) -> Rights:
    """The rights of a request that needs all of them.

    Raises:
        HTTPException: 403 if it came by a link.
    """
    if not found.owner:
        raise HTTPException(403, "a link is for reading only")
    return found


Reader = Annotated[Rights, Depends(rights)]
Owner = Annotated[Rights, Depends(owner)]
