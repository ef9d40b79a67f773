"""Start a trainer: `python -m trainer` reads one job as a line of JSON, with `--parent` one after another.

With `--from-environment` the job is in NORMSCOPE_JOB, as a cluster hands it over.

The parent imports torch once and forks a process for each job, so that a run starts in well under a second. It
never computes anything itself: a fork is safe only while no thread pool is running. It answers on standard output
with a line of JSON when a child has started and when it has ended. When its standard input closes (the server is gone,
however it went), it leaves; its children go on training.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import selectors
import signal
import sys
import tempfile
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from normscope.background import leave_with_parent
from normscope.spec import Job

from .processes import Team


def run(job: Job, team: Team) -> int:
    """Train in this process, one of a team; the exit status."""
    import torch

    from .loop import train

    if team.rank == 0:  # the others end at once
        signal.signal(signal.SIGTERM, _interrupt)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Runs share the machine, and nets this small are slower on more than one core.
    torch.set_num_threads(1)
    try:
        train(job, team)
    except Exception:
        logging.getLogger("trainer").exception("the run failed")
        return 1
    return 0


def _interrupt(number: int, _frame: object) -> NoReturn:
    raise SystemExit(f"ended by signal {signal.Signals(number).name}")


def _become(job: Job) -> NoReturn:
    """Turn a forked child into the job's own process: own session, own log, no ties to the server."""
    from normscope.sending.beside import fork_ahead

    gc.enable()
    os.setsid()
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    team = Team.of(job.spec.processes)
    fork_ahead()
    code = 1
    try:
        code = run(job, team)
    except SystemExit as reason:
        print(reason, file=sys.stderr)  # noqa: T201  into the run's log
    finally:
        sys.stderr.flush()
        os._exit(code)


def _say(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _start(line: str) -> None:
    job = Job.load(line)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _become(job)
    _say(started=pid, token=job.token)


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(ended=pid, code=os.waitstatus_to_exitcode(status))


def _warm_up() -> None:
    """Load everything that a first step loads, which takes seconds, and compute nothing."""
    import torch
    from torch import nn

    from .data.digits import read

    for module in ("torch.profiler", "normscope.watching", f"{__package__}.loop"):
        import_module(module)
    read()
    # The first optimizer of a process brings eight hundred modules with it, compiler and all.
    torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)


def parent() -> None:
    """Fork a trainer for each line of standard input, until it closes."""
    leave_with_parent()  # first of all: it does not listen while it warms up
    # Asked through the driver's library, whether there is a GPU: a process that has used CUDA cannot be forked.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    # What is loaded stays: to look for garbage in it meanwhile took a quarter of the time, and in the children it would
    # write to the memory that they share.
    gc.disable()
    _warm_up()
    gc.freeze()
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the server's terminal is the server's
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ready = selectors.DefaultSelector()
    ready.register(0, selectors.EVENT_READ)
    ready.register(reader, selectors.EVENT_READ)
    _say(ready=os.getpid())
    rest = b""
    while True:
        files = [key.fd for key, _ in ready.select()]
        if reader in files:
            os.read(reader, 4096)
            _reap()
        if 0 in files:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _start(line.decode())


def _with_room(job: Job) -> Job:
    """The job with a folder that can be written: the server's may not be on this machine."""
    try:
        Path(job.folder).mkdir(parents=True, exist_ok=True)
        if os.access(job.folder, os.W_OK):
            return job
    except OSError:
        pass
    folder = tempfile.mkdtemp(prefix="normscope-")
    print(f"{job.folder} cannot be used here: the checkpoint goes to {folder} on this machine")  # noqa: T201
    return replace(job, folder=folder)


def main() -> int:
    """The command line."""
    if "--parent" in sys.argv[1:]:
        with contextlib.suppress(BrokenPipeError):  # the server was killed a moment ago: there is nobody to tell
            parent()
        os._exit(0)  # at once: the server waits, and torch would take itself apart for a second
    if "--from-environment" in sys.argv[1:]:
        job = _with_room(Job.load(os.environ.pop("NORMSCOPE_JOB")))
    else:
        job = Job.load(sys.stdin.readline())
    if job.spec.processes > 1:
        _warm_up()  # once for all of them
        sys.stdout.flush()
    return run(job, Team.of(job.spec.processes))


if __name__ == "__main__":
    sys.exit(main())
