"""The server's command line: `python -m app`, or `normscope serve` where installed."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import math
import os
import socket
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn

from normscope.background import keep_freed_memory
from normscope.errors import NormscopeError
from normscope.wire import bounds

from . import handles, logs
from .access.reach import add_flags, reach
from .bus import check_bus
from .commands.keyring import first_token
from .folder import held
from .launcher import Needs, check_launcher
from .limits import STALLED
from .runs.webhooks import Webhooks
from .settings import Settings
from .store import is_shared, prepare_store

if TYPE_CHECKING:
    from collections.abc import Sequence


SHOWN_ONCE: Final = "This address lets its owner in and is shown this once; normscope token --new makes another.\n"
ASKS: Final = "It asks for its token; normscope token --new makes another.\n"


def arguments() -> argparse.ArgumentParser:
    """The flags; each has its default from Settings."""
    parser = argparse.ArgumentParser("normscope serve", description="Serve the Normscope dashboard.")
    usual = Settings()
    parser.add_argument("--host", default=usual.host, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=usual.port, help="port; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--data", type=Path, default=usual.data, help="folder to keep everything in (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a further name of this server"
    )
    parser.add_argument(
        "--allow-frame", action="append", default=[], metavar="ORIGIN",
        help="a page that may show this one in a frame, e.g. https://hub.example.org",
    )  # fmt: skip
    parser.add_argument(
        "--rates", type=float, default=usual.rates, metavar="FACTOR",
        help="how many times as often as usual a client may ask; 0: no limit (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-deleted", type=float, default=usual.keep_deleted, metavar="HOURS",
        help="for how long a deleted experiment can be brought back (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--webhook", action="append", default=[], metavar="URL", help="an address that is told of alerts, by POST"
    )
    parser.add_argument(
        "--webhook-host", action="append", default=[], metavar="NAME",
        help="a host that webhooks may be at, even at a private address; if given, no others",
    )  # fmt: skip
    parser.add_argument(
        "--lost-after", type=_seconds, default=usual.lost_after, metavar="SECONDS",
        help="a run whose training process is silent for so long is called lost (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--store", default=usual.store, metavar="URL",
        help="postgresql://USER:PASSWORD@HOST/NAME, for many servers (NORMSCOPE_STORE; default: a file in --data)",
    )  # fmt: skip
    parser.add_argument(
        "--bus", default=usual.bus, metavar="URL",
        help="redis://HOST, for servers that share a store (NORMSCOPE_BUS; default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--public-url", default=usual.public_url, metavar="URL",
        help="where runs started from here reach the servers, if there is a proxy (NORMSCOPE_PUBLIC_URL)",
    )  # fmt: skip
    parser.add_argument(
        "--launcher", default=usual.launcher, metavar="URL",
        help="ray: or ray:http://HOST:8265, to train on a Ray cluster (NORMSCOPE_LAUNCHER; default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--run-cpus", type=float, default=usual.run_cpus, metavar="N",
        help="CPUs of the cluster that a run takes up (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--run-gpus", type=float, default=usual.run_gpus, metavar="N",
        help="GPUs of the cluster that a run takes up (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-steps", type=float, metavar="DAYS",
        help="for how long every step of a run that has ended is kept (default: always)",
    )  # fmt: skip
    parser.add_argument(
        "--then-keep", type=int, choices=(4, 16, 64, 256), default=4**usual.then_level, metavar="N",
        help="after that one frame stands for N: 4, 16, 64 or 256 (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--log-format", choices=logs.FORMATS, default=os.environ.get("NORMSCOPE_LOG_FORMAT", "text"),
        help="what the log is written as (NORMSCOPE_LOG_FORMAT; default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    add_flags(parser)
    return parser


def _seconds(text: str) -> float:
    """A positive number, as argparse wants to have it checked."""
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit status."""
    parser = arguments()
    given = parser.parse_args(argv)
    try:
        Webhooks(given.webhook, given.webhook_host)
    except ValueError as error:
        parser.error(str(error))
    logs.begin(given.log_format)
    try:
        reached = reach(given)
        listeners = [_listen(given.host, given.port)]
        if reached["tls"]:
            listeners.append(_listen("127.0.0.1", 0))
        given.data.mkdir(parents=True, exist_ok=True)
        settings = Settings(
            host=given.host, port=listeners[0].getsockname()[1], local_port=listeners[-1].getsockname()[1],
            data=given.data, **reached,
            browser=not given.no_browser, hosts=tuple(given.allow_host),
            keep_deleted=given.keep_deleted, webhooks=tuple(given.webhook), webhook_hosts=tuple(given.webhook_host),
            frames=tuple(given.allow_frame), rates=given.rates, lost_after=given.lost_after,
            store=given.store, bus=given.bus, public_url=given.public_url.rstrip("/"),
            launcher=given.launcher, run_cpus=given.run_cpus, run_gpus=given.run_gpus,
            keep_steps=given.keep_steps, then_level=(given.then_keep.bit_length() - 1) // 2,
        )  # fmt: skip
        # What is shared needs no holding: servers agree in the store on who does what.
        with contextlib.nullcontext() if is_shared(settings.store_url) else held(given.data, settings.url):
            _prepare(settings)
            token = first_token(settings) if settings.asks else None
            return _serve(settings, listeners, token)
    except NormscopeError as error:
        sys.stderr.write(f"normscope: {error}\n")
    except OSError as error:
        sys.stderr.write(f"normscope: cannot use the data folder {given.data}: {error.strerror}\n")
    return 1


