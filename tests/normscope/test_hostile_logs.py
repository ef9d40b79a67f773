"""Logs that were made to do harm: what they announce, what they are called, and where their links lead."""

from __future__ import annotations

import os
import struct
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb

from normscope import wire
from normscope.command import importing
from normscope.errors import NormscopeError
from normscope.eventlog import logs
from normscope.eventlog.records import LARGEST, _masked, records

from .test_eventlog import scalar, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from normscope.eventlog import Log

    from ..conftest import Server

FEW = 16 << 20
"""Bytes of memory that reading a small file may take."""


def tensor(plugin: Callable[..., Any], shape: list[int], **fields: Any) -> Event:
    """A value that says it is one of a plugin's, and holds what it is told to."""
    (value,) = plugin("odd", 0.5).value
    dims = [TensorShapeProto.Dim(size=size) for size in shape]
    value.tensor.CopyFrom(TensorProto(tensor_shape=TensorShapeProto(dim=dims), **fields))
    return Event(step=1, wall_time=1e9, summary=Summary(value=[value]))


def read(path: Path) -> Log:
    (log,) = logs(path)
    log.read(lambda _: None)
    return log


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Reading takes little, whatever is announced."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < FEW


FLOAT, DOUBLE, STRING, COMPLEX, UNKNOWN = 1, 2, 7, 18, 99


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("event", "why"),
    [
        (tensor(histogram_pb, [1 << 40, 3], dtype=DOUBLE, double_val=[1.0]), "more than 3,145,728 numbers"),
        (tensor(scalar_pb, [1 << 33], dtype=FLOAT, int_val=[1]), "more than 3,145,728 numbers"),
        (tensor(histogram_pb, [-1, -3], dtype=DOUBLE, double_val=[1.0]), "a shape of less than nothing"),
        (tensor(histogram_pb, [1] * 9, dtype=DOUBLE, double_val=[1.0]), "a tensor with a shape of"),
        (tensor(histogram_pb, [3, 3], dtype=DOUBLE, tensor_content=b"short"), "does not hold what it announces"),
        (tensor(histogram_pb, [4], dtype=DOUBLE, double_val=[1.0]), "buckets are no triples"),
        (tensor(scalar_pb, [], dtype=STRING, string_val=[b"1"]), "is not of numbers"),
        (tensor(scalar_pb, [], dtype=COMPLEX, dcomplex_val=[1.0, 2.0]), "is not of numbers"),
        (tensor(scalar_pb, [], dtype=UNKNOWN), "does not hold what it announces"),
        (tensor(scalar_pb, [0], dtype=FLOAT), "a scalar without a value"),
    ],
)
def test_a_tensor_that_is_not_what_it_announces_is_left_out_and_counted(tmp_path: Path, event: Event, why: str) -> None:
    write(tmp_path / "events.out.tfevents.1.a", [scalar(0, 1), event, scalar(2, 3)])
    log = read(tmp_path)
    ((found, count),) = log.odd.items()
    assert why in found
    assert (count, log.index.values(), log.damage) == (1, 2, [])


def test_a_histogram_without_values_is_an_honest_one(tmp_path: Path) -> None:
    write(tmp_path / "events.out.tfevents.1.a", [tensor(histogram_pb, [0, 3], dtype=DOUBLE)])
    log = read(tmp_path)
    assert (dict(log.odd), log.histograms) == ({}, ["odd"])


@pytest.mark.parametrize("largest", [1e300, 1.7e308])
def test_values_that_no_float_has_room_for_are_no_warning(tmp_path: Path, largest: float) -> None:
    edges = [-largest, 0.0, 1e14, 0.0, largest, 1e14]
    write(tmp_path / "events.out.tfevents.1.a", [
        tensor(histogram_pb, [2, 3], dtype=DOUBLE, double_val=edges),
        Event(step=2, wall_time=1e9, summary=Summary(value=[Summary.Value(tag="old", histo=HistogramProto(
            min=-largest, max=largest, num=2e14, sum=largest, sum_squares=largest, bucket_limit=[0, largest],
            bucket=[1e14, 1e14],
        ))])),
    ])  # fmt: skip
    log = read(tmp_path)
    frames = [wire.decode(data) for data in log.frames(0, -1, 9, log.histograms, {})]
    assert [frame.counters[0, 0] for frame in frames] == [2 * 10**14] * 2


