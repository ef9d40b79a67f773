"""Ids that are short, tokens that cannot be guessed, what is kept of a token, and whose tokens there are."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Final

from ..store import Link, Token

if TYPE_CHECKING:
    from ..bus import Bus
    from ..store import Store

_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
SESSION: Final = 30 * 86400.0
"""Seconds after which a browser has to log in again."""
FIRST: Final = "owner"
"""The id of the first token of a store, of which there can be one."""
_NOTED_EVERY: Final = 60.0
"""Seconds between two notes of a use: reading must not become writing."""
_NOTED: Final = 10_000
"""Links and tokens of which it is remembered when this server noted their use."""
_noted: Final[dict[str, float]] = {}


def new_id() -> str:
    """A short name for a record: 8 characters, none of them easily mistaken for another."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


def id_of(secret: str) -> str:
    """The id that everyone who knows a secret comes to."""
    number = int(digest(secret), 16)
    return "".join(_ALPHABET[number // len(_ALPHABET) ** place % len(_ALPHABET)] for place in range(12))


def new_token() -> str:
    """A secret of 192 bits."""
    return secrets.token_urlsafe(24)


def digest(token: str) -> str:
    """What is stored instead of the token. It has all its bits at random, so it needs no salt and no slow hash.

    Tokens are compared by looking their digests up: how long that takes tells of the digest alone, and nobody can
    choose what the digest of a guess begins with.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def ended(record: Link | Token) -> str | None:
    """Why a link or a token opens nothing any more; None as long as it does."""
    if record.revoked is not None:
        return "has been revoked"
    return "has expired" if record.expires is not None and record.expires <= time.time() else None


async def note_use(store: Store, record: Link | Token) -> None:
    """Keep when a link or a token was last used, to the minute."""
    now = time.time()
    if now - max(record.last_used or 0, _noted.get(record.id, 0)) > _NOTED_EVERY:
        if len(_noted) >= _NOTED:
            _noted.clear()
        _noted[record.id] = now  # at once: hundreds may come with it while the store is told
        if isinstance(record, Link):
            await store.change(Link, record.id, last_used=now)
        else:
            await store.change(Token, record.id, last_used=now)


async def make_token(store: Store, role: str, name: str, id: str | None = None) -> tuple[Token, str]:
    """A new record of a token, and the token itself, which is not kept and cannot be had again."""
    token = new_token()
    record = Token(id or new_id(), digest(token), role, name, time.time())
    await store.add(record)
    return record, token


async def make_session(store: Store, name: str) -> str:
    """What a browser is given in which the owner has logged in: not the token, and for some time only."""
    session, now = new_token(), time.time()
    await store.add(Token(new_id(), digest(session), "owner", name, now, session=True, expires=now + SESSION))
    return session


async def find_token(store: Store, token: str, *, session: bool = False) -> Token | None:
    """The record of a token, or of a session, as long as it opens."""
    found = await store.find(Token, token_hash=digest(token), session=session)
    return found[0] if found and ended(found[0]) is None else None


async def list_tokens(store: Store) -> list[Token]:
    """The owner's token and those of senders, as far as they still open, oldest first."""
    return await store.find(Token, session=False, revoked=None)


async def revoke_token(store: Store, bus: Bus | None, id: str) -> Token | None:
    """Make a token useless, for open sockets too; None if there is none."""
    token = await store.change(Token, id, {"revoked": None}, revoked=time.time())
    if token is not None and bus is not None:
        await bus.publish("revoked", id)
    return token or await store.get(Token, id)


async def renew_owner(store: Store, bus: Bus | None = None, keep: str | None = None) -> tuple[Token, str]:
    """A new token for the owner. The old one, and every browser that came by it, is shut out.

    Args:
        store: Where tokens are.
        bus: Hears of it; without one, servers find it out within a second.
        keep: The id of the session that asks, which stays.
    """
    record, token = await make_token(store, "owner", "owner")
    for old in await store.find(Token, role="owner", revoked=None):
        if old.id not in (record.id, keep):
            await revoke_token(store, bus, old.id)
    return record, token
