"""The server's command line: `python -m app`, or `normscope serve` where installed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import socket
import sys
import webbrowser
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn

from normscope.background import keep_freed_memory
from normscope.errors import NormscopeError
from normscope.wire import bounds

from . import handles, logs
from .access.reach import reach
from .bus import check_bus
from .commands.keyring import first_token
from .flags import arguments, told
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


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit status."""
    parser = arguments()
    given = parser.parse_args(argv)
    try:
        Webhooks(given.webhooks, given.webhook_hosts)
    except ValueError as error:
        parser.error(str(error))
    logs.begin(given.log_format)
    try:
        reached = reach(given)
        listeners = [_listen(given.host, given.port)]
        if reached["tls"]:
            listeners.append(_listen("127.0.0.1", 0))
        given.data.mkdir(parents=True, exist_ok=True)
        ports = {"port": listeners[0].getsockname()[1], "local_port": listeners[-1].getsockname()[1]}
        settings = Settings(**told(given) | reached | ports)
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
        # Browsers ask for it. Frames shrink by a quarter, and sending one to one viewer takes four times as long.
        ws_per_message_deflate=False,
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
        gc.freeze()  # what is loaded stays: to look through it for garbage would only hold requests up, and the end
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
