"""Ids that are short, tokens that cannot be guessed, and what is kept of a token."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"


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
    """What is stored instead of the token. It has all its bits at random, so it needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
