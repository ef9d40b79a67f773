"""Runs in files: recorded, read as arrays, cut off, and given to a server."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from torch import nn

import normscope
from normscope import sketch, wire
from normscope.command import importing
from normscope.errors import WireError
from normscope.sending.delivery import Listener
from normscope.sending.filing import Filing

from ..conftest import free_port, wait_for
from ..frames import frame, split

if TYPE_CHECKING:
    from pathlib import Path

    from ..conftest import Server

STEPS = 30


def train(path: Path, steps: int = STEPS, fail_at: int = -1, name: str = "recorded") -> list[torch.Tensor]:
    """Record a small net; what its first layer gave at each step."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    seen: list[torch.Tensor] = []
    model[0].register_forward_hook(lambda _m, _a, out: seen.append(out.detach().clone()))
    with normscope.watch(model, name=name, file=path, budget=None) as watch:
        for step in range(steps):
            if step == fail_at:
                raise RuntimeError("out of luck")
            loss = model(torch.randn(16, 4)).square().mean()
            loss.backward()
            if step % 10 == 0:
                watch.add(vector=[step, 2.0 * step])
            watch.step(loss=loss)
        watch.conclude(best=0.5)
    return seen


def test_what_was_recorded_is_read_as_arrays(tmp_path: Path) -> None:
    path = tmp_path / "run.normscope"
    seen = train(path)
    run = normscope.open(path)
    assert (run.hello.name, len(run), run.edges) == ("recorded", STEPS, ((0, 1), (1, 2)))
    assert [layer.type for layer in run.hello.layers] == ["Linear", "BatchNorm1d", "ReLU"]
    assert run.end is not None
    assert (run.end.status, run.end.outcome) == ("finished", {"best": 0.5})
    assert run.steps.tolist() == list(range(STEPS))
    assert np.all(np.diff(run.times) >= 0)
    steps, losses = run.series["loss"]
    assert (len(steps), losses.shape) == (STEPS, (STEPS,))
    steps, vectors = run.series["vector"]
    assert (steps.tolist(), vectors.tolist()) == ([0, 10, 20], [[0, 0], [10, 20], [20, 40]])
    first = run.history("0")
    whole = np.array([out.double().numpy().ravel() for out in seen])
    np.testing.assert_allclose(first.moments[:, 0], whole.mean(1), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(first.moments[:, 1], whole.std(1), rtol=1e-5)
    assert first.counters[:, 0].tolist() == [128] * STEPS
    assert np.array_equal(first.histogram(3), sketch.histogram(whole[3]))
    iqr = np.subtract(*np.quantile(whole, [0.75, 0.25], axis=1))
    error = np.abs(first.quantiles([0.5])[:, 0] - np.median(whole, axis=1))
    assert np.all(error < 0.1 * iqr)  # few values, and bins of an eighth of an octave


def test_there_is_a_clear_word_for_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "run.normscope"
    train(path, steps=2)
    run = normscope.open(path)
    with pytest.raises(KeyError, match="there is no layer 'fc9'; there are 0, 1, 2"):
        run.history("fc9")
    with pytest.raises(KeyError, match="layer '0' has no 'gradient'; it has output"):
        run.history("0", "gradient")
    with pytest.raises(FileExistsError, match="recordings are not written over"):
        train(path)
    with pytest.raises(FileNotFoundError, match=r"^file: .*nowhere/run\.normscope cannot be made: No such file"):
        train(tmp_path / "nowhere" / "run.normscope")
    (tmp_path / "else").write_bytes(b"something else, of some length")
    with pytest.raises(WireError, match="does not begin as a recording"):
        normscope.open(tmp_path / "else")


def test_a_recording_that_is_to_be_shown_says_at_once_that_there_is_no_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.normscope"
    with normscope.watch(nn.Linear(2, 2), file=path) as watch:
        watch.show()
    assert capsys.readouterr().out == (
        f"the run is recorded to {path}, and no server is asked: there is nothing to show\n"
    )


def test_a_run_that_failed_says_so(tmp_path: Path) -> None:
    path = tmp_path / "run.normscope"
    with pytest.raises(RuntimeError, match="out of luck"):
        train(path, fail_at=7)
    run = normscope.open(path)
    assert run.end is not None
    assert (len(run), run.end.status, run.end.error) == (7, "failed", "RuntimeError: out of luck")


def test_a_file_that_was_cut_off_anywhere_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.normscope"
    train(path, steps=4)
    data = path.read_bytes()
    lengths: list[int] = []
    for end in range(200, len(data)):
        path.write_bytes(data[:end])
        try:
            lengths.append(len(normscope.open(path)))
        except WireError:
            assert not lengths  # only as long as it does not say of which run it is
    assert lengths == sorted(lengths)
    assert set(lengths) == {0, 1, 2, 3, 4}


def test_a_process_that_is_killed_leaves_what_it_has_seen(tmp_path: Path) -> None:
    path = tmp_path / "run.normscope"
    program = (
        "import os, signal, sys, torch, normscope\n"
        "model = torch.nn.Linear(2, 2)\n"
        "watch = normscope.watch(model, file=sys.argv[1], budget=None)\n"
        "for step in range(20):\n"
        "    model(torch.ones(3, 2)); watch.step()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, path], check=False, timeout=60)
    wait_for(lambda: path.stat().st_size > 0, "its courier to begin")
    wait_for(lambda: len(normscope.open(path)) == 20, "the last frames")
    assert normscope.open(path).end is None


def test_a_full_disk_is_told_once_and_survived(tmp_path: Path) -> None:
    path = tmp_path / "run.normscope"
    path.touch()
    said: list[str] = []
    filing = Filing(path, wire.Hello("k" * 22, "n"), Listener(lambda _: None, lambda _: None, said.append))
    path.unlink()  # what cannot be opened is as good as a full disk
    for seq in range(3):
        filing._flushed_at = 0
        if filing.has_room():
            assert filing.seq == seq
            filing.put(wire.encode(frame(filing.seq)))
    assert (filing.seq, filing.dropped, len(said)) == (1, 2, 1)
    path.write_bytes(b"")
    assert filing.has_room()
    filing.put(wire.encode(frame(1)))


def test_a_recording_is_imported_whole_once_and_what_is_missing_later(
    shared_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.normscope"
    train(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    half = len(normscope.open(path))
    assert importing.main([str(path), "--url", shared_server.url]) == 0
    path.write_bytes(data)
    for new in (STEPS - half, 0):
        assert importing.main([str(path), "--url", shared_server.url]) == 0
        assert f"recorded, {new} of {STEPS} steps were new" in capsys.readouterr().out
    path.write_bytes(data[: len(data) // 2])  # an older copy changes nothing
    assert importing.main([str(path), "--url", shared_server.url]) == 0
    assert f"recorded, 0 of {half} steps were new" in capsys.readouterr().out
    path.write_bytes(data)
    found = [e for e in shared_server.get("/api/experiments")["experiments"] if e["name"] == "recorded"]
    assert len(found) == 1
    run = shared_server.run(found[0]["runs"][0]["id"])
    assert (run["status"], run["last_step"], run["edges"], run["outcome"]) == (
        "finished", STEPS - 1, [[0, 1], [1, 2]], {"best": 0.5},
    )  # fmt: skip
    stored = split(shared_server.http.get(f"{shared_server.url}/api/runs/{run['id']}/history").content)
    assert [wire.encode(one) for one in stored] == list(normscope.open(path).encoded())


def test_different_runs_in_a_folder_are_imported_each_by_itself(
    shared_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path / "a.normscope", steps=7, name="first of a folder")
    train(tmp_path / "b.normscope", steps=5, name="second of a folder")
    (tmp_path / "c.normscope").write_bytes(b"something else")
    with pytest.raises(WireError, match=r"different runs, and b\.normscope is not of the first"):
        normscope.open(tmp_path)
    assert importing.main([str(tmp_path), "--url", shared_server.url]) == 1
    said = capsys.readouterr()
    assert "first of a folder, 7 of 7 steps were new" in said.out
    assert "second of a folder, 5 of 5 steps were new" in said.out
    assert "c.normscope cannot be read" in said.err
    runs = {run["name"]: run for one in shared_server.get("/api/experiments")["experiments"] for run in one["runs"]}
    for name, file, steps in (("first of a folder", "a", 7), ("second of a folder", "b", 5)):
        found = shared_server.http.get(f"{shared_server.url}/api/runs/{runs[name]['id']}/history").content
        stored = [wire.encode(one) for one in split(found)]
        assert stored == list(normscope.open(tmp_path / f"{file}.normscope").encoded())
        assert len(stored) == steps


def test_the_import_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.normscope"
    assert importing.main([str(path)]) == 1
    assert "cannot be read: No such file" in capsys.readouterr().err
    train(path, steps=2)
    assert importing.main([str(path), "--url", f"http://127.0.0.1:{free_port()}"]) == 1
    said = capsys.readouterr().err
    assert "cannot reach" in said
    assert said.endswith("; the same command goes on where this ends\n")


def test_import_is_a_command(tmp_path: Path) -> None:
    done: Any = subprocess.run(
        [sys.executable, "-m", "normscope", "import", "--help"], capture_output=True, text=True, check=True,
        env=os.environ | {"COLUMNS": "100"},
    )  # fmt: skip
    assert "made by watch(model, file=FILE)" in done.stdout


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch.compile asks, not we
@pytest.mark.parametrize("part", [None, "1"])
def test_a_compiled_net_is_called_what_it_is_called_without(tmp_path: Path, part: str | None) -> None:
    """So that it can be compared with one that is not, layer by layer; the whole of it, or a part."""
    net = nn.Sequential(nn.Linear(4, 8), nn.Sequential(nn.ReLU(), nn.Linear(8, 1)))
    compiled = torch.compile(net if part is None else net[1], backend="eager")
    if part is not None:
        net[1] = cast("nn.Module", compiled)
    model = cast("nn.Module", compiled) if part is None else net
    with normscope.watch(model, file=tmp_path / "run.normscope", budget=None) as watch:
        for _ in range(3):
            model(torch.randn(16, 4)).sum().backward()
            watch.step()
    found = normscope.open(tmp_path / "run.normscope")
    assert [layer.name for layer in found.layers] == ["0", "1.0", "1.1"]
    assert found.hello.name == "Sequential"
