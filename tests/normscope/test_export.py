"""Runs in other programs' formats, read back with these programs' own readers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pyarrow import parquet
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import Summary

from normscope import sketch, wire
from normscope.command import exporting
from normscope.eventlog.spreading import spread
from normscope.export import csv as csv_files
from normscope.export import jsonlines, tables, tensorboard
from normscope.export import parquet as parquet_files

from ..conftest import serving
from ..frames import frame
from .test_client import STEPS, served

if TYPE_CHECKING:
    from pathlib import Path

    from ..conftest import Server

ROWS = [("fc1", "output"), ("fc1", "weight"), ("act1", "output")]


@pytest.fixture(scope="module")
def run(shared_server: Server) -> dict[str, Any]:
    return served(shared_server, "exported")


def export(server: Server, run: dict[str, Any], format: str, path: Path) -> int:
    return exporting.main([run["id"], "--format", format, "-o", str(path), "--url", server.url], "app")


def test_parquet_has_all_that_was_seen(shared_server: Server, run: dict[str, Any], tmp_path: Path) -> None:
    assert export(shared_server, run, "parquet", tmp_path / "out") == 0
    found = parquet.read_table(tmp_path / "out" / "summaries.parquet").to_pylist()
    assert [(row["step"], row["layer"], row["kind"]) for row in found] == [(s, *r) for s in range(STEPS) for r in ROWS]
    for i in (0, 47, 3 * STEPS - 1):
        step, row = divmod(i, 3)
        whole, one = frame(step, layers=3), found[i]
        assert (one["time"], one["count"], one["zero_share"]) == (whole.time, 100, 0)
        assert [one["mean"], one["variance"] ** 0.5, one["min"], one["max"]] == whole.moments[row].tolist()
        dense = np.zeros(sketch.BINS, np.int64)
        dense[one["bins"]] = one["counts"]
        assert np.array_equal(dense, whole.histogram(row))
        p25, p50 = sketch.quantiles(dense, [0.25, 0.5], one["min"], one["max"])
        assert (one["p25"], one["p50"]) == pytest.approx((p25, p50))
    values = parquet.read_table(tmp_path / "out" / "series.parquet").to_pylist()
    assert len(values) == 3 * STEPS
    assert values[7] == {"step": 2, "time": 1e9 + 2, "name": "landscape.loss", "index": 0, "value": 2.0}


def test_long_runs_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROWS", 60)
    many = [frame(seq) for seq in range(100)]
    layers = (wire.Layer("a", "Linear"), wire.Layer("b", "Linear"))
    parquet_files.write(tmp_path / "out", layers, iter(many))
    file = parquet.ParquetFile(tmp_path / "out" / "summaries.parquet")
    assert (file.num_row_groups, file.metadata.num_rows) == (4, 200)
    assert file.read(columns=["step"])["step"].to_pylist() == np.repeat(np.arange(100), 2).tolist()


def test_tensorboard_reads_what_it_would_have_written(
    shared_server: Server, run: dict[str, Any], tmp_path: Path
) -> None:
    assert export(shared_server, run, "tensorboard", tmp_path / "out") == 0
    read = EventAccumulator(str(tmp_path / "out"), {"scalars": 0, "histograms": 0})
    read.Reload()
    assert set(read.Tags()["scalars"]) == {"loss", "landscape.loss/0", "landscape.loss/1"}
    assert set(read.Tags()["histograms"]) == {"fc1", "fc1/weight", "act1"}
    loss = read.Scalars("loss")
    assert [(one.step, one.wall_time) for one in loss] == [(step, 1e9 + step) for step in range(STEPS)]
    np.testing.assert_array_equal([one.value for one in loss], np.float32(1 / (1 + np.arange(STEPS))))
    for step, one in enumerate(read.Histograms("fc1/weight")):
        found, whole = one.histogram_value, frame(step, layers=3)
        mean, std, low, high = whole.moments[1].tolist()
        assert (found.min, found.max, found.num, found.sum) == (low, high, 100, 100 * mean)
        assert found.sum_squares == pytest.approx(100 * (std**2 + mean**2))
        count, limit = np.array(found.bucket), np.array(found.bucket_limit)
        mine = whole.bins // sketch.BINS == 1
        assert count[count > 0].tolist() == whole.counts[mine].tolist()
        edges = np.clip(sketch.edges()[whole.bins[mine] % sketch.BINS + 1], low, high)
        assert limit[count > 0][:-1].tolist() == edges[:-1].tolist()


def test_no_two_things_share_a_tag_of_tensorboard(tmp_path: Path) -> None:
    layers = (wire.Layer("a", "Linear", ("weight",)), wire.Layer("a/weight", "Linear"))
    frames = [frame(seq) for seq in range(5)]
    for one in frames:
        one.kinds[0] = wire.KINDS.index("weight")
        one.series |= {"v": wire.Series.of([1.0, 2.0]), "v/1": wire.Series.of(3.0), "a/weight": wire.Series.of(1e300)}
    tensorboard.write(tmp_path / "out", layers, frames)
    log = EventAccumulator(str(tmp_path / "out"), {"scalars": 0, "histograms": 0})
    log.Reload()
    assert {tag: len(log.Histograms(tag)) for tag in log.Tags()["histograms"]} == {"a/weight (2)": 5, "a/weight (3)": 5}
    assert {tag: log.Scalars(tag)[0].value for tag in ("v/0", "v/1", "v/1 (2)")} == {"v/0": 1, "v/1": 2, "v/1 (2)": 3}
    assert log.Scalars("a/weight")[4].value == pytest.approx(3.4e38)


def test_a_histogram_comes_back_from_tensorboard_as_it_went() -> None:
    rng = np.random.default_rng(1)
    few = rng.normal(size=99)
    for values in (few, np.maximum(few, 0), np.full(7, -3.0), few * 1e9):
        low, high = float(np.float32(values.min())), float(np.float32(values.max()))
        counts = sketch.histogram(values)
        proto = tensorboard.proto(counts, [values.mean(), values.std(), low, high], len(values))
        back = spread(Summary.Value(histo=proto))
        np.testing.assert_allclose(back.moments, [values.mean(), values.std(), low, high], rtol=1e-9)
        dense = np.zeros(sketch.BINS, np.int64)
        dense[back.bins] = back.counts
        assert np.array_equal(dense, counts)


def test_csv_has_numbers_in_full_and_no_formulas(tmp_path: Path) -> None:
    one = frame(0)
    one.series = {"@sum(A1)": wire.Series.of(0.1 + 0.2), "bad": wire.Series.of(np.nan)}
    csv_files.write(tmp_path / "out", (wire.Layer('=cmd|"x"', "Linear"), wire.Layer("fc,2", "Linear")), [one])
    with (tmp_path / "out" / "summaries.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["layer"] for row in rows] == ['\'=cmd|"x"', "fc,2"]
    mine = one.bins < sketch.BINS
    assert rows[0]["bins"].split() == [str(at) for at in one.bins[mine]]
    assert rows[0]["counts"].split() == [str(count) for count in one.counts[mine]]
    with (tmp_path / "out" / "series.csv").open(newline="") as file:
        values = [(row["name"], row["value"]) for row in csv.DictReader(file)]
    assert values == [("'@sum(A1)", "0.30000000000000004"), ("bad", "")]


def test_json_is_a_line_for_each_step(tmp_path: Path) -> None:
    frames = [frame(0), frame(3)]
    frames[1].moments[0] = np.nan
    jsonlines.write(tmp_path / "out", (wire.Layer("a", "Linear"), wire.Layer("b", "ReLU")), frames)
    head, first, second = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert head["layers"][1] == {"name": "b", "type": "ReLU", "kinds": ["output"]}
    assert (first["step"], first["time"], first["series"]) == (0, 1e9, {"loss": 1.0, "landscape.loss": [0.0, 1.0]})
    assert first["summaries"][1]["layer"] == "b"
    assert sum(first["summaries"][1]["counts"]) == 100
    assert second["summaries"][0]["mean"] is None


def test_a_data_folder_is_read_though_nobody_serves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NORMSCOPE_URL", raising=False)
    with serving(tmp_path / "data") as server:
        run = served(server, "Its page")
        assert (
            exporting.main(["Its page", "--format", "csv", "--data", "data"], "app") == 0
        )  # of the server that holds it
    assert exporting.main(["Its page", "--format", "html", "--data", "data"], "app") == 0
    assert capsys.readouterr().out == "its-page-csv\nits-page-html.html\n"
    page = (tmp_path / "its-page-html.html").read_text()
    assert run["id"] in page
    assert "data:text/javascript" in page
    assert exporting.main(["Its page", "--format", "json", "-o", "out", "--data", "data"], "app") == 0
    assert len((tmp_path / "out").read_text().splitlines()) == 1 + STEPS
    assert exporting.main(["x", "--format", "csv", "--data", "nowhere"], "app") == 1
    assert "there is no database of Normscope's in nowhere" in capsys.readouterr().err


def test_what_is_wrong_is_a_sentence_and_leaves_nothing(
    shared_server: Server, run: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(shared_server, {"id": "nothing"}, "csv", tmp_path / "out") == 1
    assert "normscope: there is no run 'nothing' at" in capsys.readouterr().err
    (tmp_path / "there").touch()
    assert export(shared_server, run, "csv", tmp_path / "there") == 1
    assert "exists, and is not written over" in capsys.readouterr().err
    assert export(shared_server, run, "json", tmp_path / "no" / "where") == 1
    assert "cannot be read or written: No such file" in capsys.readouterr().err
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from normscope.__main__ import main\n"
        f"sys.argv[1:] = ['export', {run['id']!r}, '--format', 'parquet', '--url', {shared_server.url!r}]\n"
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stderr == "normscope: this needs pyarrow; install it with: pip install 'normscope[parquet]'\n"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
