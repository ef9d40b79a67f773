"""Two servers, one store, one bus: whoever is connected to which, it is one dashboard; either may die."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from normscope import wire
from normscope.sending.delivery import Delivery, Listener

from ..app.frames.test_live import Page
from ..app.runs.test_queue import TINY, statuses
from ..conftest import Server, wait_for
from ..frames import LAYERS, Trainer, drain, frame, open_socket, split

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Proxy

Servers = tuple[Server, Server]


def store_of(server: Server) -> str:
    return server.flags[server.flags.index("--store") + 1]


def launched_by(server: Server, runs: list[str]) -> set[str]:
    """Which runs have a folder where a server keeps what its own training processes write."""
    return {run for run in runs if (server.data / "runs" / run).exists()}


def test_a_viewer_sees_what_a_trainer_sends_to_the_other_server(servers: Servers) -> None:
    one, two = servers
    trainer = Trainer(one, key="across 1234567890")
    run = trainer.hear()["run"]
    page = Page(two)
    page.say(type="watch", runs=[run])
    shown = page.hear()
    assert isinstance(shown, dict)
    assert shown["run"]["status"] == "running"
    assert trainer.hear()["type"] == "viewed"  # so that frames come soon
    trainer.send(*range(50))
    assert page.frames(until=49) == (list(range(50)), [])
    trainer.close()


def test_what_people_want_reaches_the_trainer_through_the_other_server(servers: Servers) -> None:
    one, two = servers
    trainer = Trainer(one, key="control 1234567890")
    run = trainer.hear()["run"]
    for action, heard in (("pause", "pause"), ("step", "step"), ("resume", "resume"), ("stop", "stop")):
        assert two.post(f"/api/runs/{run}/{action}").status_code == 200
        assert trainer.hear()["action"] == heard
    assert two.run(run)["status"] == "stopping"  # its process is there, though not at this server
    trainer.close()


def test_what_the_bus_has_lost_is_found_in_the_store(servers: Servers) -> None:
    """Written behind the servers' backs, so that nobody is told."""
    one, two = servers
    trainer = Trainer(one, key="unheard 1234567890")
    run = trainer.hear()["run"]
    page = Page(two)
    page.say(type="watch", runs=[run])
    page.hear()  # from here on frames come: what was there before is history, for which a page asks
    trainer.send(0)
    page.frames(until=0)
    with psycopg.connect(store_of(one)) as db:
        db.execute("UPDATE runs SET paused = true, arm = 'behind' WHERE id = %s", (run,))
    while (message := trainer.hear())["type"] != "control":
        pass
    assert message["action"] == "pause"

    def told() -> bool:
        message = page.hear()
        return isinstance(message, dict) and message["run"]["arm"] == "behind"

    wait_for(told, "the page to be told")
    trainer.close()


def test_the_server_that_a_trainer_came_to_last_has_it(servers: Servers) -> None:
    """Its old socket is half-open: frames that are still in it are committed once, whoever gets to it first."""
    one, two = servers
    old = Trainer(one, key="twice 1234567890123")
    run = old.hear()["run"]
    old.send(0, 1, 2)
    old.acknowledged(2)
    new = Trainer(two, key="twice 1234567890123")
    assert new.hear()["last"] == 2
    with pytest.raises(ConnectionClosed) as caught:
        drain(old.socket, 5)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.reason == "the run's training process has connected anew"
    new.send(3, 4)
    new.acknowledged(4)
    assert seqs(one, run) == [0, 1, 2, 3, 4]
    assert one.run(run)["status"] == "running"
    new.close()


def test_a_process_that_comes_to_both_servers_at_once_has_one_run(servers: Servers) -> None:
    """As when the answer to its first Hello comes too late for it, and the next way in leads to another server."""
    group = "a group 1234567890"
    hellos = [wire.Hello(f"at once 123456789{i}", "at once", group=group, arm=str(i)).dump() for i in range(2)]
    sockets = [(i, open_socket(server, "/ws/ingest")) for _ in range(3) for server in servers for i in range(2)]
    for i, socket in sockets:
        socket.send(hellos[i])
    runs: list[set[str]] = [set(), set()]
    for i, socket in sockets:
        with contextlib.suppress(ConnectionClosed):  # a newer connection may have taken over by then
            runs[i].add(json.loads(socket.recv(timeout=10))["run"])
    assert [len(found) for found in runs] == [1, 1]
    assert len({servers[0].run(run)["experiment"] for found in runs for run in found}) == 1
    assert not any("Traceback" in server.log for server in servers)


def test_an_old_hello_that_comes_late_costs_a_process_that_is_there_nothing(servers: Servers) -> None:
    """Its line was lost behind its Hello; by then the process is at the other server, and sends."""
    one, two = servers
    hello = wire.Hello("overtaken 1234567890", "overtaken", LAYERS)
    told: list[str] = []
    delivery = Delivery(two.url, hello, Listener(lambda _: None, lambda _: None, told.append), disk=0)
    for seq in range(60):
        delivery.put(wire.encode(frame(seq)))
        if seq % 20 == 10:
            assert delivery.wait(lambda seq=seq: delivery.committed == seq, 20)  # type: ignore[misc]
            late = Trainer(one, key=hello.key, layers=LAYERS)
            with contextlib.suppress(ConnectionClosed):
                drain(late.socket, 10)  # until the process has come back, and with it this one is the older
    assert delivery.close(wire.End("finished"), 30)
    assert (told, delivery.dropped) == ([], 0)
    assert delivery.run is not None
    assert seqs(one, delivery.run) == list(range(60))
    assert two.run(delivery.run)["status"] == "finished"


