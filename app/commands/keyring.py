"""`normscope token`: tokens made, listed and revoked by whoever may write to the data folder."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from normscope.errors import NormscopeError

from ..access.tokens import FIRST, list_tokens, make_token, renew_owner, revoke_token
from ..settings import Settings
from ..store import ConflictError, Token, is_shared, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..store import Store


def main(argv: Sequence[str] | None = None) -> int:
    """Do what was asked for; the exit status. A server that runs meanwhile finds it out within a second."""
    usual = Settings()
    parser = argparse.ArgumentParser("normscope token", description="List the tokens of a data folder, or change them.")
    parser.add_argument("--data", type=Path, default=usual.data, help="the data folder (default: %(default)s)")
    parser.add_argument(
        "--store", default=usual.store, metavar="URL", help="a store that servers share, or NORMSCOPE_STORE"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--new", action="store_true", help="make a new token for the owner; the old one ends")
    what.add_argument("--sender", metavar="NAME", help="make a token with which watch(token=…) may send runs")
    what.add_argument("--revoke", metavar="ID", help="end a sender's token")
    given = parser.parse_args(argv)
    settings = Settings(data=given.data, store=given.store)
    if not is_shared(settings.store_url) and not given.data.is_dir():  # or listing would make one
        return _fail(f"there is no data folder {given.data}; name it with --data")
    try:
        sys.stdout.write(asyncio.run(_do(settings, given)))
    except (NormscopeError, ValueError) as error:
        return _fail(str(error))
    return 0


def first_token(settings: Settings) -> str | None:
    """The owner's token, if the store had none yet: nobody can be told it later. Of many servers, one makes it."""

    async def work() -> str | None:
        store = await open_store(settings.store_url)
        try:
            if await store.find(Token, 1, role="owner", session=False):
                return None
            return (await make_token(store, "owner", "owner", FIRST))[1]
        except ConflictError:  # another was quicker
            return None
        finally:
            await store.close()

    return asyncio.run(work())


async def _do(settings: Settings, given: argparse.Namespace) -> str:
    store = await open_store(settings.store_url)
    try:
        if given.new:
            return f"{(await renew_owner(store))[1]}\n"
        if given.sender:
            return f"{(await make_token(store, 'sender', given.sender[:80]))[1]}\n"
        if given.revoke:
            await _revoke(store, given.revoke)
        return "".join(map(_line, await list_tokens(store))) or "There are no tokens.\n"
    finally:
        await store.close()


async def _revoke(store: Store, key: str) -> None:
    token = await store.get(Token, key)
    if token is None or token.role == "owner":
        raise NormscopeError(f"there is no sender's token {key!r}; the owner's is changed with --new")
    await revoke_token(store, None, key)


def _line(token: Token) -> str:
    def day(when: float) -> str:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))

    used = "never used" if token.last_used is None else f"last used {day(token.last_used)}"
    return f"{token.id}  {token.role:6}  {token.name:20}  made {day(token.created)}, {used}\n"


def _fail(sentence: str) -> int:
    sys.stderr.write(f"normscope: {sentence}\n")
    return 1
