"""Giving a server a run that is there already: its frames one after the other, no faster than they are committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import wire
from ..errors import NormscopeError
from ..sending.delivery import Delivery, Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

AHEAD: Final = 4 << 20
"""Bytes that are read ahead of what the server has."""
_ANSWER: Final = 5.0
"""Seconds that a server has to answer."""
_PATIENCE: Final = 60.0
"""Seconds without anything being committed, after which a server is given up."""

_CUT: Final = wire.End("stopped", "the recording was not ended")


class UnfinishedError(NormscopeError):
    """The server could not be given everything; what it has taken, it keeps."""


class UnansweredError(UnfinishedError):
    """The server does not answer, and would not if it were given something else."""


class _Hasty(Delivery):
    """Sends as fast as if someone looked: the run is over, and somebody waits."""

    refusing = "refused"
    failing = "the same command goes on where this ends"

    @property
    def viewed(self) -> bool:
        """Always."""
        return True


def give(
    hello: wire.Hello,
    frames: Callable[[int], Iterable[bytes]],
    end: wire.End | None,
    url: str,
    seqs: tuple[int, int],
    *,
    words: Iterable[wire.Graph | wire.Alert] = (),
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Give a server a run; how many of its captured steps it did not have.

    The run is known by its key: a server that has some of it gets the rest.

    Args:
        hello: Introduces the run.
        frames: Encoded frames from the one with a given number on.
        end: What is said after the last of them; None if that is not known, as of a copy of what goes on elsewhere.
            Then the run is stopped, but left as it is where the server has all of these frames: it may know better.
        url: The server's.
        seqs: The number of the first captured step that there is, and of the one that would come next.
        words: What else is said of it, before the frames.
        told: Hears now and then how many captured steps the server has.

    Raises:
        UnfinishedError: If the server cannot be reached, refuses the run, lacks what comes before, or stops answering.
    """
    said: list[str] = []

    def wait(what: Callable[[], bool], patience: float) -> None:
        if not delivery.wait(what, patience):
            reason = said[-1] if said else f"{url} does not answer; the same command goes on where this ends"
            raise UnfinishedError(reason) if delivery.refused else UnansweredError(reason)

    delivery = _Hasty(url, hello, Listener(lambda _: None, lambda _: None, said.append), AHEAD, disk=0)
    try:
        wait(lambda: delivery.run is not None, _ANSWER)
        first = max(delivery.committed + 1, seqs[0])
        if first > delivery.committed + 1:
            raise UnfinishedError(
                f"{hello.name} begins with frame {first}: it is the rest of a run, and {url} has none"
            )
        if end is None and first and first >= seqs[1]:
            return 0
        delivery.go_on_from(first)
        for word in words:
            delivery.say(word)
        has = delivery.committed
        for data in frames(first):
            if delivery.waiting >= AHEAD or delivery.refused:
                wait(lambda: delivery.waiting < AHEAD, _PATIENCE)
            delivery.put(data, wire.check(data).frames)
            if delivery.committed > has:
                has = delivery.committed
                told(has + 1)
        while delivery.committed + 1 < delivery.seq:
            before = delivery.committed
            wait(lambda before=before: delivery.committed > before, _PATIENCE)  # type: ignore[misc]
            told(delivery.committed + 1)
        delivery.close(end or _CUT, _PATIENCE)
        wait(lambda: delivery.ended, 0)
    finally:
        delivery.close(None, 0)
    return max(seqs[1] - first, 0)
