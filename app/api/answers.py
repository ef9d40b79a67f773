"""What requests are refused with: one sentence and a status, each documented where it can come."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

Answers = dict[int | str, dict[str, Any]]


class Refusal(BaseModel):
    """Why a request was not done."""

    detail: str = Field(description="One sentence.")


_MEANINGS: Final = {
    400: "The body cannot be read",
    401: "The server asks for a token, and this is none",
    403: "The request comes from a page of another site, or by a link that may not do this",
    404: "There is no such thing, or it may not be seen",
    409: "It makes no sense now, or there are too many already",
    413: "The body is too large",
    421: "The server does not answer to this name",
    422: "A parameter or the body is not as it should be",
    429: "Too many requests of one client; Retry-After says when to come again",
    507: "The store cannot be read or written",
}


def refusals(*statuses: int) -> Answers:
    """The answers of these statuses, as routes are documented with them."""
    return {status: {"model": Refusal, "description": _MEANINGS[status]} for status in statuses}


ALWAYS: Final = refusals(401, 403, 413, 421, 422, 429, 507)
"""What any request may be answered."""
MISSING: Final = refusals(404)
"""Of requests for one thing."""
BODY: Final = refusals(400)
"""Of requests with a body."""
STATE: Final = refusals(409)
"""Of requests that may come at the wrong time."""
