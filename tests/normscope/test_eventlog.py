"""TensorBoard's logs: what its own writers have written, given to a server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import make_histogram

from normscope import sketch
from normscope.api import Client
from normscope.command import giving, importing
from normscope.command.report import Bar
from normscope.eventlog import logs
from normscope.eventlog.spreading import in_bins, spread

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..conftest import Server

RNG = np.random.default_rng(5)


def scalar(step: int, value: float, tag: str = "loss") -> Event:
    summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
    return Event(step=step, wall_time=1e9 + step, summary=summary)


def write(path: Path, events: Iterable[Event], *, fresh: bool = True) -> None:
    """Write events, or append them; the file looks as if nobody had touched it for a while."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb" if fresh else "ab") as file:
        writer = RecordWriter(file)
        if fresh:
            writer.write(Event(file_version="brain.Event:2", wall_time=1e9).SerializeToString())
        for event in events:
            writer.write(event.SerializeToString())
    os.utime(path, (1e9, 1e9))


def bring(server: Server, path: Path, *flags: str) -> int:
    return importing.main([str(path), "--url", server.url, *flags])


def named(server: Server, name: str) -> dict[str, Any]:
    return Client(server.url).find(name)


def test_what_summary_writer_wrote_is_there_once_however_often_it_is_imported(
    shared_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = RNG.normal(0.5, 2.0, (12, 500))
    for name in ("first", "deep/second"):
        with SummaryWriter(tmp_path / name) as writer:
            for step in range(12):
                writer.add_scalar("loss", 1 / (1 + step), step)
                writer.add_scalar("accuracy", step / 12, step, new_style=True)
                writer.add_histogram("fc1/weight", values[step], step)
            writer.add_image("picture", np.zeros((3, 4, 4)), 0)
            writer.add_text("words", "some", 0)
    with SummaryWriter(tmp_path / "deep") as writer:
        writer.add_hparams({"rate": 0.1}, {"best": 0.5}, run_name="told")
    assert bring(shared_server, tmp_path, "--finished") == 0
    said = capsys.readouterr().out
    assert "first: 12 of 12 steps were new; tags: 2 of scalars, 1 of histograms\n" in said
    assert "deep/second: 12 of 12 steps were new" in said
    assert "neither scalars nor histograms: 3 hparams, 2 images, 2 text" in said
    client = Client(shared_server.url)
    run = client.find("first")
    read = client.history(run)
    np.testing.assert_array_equal(read.series["loss"][1], np.float32(1 / (1 + np.arange(12))))
    np.testing.assert_array_equal(read.series["accuracy"][1], np.float32(np.arange(12) / 12))
    assert 0 < read.times[0] - run["created"] + 60 < 60  # as it was written, a moment before it was imported
    weights = read.history("fc1/weight")
    np.testing.assert_allclose(weights.moments[:, 0], values.mean(1), rtol=1e-5)
    np.testing.assert_allclose(weights.moments[:, 1], values.std(1), rtol=1e-5)
    np.testing.assert_allclose(weights.moments[:, 2:], np.array([values.min(1), values.max(1)]).T, rtol=1e-6)
    assert np.all(weights.counters == [500, 0, 0, 0])
    assert [counts.sum() for counts in weights.counts] == [500] * 12
    near = np.quantile(values, [0.25, 0.5, 0.75], axis=1).T
    assert np.all(np.abs(weights.quantiles([0.25, 0.5, 0.75]) - near) < 0.1 * np.abs(near) + 0.05)
    assert bring(shared_server, tmp_path, "--finished") == 0
    assert "first: 0 of 12 steps were new" in capsys.readouterr().out
    assert client.find("first") == run


def test_summaries_in_the_form_of_tensors_are_read_though_only_the_first_says_what_it_is(
    shared_server: Server, tmp_path: Path
) -> None:
    events = []
    for step in range(3):
        summary = Summary()
        for one in (scalar_pb("loss", 0.5 * step), histogram_pb("act", RNG.normal(size=400))):
            summary.value.extend(one.value)
        for value in summary.value if step else ():
            value.ClearField("metadata")
        events.append(Event(step=10 * step, wall_time=1e9 + step, summary=summary))
    write(tmp_path / "tensors" / "events.out.tfevents.1.a", events)
    assert bring(shared_server, tmp_path / "tensors") == 0
    read = Client(shared_server.url).history(named(shared_server, "tensors"))
    assert read.series["loss"][0].tolist() == [0, 10, 20]
    assert read.series["loss"][1].tolist() == [0, 0.5, 1]
    assert read.times.tolist() == [1e9, 1e9 + 1, 1e9 + 2]
    act = read.history("act")
    assert act.counters[:, 0].tolist() == [400] * 3
    assert np.all(np.abs(act.moments[:, :2] - [0, 1]) < 0.25)


def test_a_log_that_grows_brings_what_is_new(
    shared_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "grows" / "events.out.tfevents.1.b"
    write(path, [scalar(step, step) for step in range(5)])
    path.write_bytes(path.read_bytes() + b"\x10\0\0\0")  # the next record is being written
    os.utime(path)
    assert bring(shared_server, path.parent) == 0
    heard = capsys.readouterr()
    assert "4 of 4 steps were new" in heard.out
    assert "grows was written to a moment ago: its newest step is left" in heard.err
    assert named(shared_server, "grows")["status"] == "stopped"
    path.write_bytes(path.read_bytes()[:-4])
    weight = histogram_pb("a layer", RNG.normal(size=9)).value[0]
    write(path, [Event(step=9, wall_time=1e9, summary=Summary(value=[weight])), scalar(2, 7, "late")], fresh=False)
    write(path.with_name("events.out.tfevents.2.b"), [scalar(8, 8), scalar(9, 9), scalar(9, 10)])
    assert bring(shared_server, path.parent) == 0
    heard = capsys.readouterr()
    assert "3 of 7 steps were new; tags: 2 of scalars, 1 of histograms; 1 values were written again later" in heard.out
    assert "what was added to them is left out: late" in heard.err
    run = named(shared_server, "grows")
    read = Client(shared_server.url).history(run)
    assert read.steps.tolist() == [0, 1, 2, 3, 4, 8, 9]
    assert read.series["loss"][1].tolist() == [0, 1, 2, 3, 4, 8, 10]
    assert ([layer["name"] for layer in run["layers"]], run["status"]) == (["a layer"], "finished")


def test_an_import_that_is_cut_goes_on(shared_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 600
    write(tmp_path / "cut" / "events.out.tfevents.1.c", (scalar(step, step) for step in range(steps)))

    def move(_: Bar, share: float, words: str) -> None:
        if share > 0.6:  # all is read by then, and some of it committed
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bar, "move", move)
        patch.setattr(giving, "AHEAD", 2000)  # bytes, or all of it would have been sent by then
        assert bring(shared_server, tmp_path / "cut") == 130
    one = named(shared_server, "cut")
    assert 0 < one["last_step"] < steps - 1
    assert bring(shared_server, tmp_path / "cut") == 0
    run = shared_server.run(one["id"])
    assert (run["status"], run["last_step"], run["last_seq"]) == ("finished", steps - 1, steps - 1)
    found, values = Client(shared_server.url).history(run, points=steps).series["loss"]
    assert found.tolist() == values.tolist() == list(range(steps))


def test_a_damaged_file_is_a_sentence_and_what_comes_before_is_imported(
    shared_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "damaged" / "events.out.tfevents.1.d"
    write(path, [scalar(step, step) for step in range(6)])
    good = path.read_bytes()
    at = [0]
    while at[-1] < len(good):
        at.append(at[-1] + 16 + int.from_bytes(good[at[-1] : at[-1] + 8], "little"))
    for place, words in ((at[4] + 20, "has changed"), (at[3] + 1, "the length of the record")):
        path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        assert bring(shared_server, path.parent, "--finished") == 1
        heard = capsys.readouterr()
        assert heard.err.count("normscope: ") == 1
        assert f"{path} is damaged: " in heard.err
        assert words in heard.err
    assert f"at byte {at[3]:,} is wrong; what comes before it is imported" in heard.err
    assert named(shared_server, "damaged")["last_step"] == 2
    (tmp_path / "empty").mkdir()
    assert bring(shared_server, tmp_path / "empty") == 1
    assert "there are no event files of TensorBoard in" in capsys.readouterr().err


def test_a_log_is_known_again_elsewhere_and_under_another_name(shared_server: Server, tmp_path: Path) -> None:
    write(tmp_path / "here" / "events.out.tfevents.1.e", [scalar(0, 1, "train/loss"), scalar(1, 2, "train/loss")])
    assert bring(shared_server, tmp_path / "here", "--rename", "train/loss=loss") == 0
    (tmp_path / "here").rename(tmp_path / "there")
    before = len(shared_server.get("/api/experiments")["experiments"])
    assert bring(shared_server, tmp_path, "--rename", "train/loss=loss") == 0
    assert len(shared_server.get("/api/experiments")["experiments"]) == before
    assert list(Client(shared_server.url).history(named(shared_server, "here")).series) == ["loss"]
    (tmp_path / "there" / "around").symlink_to(tmp_path)  # a circle of links ends
    assert [log.name for log in logs(tmp_path)] == ["there"]


def test_an_experiment_that_was_thrown_away_is_not_written_to(
    shared_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "gone" / "events.out.tfevents.1.f", [scalar(0, 1)])
    assert bring(shared_server, tmp_path / "gone") == 0
    run = named(shared_server, "gone")
    shared_server.http.delete(f"{shared_server.url}/api/experiments/{run['experiment']}")
    assert bring(shared_server, tmp_path / "gone") == 1
    assert "in an experiment that was deleted" in capsys.readouterr().err


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=200), st.sampled_from(["tensorflow", "auto"]))
def test_the_fixed_bins_are_as_true_as_tensorboards_buckets(values: list[float], how: str) -> None:
    array = np.array(values, np.float64)
    edges = np.concatenate([-np.geomspace(1e-6, 1e7, 60)[::-1], [0.0], np.geomspace(1e-6, 1e7, 60)])
    proto: Any = make_histogram(array, edges if how == "tensorflow" else "auto")  # type: ignore[no-untyped-call]
    found = spread(Summary.Value(histo=proto))
    assert (found.values, found.counts.sum()) == (len(values), len(values))
    dense = np.zeros(sketch.BINS)
    dense[found.bins] = found.counts
    below = np.cumsum(dense)[:-1]  # how many lie below each inner edge, as found
    at = sketch.edges()[1:-1]
    exact = np.searchsorted(np.sort(array), at)
    most = max(proto.bucket)
    assert np.all(np.abs(below - exact) <= most + 0.5)
    assert found.moments[2:] == (array.min(), array.max())


def test_one_value_many_times_is_one_bin_and_overflow_is_kept() -> None:
    counts = in_bins(np.array([3.0, 4.0, 1e20]), np.array([3.0, 4.5, 1e21]), np.array([7.0, 2.4, 1.6]))
    assert counts[sketch.bin_index(3.0)] == 7
    assert (counts.sum(), counts[-1]) == (11, 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"bucket": [1, 1], "bucket_limit": [2, 1], "max": 5},
        {"bucket": [-1], "bucket_limit": [1], "max": 1},
        {"bucket": [1, 2], "bucket_limit": [1], "max": 1},
        {"bucket": [1], "bucket_limit": [1], "max": float("nan")},
        {"bucket": [1e300], "bucket_limit": [1], "max": 1},
    ],
)
def test_a_histogram_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a histogram"):
        spread(Summary.Value(histo=HistogramProto(num=1, **fields)))
