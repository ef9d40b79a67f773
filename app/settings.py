"""What the server can be told from outside, by flags or by NORMSCOPE_* environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def _default_data() -> Path:
    return Path(os.environ.get("NORMSCOPE_DATA", "data"))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the server is configured by.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        data: Folder for the database, logs and checkpoints.
        store: URL of the store; empty for SQLite in `data`.
        bus: URL of the bus.
        public_url: Where training processes reach the servers, if it is not where this one listens: a proxy, say.
        launcher: URL of the launcher.
        run_cpus: CPUs that a run takes up of a cluster.
        run_gpus: GPUs that a run takes up of a cluster.
        browser: Whether to open a browser when ready.
        keep_deleted: Hours for which a deleted experiment can be brought back.
        keep_steps: Days for which every step of a run that has ended is kept; None for always.
        then_level: After that one frame stands for 4 to this power.
        hosts: Further names this server is reached by, beside loopback's.
        require_token: Whether those on this machine need a token, too.
        root_path: What a proxy has before every path; empty for nothing.
        proxies: Addresses or networks of proxies, with commas between, whose forwarded headers are believed.
        user_header: The header in which they name whom they have let in; empty for none.
        tls: The certificate and its key, where TLS ends here.
        local_port: Beside TLS, the port of loopback where processes on this machine find the server.
        webhooks: URLs that are told of alerts.
        webhook_hosts: Hosts that these may be at, even where their address is not public; if there are any, no others.
        rates: How many times the usual rates of `limits` a client may have; 0 for no limit.
        frames: Origins of further pages that may show ours in a frame.
        lost_after: Seconds without a sign of life from a training process after which its run is called lost.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = field(default_factory=_default_data)
    store: str = field(default_factory=lambda: os.environ.get("NORMSCOPE_STORE", ""))
    bus: str = field(default_factory=lambda: os.environ.get("NORMSCOPE_BUS", "memory:"))
    public_url: str = field(default_factory=lambda: os.environ.get("NORMSCOPE_PUBLIC_URL", ""))
    launcher: str = field(default_factory=lambda: os.environ.get("NORMSCOPE_LAUNCHER", "local:"))
    run_cpus: float = 1.0
    run_gpus: float = 0.0
    browser: bool = True
    keep_deleted: float = 24.0
    keep_steps: float | None = None
    then_level: int = 3
    hosts: tuple[str, ...] = ()
    require_token: bool = False
    root_path: str = ""
    proxies: str = ""
    user_header: str = ""
    tls: tuple[Path, Path] | None = None
    local_port: int = 0
    webhooks: tuple[str, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    rates: float = 1.0
    lost_after: float = 15.0

    @property
    def store_url(self) -> str:
        """The store's URL, spelled out."""
        return self.store or f"sqlite:///{(self.data / 'normscope.db').absolute()}"

    @property
    def keepalive(self) -> float:
        """Seconds between two pings of a training process, and within which it has to answer.

        One that falls silent is missed within twice that, and there is as long again in which it may come back.
        """
        return self.lost_after / 4

    @property
    def url(self) -> str:
        """Where processes on this machine reach the server."""
        return f"http://127.0.0.1:{self.local_port}" if self.tls else f"http://{self._name}:{self.port}"

    @property
    def page(self) -> str:
        """Where a browser on this machine does."""
        if self.tls and self.hosts:  # a certificate is for a name
            return f"https://{self.hosts[0]}:{self.port}{self.root_path}"
        return f"{'https' if self.tls else 'http'}://{self._name}:{self.port}{self.root_path}"

    @property
    def _name(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  compared, not bound
        return f"[{host}]" if ":" in host else host

    @property
    def asks(self) -> bool:
        """Whether a token is demanded: from everyone, as soon as anyone may come from elsewhere."""
        return self.host not in LOOPBACK or self.require_token or bool(self.proxies or self.user_header)

    @property
    def names(self) -> frozenset[str] | None:
        """The names this server answers to; None for any: where a token is demanded, a name alone opens nothing."""
        listed = self.host in LOOPBACK or self.hosts
        return frozenset({*LOOPBACK, self.host, *self.hosts}) if listed else None

    @property
    def cookie(self) -> str:
        """The name of the cookie that says who someone is: servers on one machine share its cookies."""
        return f"normscope-{urlsplit(self.public_url).port or self.port}"

    @property
    def url_for_runs(self) -> str:
        """Where training processes reach a server."""
        return self.public_url or self.url
