"""The ranks of a job, as their couriers know them, and how one proves to another that it belongs to them."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

MODES: Final = ("merge", "apart", "first")
"""What becomes of what the ranks see: one run of all, a run of each, or one run of the first alone."""


@dataclass(frozen=True, slots=True)
class Company:
    """What a courier knows of the ranks.

    Attributes:
        rank: Which one this is.
        count: How many there are.
        mode: One of MODES.
        secret: What only they know; those beside the first learn it with its address.
        host: Where the first one listens.
    """

    rank: int
    count: int
    mode: str
    secret: str
    host: str

    @property
    def first(self) -> bool:
        """Whether this rank speaks for all."""
        return self.rank == 0

    def proof(self, rank: int, nonce: str) -> str:
        """What the rank answers to a random word; the secret itself is never sent."""
        return hmac.new(self.secret.encode(), f"{rank} {nonce}".encode(), "sha256").hexdigest()

    def proves(self, rank: object, nonce: str, proof: object) -> bool:
        """Whether this is what that rank would answer."""
        known = type(rank) is int and 0 <= rank < self.count and isinstance(proof, str)
        return known and hmac.compare_digest(self.proof(int(str(rank)), nonce).encode(), str(proof).encode())


@dataclass(frozen=True, slots=True)
class Address:
    """Where the first rank's courier listens, and what only those who are told this know."""

    host: str
    port: int
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody listens there any more; there may be a new address."""


@dataclass(frozen=True, slots=True)
class Stop:
    """All ranks are to leave their loops behind this step."""

    after: int
