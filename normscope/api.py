"""What a server has, from Python: `Client("http://host:8000")`."""

from __future__ import annotations

import json
import os
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import numpy as np

from . import sketch, wire
from .errors import NormscopeError
from .reading import Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

DEFAULT_URL: Final = "http://127.0.0.1:8000"
PATIENCE: Final = 30.0
"""Seconds within which a server has to go on answering."""
_MOST_POINTS: Final = 10_000
"""Frames that are asked for at once, at most."""
_BYTES: Final = (1 << 20, 4 << 20)
"""How large an answer should be where frames are read one after the other."""


class UnreachableError(NormscopeError):
    """There is no server to be had, or it cannot do now what it should; the message says why in one sentence."""


class RefusedError(NormscopeError):
    """The server refuses what it is asked for; the message is its sentence."""


class UnknownError(NormscopeError):
    """The server has no such thing; the message is its sentence."""


class _NoRedirects(HTTPRedirectHandler):
    """A token is for the server that it was given for, and for no other that this one names."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Go nowhere: the answer that would send elsewhere is an error."""


_OPENER: Final = build_opener(ProxyHandler({}), _NoRedirects)


class Client:
    """Reads what a server has.

    Experiments, runs and findings are dictionaries, as the server's HTTP interface (`/docs` there) has them; where one
    is asked for by its id, such a dictionary does as well.

    Args:
        url: The server's address; `NORMSCOPE_URL` unless given, else port 8000 of this machine.
        token: What the server asks for, if it does; `NORMSCOPE_TOKEN` unless given.
        timeout: Seconds within which it has to go on answering.

    Every method raises UnreachableError if there is no answer, UnknownError if there is no such thing, and RefusedError
    if it may not be had.
    """

    def __init__(self, url: str | None = None, token: str | None = None, timeout: float = PATIENCE) -> None:
        self.url = (url or os.environ.get("NORMSCOPE_URL") or DEFAULT_URL).rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url: {url!r} is not an address that begins with http:// or https://")
        self._token = token or os.environ.get("NORMSCOPE_TOKEN") or None
        self._timeout = timeout

    def experiments(self) -> list[dict[str, Any]]:
        """All experiments, newest first, with their runs in short."""
        found: list[dict[str, Any]] = self.get("/api/experiments")["experiments"]
        return found

    def runs(self, experiment: str | Mapping[str, Any]) -> list[dict[str, Any]]:
        """An experiment's runs."""
        found: list[dict[str, Any]] = self.get(f"/api/experiments/{_id(experiment)}")["runs"]
        return found

    def run(self, id: str | Mapping[str, Any]) -> dict[str, Any]:
        """A run."""
        found: dict[str, Any] = self.get(f"/api/runs/{_id(id)}")
        return found

    def find(self, name: str) -> dict[str, Any]:
        """The run with this id, or else the only one of this name.

        Raises:
            UnknownError: If there is none, or several that are called so.
        """
        named = [run["id"] for one in self.experiments() for run in one["runs"] if name in (run["id"], run["name"])]
        ids = [name] if name in named else named
        if len(ids) == 1:
            return self.run(ids[0])
        raise UnknownError(
            f"{len(ids)} runs are called {name!r}; choose by id: {', '.join(ids)}" if ids
            else f"there is no run {name!r} at {self.url}"
        )  # fmt: skip

    def finding(self, experiment: str | Mapping[str, Any]) -> dict[str, Any]:
        """What an experiment's claim came to: `verdict`, `reason`, `evidence`, `outcomes` and more."""
        found: dict[str, Any] = self.get(f"/api/experiments/{_id(experiment)}/finding")
        return found

    def history(
        self, run: str | Mapping[str, Any], *, first_step: int = 0, last_step: int | None = None, points: int = 600,
        layers: Collection[str] | None = None, kinds: Collection[str] | None = None,
    ) -> Span:  # fmt: skip
        """A run's steps from `first_step` to `last_step`, as arrays.

        Args:
            run: Whose.
            first_step: The first step wanted.
            last_step: The last; None for the newest.
            points: About how many frames to get; where there are more steps, neighbours are merged.
            layers: Names of the layers wanted; None for all.
            kinds: What of them; None for all that is watched.

        Raises:
            ValueError: If there is no such layer or kind.
        """
        whole = self.run(run)
        named = self.layers(whole)
        wanted: dict[str, Any] = {"first_step": first_step, "last_step": last_step, "points": points}
        if layers is not None:
            wanted["layers"] = ",".join(map(str, _indices(layers, [layer.name for layer in named], "layer")))
        chosen = None if kinds is None else _indices(kinds, wire.KINDS, "kind")
        frames = [wire.decode(data) for data in self._history(whole["id"], **wanted)]
        return Span(named, frames if chosen is None else [_only(frame, chosen) for frame in frames])

    @staticmethod
    def layers(run: Mapping[str, Any]) -> tuple[wire.Layer, ...]:
        """What is watched of a run."""
        return tuple(wire.Layer(one["name"], one["type"], tuple(one["kinds"])) for one in run["layers"])

    def frames(self, run: str | Mapping[str, Any]) -> Iterator[wire.Frame]:
        """Every captured step of a run, in order, however long it is: a few are asked for at a time.

        Where the server has no finer ones, frames of several steps.
        """
        whole = self.run(run)
        first, width, seq = 0, 64, 0
        while first <= whole["last_step"]:
            last = min(first + width, whole["last_step"] + 1) - 1
            found = self._history(whole["id"], first_step=first, last_step=last, points=_MOST_POINTS)
            frames = [wire.decode(data) for data in found]
            if width > 1 and sum(one.frames for one in frames) > max(len(frames), _MOST_POINTS):
                width //= 2  # more steps than come without being merged
                continue
            for one in frames:
                if one.seq >= seq:  # one of several steps may have come with those before
                    yield one
                    seq, last = one.seq + one.frames, max(last, one.last_step)
            first = last + 1
            size = sum(map(len, found))
            width = max(width * 2 if size < _BYTES[0] else width // 2 if size > _BYTES[1] else width, 1)

    def _history(self, run: str, **wanted: Any) -> list[bytes]:
        given = urlencode({name: value for name, value in wanted.items() if value is not None})
        return wire.split(self.ask(f"/api/runs/{quote(run)}/history?{given}"))

    def get(self, path: str) -> Any:
        """What is at a path, of JSON."""
        return self._parsed(self.ask(path))

    def post(self, path: str, body: Any = None) -> Any:
        """The answer to a body, both of JSON."""
        return self._parsed(self.ask(path, json.dumps(body).encode()))

    def _parsed(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError as error:
            raise UnreachableError(f"there is no server to be had at {self.url}: {error}") from None

    def ask(self, path: str, body: bytes | None = None) -> bytes:
        """What is at a path, as it comes."""
        headers = {} if self._token is None else {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = Request(f"{self.url}{path}", body, headers)  # noqa: S310  the user's own server
        try:
            with _OPENER.open(request, timeout=self._timeout) as answer:
                found: bytes = answer.read()
                return found
        except HTTPError as error:
            with error:
                kind = {404: UnknownError, 401: RefusedError, 403: RefusedError, 409: RefusedError, 422: RefusedError}
                raise kind.get(error.code, UnreachableError)(_sentence(error)) from None
        except (OSError, HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            words = getattr(reason, "strerror", None) or reason
            raise UnreachableError(f"there is no server to be had at {self.url}: {words}") from None


class Span(Reading):
    """Steps of a run that a server has; where there are more than were asked for, neighbours are merged.

    Attributes:
        layers: What is watched: `name`, `type` and `kinds` of each.
    """

    def __init__(self, layers: Sequence[wire.Layer], frames: Sequence[wire.Frame]) -> None:
        self.layers = layers
        self._frames = list(frames)

    def __len__(self) -> int:
        return len(self._frames)

    def frames(self) -> Iterator[wire.Frame]:
        """The frames, in order."""
        return iter(self._frames)


def _id(one: str | Mapping[str, Any]) -> str:
    return quote(one if isinstance(one, str) else one["id"], safe="")


def _indices(names: Collection[str], known: Sequence[str], what: str) -> list[int]:
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no {what} {unknown[0]!r}; choose from {', '.join(known)}")
    return [known.index(name) for name in names]


def _only(frame: wire.Frame, kinds: Sequence[int]) -> wire.Frame:
    """A frame with these kinds only."""
    kept = np.flatnonzero(np.isin(frame.kinds, kinds))
    row = frame.bins // sketch.BINS
    mine = np.isin(row, kept)
    frame.bins, frame.counts = frame.bins[mine] % sketch.BINS, frame.counts[mine]
    frame.bins += np.searchsorted(kept, row[mine]) * sketch.BINS
    frame.layers, frame.kinds = frame.layers[kept], frame.kinds[kept]
    frame.moments, frame.counters = frame.moments[kept], frame.counters[kept]
    return frame


def _sentence(error: HTTPError) -> str:
    """What the server says is wrong."""
    try:
        return str(json.load(error)["detail"])
    except (ValueError, TypeError, KeyError):
        return f"{error.url} answers {error.code} {error.reason}"