def _prepare(settings: Settings) -> None:
    """See to it that store, bus and launcher can be used, while a refusal is still one sentence."""
    try:
        prepare_store(settings.store_url)
        check_bus(settings.bus)
        check_launcher(settings.launcher, Needs(settings.run_cpus, settings.run_gpus))
    except ValueError as error:
        raise NormscopeError(str(error)) from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, or asyncio would not know to send at once, and every answer would wait 40 ms (Nagle).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with contextlib.suppress(AttributeError):  # Linux has it; connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * STALLED)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a port is a number from 0 to 65535"
        raise NormscopeError(f"cannot listen on {host}:{port}: {reason}; choose another with --port") from error
    return listener


def _serve(settings: Settings, listeners: list[socket.socket], token: str | None) -> int:
    from .frames.sockets import sockets
    from .main import create_app

    keep_freed_memory()
    handles.want_many()
    config = uvicorn.Config(
        create_app(settings), ws=sockets(settings.keepalive), ws_max_size=bounds.MESSAGE, ws_ping_interval=10,
        ws_ping_timeout=10, log_level="warning", lifespan="on", timeout_graceful_shutdown=2, proxy_headers=False,
        ssl_certfile=settings.tls and settings.tls[0], ssl_keyfile=settings.tls and settings.tls[1],
    )  # fmt: skip
    server = Server(config, settings, token)
    with contextlib.suppress(KeyboardInterrupt):  # Ctrl-C has done its work by then
        server.run(sockets=listeners)
    return 0 if server.started else 1


class Server(uvicorn.Server):
    """Uvicorn, and a word to the person who started it once pages are being served."""

    def __init__(self, config: uvicorn.Config, settings: Settings, token: str | None = None) -> None:
        super().__init__(config)
        self._settings = settings
        self._token = token

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, print the address, open the browser where there is a display."""
        assert sockets is not None
        first, *local = sockets
        await super().startup([first])
        for listener in local:
            await self._serve_here(listener)
        if self.started and not self.should_exit:
            url = self._settings.page + (f"/?token={self._token}" if self._token else "")
            sys.stdout.write(f"Normscope is at {url} (Ctrl-C ends it; runs go on)\n")
            if self._settings.asks:
                sys.stdout.write(SHOWN_ONCE if self._token else ASKS)
            sys.stdout.flush()
            if self._settings.browser and _display():
                await asyncio.to_thread(webbrowser.open, url)

    async def _serve_here(self, listener: socket.socket) -> None:
        """Serve this machine's training processes without TLS: the certificate is for a name that is not loopback's."""
        protocol: Any = functools.partial(
            cast("Any", self.config.http_protocol_class),
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state,
        )  # fmt: skip
        self.servers.append(await asyncio.get_running_loop().create_server(protocol, sock=listener))


def _display() -> bool:
    """Whether a browser could show itself."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    sys.exit(main())
