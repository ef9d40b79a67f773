"""The viewer's socket against a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from ...frames import Trainer, drain, open_socket, split

if TYPE_CHECKING:
    from ...conftest import Server


class Page:
    """A browser's socket."""

    def __init__(self, server: Server, query: str = "") -> None:
        self.socket = open_socket(server, f"/ws/live{query}")

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def hear(self) -> dict[str, Any] | bytes:
        message = self.socket.recv(timeout=10)
        return message if isinstance(message, bytes) else dict(json.loads(message))

    def reason_of_end(self, within: float) -> str:
        """Why the server closes the socket, if it does within so many seconds."""
        with pytest.raises(ConnectionClosed) as caught:
            drain(self.socket, within)
        assert caught.value.rcvd is not None
        return caught.value.rcvd.reason

    def frames(self, until: int) -> tuple[list[int], list[tuple[int, int]]]:
        """Numbers of the frames that came, and the ranges that were skipped, until one has arrived."""
        seen: list[int] = []
        skipped: list[tuple[int, int]] = []
        while not seen or seen[-1] < until:
            message = self.hear()
            if isinstance(message, bytes):
                seen += [f.seq for f in split(message[2:])]
            elif message["type"] == "skipped":
                skipped.append((message["first"], message["last"]))
        return seen, skipped


def test_frames_come_by_themselves_in_order_and_once(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="live 1234567890123")
    run = trainer.hear()["run"]
    page = Page(shared_server)
    page.say(type="watch", runs=[run])
    first = page.hear()
    assert isinstance(first, dict)
    assert (first["type"], first["run"]["id"], first["run"]["status"]) == ("run", run, "running")
    trainer.send(*range(20))
    assert page.frames(until=19) == (list(range(20)), [])
    trainer.send(20, 21)
    assert page.frames(until=21) == ([20, 21], [])


def test_a_message_names_its_slot_and_watch(shared_server: Server) -> None:
    one, two = Trainer(shared_server, key="slot one 1234567890"), Trainer(shared_server, key="slot two 1234567890")
    runs = [one.hear()["run"], two.hear()["run"]]
    page = Page(shared_server)
    page.say(type="watch", runs=[])
    page.say(type="watch", runs=runs)
    assert {m["run"]["id"] for m in (page.hear(), page.hear()) if isinstance(m, dict)} == set(runs)
    two.send(0)
    message = page.hear()
    assert isinstance(message, bytes)
    assert tuple(message[:2]) == (1, 2)


def test_a_viewer_far_behind_is_told_what_it_skipped(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="skip 1234567890123")
    run = trainer.hear()["run"]
    trainer.send(*range(400))
    trainer.acknowledged(399)
    page = Page(shared_server)
    page.say(type="watch", runs=[run], after={run: 9})
    seen, skipped = page.frames(until=399)
    assert skipped == [(10, seen[0] - 1)]
    assert seen == list(range(seen[0], 400))
    assert len(seen) <= 256
    page.say(type="watch", runs=[run], after={run: -(10**11)})  # there is nothing before the first one to skip
    assert page.frames(until=399)[1] == [(0, seen[0] - 1)]


def test_a_run_that_changes_is_told(shared_server: Server) -> None:
    trainer = Trainer(shared_server, key="change 1234567890")
    run = trainer.hear()["run"]
    page = Page(shared_server)
    page.say(type="list")
    page.say(type="watch", runs=[run])
    whole = page.hear()  # as it is now
    assert isinstance(whole, dict)
    assert whole["run"] == shared_server.run(run)
    shared_server.post(f"/api/runs/{run}/pause")
    told = [page.hear(), page.hear()]
    full = shared_server.run(run)
    assert full["control"]["paused"]
    brief = shared_server.get("/api/experiments")["experiments"][0]["runs"][0]
    assert "layers" not in brief
    assert all({"type": "run", "run": shown} in told for shown in (full, brief))


@pytest.mark.parametrize(
    "text", ["", "[]", "5", '"watch"', "{}", '{"type":"watch","runs":5}', '{"type":"watch","runs":["a"],"after":[1]}',
             '{"type":"dance"}', '{"type":"watch","runs":["nobody"]}', '{"type":"watch","runs":[1]}'],
)  # fmt: skip
def test_nonsense_gets_a_sentence_and_the_socket_lives(shared_server: Server, text: str) -> None:
    page = Page(shared_server)
    page.socket.send(text)
    message = page.hear()
    assert isinstance(message, dict)
    assert message["type"] == "error"
    trainer = Trainer(shared_server, key="nonsense 1234567890")
    run = trainer.hear()["run"]
    page.say(type="watch", runs=[run])
    answer = page.hear()
    assert isinstance(answer, dict)
    assert answer["type"] == "run"
    assert "Traceback" not in shared_server.log
    trainer.close()


def test_a_link_watches_its_own_experiment_only_and_ends_when_revoked(shared_server: Server) -> None:
    mine, other = Trainer(shared_server, key="mine 12345678901"), Trainer(shared_server, key="other 1234567890")
    run, foreign = mine.hear()["run"], other.hear()["run"]
    experiment = shared_server.run(run)["experiment"]
    link = shared_server.post("/api/links", {"experiment": experiment, "view": "tab=landscape"}).json()
    token = link["url"].removeprefix("/s/")
    page = Page(shared_server, f"?link={token}")
    page.say(type="watch", runs=[run, foreign])
    refused = page.hear()
    assert isinstance(refused, dict)
    assert refused == {"type": "error", "message": f"unknown run {foreign!r}"}
    mine.send(0)
    assert page.frames(until=0) == ([0], [])
    page.say(type="list")
    while True:
        message = page.hear()
        if isinstance(message, dict) and message["type"] == "error":
            assert "cannot do 'list' here" in message["message"]
            break
    assert shared_server.http.delete(f"{shared_server.url}/api/links/{link['id']}").status_code == 200
    assert page.reason_of_end(within=1) == "this link has been revoked"
    with pytest.raises(InvalidStatus, match="403"):
        Page(shared_server, f"?link={token}")


def test_another_sites_page_cannot_listen(shared_server: Server) -> None:
    for path in ("live", "ingest"):
        url = f"ws://127.0.0.1:{shared_server.port}/ws/{path}"
        with pytest.raises(InvalidStatus, match="403"), connect(url, origin=Origin("http://evil.example")):
            pass
