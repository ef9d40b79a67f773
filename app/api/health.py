"""How the server is: for whatever keeps it running, and whatever keeps an eye on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from ..metrics import CONTENT_TYPE, metrics
from ..store import Lease, StoreError

if TYPE_CHECKING:
    from ..store import Store

router = APIRouter()


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """Alive."""
    return "ok"


@router.get("/readyz", response_class=PlainTextResponse)
async def readyz(request: Request) -> Response:
    """Whether store and bus can be reached and the server does all its work: 200, or 503 and what is wrong."""
    store: Store = request.app.state.store
    try:
        await store.find(Lease, 1)
    except StoreError as error:
        return PlainTextResponse(f"the store: {error}", 503)
    if not await request.app.state.bus.reachable():
        return PlainTextResponse("the bus: it cannot be reached; it is tried again", 503)
    if trouble := request.app.state.works.trouble:
        return PlainTextResponse(f"the server: {trouble}", 503)
    return PlainTextResponse("ok")


@router.get("/metrics", response_class=PlainTextResponse)
async def get_metrics(request: Request) -> Response:
    """Counters and how long things took, for Prometheus."""
    metrics.on_duty.set(request.app.state.experiments.duty.held)
    metrics.bus_dropped.set(request.app.state.bus.dropped)
    return Response(metrics.text(), media_type=CONTENT_TYPE)
