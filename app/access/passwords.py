"""Passwords of links: chosen by people, so a slow hash is kept of them, and attempts are limited."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections import OrderedDict, deque
from typing import Final

ATTEMPTS: Final = 5
"""Wrong attempts at one password, from anywhere, that are answered"""
WITHIN: Final = 60.0
"""in so many seconds."""
_KNOWN: Final = 1000
"""Passwords whose wrong attempts are remembered."""


def hashed(password: str) -> str:
    """What is kept of a password: a salt and its scrypt hash. It takes 50 ms and 16 MB."""
    salt = os.urandom(16)
    return f"{salt.hex()}:{_scrypt(password, salt).hex()}"


def fits(password: str, kept: str) -> bool:
    """Whether it is the password of which this is kept."""
    salt, _, hash_ = kept.partition(":")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), bytes.fromhex(hash_))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=32)


def proof(kept: str, of: str) -> str:
    """What a browser keeps to say that it was told the password. Nobody finds it who does not know what is kept."""
    return hmac.new(kept.encode(), of.encode(), hashlib.sha256).hexdigest()


class Attempts:
    """How often something was tried of late."""

    def __init__(self) -> None:
        self._tried: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, what: str) -> float:
        """Note an attempt; the seconds to wait first if there were too many, and then it does not count."""
        now = time.monotonic()
        times = self._tried.setdefault(what, deque())
        self._tried.move_to_end(what)
        if len(self._tried) > _KNOWN:
            self._tried.popitem(last=False)
        while times and now - times[0] > WITHIN:
            times.popleft()
        if len(times) >= ATTEMPTS:
            return WITHIN - (now - times[0])
        times.append(now)
        return 0.0

    def forget(self, what: str) -> None:
        """The attempt was a right one."""
        self._tried.pop(what, None)
