"""Figures: of one function as JSON, of all for Prometheus."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from faasioflex.api.authority import SIGNED_IN, Read, may_scrape, readable
from faasioflex.api.context import Context
from faasioflex.api.exposition import CONTENT_TYPE, exposition
from faasioflex.api.figures import KEPT_S
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.prometheus import families
from faasioflex.api.resource.answer import state_of
from faasioflex.api.resource.shapes import MetricsOut, MetricsPage
from faasioflex.api.routes.pages import (
    CursorQuery,
    LabelQuery,
    LimitQuery,
    NamespaceQuery,
    cursor_of,
    key_of,
    labels_of,
)
from faasioflex.manager.functions import read

router = APIRouter(tags=["observing"])


WindowS = Annotated[float, Query(ge=1, le=KEPT_S, allow_inf_nan=False)]


@router.get("/functions/metrics", response_model=MetricsPage, responses=problems(401), dependencies=SIGNED_IN)
async def list_metrics(
    *,
    request: Request,
    context: Context,
    caller: Caller,
    namespace: NamespaceQuery = None,
    label: LabelQuery = None,
    limit: LimitQuery = 100,
    cursor: CursorQuery = None,
    window_s: WindowS = 60,
) -> Response:
    """Those of many functions, in the order and with the pages of the list of functions."""
    page = await read.list_functions(
        context.registry,
        namespace=namespace,
        labels=labels_of(label),
        after=key_of(cursor),
        limit=limit,
        readable=readable(request, caller),
    )
    load = context.load.now()
    items = [
        {
            "namespace": seen.record.function.namespace,
            "name": seen.record.function.name,
            "state": state_of(seen.record, seen.status),
            **_metrics(context, seen, window_s, load.get(seen.record.function, (0, 0))),
        }
        for seen in page.items
    ]
    return JSONResponse({"items": items, "next": cursor_of(page.after)})


@router.get("/functions/{namespace}/{name}/metrics", response_model=MetricsOut, responses=problems(404))
async def get_metrics(context: Context, function: Read, window_s: WindowS = 60) -> Response:
    """What gateway, invoker and manager tell of it. After a restart of the API the window begins anew."""
    seen = await read.get(context.registry, function)
    return JSONResponse(_metrics(context, seen, window_s, context.load.now().get(function, (0, 0))))


def _metrics(context: Context, seen: read.Seen, window_s: float, load: tuple[int, int]) -> dict[str, Any]:
    """``load``: calls in progress and waiting."""
    function = seen.record.function
    over = context.measures.over(function, window_s)
    running, waiting = load
    return {
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


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={
        200: {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(401),
    },
    dependencies=[Depends(may_scrape)],
)
async def get_prometheus(context: Context) -> Response:
    """For Prometheus: without a token from loopback, with the platform's admin, operator or auditor from elsewhere."""
    text = exposition(families(context.registry, context.load, context.measures))
    return Response(text, headers={"content-type": CONTENT_TYPE})
