"""Delivery against a small server of its own: killed, refusing, deaf and forgetful."""

from __future__ import annotations

import random

import pytest

from normscope import wire
from normscope.sending.delivery import Delivery, Listener

from ...conftest import free_port, wait_for
from ...peer import Peer

HELLO = wire.Hello("k" * 22, "a net", (wire.Layer("fc1", "Linear"),), "secret")


class Heard(Listener):
    def __init__(self) -> None:
        self.said: list[wire.Message] = []
        self.warned: list[str] = []
        super().__init__(self.said.append, self.said.append, self.warned.append)


def send(delivery: Delivery, steps: range) -> None:
    for step in steps:
        if delivery.has_room():
            frame = wire.Frame(delivery.seq, step, step, 1.0)
            frame.series["loss"] = wire.Series.of(float(step))
            delivery.put(wire.encode(frame))


def test_frames_arrive_in_order_and_the_end_is_waited_for(peer: Peer) -> None:
    delivery = Delivery(peer.url, HELLO, Heard())
    send(delivery, range(500))
    assert delivery.close(wire.End("finished"), 10)
    assert peer.steps() == list(range(500))
    assert peer.messages == [HELLO, wire.End("finished")]
    assert delivery.dropped == 0
    assert delivery.run == "r1"


def test_a_killed_connection_loses_and_repeats_nothing(peer: Peer) -> None:
    peer.every, peer.die_after = 7, 30
    delivery = Delivery(peer.url, HELLO, Heard())
    send(delivery, range(100))
    wait_for(lambda: len(peer.frames) == 100, "all frames")
    peer.die_after = 110
    send(delivery, range(100, 200))
    assert delivery.close(wire.End("finished"), 20)
    assert peer.steps() == list(range(200))
    assert peer.connections == 3


def test_a_server_that_comes_late_gets_everything() -> None:
    peer, heard = Peer(), Heard()
    delivery = Delivery(peer.url, HELLO, heard)
    send(delivery, range(50))
    wait_for(lambda: heard.warned, "a warning")
    peer.start()
    wait_for(lambda: len(peer.frames) == 50, "the frames")
    assert delivery.close(wire.End("stopped"), 10)
    assert len(heard.warned) == 1
    peer.stop()


def test_a_server_that_restarts_is_found_again(peer: Peer) -> None:
    delivery = Delivery(peer.url, HELLO, Heard())
    send(delivery, range(10))
    wait_for(lambda: len(peer.frames) == 10, "the frames")
    peer.stop()
    send(delivery, range(10, 20))
    peer.start()
    assert delivery.close(wire.End("finished"), 20)
    assert peer.steps() == list(range(20))


def test_no_server_is_one_warning_and_no_wait() -> None:
    heard = Heard()
    delivery = Delivery(f"http://127.0.0.1:{free_port()}", HELLO, heard)
    send(delivery, range(10))
    assert not delivery.close(wire.End("finished"), 600)
    warning, where = heard.warned
    assert "cannot reach" in warning
    assert "normscope import --unsent" in where


@pytest.mark.parametrize("when", ["hello", "frame"])
def test_a_refusal_is_logged_once_and_final(peer: Peer, when: str) -> None:
    setattr(peer, f"refuse_{when}", True)
    heard = Heard()
    delivery = Delivery(peer.url, HELLO, heard)
    send(delivery, range(10))
    wait_for(lambda: heard.warned, "the refusal")
    send(delivery, range(10))
    assert not delivery.close(wire.End("finished"), 600)
    assert peer.connections == 1
    (warning,) = heard.warned
    assert warning.startswith("refused")
    assert ("no such token" if when == "hello" else "nonsense") in warning


def test_a_server_that_never_acknowledges_the_end_is_not_waited_for_long(peer: Peer) -> None:
    peer.never_end = True
    delivery = Delivery(peer.url, HELLO, Heard())
    send(delivery, range(3))
    assert not delivery.close(wire.End("finished"), 0.3)


def test_wishes_are_heard_and_states_are_told_again_after_a_loss(peer: Peer) -> None:
    heard = Heard()
    peer.welcome = {"paused": True, "pace": 5.0}
    delivery = Delivery(peer.url, HELLO, heard)
    delivery.say(wire.State(True))
    wait_for(lambda: wire.State(True) in peer.messages, "the state")
    assert peer.connection is not None
    peer.connection.send(wire.Control("step").dump())
    wait_for(lambda: wire.Control("step") in heard.said, "the wish")
    assert heard.said[0] == wire.Welcome("r1", -1, paused=True, pace=5.0)
    peer.connection.socket.close()
    wait_for(lambda: peer.messages.count(wire.State(True)) == 2, "the state again")
    delivery.say(wire.State(False))
    assert delivery.close(wire.End("finished"), 10)
    assert wire.State(False) in peer.messages


@pytest.mark.parametrize("words", ["nonsense", '{"type":"end","status":"finished"}', b"bytes"])
def test_a_server_that_talks_nonsense_is_left_and_tried_again(peer: Peer, words: str | bytes) -> None:
    delivery = Delivery(peer.url, HELLO, Heard())
    send(delivery, range(5))
    wait_for(lambda: len(peer.frames) == 5, "the frames")
    assert peer.connection is not None
    peer.connection.send(words)
    wait_for(lambda: peer.connections == 2, "another connection")
    assert delivery.close(wire.End("finished"), 10)
    assert peer.steps() == list(range(5))


def test_the_training_loops_random_numbers_are_its_own(peer: Peer) -> None:
    state = random.getstate()
    delivery = Delivery(f"http://127.0.0.1:{free_port()}", HELLO, Heard())
    delivery.close(wire.End("finished"), 10)
    assert random.getstate() == state
