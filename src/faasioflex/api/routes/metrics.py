"""Figures: of functions and of the platform as JSON, of all for Prometheus."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from faasioflex.api import processes
from faasioflex.api.authority import SIGNED_IN, Read, may_kind, may_scrape, readable
from faasioflex.api.context import Context
from faasioflex.api.exposition import CONTENT_TYPE, exposition
from faasioflex.api.figures import KEPT_S
from faasioflex.api.identity import Caller
from faasioflex.api.measured import SHORTEST_STEP_S, Load, series_document, window_document
from faasioflex.api.problems import problems
from faasioflex.api.prometheus import families
from faasioflex.api.resource.answer import state_of
from faasioflex.api.resource.measured import MetricsOut, MetricsPage, PlatformMetricsOut
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
StepS = Annotated[
    float | None,
    Query(
        ge=SHORTEST_STEP_S,
        le=KEPT_S,
        allow_inf_nan=False,
        description="Answer a series, too: a point for each step; a minute at least where the window is longer than 90 s",
    ),
]
Active = Annotated[
    bool, Query(description="Only those that have instances, calls or a queue, or had some in the last five minutes")
]


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
    active: Active = False,
) -> Response:
    """Those of many functions, in the order and with the pages of the list of functions."""
    load = context.load.now()
    page = await read.list_functions(
        context.registry,
        namespace=namespace,
        labels=labels_of(label),
        after=key_of(cursor),
        limit=limit,
        readable=readable(request, caller),
        among=_active(context, load) if active else None,
    )
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
async def get_metrics(context: Context, function: Read, window_s: WindowS = 60, step_s: StepS = None) -> Response:
    """What gateway, invoker and manager tell of it. After a restart of the API the window begins anew."""
    seen = await read.get(context.registry, function)
    document = _metrics(context, seen, window_s, context.load.now().get(function, (0, 0)))
    return JSONResponse(document | series_document(context, function, window_s, step_s))


@router.get(
    "/platform/metrics",
    response_model=PlatformMetricsOut,
    responses=problems(401),
    dependencies=[Depends(may_kind("platform", "read", "the metrics of the platform"))],
)
async def get_platform_metrics(context: Context, window_s: WindowS = 60, step_s: StepS = None) -> Response:
    """Of all functions together, and of the platform itself. Takes the role admin, operator or auditor."""
    counts = context.load.now().values()
    load = sum(running for running, _ in counts), sum(waiting for _, waiting in counts)
    node = context.measures.present.node()
    told = node.budget_bytes is not None
    return JSONResponse(
        {
            **window_document(context, None, window_s, load),
            "functions": dict(sorted(context.census.states.items())),
            "revisions": context.census.revisions,
            "memory_budget_bytes": node.budget_bytes,
            "memory_reserved_bytes": node.reserved_bytes if told else None,
            "pools": {language: vars(pool) for language, pool in context.measures.present.pools().items()},
            "processes": {name: vars(one) for name, one in processes.of(context.pids()).items()},
            "scale_decisions": [
                {"signal": signal, "direction": direction, "count": count}
                for (signal, direction), count in sorted(context.decisions.totals.items())
            ],
            **series_document(context, None, window_s, step_s),
        }
    )


def _active(context: Context, load: dict[Any, Load]) -> set[str]:
    measures = context.measures
    functions = measures.lately() | measures.present.functions() | load.keys()
    return {function.key for function in functions} | {function.key for function, _ in context.census.ready()}


def _metrics(context: Context, seen: read.Seen, window_s: float, load: Load) -> dict[str, Any]:
    ready = sum(one.ready_instances for one in seen.status.revisions.values()) if seen.status else 0
    return {**window_document(context, seen.record.function, window_s, load), "instances": ready}


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
    return Response(exposition(families(context)), headers={"content-type": CONTENT_TYPE})
