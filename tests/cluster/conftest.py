"""Two real servers that share a PostgreSQL and a Valkey, and what stands before them."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from ..conftest import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..services import Postgres, Valkey


class Proxy:
    """Passes connections on to one server, which can be changed for those that come later."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    client.close()
                    continue
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture(scope="module")
def servers(
    postgres: Postgres, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """Two servers, both of which run."""
    flags = ("--store", postgres.fresh(), "--bus", valkey.url)
    one, two = (Server(tmp_path_factory.mktemp("cluster") / "data", flags=flags) for _ in range(2))
    try:
        one.start()
        two.start()
        yield one, two
        for server in (one, two):
            if server.process is not None and server.process.poll() is None:
                for experiment in server.get("/api/experiments")["experiments"]:
                    server.post(f"/api/experiments/{experiment['id']}/stop")
                break
    finally:
        one.close()
        two.close()


@pytest.fixture
def proxy(servers: tuple[Server, Server]) -> Iterator[Proxy]:
    """A way to the first server, until it is changed."""
    one = Proxy(servers[0].port)
    yield one
    one.close()
