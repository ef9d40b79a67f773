"""Links: addresses that open a view read-only, made and revoked by the owner."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .store import Link
from .tokens import digest, new_id, new_token

if TYPE_CHECKING:
    from .bus import Bus
    from .store import Store


async def make_link(store: Store, experiment: str, view: str) -> tuple[Link, str]:
    """A new link and its token, which is not kept and cannot be had again."""
    token = new_token()
    link = Link(new_id(), digest(token), experiment, view, time.time())
    await store.add(link)
    return link, token


async def find_link(store: Store, token: str) -> Link | None:
    """The link of a token, unless it has been revoked."""
    found = await store.find(Link, token_hash=digest(token))
    return found[0] if found and found[0].revoked is None else None


async def revoke_link(store: Store, bus: Bus, id: str) -> Link | None:
    """Make a link useless, for open pages too; None if there is none."""
    link = await store.get(Link, id)
    if link is None or link.revoked is not None:
        return link
    link = await store.change(Link, id, revoked=time.time())
    await bus.publish("revoked", id)
    return link
