"""Training processes as Ray Jobs, on whichever machine of a cluster Ray finds room for them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import secrets
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from . import Exit, LauncherError, Needs, UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from normscope.spec import Job

log = logging.getLogger("normscope.launcher")

_INSIDE: Final = __package__.rpartition("app.")[0]
"""Where `trainer` is: nowhere in a checkout, in `normscope.` where installed."""
_ROOT: Final = Path(__file__).parents[2]
_MODULES: Final = (_ROOT,) if _INSIDE else (_ROOT / "normscope", _ROOT / "trainer")
"""What workers must have of the same version; the packages that we need ourselves are theirs to have."""
_LEFT_OUT: Final = ("__pycache__", "/app", "/static", "/templates")
_ENTRYPOINT: Final = f"exec python -P -m {_INSIDE}trainer --from-environment"
"""-P: not what happens to lie in the folder where Ray was started."""
_USUAL: Final = "http://127.0.0.1:8265"
_PREFIX: Final = "normscope-"
_PERIOD: Final = 1.0
"""Seconds between two looks at the jobs while there are any; longer where a look takes more than a tenth of that."""
_PATIENCE: Final = 60.0
"""Seconds within which the cluster has to answer: Ray's client would wait for ever."""
_AT_ONCE: Final = 4
"""Requests under way; if none is answered, the next ones wait and fail too."""
_MOST_LOG: Final = 1 << 20
"""Characters of a job's log that are kept, the last ones."""
_STEPS: Final = (500, 200, 100, 50, 20, 10)
"""Further behind than ten, it is said roughly: all that wait would change with each that starts."""


class RayLauncher:
    """Talks to the job server of a cluster's dashboard. A handle is a job's submission id, which has the run's in it.

    One request lists all jobs, once a second while a run is under way, and everything is answered from that. As long as
    the cluster does not answer, what was last known holds.
    """

    def __init__(self, url: str, needs: Needs) -> None:
        """For the cluster at a URL, which need not be there yet."""
        self._address = _address(url)
        self._needs = needs
        self._client: Any = None
        self._jobs: dict[str, Any] | None = None
        self._pending: dict[str, int] = {}
        self._following: set[str] = set()
        self._folders: dict[str, Path] = {}
        self._told: set[str] = set()
        self._trouble: str | None = None
        self._exits: asyncio.Queue[Exit] = asyncio.Queue()
        self._wake = asyncio.Event()
        self._pool = ThreadPoolExecutor(_AT_ONCE, "ray")
        self._task = asyncio.create_task(self._watch())

    async def prepare(self) -> None:
        """Nothing: a cluster starts every process afresh."""

    async def start(self, job: Job) -> str:
        """Submit the job. What was left of an earlier attempt at the same run is stopped: its token opens nothing."""
        folder, needs = Path(job.folder), self._needs.times(job.spec.processes)
        prefix = f"{_PREFIX}{folder.name}-"
        handle = f"{prefix}{secrets.token_hex(4)}"
        if self._jobs is None:
            await self._look()
        for earlier, details in (self._jobs or {}).items():
            if earlier.startswith(prefix) and not details.status.is_terminal():
                await self._ask("stop_job", earlier)
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        try:
            await self._ask(
                "submit_job", entrypoint=_ENTRYPOINT, submission_id=handle,
                metadata={"name": job.name, "folder": job.folder, "needs": str(needs)},
                entrypoint_num_cpus=needs.cpus, entrypoint_num_gpus=needs.gpus,
                runtime_env={
                    "py_modules": [str(path) for path in _MODULES], "excludes": list(_LEFT_OUT),
                    "env_vars": {"NORMSCOPE_JOB": job.dump()},
                },
            )  # fmt: skip
        except UnreachableError:
            self._jobs = None  # it may have got there all the same
            raise
        self._folders[handle] = folder
        self._follow(handle)
        return handle

    async def alive(self, handle: str) -> bool:
        """Whether the job has not ended, as far as is known; from then on its end is reported."""
        if not handle.startswith(_PREFIX):
            return False
        details = (self._jobs or {}).get(handle)
        if handle not in self._following and (details is None or not details.status.is_terminal()):
            self._follow(handle)
        return handle in self._following

    async def kill(self, handle: str, *, hard: bool) -> None:  # noqa: ARG002
        """Have Ray stop the job: with SIGTERM, after three seconds with SIGKILL.

        One that has not begun has no process; Ray ends it when its turn comes, and here it has ended at once.
        """
        if handle in self._told or handle not in self._following:
            return
        with contextlib.suppress(UnreachableError):
            await self._ask("stop_job", handle)
            self._told.add(handle)
            if handle in self._pending:
                self._finish(Exit(handle, -signal.SIGTERM))

    def why(self, handle: str | None) -> str | None:
        """Where in Ray's queue a job is; without one, why none can be submitted."""
        if handle is None:
            return self._trouble
        details = (self._jobs or {}).get(handle)
        if details is None and handle.startswith(_PREFIX):
            self._follow(handle)
            return self._trouble or "handed over to the Ray cluster, which has not said yet where it stands"
        if details is None or handle not in self._pending:
            return None
        ahead = self._pending[handle]
        place = "it is next" if ahead == 0 else f"{_roughly(ahead)} ahead of it"
        said = details.message or ""
        more = "" if said.startswith("Job has not started yet") else f"; Ray says: {said}"
        needs = (details.metadata or {}).get("needs", self._needs)
        return f"queued on the Ray cluster for {needs}, {place}{more}"

    async def exits(self) -> AsyncIterator[Exit]:
        """Ends of jobs, as the listing shows them."""
        while True:
            yield await self._exits.get()

    async def close(self) -> None:
        """Look no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _follow(self, handle: str) -> None:
        self._following.add(handle)
        self._wake.set()

    async def _watch(self) -> None:
        while True:
            if not self._following:
                self._wake.clear()
                await self._wake.wait()
            began = time.monotonic()
            try:
                await self._look()
            except LauncherError as error:
                log.warning("cannot look after the jobs: %s", error)
            await asyncio.sleep(max(_PERIOD, 10 * (time.monotonic() - began)))

    async def _look(self) -> None:
        """List the jobs; report what has ended."""
        following = set(self._following)  # one that is submitted meanwhile is not in the list, and not gone
        found = [details for details in await self._ask("list_jobs") if details.submission_id]
        queue = sorted((one for one in found if one.status == "PENDING"), key=lambda one: one.start_time)
        self._jobs = {one.submission_id: one for one in found if one.submission_id.startswith(_PREFIX)}
        self._pending = {one.submission_id: place for place, one in enumerate(queue)}
        for handle in following & self._following:
            details = self._jobs.get(handle)
            if details is None:
                self._finish(Exit(handle, 1, reason="Ray does not know its job any more"))
            elif details.status.is_terminal():
                await self._keep_log(handle, details)
                self._finish(_exit(handle, details))

    def _finish(self, found: Exit) -> None:
        self._following.discard(found.handle)
        self._pending.pop(found.handle, None)
        self._folders.pop(found.handle, None)
        self._told.discard(found.handle)
        self._exits.put_nowait(found)

    async def _keep_log(self, handle: str, details: Any) -> None:
        """Put a job's log where that of a local run would be; Ray's own goes with the cluster."""
        folder = self._folders.get(handle) or Path((details.metadata or {}).get("folder", ""))
        # Others can write into a cluster's records: nothing is made that was not there for this very run.
        if handle.rpartition("-")[0] != f"{_PREFIX}{folder.name}" or not folder.is_dir():
            return
        try:
            text = str(await self._ask("get_job_logs", handle))
            await asyncio.to_thread((folder / "log.txt").write_text, text[-_MOST_LOG:])
        except (LauncherError, OSError) as error:  # the machine is gone, or the disk is full: then there is none
            log.warning("cannot keep the log of %s: %s", handle, error)

    async def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Have Ray's client do something, in a thread.

        Raises:
            UnreachableError: If the cluster does not answer.
            LauncherError: If it refuses.
        """
        try:
            call = partial(self._call, method, *args, **kwargs)
            found = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(self._pool, call), _PATIENCE)
        except OSError as error:  # requests' errors are such, too
            self._client = None
            self._trouble = f"the Ray cluster at {self._address} does not answer"
            raise UnreachableError(self._trouble) from error
        except (RuntimeError, ValueError) as error:
            raise LauncherError(f"Ray refuses: {str(error).strip().splitlines()[-1][:300]}") from error
        self._trouble = None
        return found

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if self._client is None:
            from ray.job_submission import JobSubmissionClient

            logging.getLogger("ray").setLevel(logging.WARNING)  # it tells of every job that its modules are there
            self._client = JobSubmissionClient(self._address)
        return getattr(self._client, method)(*args, **kwargs)


