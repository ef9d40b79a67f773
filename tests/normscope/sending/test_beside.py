"""The process beside training, forked ahead of time, in processes of their own: a fork wants to be alone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from ...conftest import wait_for

if TYPE_CHECKING:
    from ...peer import Peer

PROGRAM = """
import os, signal, sys, time
import psutil, torch
from torch import nn
import normscope
from normscope.sending.beside import fork_ahead

def train(kill=False):
    model = nn.Linear(4, 4)
    with normscope.watch(model, url=sys.argv[1], budget=None) as watch:
        for step in range(5):
            model(torch.ones(3, 4)).sum().backward()
            watch.step()
        here = psutil.Process()
        print(*(child.cmdline() == here.cmdline() for child in here.children()), flush=True)
        if kill:
            os.kill(os.getpid(), signal.SIGKILL)
    return here
"""


def play(peer: Peer, program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM + program, peer.url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_run_takes_the_process_that_was_forked_ahead_and_the_next_a_new_one(peer: Peer) -> None:
    done = play(peer, "fork_ahead(); train(); print(len(train().children()))")
    assert (done.stdout.split(), done.returncode, done.stderr) == (["True", "False", "0"], 0, "")
    assert peer.steps() == [*range(5)]  # this peer takes the second run's frames for the first one's, told again


def test_a_process_that_was_forked_since_has_no_part_in_it(peer: Peer) -> None:
    done = play(peer, "fork_ahead()\nif os.fork() == 0:\n    train(); os._exit(0)\nos.wait()")
    assert (done.stdout.split(), done.returncode) == (["False"], 0)
    assert peer.steps() == [*range(5)]


def test_what_was_seen_is_delivered_when_training_dies(peer: Peer) -> None:
    done = play(peer, "fork_ahead(); train(kill=True)")
    assert done.returncode == -9
    wait_for(lambda: peer.steps() == [*range(5)], "the frames")


def test_it_leaves_with_a_process_that_never_watches(peer: Peer) -> None:
    done = play(peer, "fork_ahead(); child, = psutil.Process().children(); print(child.pid)")
    pid = int(done.stdout)
    import psutil

    wait_for(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "its end")
