"""Viewers that read nothing, and viewers that come all at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import socket
import time
from typing import TYPE_CHECKING, Final

import psutil
from websockets.asyncio.client import connect

from ..conftest import Server, serving
from ..faults.stream import PATIENCE
from ..faults.viewers import come_at_once
from .found import Found
from .pulse import Pulse
from .vitals import examine, measure, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEAF: Final = 10
"""Viewers that read nothing."""
LARGE: Final = 200
"""Layers of the net that they look at, whose frames have about 26 KB: more in 20 seconds than lines hold back,"""
RATE: Final = 10.0
"""so many frames a second."""
MOST: Final = 32
"""Megabytes that they may cost: what their sockets hold back, and room for what the allocator keeps."""
LATER: Final = 0.1
"""Seconds by which frames may come later at p95 to another viewer than to one of a server without any of them, whose
frames may take twice as long."""
EACH: Final = 128
"""Kilobytes that each of a crowd may cost the server."""
HANDLES: Final = 1024
"""Files that a process may have open, unless someone asks for more: what a shell gives."""


def deaf(folder: Path, minutes: float, tell: Callable[[str], None]) -> Found:
    """Viewers that read nothing, beside one that does."""
    with serving(folder / "data") as server, serving(folder / "peer") as peer:
        found = asyncio.run(_deaf(server, peer, minutes, tell))
        found.expect("Traceback" not in server.log, "the server's log has a traceback")
    return found


async def _deaf(server: Server, peer: Server, minutes: float, tell: Callable[[str], None]) -> Found:
    """The same run on both servers, and a viewer of each who reads; at one of them, also some who do not."""
    pulse, well = Pulse(server, LARGE, RATE), Pulse(peer, LARGE, RATE)
    found, more, ports = Found(), 0.0, set[int]()
    async with pulse.beating(), well.beating(), contextlib.AsyncExitStack() as viewers:
        until = time.monotonic() + 60 * minutes
        while (left := until - time.monotonic()) > 0:
            for _ in range(DEAF - held(server, ports)):
                ports.add(await deafen(server, pulse.run, viewers))
            await asyncio.sleep(min(left, 5))
            more = max(more, measure(server).memory - measure(peer).memory)
            tell(f"{left:.0f} s, {more:.0f} MB more at most, {len(ports)} have come")
        found.before, found.after = measure(peer).heard(well.delays), measure(server).heard(pulse.delays)
        found.times, ended = len(ports), len(ports) - held(server, ports)
    follow(found, pulse)
    usual, late = (one.milliseconds(0.95) / 1000 for one in (found.before, found.after))
    found.expect(late <= 2 * usual + LATER, f"another viewer's frames took {late:.2f} s, not {usual:.2f}")
    found.expect(more <= MOST, f"they have cost {more:.0f} MB, more than {MOST}")
    found.checked = (
        f"{DEAF} viewers at a time of a net of {LARGE} layers ({RATE:g} frames a second) that read nothing, for "
        f"{minutes:g} minutes; the server has ended {ended} of {found.times}, for each of which another came. Another "
        "viewer gets every frame once. Memory, handles and delays of frames are, before the arrow, those of a server "
        f"without such viewers, of the same frames in the same minutes: they cost at most {more:.0f} MB (bound: "
        f"{MOST}), and p95 is no more than twice as long and {LATER:g} s"
    )
    return found


def follow(found: Found, pulse: Pulse) -> None:
    """Note what became of the frames, for the one who takes all of them."""
    found.sent, found.acknowledged = pulse.sent, pulse.acknowledged
    found.lost = pulse.sent - len(set(pulse.seen))
    found.doubled = len(pulse.seen) - len(set(pulse.seen))
    found.judge()


async def deafen(server: Server, run: str, viewers: contextlib.AsyncExitStack) -> int:
    """Add a viewer that looks at a run and takes next to nothing; the port that it comes from."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", server.port))
    url = f"ws://127.0.0.1:{server.port}/ws/live"
    port: int = line.getsockname()[1]
    silent = connect(url, sock=line, compression=None, max_queue=1, ping_interval=None, close_timeout=0.1)
    viewer = await viewers.enter_async_context(silent)
    await viewer.send(json.dumps({"type": "watch", "runs": [run]}))
    return port


def held(server: Server, ports: set[int]) -> int:
    """How many connections from these ports the server still has."""
    assert server.process is not None
    lines = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(bool(line.raddr) and line.raddr.port in ports for line in lines)


def crowd(folder: Path, viewers: float, tell: Callable[[str], None]) -> Found:
    """Many viewers that come at once, to a server that is given as many file handles as a shell has."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for their own ends of the lines
    server = Server(folder / "data", before=("prlimit", f"--nofile={HANDLES}:{hard}"))
    with contextlib.closing(server):
        server.start()
        before = examine(server)
        came = come_at_once(server, int(viewers), PATIENCE)
        tell(f"{came.served:,} served, {came.refused.total():,} refused, {came.failed.total():,} failed")
        settle(server)
        found = Found(int(viewers), before=before, after=examine(server))
        found.expect("Traceback" not in server.log, "the server's log has a traceback")
    each = came.grown / 1024 / viewers
    found.expect(not came.failed, f"not served, and not told why: {dict(came.failed)}")
    found.expect(each <= EACH, f"each of them costs {each:.0f} KB, more than {EACH}")
    found.checked = (
        f"{viewers:,.0f} viewers connect at once to a server that was given {HANDLES:,} file handles: {came.served:,} "
        f"served, {came.refused.total():,} refused with a reason; {each:.0f} KB of memory for each while they were "
        f"there (bound: {EACH}). Before they came, and when they had left"
    )
    return found