def check(url: str) -> None:
    """See whether a cluster can be used.

    Raises:
        ValueError: If the URL is none.
        LauncherError: If Ray is not installed.
    """
    _address(url)
    try:
        importlib.import_module("ray.job_submission")
    except ImportError as error:
        raise LauncherError("training on a cluster needs Ray: pip install 'normscope[ray]'") from error


def _address(url: str) -> str:
    """The dashboard's address in a launcher's URL.

    Raises:
        ValueError: If there is none in it; `ray://` is how Ray writes the address of something else.
    """
    address = url.removeprefix("ray:") or _USUAL
    if not address.startswith(("http://", "https://")):
        raise ValueError(f"unknown launcher {url!r}; after ray: comes the address of Ray's dashboard, such as {_USUAL}")
    return address


def _roughly(number: int) -> str:
    """How many jobs, exactly if they are few."""
    rough = next((step for step in _STEPS if number > step), None)
    if rough is not None:
        return f"more than {rough} jobs"
    return "1 job" if number == 1 else f"{number} jobs"


def _exit(handle: str, details: Any) -> Exit:
    """How a job ended, in our words."""
    if details.status == "SUCCEEDED":
        return Exit(handle, 0)
    if details.status == "STOPPED":  # Ray keeps no exit status of what it stops
        return Exit(handle, -signal.SIGTERM)
    if details.error_type == "JOB_SUPERVISOR_ACTOR_START_TIMEOUT":
        return Exit(handle, 1, began=False)
    if details.driver_exit_code is not None:
        return Exit(handle, details.driver_exit_code)
    return Exit(handle, 1, reason=" ".join((details.message or "its job has failed").split())[:300])
