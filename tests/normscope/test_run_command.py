"""`normscope run`, as a process: with a server that is there and with one of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import torch

from normscope import catalogue
from normscope.command.arguments import split_arms
from normscope.command.report import Progress, table
from normscope.spec import CHECKPOINT

from ..conftest import free_port, wait_for

if TYPE_CHECKING:
    from ..conftest import Server

HOUSE = Path(__file__).parents[2]
TINY = ("--set", "steps=5", "--set", "depth=1", "--set", "width=8")


def command(*words: str, data: Path | None = None, url: str | None = None) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NORMSCOPE_")}
    environment |= {"NORMSCOPE_DATA": str(data)} if data else {}
    environment |= {"NORMSCOPE_URL": url} if url else {}
    return subprocess.Popen(
        [sys.executable, "-m", "normscope", "run", *words],
        cwd=HOUSE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit status, and what it said."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def begin(server: Server, *words: str) -> tuple[subprocess.Popen[str], str]:
    """A command that trains one net, and the run, once it runs."""
    before = len(server.get("/api/experiments")["experiments"])
    process = command("3", "--seeds", "1", "--arms", "none", *words, url=server.url)

    def found() -> list[dict[str, Any]]:
        experiments: list[dict[str, Any]] = server.get("/api/experiments")["experiments"]
        return [new for new in experiments[: len(experiments) - before] if new["runs"]]

    run: str = wait_for(found, "an experiment")[0]["runs"][0]["id"]
    server.wait_step(run, 1)
    return process, run


def test_a_whole_experiment_on_a_server_that_is_there(shared_server: Server) -> None:
    status, out, err = outcome(
        command(
            "10", *TINY, "--seeds", "1", "--set", "rates=0.1,1", "--set", "init_scales=1", url=f"{shared_server.url}/"
        )
    )
    assert status == 0, err
    experiment, *_ = shared_server.get("/api/experiments")["experiments"]
    assert [run["status"] for run in experiment["runs"]] == ["finished"] * 4
    head, *rows = out.splitlines()
    assert re.split(r"  +", head) == ["criterion", "effect [95 % interval]", "wanted", "verdict"]
    assert [re.split(r"  +", row)[0] for row in rows[:4]] == [c.name for c in catalogue.claim(10).rule]
    assert rows[5].startswith("undecided: ")
    assert rows[6] == "1 of 1 seeds done"
    assert rows[7] == f"page: {shared_server.url}/e/{experiment['id']}"
    again = "--set steps=5 --set rates=0.1,1 --set init_scales=1 --set depth=1 --set width=8 --set seeds=1"
    assert rows[8] == f"again: normscope run 10 {again}"
    assert shared_server.http.get(rows[7].removeprefix("page: ")).status_code == 200
    said = err.splitlines()
    assert said[0] == f"normscope: watch it at {shared_server.url}/e/{experiment['id']}"
    assert said[-1] == "4 of 4 runs, 100%"


def test_nets_learn_data_of_ones_own(shared_server: Server, tmp_path: Path) -> None:
    def run(name: str) -> tuple[int, str, str]:
        words = ("--seeds", "1", "--arms", "none", *TINY[:2], "--set", "width=8", "--set", "depths=1")
        path = os.path.relpath(tmp_path / name, HOUSE)
        return outcome(command("2", *words, "--set", f"data={path}", url=shared_server.url))

    np.savez(tmp_path / "mine.npz", x=np.random.default_rng(0).random((50, 7)), y=np.arange(50) % 3)
    status, _, err = run("mine.npz")
    assert status == 0, err
    (made,) = shared_server.get("/api/experiments")["experiments"][0]["runs"]
    weights = torch.load(shared_server.data / "runs" / made["id"] / CHECKPOINT)["net"]
    assert [tuple(weights[f"{name}.weight"].shape) for name in ("fc1", "out")] == [(8, 7), (3, 8)]
    status, _, err = run("none.npz")
    assert (status, "none.npz: there is no such file" in err) == (1, True), err


def test_without_a_server_it_has_one_of_its_own_that_ends_with_it(tmp_path: Path) -> None:
    status, out, err = outcome(
        command("3", *TINY, "--seeds", "1", "--arms", "none", "--parallel", "1", "--json", data=tmp_path / "data")
    )
    assert status == 0, err
    found = json.loads(out)
    assert (found["verdict"], found["seeds"], found["settings"]["parallel"]) == (
        "undecided", {"done": 1, "planned": 1}, 1,
    )  # fmt: skip
    address = (tmp_path / "data" / "server").read_text()
    status, _, err = outcome(command("3", "--url", address))
    assert (status, err) == (1, f"normscope: there is no server to be had at {address}: Connection refused\n")


def test_it_uses_the_server_that_holds_the_usual_data_folder(shared_server: Server) -> None:
    status, out, err = outcome(command("3", *TINY, "--seeds", "1", "--arms", "none", data=shared_server.data))
    assert (status, f"page: {shared_server.url}/e/" in out) == (0, True), err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_stops_the_runs_and_the_server(tmp_path: Path, number: signal.Signals) -> None:
    process = command("3", *TINY, "--set", "steps=1000000", data=tmp_path / "data")
    child = wait_for(lambda: psutil.Process(process.pid).children(), "the server")[0]
    wait_for(lambda: list((tmp_path / "data").glob("runs/*/log.txt")), "a run")
    trainers = child.children(recursive=True)
    process.send_signal(number)
    status, out, err = outcome(process)
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == "normscope: stopped; 0 of 10 runs had finished"
    assert not psutil.pid_exists(child.pid)
    wait_for(lambda: not any(map(psutil.Process.is_running, trainers)), "the training processes to be gone")


def test_runs_that_fail_are_told_and_counted(shared_server: Server) -> None:
    process, _ = begin(shared_server, "--set", "steps=1000000")
    assert shared_server.process is not None
    for child in psutil.Process(shared_server.process.pid).children(recursive=True):
        if "--parent" in child.cmdline() and child.ppid() != shared_server.process.pid:
            child.kill()
    status, _, err = outcome(process)
    assert status == 1
    assert re.search(r"^normscope: 1 of 1 runs failed; none: ended by signal 9", err, re.MULTILINE), err


def test_it_outlasts_its_servers_absence(shared_server: Server) -> None:
    process, _ = begin(shared_server, "--set", "pace=20", "--set", "steps=60")
    shared_server.kill()
    shared_server.start()
    status, out, err = outcome(process)
    assert (status, "1 of 1 seeds done" in out) == (0, True), err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("99",), "unknown claim 99; there are 1, 2, 3,"),
        ((), "which claim? There are 1, 2, 3,"),
        (("1", "--arms", "none,strong"), "unknown arm 'strong'; there are none, mean only, variance only, batch"),
        (("1", "--size", "huge"), "unknown size 'huge' of claim 1; there are watch, quick, paper"),
        (("1", "--set", "steps"), "--set steps: write a setting as name=value"),
        (("1", "--set", "steps=many"), "steps: 'many' is not a number"),
        (("1", "--set", "speed=9"), "unknown setting 'speed'; there are steps,"),
        (("1", "--set", "shifts=1,x"), "shifts: 'x' is not a number"),
        (("1", "--set", "activation=wave"), "'wave' is not one of sigmoid, tanh, relu"),
        (("1", "--seeds", "0"), "seeds: 0 is not between 1 and 20"),
        (("1", "--parallel", "99"), "parallel: 99 is not between 1 and 64"),
    ],
)
def test_wrong_arguments_are_a_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    status, out, err = outcome(command(*words, data=tmp_path / "data"))
    assert (status, out) == (2, "")
    assert sentence in err.splitlines()[-1]
    assert not (tmp_path / "data").exists()


def test_claims_are_listed() -> None:
    status, out, err = outcome(command("--list"))
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [str(number) for number in catalogue.CLAIMS]
    assert out.splitlines()[0].endswith("(watch, quick, paper)")


def test_a_server_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    status, _, err = outcome(command("3", data=tmp_path / "file"))
    assert status == 1
    assert re.fullmatch(r"normscope: no server could be started: cannot use the data folder [^\n]+\n", err), err
    status, _, err = outcome(command("3", "--url", f"http://127.0.0.1:{free_port()}"))
    assert status == 1
    assert re.fullmatch(r"normscope: there is no server to be had at [^\n]+: Connection refused\n", err), err


def test_names_of_arms_may_hold_commas() -> None:
    claim = catalogue.claim(12)
    names = [arm.name for arm in claim.arms]
    assert [name for name in names if "," in name]
    for several in (names, names[::-1]):
        assert list(split_arms(claim, ",".join(several))) == several
    assert split_arms(claim, "batch, none") == ("batch", "none")


def test_a_table_shows_what_the_verdict_rests_on_first() -> None:
    criterion = {"unit": "", "relation": "<", "threshold": 1.0}
    finding = {
        "verdict": "supported", "reason": "every criterion holds, over 5 seeds", "seeds": {"done": 5, "planned": 5},
        "evidence": [
            {**criterion, "name": "beside", "decisive": False, "verdict": "undecided", "estimate": None, "low": None,
             "high": None},
            {**criterion, "name": "steps", "decisive": True, "verdict": "supported", "estimate": 0.51234, "low": 0.4,
             "high": 0.6, "unit": "steps"},
        ],
    }  # fmt: skip
    assert table(finding).splitlines() == [
        "criterion  effect [95 % interval]  wanted  verdict",
        "steps      0.512 steps [0.4, 0.6]  < 1     supported",
        "beside     —                       < 1     (undecided)",
        "",
        "supported: every criterion holds, over 5 seeds",
        "5 of 5 seeds done",
    ]


def test_a_terminal_gets_a_bar() -> None:
    main, other = os.openpty()
    with os.fdopen(other, "w") as terminal:
        progress = Progress(terminal)
        progress.show([{"status": "finished"}, {"status": "running", "last_step": 4, "steps": 10}])
        progress.end()
        shown = ""
        while not shown.endswith("\n"):  # a terminal gives what has come so far
            shown += os.read(main, 1000).decode()
    os.close(main)
    assert shown == f"\r[{'#' * 22}........] 1 of 2 runs, 75%\x1b[K\r\n"