def test_an_old_hello_does_not_wake_a_run_that_has_ended(servers: Servers) -> None:
    one, two = servers
    trainer = Trainer(one, key="over and out 12345")
    run = trainer.hear()["run"]
    trainer.send(0)
    trainer.acknowledged(0)
    trainer.socket.send(wire.End("finished").dump())
    assert trainer.hear()["ended"]
    before = one.run(run)
    late = Trainer(two, key="over and out 12345")
    assert late.hear()["last"] == 0
    late.close()
    late = Trainer(two, key="over and out 12345")  # which is answered after the one before has been dealt with
    assert late.hear()["last"] == 0
    assert one.run(run)["ended"] == before["ended"]
    assert one.run(run)["status"] == "finished"
    late.send(1)  # the process is there all the same
    late.acknowledged(1)
    assert one.run(run)["status"] == "running"
    late.close()


def test_what_a_process_says_to_both_servers_at_once_is_told_once(servers: Servers) -> None:
    key, name, number = "alert both 1234567", "said twice", 20
    alerts = [wire.Alert(n, "loss > 1", "loss > 1: it is", 3, 3).dump() for n in range(number)]

    def say(*trainers: Trainer) -> None:
        with contextlib.suppress(ConnectionClosed):  # a newer one may have taken over by then
            for alert in alerts:
                for trainer in trainers:
                    trainer.socket.send(alert)

    say(*(Trainer(server, key=key, name=name) for server in servers))

    def told() -> bool:
        say(Trainer(servers[1], key=key, name=name))  # a process that is there comes back, and says it again
        runs = [e["runs"][0]["id"] for e in servers[0].get("/api/experiments")["experiments"] if e["name"] == name]
        return [len(servers[0].get(f"/api/runs/{run}/alerts")["alerts"]) for run in runs] == [number]

    wait_for(told, "all of them")
    assert not any("Traceback" in server.log for server in servers)


def test_a_revoked_link_closes_what_it_has_opened_at_the_other_server(servers: Servers) -> None:
    one, two = servers
    trainer = Trainer(one, key="link 1234567890123")
    experiment = one.run(trainer.hear()["run"])["experiment"]
    link = one.post("/api/links", {"experiment": experiment, "view": ""}).json()
    page = Page(two, f"?link={link['url'].removeprefix('/s/')}")
    page.say(type="watch", runs=[])
    one.http.delete(f"{one.url}/api/links/{link['id']}")
    assert page.reason_of_end(within=5) == "this link has been revoked"
    trainer.close()


def seqs(server: Server, run: str) -> list[int]:
    """Numbers of all frames that the store has of a run."""
    answer = server.http.get(f"{server.url}/api/runs/{run}/history", params={"points": 5000})
    return [found.seq for found in split(answer.content)]


def test_runs_wait_in_one_line_and_none_is_launched_twice(servers: Servers) -> None:
    experiments = [server.begin(**TINY, steps=5, seeds=2, parallel=1) for server in servers]
    for experiment in experiments:
        wait_for(lambda e=experiment: set(statuses(servers[0], e["id"])) == {"finished"}, "all runs", timeout=120)  # type: ignore[misc]
        found = servers[1].get(f"/api/experiments/{experiment['id']}")["runs"]
        times = [run["started"] for run in found]
        assert times == sorted(times)
    runs = [run["id"] for experiment in experiments for run in experiment["runs"]]
    first, second = (launched_by(server, runs) for server in servers)
    assert first | second == set(runs)
    assert first & second == set()


def test_the_server_with_the_trainers_dies_and_nothing_is_lost_doubled_or_stuck(
    servers: Servers, proxy: Proxy, tmp_path: Path
) -> None:
    one, two = servers
    waiting = one.begin(**TINY, steps=1_000_000, seeds=2, parallel=1)
    ids = [run["id"] for run in waiting["runs"]]
    one.wait_step(ids[0], 1)
    dies, stays = (one, two) if launched_by(one, ids) else (two, one)
    proxy.target = dies.port
    hello = wire.Hello("killed 123456789012", "killed", LAYERS)
    delivery = Delivery(proxy.url, hello, Listener(*[lambda _: None] * 3), disk=0)
    for seq in range(300):
        delivery.put(wire.encode(frame(seq)))
        if seq == 150:
            wait_for(lambda: delivery.run is not None and delivery.committed > 20, "some frames to be committed")
            dies.kill()
            killed = time.monotonic()
            proxy.target = stays.port
    assert delivery.close(wire.End("finished"), 30)
    assert time.monotonic() - killed < 10
    assert delivery.dropped == 0
    assert delivery.run is not None
    assert seqs(stays, delivery.run) == list(range(300))
    assert stays.run(delivery.run)["status"] == "finished"
    # The line goes on from the server that is left: the trainer that the other had launched cannot reach it.
    stays.post(f"/api/runs/{ids[0]}/stop")
    stays.wait_step(ids[1], 1, timeout=60)
    assert launched_by(stays, ids) == {ids[1]}
    stays.post(f"/api/experiments/{waiting['id']}/stop")
    dies.start()
