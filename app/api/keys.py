"""The HTTP interface of tokens: the owner's is changed, those of senders are made, listed and revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from ..access.rights import Owner  # noqa: TC001  FastAPI reads it
from ..access.tokens import list_tokens, make_token, renew_owner, revoke_token
from ..runs.experiments import RefusedError
from ..store import Token
from .answers import ALWAYS, BODY, MISSING, STATE
from .routes import TheStore  # noqa: TC001

if TYPE_CHECKING:
    from ..bus import Bus

router = APIRouter(responses=ALWAYS)


class NewToken(BaseModel):
    """Whom to let send."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)] = Field(description="Whose token it is.")


class TokenOut(BaseModel):
    """A token; itself only where it has just been made."""

    id: str
    role: str
    name: str
    created: float
    revoked: float | None
    last_used: float | None
    token: str | None = None

    @classmethod
    def of(cls, record: Token, token: str | None = None) -> Self:
        """What may be shown of a token."""
        return cls(**{name: getattr(record, name) for name in cls.model_fields if name != "token"}, token=token)


class TokensOut(BaseModel):
    """Tokens that open something, oldest first."""

    tokens: list[TokenOut]


@router.get("/api/tokens")
async def get_tokens(store: TheStore, _: Owner) -> TokensOut:
    """The tokens that open something: the owner's, if there is one, and those of senders."""
    return TokensOut(tokens=[TokenOut.of(token) for token in await list_tokens(store)])


@router.post("/api/tokens", status_code=201, responses=BODY)
async def post_token(body: NewToken, store: TheStore, _: Owner) -> TokenOut:
    """Make a token for `normscope.watch(token=…)`: whoever has it sends runs, and can do nothing else.

    It is in this answer and nowhere else.
    """
    record, token = await make_token(store, "sender", body.name)
    return TokenOut.of(record, token)


@router.post("/api/tokens/owner", status_code=201)
async def post_owner(store: TheStore, request: Request, rights: Owner) -> TokenOut:
    """Change the owner's token. Every browser but the one that asks has to log in again."""
    keep = rights.by.id if rights.session and rights.by is not None else None
    return TokenOut.of(*await renew_owner(store, _bus(request), keep))


@router.delete("/api/tokens/{id}", responses=MISSING | STATE)
async def delete_token(id: str, store: TheStore, request: Request, _: Owner) -> TokenOut:
    """Revoke a sender's token; what it sends with is closed within a second, and its runs stay."""
    token = await store.get(Token, id)
    if token is None or token.session:
        raise HTTPException(404, f"there is no token {id!r}")
    if token.role == "owner":
        raise RefusedError("the owner's token can be changed, not revoked: nobody would get in any more")
    revoked = await revoke_token(store, _bus(request), id)
    return TokenOut.of(revoked or token)


def _bus(request: Request) -> Bus:
    bus: Bus = request.app.state.bus
    return bus
