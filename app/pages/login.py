"""From a token to a cookie: logging in, logging out, and the passwords of links."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from ..access.links import find_link, unlocked_by
from ..access.passwords import Attempts, fits
from ..access.rates import client_of
from ..access.rights import Reader, Role
from ..access.tokens import SESSION, find_token, make_session, revoke_token
from ..store import Token
from .routes import page

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from ..access.rates import Gates, Rates
    from ..settings import Settings
    from ..store import Store

router = APIRouter(include_in_schema=False)

_attempts: Final = Attempts()


@router.get("/login")
async def login(request: Request, rights: Reader, next: str = "") -> Response:
    """Where whoever comes without a token is asked for it."""
    home = f"{_root(request)}/"
    if rights.owner:
        return RedirectResponse(_inside(request, next) or home, 303)
    return _ask(request, 200, next=next)


@router.post("/login")
async def post_login(request: Request) -> Response:
    """Take the token from the form."""
    form = await _form(request)
    return await enter(request, form.get("token", "").strip(), form.get("next", ""))


@router.post("/logout")
async def post_logout(request: Request, rights: Reader) -> Response:
    """End the browser's session, also for pages that it has open."""
    if rights.session:
        assert isinstance(rights.by, Token)
        await revoke_token(request.app.state.store, request.app.state.bus, rights.by.id)
    response = RedirectResponse(f"{_root(request)}/login", 303)
    settings: Settings = request.app.state.settings
    response.delete_cookie(settings.cookie, path=_root(request) or "/", httponly=True, samesite="lax")
    return response


@router.post("/s/{token}")
async def post_password(token: str, request: Request) -> Response:
    """Take the password that a link asks for."""
    link = await find_link(request.app.state.store, token)
    if link is None or link.password is None:
        raise HTTPException(404, "this link is unknown, has expired or has been revoked")
    wait = max(_attempts.wait(link.id), _failed(request).wait(client_of(request)))
    if wait:
        return _ask(request, 429, link=True, wrong=_later(wait))
    password = (await _form(request)).get("token", "")
    if not await asyncio.to_thread(fits, password, link.password):
        _failed(request).take(client_of(request))
        return _ask(request, 403, link=True, wrong="That is not the password.")
    _attempts.forget(link.id)
    response = RedirectResponse(str(request.url.path), 303)
    name, value = unlocked_by(link)
    _set(request, response, name, value)
    return response


async def enter(asked: HTTPConnection, token: str, wanted: str | None = None) -> Response:
    """Let a browser in that brings the owner's token, and lead it to an address without it.

    Args:
        asked: The request.
        token: What it brings.
        wanted: Where it wants to go; the address that it asks for unless given.
    """
    settings: Settings = asked.app.state.settings
    store: Store = asked.app.state.store
    if wanted is None:
        query = urlencode([pair for pair in parse_qsl(asked.url.query, keep_blank_values=True) if pair[0] != "token"])
        wanted = asked.url.path + (f"?{query}" if query else "")
    response = RedirectResponse(
        _inside(asked, wanted) or f"{_root(asked)}/", 303, headers={"Cache-Control": "no-store"}
    )
    if not settings.asks:
        return response
    if wait := _failed(asked).wait(client_of(asked)):
        return _ask(asked, 429, next=wanted, wrong=_later(wait))
    found = await find_token(store, token)
    if found is None or found.role != Role.OWNER:
        _failed(asked).take(client_of(asked))
        return _ask(asked, 403, next=wanted, wrong="That is not this server’s token, or not any more.")
    session = await make_session(store, asked.headers.get("user-agent", "")[:200])
    _set(asked, response, settings.cookie, session)
    return response


def _failed(asked: HTTPConnection) -> Rates:
    """Wrong tokens and passwords, by client."""
    gates: Gates = asked.app.state.gates
    return gates.failed_logins


def _later(wait: float) -> str:
    return f"Too many attempts: try again in {wait:.0f} seconds."


def _set(asked: HTTPConnection, response: Response, name: str, value: str) -> None:
    # Lax: a link in a chat opens a page for whoever is logged in, yet no other site's form or script comes as them.
    response.set_cookie(
        name, value, max_age=int(SESSION), path=_root(asked) or "/", secure=asked.url.scheme in ("https", "wss"),
        httponly=True, samesite="lax",
    )  # fmt: skip


def _ask(
    asked: HTTPConnection, status: int, *, next: str = "", link: bool = False, wrong: str | None = None
) -> Response:
    """The page with one field."""
    response = page("login.html", asked, next=next, password=link, wrong=wrong)
    response.status_code = status
    return response


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; a field that is no text is none."""
    return dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))


def _root(asked: HTTPConnection) -> str:
    root: str = asked.scope.get("root_path", "")
    return root


def _inside(asked: HTTPConnection, address: str) -> str | None:
    """An address if it is one of this server's: others could make its name lend them credit."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    strange = parts.scheme or parts.netloc or "\\" in address or not address.isprintable()
    inside = address.startswith(f"{_root(asked)}/") and not address.startswith("//")
    return address if inside and not strange else None
