"""A reverse proxy as one would stand in front of the server: under a path of its own, knowing who asks."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Self

_THEIRS = ("x-forwarded-", "x-remote-user:", "connection:")


class Proxy(socketserver.ThreadingTCPServer):
    """Passes on what comes to a prefix, which the server behind it does not see (or does, with `keeps`).

    Attributes:
        user: Whom it says that it has let in; nobody unless set.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, behind: int, prefix: str, *, keeps: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Line)
        self.behind, self.prefix, self.keeps = behind, prefix, keeps
        self.user: str | None = None
        self.url = f"http://localhost:{self.server_address[1]}{prefix}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()

    def rewritten(self, head: bytes) -> bytes | None:
        """The head of a request as it goes on; None for what is not below the prefix."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, version = first.split(" ")
        if not path.startswith(self.prefix):
            return None
        path = path if self.keeps else path.removeprefix(self.prefix)
        upgrades = any(line.lower().startswith("upgrade:") for line in lines)
        lines = [line for line in lines if not line.lower().startswith(_THEIRS)]
        lines += ["Connection: " + ("Upgrade" if upgrades else "close"), "X-Forwarded-For: 203.0.113.9"]
        lines += ["X-Forwarded-Proto: https", *([f"X-Remote-User: {self.user}"] if self.user else [])]
        return "\r\n".join([f"{method} {path} {version}", *lines]).encode("latin-1") + b"\r\n\r\n"


class _Line(socketserver.BaseRequestHandler):
    """One connection, one request; after an Upgrade, whatever comes."""

    server: Proxy

    def handle(self) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.request.recv(65536)
            if not more:
                return
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        passed = self.server.rewritten(head)
        if passed is None:
            self.request.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.server.behind)) as behind:
            behind.sendall(passed + rest)
            threading.Thread(target=_pump, args=(self.request, behind), daemon=True).start()
            _pump(behind, self.request)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
