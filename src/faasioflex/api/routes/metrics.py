"""Figures: of one function as JSON, of all for Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from faasioflex.api.context import Context, Function
from faasioflex.api.exposition import CONTENT_TYPE, exposition
from faasioflex.api.figures import KEPT_S
from faasioflex.api.problems import problems
from faasioflex.api.prometheus import families
from faasioflex.api.resource.shapes import MetricsOut
from faasioflex.manager.functions import read

router = APIRouter(tags=["observing"])


@router.get("/functions/{namespace}/{name}/metrics", response_model=MetricsOut, responses=problems(404))
async def get_metrics(
    context: Context, function: Function, window_s: Annotated[float, Query(ge=1, le=KEPT_S, allow_inf_nan=False)] = 60
) -> Response:
    """What gateway, invoker and manager tell of it. After a restart of the API the window begins anew."""
    seen = await read.get(context.registry, function)
    over = context.measures.over(function, window_s)
    running, waiting = context.load.now().get(function, (0, 0))
    return JSONResponse(
        {
            "window_s": over.window_s,
            "calls_per_s": over.calls_per_s,
            "error_rate": over.error_rate,
            "latency_ms": {"p50": over.p50_ms, "p95": over.p95_ms, "p99": over.p99_ms},
            "in_progress": running,
            "waiting": waiting,
            "instances": sum(one.ready_instances for one in seen.status.revisions.values()) if seen.status else 0,
            "cpu": over.cpu,
            "memory_bytes": context.measures.memory_bytes(function),
            "cold_starts": over.cold_starts,
        }
    )


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={
        200: {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(),
    },
)
async def get_prometheus(context: Context) -> Response:
    """For Prometheus."""
    text = exposition(families(context.registry, context.load, context.measures))
    return Response(text, headers={"content-type": CONTENT_TYPE})
