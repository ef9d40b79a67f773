"""Links: addresses that open a view of some runs read-only, made and revoked by the owner."""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import TYPE_CHECKING

from ..store import Link
from .passwords import hashed, proof
from .tokens import digest, ended, new_id, new_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..bus import Bus
    from ..store import Store


async def make_link(
    store: Store, experiment: str, view: str, runs: Sequence[str] | None, hours: float | None, password: str | None
) -> tuple[Link, str]:
    """A new link and its token, which is not kept and cannot be had again.

    Args:
        store: Where it is kept.
        experiment: What it opens,
        view: how that is shown,
        runs: and which runs of it; None for all, also those that are added later.
        hours: After which it ends; None for never.
        password: What it asks for, if anything.
    """
    token, now = new_token(), time.time()
    link = Link(
        new_id(), digest(token), experiment, view, now, runs=None if runs is None else list(runs),
        expires=None if hours is None else now + 3600 * hours,
        password=None if password is None else await asyncio.to_thread(hashed, password),
    )  # fmt: skip
    await store.add(link)
    return link, token


async def find_link(store: Store, token: str) -> Link | None:
    """The link of a token, as long as it opens."""
    found = await store.find(Link, token_hash=digest(token))
    return found[0] if found and ended(found[0]) is None else None


async def list_links(store: Store, experiment: str) -> list[Link]:
    """An experiment's links that still open, oldest first."""
    return [link for link in await store.find(Link, experiment=experiment, revoked=None) if ended(link) is None]


async def revoke_link(store: Store, bus: Bus, id: str) -> Link | None:
    """Make a link useless, for open pages too; None if there is none."""
    link = await store.change(Link, id, {"revoked": None}, revoked=time.time())
    if link is None:
        return await store.get(Link, id)
    await bus.publish("revoked", id)
    return link


def unlocked_by(link: Link) -> tuple[str, str]:
    """The name and the value of the cookie by which a browser that knows the password goes on."""
    assert link.password is not None
    return f"normscope-link-{link.id}", proof(link.password, link.id)


def is_unlocked(link: Link, cookies: Mapping[str, str]) -> bool:
    """Whether it asks for no password, or a browser with these cookies was told it."""
    if link.password is None:
        return True
    name, value = unlocked_by(link)
    return hmac.compare_digest(cookies.get(name, "").encode(), value.encode())
