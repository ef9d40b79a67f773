"""What how many runs and viewers take, reckoned from what things cost here: `make capacity` writes docs/capacity.md."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .fanout import Level, Place, delays
from .reckoning import FULL, LOADS, OFTEN, RATE, Model
from .table import quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .reckoning import Costs

_DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = _DOCS / "capacity.md"
COSTS: Final = _DOCS / "capacity.json"
_HOP: Final = 0.001
"""Seconds from one machine to another."""
_WAVES: Final = 20
_OF: Final = 40


def keep(machine: str, costs: Costs) -> None:
    """Keep what was measured, to four digits, and where."""
    rounded = {name: float(f"{value:.4g}") for name, value in sorted(costs.items())}
    COSTS.write_text(json.dumps({"machine": machine, "costs": rounded}, indent=1) + "\n")


def saturation(costs: Costs) -> list[tuple[str, str, str, str]]:
    """Of each part: what it costs, when one is full, and what is split then."""
    c = costs
    commit = FULL * c["postgresql_frames_per_second"]
    return [
        (
            "a server's core takes frames in", _micro(c["postgresql_server_seconds_per_frame"]) + " a frame",
            _runs(FULL / c["postgresql_server_seconds_per_frame"]), "more servers: training processes spread over them",
        ),
        (
            "one PostgreSQL commits them", _micro(c["postgresql_seconds_per_frame"]) + " of its cores a frame",
            _runs(commit), "a database for each part of the runs, by the hash of the run, as its table is cut already",
        ),
        (
            "one SQLite file does", _micro(c["sqlite_server_seconds_per_frame"]) + " a frame",
            _runs(FULL * c["sqlite_frames_per_second"]), "PostgreSQL",
        ),
        (
            "a server's core sends to viewers", _micro(c["server_seconds_per_delivery"]) + " a delivery",
            f"{_round(FULL / (RATE * c['server_seconds_per_delivery']))} viewers", "more servers; relays, see below",
        ),
        (
            "a server's memory holds viewers", f"{c['bytes_of_memory_per_viewer'] / 1024:.0f} KB a viewer",
            f"{_round(2**30 / max(1.0, c['bytes_of_memory_per_viewer']))} viewers in a GB",
            "the core is full before that",
        ),
        (
            "a server hears of every frame on the bus", _micro(c["server_seconds_per_word"]) + " a word",
            _runs(FULL / c["server_seconds_per_word"]),
            "a channel for each run, heard where someone looks at it, instead of one pattern for all",
        ),
        (
            "one Valkey passes words on", _micro(c["bus_seconds_per_word"]) + " a word and server",
            f"{_round(FULL / c['bus_seconds_per_word'])} words a second",
            "channels spread over several (sharded pub/sub)",
        ),
        (
            "a server reads new frames, once for all its viewers of a run",
            f"{_micro(c['server_seconds_per_reading'])}, PostgreSQL {_micro(c['postgresql_seconds_per_reading'])}",
            f"{_round(FULL / (RATE * c['server_seconds_per_reading']))} runs looked at",
            "the proxy sends all viewers of an experiment to one server (hash of its id)",
        ),
        (
            "a server answers questions after history", f"{1000 * c['server_seconds_per_answer']:.0f} ms an answer",
            f"{_round(OFTEN * FULL / c['server_seconds_per_answer'])} viewers, each asking every {OFTEN:.0f} s",
            "servers for questions alone; an answer about what is past never changes and can be kept by the proxy",
        ),
    ]  # fmt: skip


def needed(costs: Costs) -> list[list[str]]:
    """Of each part, how many each load takes."""
    m = Model(costs)
    return [
        ["frames a second", *(_round(m.frames(x)) for x in LOADS)],
        ["new bytes a day", *(_bytes(m.frames(x) * 86400 * costs["postgresql_bytes_per_frame"]) for x in LOADS)],
        ["bytes a second to viewers", *(_bytes(x.viewers * RATE * 4096) for x in LOADS)],
        ["servers' cores: taking frames in", *(_cores(m.taking(x)) for x in LOADS)],
        ["servers' cores: sending to viewers", *(_cores(m.showing(x)) for x in LOADS)],
        ["servers' cores: history", *(_cores(m.answering(x)) for x in LOADS)],
        ["servers' cores: reading, viewers anywhere", *_reading(m, by_run=False)],
        ["servers' cores: reading, an experiment's viewers together", *_reading(m, by_run=True)],
        ["databases that commit", *(_cores(m.databases(x)) for x in LOADS)],
        ["their cores for reading, viewers together", *(_cores(m.reading_databases(x, by_run=True)) for x in LOADS)],
        ["of each server's core, to hear of all frames (as it is)", *(f"{100 * m.hearing(x):.0f} %" for x in LOADS)],
        ["Valkey's cores: all words to all (as it is)", *(_cores(m.speaking(x, told_all=True)) for x in LOADS)],
        ["Valkey's cores: a channel for each run", *(_cores(m.speaking(x, told_all=False)) for x in LOADS)],
    ]


def _reading(model: Model, *, by_run: bool) -> list[str]:
    return [_cores(model.reading(load, model.servers(load, by_run=by_run), by_run=by_run)) for load in LOADS]


def trees(costs: Costs, viewers: int) -> list[list[str]]:
    """One run that all look at, through so many rows of relays: what that takes, and how late they are."""
    sending, passing = costs["server_seconds_per_delivery"], costs["relay_seconds_per_delivery"]
    most = int(FULL / (RATE * passing))
    rows = []
    for depth in range(1, 4):
        each = math.ceil(viewers ** (1 / (depth + 1)))
        if each > most:
            each = most
        first = math.ceil(viewers / each**depth)
        if first > FULL / (RATE * sending):
            rows.append([str(depth), "", f"one server cannot feed {first:,} relays", "", ""])
            continue
        levels = [Level(first, sending), *(Level(each, passing) for _ in range(depth))]
        found = delays(
            levels, Place(None, _HOP, costs["seconds_before_the_first_delivery"]), rate=RATE, updates=_WAVES, of=_OF
        )
        count = sum(first * each**row for row in range(depth))
        late = [f"{1000 * quantile(found, share):.0f} ms" for share in (0.5, 0.99)]
        rows.append([str(depth), f"{count:,}", f"{first:,}, then {each:,}", *late])
    return rows


def checked(costs: Costs) -> list[list[str]]:
    """What the simulation says beside what was measured."""
    rows = []
    for kind, words in (("direct", "500 viewers of one server"), ("relayed", "500 viewers through two relays")):
        pairs = [(costs[f"{kind}_{x}_measured"], costs[f"{kind}_{x}_simulated"]) for x in ("p50", "p95", "p99")]
        off = max(abs(said / found - 1) for found, said in pairs)
        both = [f"{1000 * found:.0f} / {1000 * said:.0f} ms" for found, said in pairs]
        rows.append([words, *both, f"{100 * off:.0f} %"])
    return rows


def written(kept: Mapping[str, Any]) -> str:
    """The page, from what was kept."""
    costs: Costs = kept["costs"]
    viewers = LOADS[-1].viewers
    heads = [f"{x.name}: {x.runs:,} runs, {x.viewers:,} viewers" for x in LOADS]
    parts = ["part", "costs", f"one is {100 * FULL:.0f} % full at", "what is split next"]
    return _TEXT.format(
        machine=kept["machine"], rate=f"{RATE:g}", full=f"{100 * FULL:.0f}", often=f"{OFTEN:g}", hop=f"{1000 * _HOP:g}",
        frame=_kilo(costs["frame_bytes"]), stored=_kilo(costs["postgresql_bytes_per_frame"]),
        sqlite=_kilo(costs["sqlite_bytes_per_frame"]), viewers=f"{viewers:,}",
        saturation=_markdown(parts, saturation(costs)), needed=_markdown(["", *heads], needed(costs)),
        trees=_markdown(["rows of relays", "relays", "each feeds", "p50", "p99"], trees(costs, viewers)),
        checked=_markdown(["", "p50, measured / simulated", "p95", "p99", "off by at most"], checked(costs)),
    )  # fmt: skip


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _kilo(size: float) -> str:
    return f"{size / 1024:.1f}"


def _micro(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} µs"


def _runs(frames: float) -> str:
    return f"{_round(frames)} frames a second, {_round(frames / RATE)} runs"


def _round(number: float) -> str:
    """To two digits."""
    return f"{float(f'{number:.2g}'):,.0f}"


def _cores(number: float) -> str:
    return "1" if number <= 1 else _round(math.ceil(number))


def _bytes(number: float) -> str:
    power = min(4, int(math.log(max(number, 1), 1000)))
    return f"{number / 1000**power:.3g} {('B', 'KB', 'MB', 'GB', 'TB')[power]}"


_TEXT: Final = (Path(__file__).parent / "capacity.txt").read_text("utf-8")


if __name__ == "__main__":
    PAGE.write_text(written(json.loads(COSTS.read_text("utf-8"))), "utf-8")
