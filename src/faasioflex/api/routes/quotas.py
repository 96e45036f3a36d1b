"""What a namespace may use."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import check_kind
from faasioflex.api.body import small_json
from faasioflex.api.context import Context, Services
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.resource.document import validate
from faasioflex.api.resource.people import QuotaOut, QuotaPut
from faasioflex.api.routes.lists import body
from faasioflex.api.routes.namespaces import Space
from faasioflex.identity.policy import Resource, Verb
from faasioflex.identity.principal import Principal
from faasioflex.manager.functions.quota import used
from faasioflex.model.identity import Quota

router = APIRouter(tags=["identity"])
OF_NAMESPACE = "/namespaces/{namespace}/quota"


@router.get(OF_NAMESPACE, response_model=QuotaOut, responses=problems(401, 404))
async def get_quota(context: Context, caller: Caller, namespace: Space) -> Response:
    """Its bounds (null: none), and what it uses of them."""
    _check(caller, namespace, "read")
    return JSONResponse(await _document(context, namespace, await context.resources.quotas.get(namespace)))


@router.put(
    OF_NAMESPACE,
    response_model=QuotaOut,
    responses=problems(400, 401, 404, 408, 413, 415),
    openapi_extra=body(QuotaPut),
)
async def put_quota(request: Request, context: Context, caller: Caller, namespace: Space) -> Response:
    """Set all of its bounds. What is used already stays, and nothing more comes to it."""
    _check(caller, namespace, "operate")
    wanted = Quota(**validate(QuotaPut, await small_json(request)).model_dump())
    await context.resources.quotas.put(namespace, wanted)
    return JSONResponse(await _document(context, namespace, wanted))


@router.delete(OF_NAMESPACE, status_code=204, responses=problems(401, 404))
async def delete_quota(context: Context, caller: Caller, namespace: Space) -> Response:
    """No bounds any more."""
    _check(caller, namespace, "operate")
    await context.resources.quotas.delete(namespace)
    return Response(status_code=204)


def _check(caller: Principal, namespace: str, verb: Verb) -> None:
    check_kind(caller, verb, Resource("quota", namespace), f"quota of namespace {namespace}")


async def _document(context: Services, namespace: str, quota: Quota) -> dict[str, Any]:
    return {**asdict(quota), "used": await used(context.registry, namespace)}
