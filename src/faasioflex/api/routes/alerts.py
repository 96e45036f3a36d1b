"""Alerts that fire."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import SIGNED_IN, resource_of
from faasioflex.api.context import Context
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.resource.measured import AlertList
from faasioflex.api.resource.times import rfc3339
from faasioflex.api.routes.pages import NamespaceQuery
from faasioflex.identity.policy import Resource, permitted
from faasioflex.identity.principal import Principal
from faasioflex.model.alert import Alert

router = APIRouter(tags=["observing"], dependencies=SIGNED_IN)


@router.get("/alerts", response_model=AlertList, responses=problems(401))
async def list_alerts(request: Request, context: Context, caller: Caller, namespace: NamespaceQuery = None) -> Response:
    """Those of the functions that the caller may read; those of the platform for who may read that. Beginnings and ends are events."""
    firing = (one for one in context.alerts.firing() if _may_read(request, caller, one))
    items = [
        _document(one)
        for one in firing
        if namespace is None or (one.function is not None and one.function.namespace == namespace)
    ]
    return JSONResponse({"items": items})


def _may_read(request: Request, caller: Principal, alert: Alert) -> bool:
    function = alert.function
    if function is None:
        return "read" in permitted(caller, Resource("platform"))
    entry = request.app.state.services.registry.functions.entries.get(function.key)
    return "read" in permitted(caller, resource_of(request, function, entry.value if entry is not None else None))


def _document(alert: Alert) -> dict[str, Any]:
    return {
        "kind": alert.kind,
        "function": str(alert.function) if alert.function is not None else None,
        "state": alert.state,
        "value": alert.value,
        "threshold": alert.threshold,
        "unit": alert.unit,
        "since": rfc3339(alert.since),
        "message": alert.message,
    }
