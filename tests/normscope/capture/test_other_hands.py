"""A watched model in other hands: replaced in part, copied, pickled, forked, left open."""

from __future__ import annotations

import copy
import gc
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

import normscope
from normscope import wire
from normscope.wire.frame import KINDS

from ...conftest import wait_for

if TYPE_CHECKING:
    from ...peer import Peer


def test_a_module_that_is_replaced_while_watched_is_no_longer_seen(peer: Peer) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with normscope.watch(net, url=peer.url, budget=None) as watch:
        net(torch.ones(3, 2))
        watch.step()
        net[0] = nn.Linear(2, 2)
        net(torch.ones(3, 2))
        watch.step()
    assert [frame.layers.tolist() for frame in peer.frames] == [[0, 1], [1]]


def test_the_weights_of_a_module_that_is_replaced_are_no_longer_seen_nor_kept(peer: Peer) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    old = weakref.ref(net[0])
    with normscope.watch(net, url=peer.url, budget=None, kinds=["output", "weight"]) as watch:
        net(torch.ones(3, 2))
        watch.step()
        net[0] = nn.Linear(2, 2)
        net(torch.ones(3, 2))
        watch.step()
    weight = KINDS.index("weight")
    found = [frame.layers[frame.kinds == weight].tolist() for frame in peer.frames]
    assert found == [[0, 1], [1]]
    gc.collect()
    assert old() is None


def test_layers_that_are_called_by_several_threads_are_each_seen_whole(peer: Peer) -> None:
    net = nn.ModuleList([nn.Identity(), nn.Identity()])
    values = [torch.full((200_000,), 1.0), torch.full((200_000,), 3.0)]
    with normscope.watch(net, url=peer.url, budget=None) as watch, ThreadPoolExecutor(2) as threads:
        for _ in range(30):
            list(threads.map(lambda i: net[i](values[i]), (0, 1)))
            watch.step()
    assert peer.steps() == list(range(30))
    for frame in peer.frames:
        assert sorted(frame.layers.tolist()) == [0, 1]
        means = dict(zip(frame.layers.tolist(), frame.moments[:, 0].tolist(), strict=True))
        assert means == {0: 1.0, 1: 3.0}
        assert [len(np.flatnonzero(row)) for row in frame.counts] == [1, 1]


def test_a_copied_or_pickled_model_is_free_of_us(peer: Peer) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with normscope.watch(net, url=peer.url, budget=None) as watch:
        file = io.BytesIO()
        torch.save(net, file)
        file.seek(0)
        copies = [copy.deepcopy(net), pickle.loads(pickle.dumps(net)), torch.load(file, weights_only=False)]
        net(torch.ones(3, 2))
        for one in copies:
            assert torch.equal(one(torch.ones(3, 2)), net(torch.ones(3, 2)))
        watch.step()
    assert peer.frames[0].counters[:, 0].tolist() == [4 * 6, 4 * 6]
    hooks = [hook for one in copies for m in one.modules() for hook in m._forward_hooks.values()]
    assert "normscope" not in {getattr(hook, "__module__", "").split(".")[0] for hook in hooks}


def test_a_forked_child_may_use_the_model(peer: Peer) -> None:
    net = nn.Linear(2, 2)

    def child(queue: Any) -> None:
        shape = net(torch.ones(1, 2)).shape
        for _ in range(3):  # of no run: neither seen nor sent
            watch.step()
        watch.close()
        queue.put((shape, len(net._forward_hooks)))

    with normscope.watch(net, url=peer.url, budget=None) as watch:
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        assert queue.get(timeout=30) == ((1, 2), 0)
        process.join(30)
        assert process.exitcode == 0
        for _ in range(2):
            net(torch.ones(3, 2))
            watch.step()
    assert [frame.counters[:, 0].tolist() for frame in peer.frames] == [[6], [6]]
    assert isinstance(peer.messages[-1], wire.End)


def test_a_program_that_never_closes_ends_all_the_same(peer: Peer) -> None:
    code = (
        "import torch, normscope; net = torch.nn.Linear(2, 2)\n"
        f"watch = normscope.watch(net, url={peer.url!r}, budget=None)\n"
        "for _ in range(5): net(torch.ones(3, 2)); watch.step()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, check=False, timeout=60)
    assert done.returncode == 0
    wait_for(lambda: peer.steps() == list(range(5)), "what was handed over before the end")
