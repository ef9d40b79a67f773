"""Webhooks: alerts as JSON to addresses of the owner's choice, and to no others, whatever a name may resolve to."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

import h11

from normscope.errors import NormscopeError
from normscope.words import one_line

from ..metrics import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..store import Alert, Run

log = logging.getLogger("normscope.webhooks")

WAITING: Final = 100
"""Messages that may wait for one address; beyond it new ones are dropped, counted and reported."""
PATIENCE: Final = 10.0
"""Seconds that a message may take, from the first look-up to the answer."""
PAUSES: Final = (1.0, 4.0, 15.0, 60.0)
"""Seconds before each further attempt."""
_PORTS: Final = {"http": 80, "https": 443}


class UndeliveredError(NormscopeError):
    """A message could not be delivered; `final` where there is no use in trying again."""

    def __init__(self, sentence: str, *, final: bool = False) -> None:
        super().__init__(sentence)
        self.final = final


class Webhooks:
    """Sends each alert to every address, in order, on a task for each.

    Args:
        urls: Where to; they may hold secrets, so only their hosts are ever told.
        hosts: Hosts that messages may go to, even at an address that is not public. If there are any, no others.

    Raises:
        ValueError: If a URL is none of http or https, or its host is not among those.
    """

    def __init__(self, urls: Sequence[str], hosts: Sequence[str] = ()) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._queues: list[tuple[SplitResult, asyncio.Queue[dict[str, Any]]]] = []
        for url in urls:
            parts = urlsplit(url)
            if parts.scheme not in _PORTS or not parts.hostname:
                raise ValueError(f"webhook: what begins with {url[:8]!r} is no http:// or https:// URL")
            if not parts.port and parts.port is not None:
                raise ValueError("webhook: 0 is no port")
            if self._hosts and parts.hostname not in self._hosts:
                raise ValueError(f"webhook: {parts.hostname} is not one of {', '.join(sorted(self._hosts))}")
            self._queues.append((parts, asyncio.Queue(WAITING)))

    def __bool__(self) -> bool:
        return bool(self._queues)

    def tell(self, run: Run, experiment: str, alert: Alert) -> None:
        """Put an alert, as it is now, into every queue."""
        message = _message(run, experiment, alert)
        for parts, queue in self._queues:
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                metrics.webhooks_dropped.inc()
                log.warning("%d messages wait for %s; new ones are dropped", WAITING, parts.hostname)

    async def serve(self) -> None:
        """Send what comes, for as long as the server lives."""
        async with asyncio.TaskGroup() as tasks:
            for parts, queue in self._queues:
                tasks.create_task(self._serve(parts, queue))

    async def _serve(self, parts: SplitResult, queue: asyncio.Queue[dict[str, Any]]) -> None:
        while True:
            body = json.dumps(await queue.get()).encode()
            try:
                await self._persist(parts, body)
                metrics.webhooks_sent.inc()
            except UndeliveredError as error:
                metrics.webhooks_failed.inc()
                log.warning("webhook to %s: %s", parts.hostname, error)

    async def _persist(self, parts: SplitResult, body: bytes) -> None:
        """Send, and again after a while, until it is taken."""
        for pause in (*PAUSES, None):
            try:
                await self._send(parts, body)
            except UndeliveredError as error:
                if error.final or pause is None:
                    raise
                await asyncio.sleep(pause)
            else:
                return

    async def _send(self, parts: SplitResult, body: bytes) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                status = await self._post(parts, body)
        except (OSError, UnicodeError, h11.ProtocolError) as error:  # a timeout is an OSError
            raise UndeliveredError(f"{type(error).__name__}: {error}"[:200]) from error
        if not 200 <= status < 300:
            # A redirect is not followed: it could lead to where nobody has allowed it to.
            raise UndeliveredError(f"it answers {status}", final=status < 500 and status not in (408, 429))

    async def _post(self, parts: SplitResult, body: bytes) -> int:
        """The status of the answer to a POST, at the very address that was looked at."""
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        address = await self._address(host, port)
        secured = ssl.create_default_context() if parts.scheme == "https" else None
        reader, writer = await asyncio.open_connection(
            address, port, ssl=secured, server_hostname=host if secured else None
        )
        try:
            connection = h11.Connection(h11.CLIENT)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = [
                ("Host", parts.netloc.rpartition("@")[2]), ("User-Agent", "normscope"), ("Connection", "close"),
                ("Content-Type", "application/json"), ("Content-Length", str(len(body))),
            ]  # fmt: skip
            request = h11.Request(method="POST", target=target, headers=headers)
            for part in (request, h11.Data(data=body), h11.EndOfMessage()):
                writer.write(connection.send(part) or b"")
            await writer.drain()
            while not isinstance(event := connection.next_event(), h11.Response):
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(4096))
            return event.status_code
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _address(self, host: str, port: int) -> str:
        """Where a host is, once and for all: a name that is looked up again may have moved inside."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
        addresses = [str(info[4][0]) for info in found]
        if host not in self._hosts:
            for address in addresses:
                if not is_public(address):
                    raise UndeliveredError(
                        f"{address} is not a public address; --webhook-host {host} would allow it", final=True
                    )
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is of the internet: not of this machine, a private network, the link, or a group of hosts."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in _TRANSLATED:
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
    return found.is_global and not found.is_multicast and not found.is_reserved


_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses that stand for IPv4 ones (RFC 6052)."""


def _chat(text: str) -> str:
    """The text as chat programs show it: `<…>` would be a link of the sender's, or call everyone (Slack's own rule)."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _message(run: Run, experiment: str, alert: Alert) -> dict[str, Any]:
    """What is sent: an alert, and where the page shows it. Nothing in it opens anything."""
    name = " · ".join(dict.fromkeys(filter(None, (experiment, run.arm or run.name))))
    over = "" if alert.cleared is None else f" (over at step {alert.cleared})"
    return {
        "text": _chat(f"{name}: {alert.sentence}{over}"),
        "event": "alert" if alert.cleared is None else "alert over",
        "rule": alert.rule, "sentence": alert.sentence, "step": alert.step, "since": alert.since,
        "cleared": alert.cleared, "more": alert.more,
        "places": [{"layer": layer, "kind": kind, "value": value} for layer, kind, value in alert.places],
        "run": {"id": run.id, "name": run.name, "arm": run.arm, "seed": run.seed},
        "experiment": {"id": run.experiment, "name": experiment},
        "path": f"/e/{run.experiment}?runs={run.id}&step={alert.since}",
    }  # fmt: skip
