"""A server watched directly and through relays, real processes both, beside what `fanout.py` says of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final

from .audience import watched
from .bare import Bare
from .fanout import Level, Place, delays
from .meter import Meter
from .table import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import Server

    from .audience import Heard
    from .table import Table

_VIEWERS: Final = 500
_RELAYS: Final = 2
_RATE: Final = 5.0
_SECONDS: Final = 8.0
_QUANTILES: Final = (0.5, 0.95, 0.99)


def measure(table: Table, server: Server) -> None:
    """Watch by one, by many, and by as many through relays; simulate the latter two from what these have cost."""
    assert server.process is not None
    meter = Meter(server.process.pid)
    one = asyncio.run(watched(server, server, 1, rate=_RATE, seconds=_SECONDS))
    direct = asyncio.run(watched(server, server, _VIEWERS, rate=_RATE + 0.01, seconds=_SECONDS, meters=[meter]))
    sending, taking = meter.seconds / sum(direct.counts), direct.busy / sum(direct.counts)
    relayed, passing = _relayed(server)
    place = Place(os.cpu_count(), 0.0, max(0.0, one.at(0.5) - sending - taking), taking)
    levels = [Level(_VIEWERS, sending)], [Level(_RELAYS, sending), Level(_VIEWERS // _RELAYS, passing)]
    names = f"directly by {_VIEWERS} viewers", f"by as many through {_RELAYS} relays"
    for name, heard, tree in zip(names, (direct, relayed), levels, strict=True):
        said = delays(tree, place, rate=_RATE, updates=round(_RATE * _SECONDS))
        _add(table, name, heard, said)
    table.cost("relay_seconds_per_delivery", passing)
    table.cost("seconds_before_the_first_delivery", place.before)


def _relayed(server: Server) -> tuple[Heard, float]:
    """What was heard through relays, and the seconds that a relay took for each delivery."""
    with contextlib.ExitStack() as stack:
        meters: list[Meter] = []

        def begin(url: str, greeting: str) -> Sequence[str]:
            urls = []
            for _ in range(_RELAYS):
                relay = stack.enter_context(contextlib.closing(Bare({"UPSTREAM": url, "GREETING": greeting})))
                relay.start()
                assert relay.process is not None
                meters.append(Meter(relay.process.pid))
                urls.append(f"ws://127.0.0.1:{relay.port}/out")
            return urls

        heard = asyncio.run(
            watched(server, server, _VIEWERS, rate=_RATE + 0.02, seconds=_SECONDS, meters=meters, through=begin)
        )
        return heard, sum(meter.seconds for meter in meters) / sum(heard.counts)


def _add(table: Table, name: str, heard: Heard, said: list[float]) -> None:
    pairs = [(heard.at(share), quantile(said, share)) for share in _QUANTILES]
    off = max(abs(simulated / measured - 1) for measured, simulated in pairs)
    table.add(
        f"a run watched {name}, p50, p95 and p99", ", ".join(f"{1000 * one:.0f} ms" for one, _ in pairs), "",
        f"simulated {', '.join(f'{1000 * two:.0f} ms' for _, two in pairs)}: off by {100 * off:.0f} % at most",
    )  # fmt: skip
    kind = "relayed" if "relays" in name else "direct"
    for share, (measured, simulated) in zip(_QUANTILES, pairs, strict=True):
        table.cost(f"{kind}_p{100 * share:.0f}_measured", measured)
        table.cost(f"{kind}_p{100 * share:.0f}_simulated", simulated)
