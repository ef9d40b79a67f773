"""What ties a courier to those of the other ranks: where its frames go, and that all stop behind the same step."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Protocol

from .. import wire
from .company import Address, Company, Lost, Stop
from .gathering import Gathering
from .joining import Joining
from .meeting import Meeting, Members, Viewing

if TYPE_CHECKING:
    from collections.abc import Callable

    from .delivery import Delivery, Listener
    from .filing import Filing
    from .pipe import Nonfinite
    from .ring import Ring


class Together(Protocol):
    """A courier's part among the others."""

    delivery: Any
    """Takes this rank's frames, as a `Delivery` does."""

    @property
    def ready(self) -> bool:
        """Whether there is nothing more to hear from the training process before the end."""

    def hear(self, message: Address | Stop) -> None:
        """What the training process has to say about the others."""

    def tend(self, steps: int) -> None:
        """All frames of so many steps have been put."""

    def tell(self, news: wire.Alert | Nonfinite) -> None:
        """Tell the other ranks' loops what this one's was told."""

    def part(self) -> None:
        """Nothing more will come from here."""


def together(
    company: Company, make: Callable[[], Delivery | Filing], listener: Listener, ring: Ring,
    say: Callable[[object], None], look: Callable[[bytes], None],
) -> Together:  # fmt: skip
    """The first rank's part, or another's.

    Args:
        company: The ranks.
        make: Makes the way to the server, or to a file, where there is one from here.
        listener: Hears what the server says, and what a person should be told.
        ring: Shared with training.
        say: Tells the training process.
        look: Looks at each frame that was made of what several ranks saw.
    """
    if company.first:
        return First(company, make(), listener, ring, say, look)
    return Other(company, make, listener, ring, say)


class First:
    """The first rank's part: the others come to it."""

    def __init__(
        self, company: Company, delivery: Delivery | Filing, listener: Listener, ring: Ring,
        say: Callable[[object], None], look: Callable[[bytes], None],
    ) -> None:  # fmt: skip
        self._ring = ring
        self._apart = company.mode == "apart"
        self._gathering = Gathering(company, delivery, listener, look) if company.mode == "merge" else None
        self.delivery: Any = self._gathering or delivery
        members = Members(self._take, self._reach, self._leave, lambda: say(wire.Control("stop")))
        self._meeting = _meeting(company, members, listener)
        self._viewing = Viewing(self._meeting) if self._meeting else None
        if self._meeting is not None:
            say(Address(self._meeting.host, self._meeting.port))

    ready = True
    """The others find us by themselves."""

    def hear(self, message: Address | Stop) -> None:
        """Have all stop; whoever has not heard of it by then is not there."""
        if isinstance(message, Stop):
            if self._meeting is not None:
                self._meeting.agree(message.after)
            self._ring.last = message.after

    def tend(self, steps: int) -> None:
        """As `Together` says."""
        if self._gathering is not None:
            self._gathering.reach(0, steps)
        if self._viewing is not None:
            self._viewing.note(self.delivery.viewed)

    def tell(self, news: wire.Alert | Nonfinite) -> None:
        """As `Together` says; where ranks are apart, each has news of its own."""
        if self._meeting is not None and not self._apart:
            self._meeting.tell("news", news=news.dump() if isinstance(news, wire.Alert) else news)

    def part(self) -> None:
        """Let the others go."""
        if self._meeting is not None:
            self._meeting.close()

    def _take(self, rank: int, data: bytes) -> None:
        if self._gathering is not None:
            self._gathering.part(rank, data)

    def _reach(self, rank: int, step: int) -> None:
        if self._gathering is not None:
            self._gathering.reach(rank, step)

    def _leave(self, rank: int) -> None:
        if self._gathering is not None:
            self._gathering.leave(rank)


class Other:
    """Another rank's part: it goes to the first."""

    def __init__(
        self, company: Company, make: Callable[[], Delivery | Filing], listener: Listener, ring: Ring,
        say: Callable[[object], None],
    ) -> None:  # fmt: skip
        def stop(after: int) -> None:
            ring.last = after

        self._joining = Joining(company, stop, lambda: say(Lost()), listener.warning, say)
        self.delivery: Any = make() if company.mode == "apart" else self._joining

    @property
    def ready(self) -> bool:
        """Whether the first rank was found, or it is too late for that."""
        return self.delivery is not self._joining or self._joining.found

    def hear(self, message: Address | Stop) -> None:
        """Go where the first rank is, or tell it that someone wants to stop."""
        if isinstance(message, Address):
            self._joining.meet(message)
        else:
            self._joining.stop(message.after)

    def tend(self, steps: int) -> None:
        """As `Together` says."""
        if self.delivery is self._joining:
            self._joining.tell(steps)

    def tell(self, news: wire.Alert | Nonfinite) -> None:
        """What is of this rank alone is no news to the others."""

    def part(self) -> None:
        """Nobody waits for us."""


def _meeting(company: Company, members: Members, listener: Listener) -> Meeting | None:
    """Where the couriers meet: where the others expect it, else wherever this machine can be reached."""
    for host in (company.host, socket.gethostname()):
        try:
            return Meeting(company, host, members)
        except OSError as error:
            reason = error
    listener.warning(f"no other rank can join: cannot listen on {company.host} ({reason.strerror})")
    return None
