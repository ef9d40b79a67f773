"""Frames that wait for a server: in memory, on disk, thinned, left behind, and given to a server later."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import normscope
from normscope import wire
from normscope.command import importing
from normscope.sending import backlog, spool
from normscope.sending.backlog import Backlog
from normscope.sending.delivery import Delivery

from ...conftest import Server, free_port, wait_for
from ...frames import frame, split
from ...peer import Peer
from .test_delivery import HELLO, Heard, send

if TYPE_CHECKING:
    from pathlib import Path

SIZE = len(wire.encode(frame(20)))


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_PART", 8 * SIZE)
    monkeypatch.setattr(spool, "_AGAIN", 0.0)


def fill(waiting: Backlog, numbers: range) -> None:
    for number in numbers:
        assert waiting.has_room()
        waiting.add(wire.encode(frame(number)))


def drained(waiting: Backlog) -> list[wire.Frame]:
    """All that waits, taken and acknowledged as a server would."""
    found: list[wire.Frame] = []
    while waiting:
        found += [wire.decode(data) for data in waiting.take()]
        waiting.acknowledge(found[-1].seq + found[-1].frames - 1)
    return found


def test_what_memory_has_no_room_for_goes_to_disk_and_comes_back_in_order(unsent: Path) -> None:
    waiting = Backlog(HELLO, 10 * SIZE, 1 << 30, pytest.fail)
    fill(waiting, range(100))
    assert waiting.bytes < 13 * SIZE
    (folder,) = unsent.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    assert sum(path.stat().st_size for path in folder.iterdir()) > 70 * SIZE
    assert [f.seq for f in drained(waiting)] == list(range(100))
    assert not any(unsent.iterdir())
    assert (waiting.seq, waiting.committed, waiting.bytes) == (100, 99, 0)


def test_no_more_comes_from_disk_than_memory_has_room_for(unsent: Path) -> None:
    waiting = Backlog(HELLO, 10 * SIZE, 1 << 30, pytest.fail)
    fill(waiting, range(100))
    while waiting.ready:
        waiting.take()
    assert waiting.untaken
    assert waiting.bytes < 30 * SIZE
    waiting.again()
    assert next(wire.decode(data).seq for data in waiting.take()) == 0


def test_beyond_the_bound_on_disk_the_oldest_steps_are_merged_and_none_is_missing(unsent: Path) -> None:
    told: list[str] = []
    waiting = Backlog(HELLO, 4 * SIZE, 100 * SIZE, told.append)
    fill(waiting, range(1000))
    (folder,) = unsent.iterdir()
    assert sum(path.stat().st_size for path in folder.iterdir()) < 110 * SIZE
    found = drained(waiting)
    assert [f.seq for f in found[1:]] == [f.seq + f.frames for f in found[:-1]]
    assert found[-1].seq + found[-1].frames == 1000
    sizes = [f.frames for f in found[6:]]  # the first are those in memory
    assert max(sizes) >= 16
    assert sizes[-1] == 1
    assert all(f.frames == 4**f.level and f.seq % f.frames == 0 for f in found)
    merged = next(f for f in found if f.frames >= 16)
    parts = [frame(i) for i in range(merged.seq, merged.seq + merged.frames)]
    assert merged.counts.sum() == sum(part.counts.sum() for part in parts)
    assert told == ["0 MB wait on disk: the oldest steps are merged, 4 into one"]


def test_a_disk_that_refuses_loses_what_has_no_room_and_says_so_once(unsent: Path) -> None:
    unsent.write_bytes(b"")  # a file where the folder should be
    heard, peer = Heard(), Peer()
    delivery = Delivery(peer.url, HELLO, heard, 2000)
    send(delivery, range(400))
    kept = 400 - delivery.dropped
    assert 20 < kept < 400
    assert sum("cannot be put on disk" in warning for warning in heard.warned) == 1
    unsent.unlink()
    send(delivery, range(500, 505))
    peer.start()
    wait_for(lambda: len(peer.frames) == kept + 5, "what was kept")
    assert delivery.close(wire.End("finished"), 20)
    assert peer.steps() == [*range(kept), *range(500, 505)]
    peer.stop()


def test_an_outage_longer_than_memory_loses_nothing(unsent: Path) -> None:
    peer = Peer()
    delivery = Delivery(peer.url, HELLO, Heard(), 4000)
    send(delivery, range(2000))
    assert delivery.waiting < 5000
    peer.start()
    wait_for(lambda: len(peer.frames) == 2000, "all frames")
    send(delivery, range(2000, 2010))
    assert delivery.close(wire.End("finished"), 20)
    assert peer.steps() == list(range(2010))
    assert delivery.dropped == 0
    assert not any(unsent.iterdir())
    peer.stop()


def test_what_was_not_sent_at_the_end_is_left_and_imported_later(
    shared_server: Server, unsent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = Heard()
    hello = wire.Hello("l" * 22, "left behind", tuple(wire.Layer(f"fc{i}", "Linear") for i in range(2)))
    delivery = Delivery(f"http://127.0.0.1:{free_port()}", hello, heard, 20 * SIZE, 60 * SIZE)
    for number in range(300):
        assert delivery.has_room()
        delivery.put(wire.encode(frame(number)))
    delivery.say(wire.Graph(((0, 1),)))
    assert not delivery.close(wire.End("finished", outcome={"best": 1.0}), 0.1)
    (folder,) = unsent.iterdir()
    assert str(folder) in heard.warned[-1]
    run = normscope.open(folder)
    coarsest = max(f.frames for f in run.frames())
    assert (run.hello, run.edges, run.seqs) == (hello, ((0, 1),), (0, 300))
    assert importing.main(["--unsent", "--url", shared_server.url]) == 0
    assert "left behind, 300 of 300 steps were new" in capsys.readouterr().out
    assert not any(unsent.iterdir())
    (found,) = (e for e in shared_server.get("/api/experiments")["experiments"] if e["name"] == "left behind")
    stored = shared_server.run(found["runs"][0]["id"])
    assert (stored["status"], stored["outcome"], stored["edges"]) == ("finished", {"best": 1.0}, [[0, 1]])
    assert (stored["last_step"], stored["thinned"]) == (299, coarsest)
    history = split(shared_server.http.get(f"{shared_server.url}/api/runs/{stored['id']}/history").content)
    assert sum(f.frames for f in history) == 300
    assert importing.main(["--unsent", "--url", shared_server.url]) == 0
    assert capsys.readouterr().out == ""


def test_the_rest_of_a_run_goes_to_the_server_that_has_the_beginning(
    peer: Peer, unsent: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = Delivery(peer.url, HELLO, Heard())
    send(delivery, range(10))
    wait_for(lambda: delivery.committed == 9, "the frames")
    peer.stop()
    send(delivery, range(10, 30))
    assert not delivery.close(wire.End("finished"), 0.1)
    (folder,) = unsent.iterdir()
    assert normscope.open(folder).seqs == (10, 30)
    other = Peer()
    other.start()
    assert importing.main([str(folder), "--url", other.url]) == 1
    assert "is the rest of a run" in capsys.readouterr().err
    other.stop()
    peer.start()
    assert importing.main(["--unsent", "--url", peer.url]) == 0
    assert peer.steps() == list(range(30))
    assert not any(unsent.iterdir())


def test_unsent_runs_do_not_fill_the_disk(unsent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "ALL", 1000)
    (unsent / "older").mkdir(parents=True)
    (unsent / "older" / "0000000000.normscope").write_bytes(bytes(2000))
    told: list[str] = []
    waiting = Backlog(HELLO, backlog.MEMORY, 1 << 30, told.append)
    fill(waiting, range(3))
    waiting.leave([wire.End("finished")])
    (sentence,) = told
    assert "of other runs wait in" in sentence
    assert [path.name for path in unsent.iterdir()] == ["older"]


def test_runs_that_wait_beside_each_other_lose_nothing(unsent: Path) -> None:
    told: list[str] = []

    def outage() -> list[int]:
        """Fill and empty a backlog again and again, each time in a folder of its own; the steps that came back."""
        found: list[int] = []
        for _ in range(20):
            waiting = Backlog(HELLO, 4 * SIZE, 1 << 30, told.append)
            for number in range(40):
                if waiting.has_room():
                    waiting.add(wire.encode(frame(number)))
            found += [f.seq for f in drained(waiting)]
        return found

    with ThreadPoolExecutor(6) as runs:
        found = [one.result() for one in [runs.submit(outage) for _ in range(6)]]
    assert (found, told) == ([[*range(40)] * 20] * 6, [])
    assert not any(unsent.iterdir())


def test_a_refused_run_leaves_nothing_behind(peer: Peer, unsent: Path) -> None:
    peer.refuse_hello = True
    heard = Heard()
    delivery = Delivery(peer.url, HELLO, heard)
    wait_for(lambda: heard.warned, "the refusal")
    send(delivery, range(3))
    assert not delivery.close(wire.End("finished"), 5)
    assert delivery.dropped == 3
    assert not unsent.exists()
