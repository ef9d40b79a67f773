"""The application: ports opened, routes put together, background tasks kept."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from normscope import __version__

from .access.door import Door
from .access.guard import Guard
from .access.headers import Headers
from .access.proxies import Proxies
from .access.rates import Gates, Limiter
from .access.visits import Visits
from .api import health, keys
from .api import routes as api
from .bus import open_bus
from .compression import Compression
from .frames import ingest, live
from .frames.tails import Tails
from .launcher import Needs, open_launcher
from .logs import Requests
from .pages import login
from .pages import routes as pages
from .pages.assets import StampedFiles, packed_plotly
from .pages.glimpse import Glimpses
from .runs.alerts import Alerts
from .runs.duty import Duty
from .runs.experiments import Experiments, RefusedError
from .runs.findings import Findings
from .runs.lookout import Lookout
from .runs.queue import Queue
from .runs.supervision import Supervision
from .runs.webhooks import Webhooks
from .store import StoreError, is_shared, open_store
from .works import Works

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.responses import Response

    from .settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """The server as an ASGI application."""
    webhooks = Webhooks(settings.webhooks, settings.webhook_hosts)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        store = await open_store(settings.store_url)
        bus = await open_bus(settings.bus)
        launcher = await open_launcher(settings.launcher, Needs(settings.run_cpus, settings.run_gpus))
        shared = is_shared(settings.store_url)
        duty = Duty(store, shared=shared)
        alerts = Alerts(store, bus, webhooks)
        experiments = Experiments(settings, store, bus, launcher, alerts, duty)
        app.state.store, app.state.bus, app.state.experiments = store, bus, experiments
        app.state.tails, app.state.findings, app.state.glimpses = Tails(store), Findings(), Glimpses(store)
        app.state.lookout = Lookout(store, shared=shared)
        app.state.visits = visits = Visits(store, bus)
        supervision = Supervision(experiments)
        app.state.works = works = Works(
            {
                "being on duty": duty.serve,
                "watching how processes end": supervision.watch_exits,
                "watching over runs": supervision.watch_over,
                "watching over visits": visits.watch_over,
                "the queue": Queue(experiments).serve,
                "calling webhooks": webhooks.serve,
            }
        )
        packing = asyncio.create_task(asyncio.to_thread(packed_plotly, "zstd"))  # the first page is not to wait for it
        yield
        packing.cancel()
        await works.close()
        await duty.leave()
        await launcher.close()
        await bus.close()
        await store.close()

    app = FastAPI(title="Normscope", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.settings = settings
    for part in (api, health, ingest, keys, live, login, pages):
        app.include_router(part.router)
    app.mount("/static/{stamp}", StampedFiles(), name="static")
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(StoreError, _unstored)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Compression)
    app.state.gates = Gates(settings.rates)
    app.add_middleware(Door, enter=login.enter)
    app.add_middleware(Limiter, gates=app.state.gates)
    app.add_middleware(Requests)
    app.add_middleware(Guard, hosts=settings.names)
    app.add_middleware(Proxies, settings=settings)
    app.add_middleware(Headers, frames=settings.frames)
    return app


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 409)


async def _unstored(_: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 507)


async def _invalid(_: Request, error: Exception) -> Response:
    """All that is wrong with a request in one sentence."""
    assert isinstance(error, RequestValidationError)
    wrong = [f"{_place(e)}: {e['msg']}" for e in error.errors()]
    return JSONResponse({"detail": "; ".join(wrong)[:500]}, 422)


def _place(error: dict[str, Any]) -> str:
    """Where something is wrong. Of what is no JSON only the byte is told, which is not a name."""
    return ".".join(str(part) for part in error["loc"][1:] if error["type"] != "json_invalid") or "body"