@pytest.mark.usefixtures("little_memory")
def test_a_record_is_no_larger_than_its_file_and_a_large_one_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.a"
    write(path, [scalar(0, 1)])
    whole = len(list(records(path)))
    for size in (1 << 62, 1 << 40, (1 << 64) - 1):
        head = struct.pack("<Q", size)
        path.write_bytes(path.read_bytes()[: path.stat().st_size] + head + struct.pack("<I", _masked(head)))
        assert len(list(records(path))) == whole
        path.write_bytes(path.read_bytes()[:-12])
    with path.open("r+b") as file:  # a hole of the file's, which takes no room on the disk
        head = struct.pack("<Q", LARGEST + 1)
        file.seek(0, os.SEEK_END)
        file.write(head + struct.pack("<I", _masked(head)))
        file.truncate(file.tell() + LARGEST + 5)
    write(path, [scalar(1, 2)], fresh=False)
    log = read(tmp_path)
    assert (log.index.values(), log.damage) == (2, [])
    assert dict(log.odd) == {"those of a record beyond 64 MB": 1}


def test_there_is_an_end_to_tags_and_to_what_is_told_of_what_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("normscope.eventlog.log._MOST_TAGS", 1000)
    path = tmp_path / "events.out.tfevents.1.a"
    values = [Summary.Value(tag=f"tag {i}", simple_value=1.0) for i in range(1001)]
    write(path, [Event(step=0, wall_time=1e9, summary=Summary(value=values))])
    with pytest.raises(NormscopeError, match=f"{tmp_path.name} has more than 1,000 tags"):
        read(tmp_path)
    events = []
    for i in range(100):
        value = Summary.Value(tag=f"{i}", tensor=TensorProto(dtype=STRING, string_val=[b"x"]))
        value.metadata.plugin_data.plugin_name = f"{i} {'x' * 100}"
        events.append(Event(step=0, wall_time=1e9, summary=Summary(value=[value])))
    write(path, events)
    skipped = read(tmp_path).skipped
    assert (len(skipped), sum(skipped.values()), skipped["others"]) == (21, 100, 80)
    assert max(map(len, skipped)) == 40


ATTACK = "\x1b[2J\r\nnormscope: all is well\u202e<img src=x onerror=alert(1)>"


def test_names_are_words_wherever_they_are_told(
    shared_server: Server, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    folder = os.fsencode(tmp_path) + b"/" + ATTACK.replace("/", "").encode() + b"\xff"
    os.mkdir(folder)  # noqa: PTH102  no text has this name
    path = tmp_path / os.fsdecode(os.path.basename(folder)) / "events.out.tfevents.1.a"  # noqa: PTH119
    values = [Summary.Value(tag=tag, simple_value=1.0) for tag in ("=1+1\0" + ATTACK, "é" * 300)]
    values.append(histogram_pb("a\0" + ATTACK, np.arange(9.0)).value[0])
    write(path, [Event(step=0, wall_time=1e300, summary=Summary(value=values))])
    path.write_bytes(path.read_bytes() + b"damaged, at some length")
    assert importing.main([str(tmp_path), "--url", shared_server.url, "--finished"]) == 1
    heard = capsysbinary.readouterr()
    for said in (heard.out.decode(), heard.err.decode()):
        assert not [letter for letter in said if letter != "\n" and (ord(letter) < 32 or letter in "\x7f\u202e")]
        assert not any(line.startswith("normscope: all is well") for line in said.split("\n"))
    assert "1 of 1 steps were new; tags: 2 of scalars, 1 of histograms" in heard.out.decode()
    (run,) = [
        shared_server.run(run["id"]) for one in shared_server.get("/api/experiments")["experiments"]
        for run in one["runs"] if "all is well" in run["name"]
    ]  # fmt: skip
    assert [layer["name"] for layer in run["layers"]] == [f"a�{ATTACK}"]
    (frame,) = shared_server.get(f"/api/runs/{run['id']}/history", format="json")["frames"]
    assert set(frame["series"]) == {f"=1+1�{ATTACK}", "é" * 127}


def test_links_that_lead_out_of_a_folder_are_named_and_not_followed(tmp_path: Path) -> None:
    mine, others = tmp_path / "mine", tmp_path / "others"
    name = "events.out.tfevents.1.a"
    write(mine / "a" / name, [scalar(0, 1)])
    write(others / "private" / name, [scalar(0, 1)])
    (mine / "b").mkdir()
    (mine / "b" / name).symlink_to(others / "private" / name)
    (mine / "c").symlink_to(others)
    (mine / "d").symlink_to(mine / "a")
    (mine / "gone.tfevents").symlink_to(tmp_path / "nowhere")
    os.mkfifo(mine / "pipe.tfevents")  # which would be waited for
    said: list[str] = []
    assert [log.name for log in logs(mine, said.append)] == ["a"]
    assert [" leads to ".join(map(str, pair)) for pair in (
        (mine / "c", others), (mine / "b" / name, others / "private" / name)
    )] == sorted((one.partition(", out of ")[0] for one in said), reverse=True)  # fmt: skip
    (mine / "back").symlink_to(mine)
    assert [log.name for log in logs(mine / "c")] == ["private"]  # it is named
