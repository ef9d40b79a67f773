"""What ranks see of the same steps, put together; and looks that fall together without a word."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from normscope.schedule import Nested
from normscope.sending import meeting as meetings
from normscope.sending.company import Address, Company
from normscope.sending.joining import Joining
from normscope.sending.meeting import Meeting, Members
from normscope.sending.parts import SILENT, Parts
from normscope.sending.pipe import Nonfinite

from ...conftest import wait_for
from ...faults.network import Network


def take(parts: Parts, now: float = 0.0, force: bool = False) -> list[tuple[int, list[bytes]]]:
    return list(parts.take(now, force))


def test_a_step_is_whole_when_every_rank_has_given_its_part() -> None:
    parts = Parts(2, 0.0)
    parts.add(1, 0, b"b", 0)
    assert take(parts) == []
    parts.add(0, 0, b"a", 0)
    assert take(parts) == [(0, [b"a", b"b"])]
    assert (parts.size, parts.missed) == (0, {})


def test_a_step_that_one_did_not_look_at_is_left_out() -> None:
    parts = Parts(2, 0.0)
    for step in range(4):
        parts.add(0, step, b"a", 0)
    parts.add(1, 3, b"b", 0)
    assert take(parts) == [(3, [b"a", b"b"])]
    assert parts.passed == 3


def test_one_that_never_looks_is_not_waited_for_after_a_while() -> None:
    parts = Parts(2, 0.0)
    for step in range(40):
        parts.add(0, step, b"a", 0)
        parts.reach(1, step + 1, 0)
    assert [step for step, _ in take(parts, SILENT + 1)] == list(range(32, 40))


def test_one_that_is_silent_holds_the_others_up_once_and_may_come_back() -> None:
    parts = Parts(2, 0.0)
    parts.add(0, 0, b"a", 0)
    assert take(parts, SILENT - 1) == []
    assert take(parts, SILENT + 1) == [(0, [b"a"])]
    parts.add(0, 1, b"a", SILENT + 1)
    assert take(parts, SILENT + 1) == [(1, [b"a"])]
    parts.add(1, 1, b"late", SILENT + 2)
    parts.add(1, 2, b"b", SILENT + 2)
    assert take(parts, SILENT + 2) == []
    parts.add(0, 2, b"a", SILENT + 2)
    assert take(parts, SILENT + 2) == [(2, [b"a", b"b"])]
    assert (parts.late, parts.missed) == (1, {1: 2})


def test_one_that_has_left_is_not_waited_for() -> None:
    parts = Parts(3, 0.0)
    parts.leave(1)
    parts.leave(2)
    parts.add(0, 5, b"a", 0)
    assert take(parts) == [(5, [b"a"])]


def test_nobody_is_waited_for_without_room() -> None:
    parts = Parts(2, 0.0)
    parts.add(0, 0, b"a", 0)
    assert take(parts, force=True) == [(0, [b"a"])]
    assert not parts.waits()


def test_looks_of_ranks_with_unlike_costs_fall_together() -> None:
    looks = []
    for cost in (0.002, 0.009):
        budget = Nested(0.05)
        looked = []
        for step in range(4000):
            look = budget.allows()
            budget.note(cost if look else 0.0, 0.01 + (cost if look else 0.0), looked=look)
            if look:
                looked.append(step)
        assert budget.cost < 0.06
        looks.append(set(looked[len(looked) // 2 :]))
    seldom, often = sorted(looks, key=len)
    within = {step for step in seldom if step >= min(often)}
    assert len(within & often) > 0.9 * len(within)


def test_only_those_who_know_the_secret_may_join() -> None:
    came: list[tuple[int, bytes]] = []
    company = Company(0, 2, "merge", "a secret of the job's own", "127.0.0.1")
    members = Members(lambda rank, data: came.append((rank, data)), lambda *_: None, lambda *_: None, lambda: None)
    meeting = Meeting(company, "127.0.0.1", members)
    with connect(f"ws://127.0.0.1:{meeting.port}", compression=None) as stranger:
        stranger.recv(timeout=10)
        stranger.send('{"rank": 1, "word": "x", "proof": "guessed"}')
        with pytest.raises(ConnectionClosed, match="no rank of this job"):
            stranger.recv(timeout=10)
    stopped: list[int] = []
    news: list[object] = []
    other = Company(1, 2, "merge", "", company.host)
    member = Joining(other, stopped.append, lambda: None, pytest.fail, news.append)
    member.meet(Address(meeting.host, meeting.port, company.secret))
    member.put(b"a frame")
    wait_for(lambda: came == [(1, b"a frame")], "the frame")
    began = time.monotonic()
    meeting.agree(7)
    assert (stopped, time.monotonic() - began < 2) == ([7], True)
    meeting.tell("news", news=Nonfinite(3, "0", "output", 1, 8))
    wait_for(lambda: news == [Nonfinite(3, "0", "output", 1, 8)], "the news")
    assert member.close(None, 5)
    meeting.close()


def test_a_dead_line_to_another_rank_is_noticed_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(meetings, "ALIVE", 0.3)
    came: list[bytes] = []
    left: list[int] = []
    company = Company(0, 2, "merge", "a secret of the job's own", "127.0.0.1")
    members = Members(lambda _, data: came.append(data), lambda *_: None, left.append, lambda: None)
    meeting = Meeting(company, "127.0.0.1", members)
    with Network(meeting.port) as network:
        other = Company(1, 2, "merge", "", company.host)
        member = Joining(other, lambda _: None, lambda: None, pytest.fail, lambda _: None)
        member.meet(Address("127.0.0.1", int(network.url.rpartition(":")[2]), company.secret))
        member.put(b"a frame")
        wait_for(lambda: came == [b"a frame"], "the frame")
        network.swallow()
        wait_for(lambda: left == [1], "the rank to be missed")
        meeting.tell("viewed")
        member.close(None, 0)
    with socket.create_connection(("127.0.0.1", meeting.port)) as stranger:
        stranger.sendall(b"what is this?\r\n\r\n")
        while stranger.recv(4096):
            pass
    meeting.close()
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("answer", ["nothing of ours", "[]", "{}", '{"word": "x"}'])
def test_who_answers_in_the_place_of_the_first_rank_is_told_in_a_sentence(answer: str) -> None:
    def talk(connection: ServerConnection) -> None:
        connection.send(answer)
        for _ in connection:
            connection.send(answer)

    told: list[str] = []
    with serve(talk, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = Address("127.0.0.1", server.socket.getsockname()[1], "a secret of the job's own")
        other = Company(1, 2, "merge", "", "127.0.0.1")
        member = Joining(other, lambda _: None, lambda: member.meet(address), told.append, lambda _: None)
        member.meet(address)
        (sentence,) = wait_for(lambda: told, "a person to be told")
        member.close(None, 0)
    assert "is not with rank 0 (what answers there is not the first rank of this job)" in sentence
