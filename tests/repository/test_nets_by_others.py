"""Nets that others have written, trained alone and watched; `make nets` does so with more of them, for longer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from ..nets_by_others import AT_HAND, FETCHED
from ..nets_by_others.net import KINDS
from ..nets_by_others.watching import compare

if TYPE_CHECKING:
    from pathlib import Path

    from ..nets_by_others.net import Net

STEPS = 12
"""More than it takes until layers of which nothing was seen are told of."""


@pytest.mark.parametrize("net", AT_HAND, ids=str)
def test_a_net_written_by_others_is_left_as_it_would_be_and_seen_whole(net: Net, tmp_path: Path) -> None:
    watched = compare(net, STEPS, tmp_path / "run.normscope")
    assert watched.faults == []
    assert bool(watched.said) == bool(watched.unseen)
    assert len(watched.seen) == len(watched.layers) - len(watched.unseen) > 0


def test_the_page_is_about_these_nets_and_all_were_well(pytestconfig: pytest.Config) -> None:
    text = (pytestconfig.rootpath / "docs" / "nets.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\w-]+) \S+ \| ([\w ]+) \|", text, re.MULTILINE)
    nets = [*AT_HAND, *FETCHED]
    assert rows == [(net.name, net.package, net.kind) for net in nets], "run make nets"
    assert f"**{len(nets)} of {len(nets)}**" in text
    assert {net.kind for net in nets} == set(KINDS)
