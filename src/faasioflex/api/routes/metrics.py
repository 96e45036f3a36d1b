"""Figures: of one function as JSON, of all for Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from faasioflex.api.context import Context, Function
from faasioflex.api.load import KEPT_S
from faasioflex.api.problems import problems
from faasioflex.api.prometheus import CONTENT_TYPE, exposition
from faasioflex.api.resource.shapes import MetricsOut
from faasioflex.manager.functions import read

router = APIRouter(tags=["observing"])


@router.get("/functions/{namespace}/{name}/metrics", response_model=MetricsOut, responses=problems(404))
async def get_metrics(
    context: Context, function: Function, window_s: Annotated[float, Query(ge=1, le=KEPT_S, allow_inf_nan=False)] = 60
) -> Response:
    """Calls as gateway and invoker report them; null is what is not measured yet."""
    seen = await read.get(context.registry, function)
    running, waiting = context.load.now().get(function, (0, 0))
    return JSONResponse(
        {
            "window_s": window_s,
            "calls_per_s": context.load.calls_per_s(function, window_s),
            "error_rate": None,
            "latency_ms": {"p50": None, "p95": None, "p99": None},
            "in_progress": running,
            "waiting": waiting,
            "instances": sum(one.ready_instances for one in seen.status.revisions.values()) if seen.status else 0,
            "cpu": None,
            "memory_bytes": None,
            "cold_starts": None,
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
    return Response(exposition(context.registry, context.load), headers={"content-type": CONTENT_TYPE})
