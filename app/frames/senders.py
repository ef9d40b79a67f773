"""Training processes at the door: their Hello, and whose frames are taken.

Those of runs launched here, of the owner's, and of a sender's own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.websockets import WebSocketDisconnect

from normscope import wire
from normscope.errors import WireError

from ..access.rights import Rights, Role
from ..access.tokens import digest, find_token, note_use
from ..store import Run, Token

if TYPE_CHECKING:
    from fastapi import WebSocket

    from ..runs.experiments import Experiments

HELLO_WITHIN: Final = 10.0
"""Seconds a new connection has to say Hello."""


async def greet(socket: WebSocket) -> wire.Hello:
    """How a training process introduces itself."""
    async with asyncio.timeout(HELLO_WITHIN):
        message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    hello = wire.parse(message.get("text") or "")
    if not isinstance(hello, wire.Hello):
        raise WireError(f"expected a hello, not {type(hello).__name__.lower()}")
    return hello


async def run_of(hello: wire.Hello, rights: Rights, experiments: Experiments) -> tuple[Run, Token | None]:
    """The run that a Hello belongs to, and the token that allows it, if it takes one.

    One is made for a training process that was not started from here. A run that has ended is welcome too: the answer
    to its End may have been lost, or someone stopped it while it was out of reach.

    Raises:
        WireError: If what it brings does not allow it.
    """
    store = experiments.store
    if hello.token is not None:
        # Of a run that was not launched here the same place holds its key, which is no secret: it is in its recordings.
        launched = [run for run in await store.find(Run, token_hash=digest(hello.token)) if run.spec]
        if launched:
            return launched[0], None
        token = await find_token(store, hello.token)
        if token is None:
            raise WireError("unknown run: its token is not one of this server's")
        await note_use(store, token)
    elif rights.role in (Role.OWNER, Role.SENDER):
        token = rights.by if isinstance(rights.by, Token) else None
    else:
        raise WireError("this server asks for a token: give watch one with token= or NORMSCOPE_TOKEN")
    sender = token.id if token is not None and token.role == Role.SENDER else None
    found = await store.find(Run, token_hash=digest(hello.key))
    if found and sender is not None and found[0].sender != sender:
        raise WireError("this run is not one of this sender's")
    if found:
        return found[0], token
    # A group's name may be guessed: those of a sender are apart from everyone else's.
    group = f"{sender} {hello.group}" if sender and hello.group else hello.group
    return await experiments.adopt(hello.name, hello.key, group, hello.arm, sender), token
