"""Roles of people and groups in a namespace."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import check_kind
from faasioflex.api.body import small_json
from faasioflex.api.context import Context, Services
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.resource.document import validate
from faasioflex.api.resource.people import BindingOut, BindingPut, page_of
from faasioflex.api.routes.lists import body, page
from faasioflex.api.routes.namespaces import Space, resource
from faasioflex.api.routes.pages import CursorQuery, LimitQuery
from faasioflex.identity.policy import Verb
from faasioflex.identity.principal import Principal
from faasioflex.model.errors import NotFound
from faasioflex.model.identity import Binding

router = APIRouter(tags=["identity"])
To = Annotated[str, Path(max_length=300, description="user:EMAIL, user:ID or group:NAME")]
KINDS = ("user", "group")


@router.get(
    "/namespaces/{namespace}/bindings", response_model=None, responses={**page_of(BindingOut), **problems(401, 404)}
)
async def list_bindings(
    context: Context, caller: Caller, namespace: Space, limit: LimitQuery = 100, cursor: CursorQuery = None
) -> Response:
    """Who has which role there, besides its owners."""
    _check(context, caller, namespace, "read")
    found = context.resources.bindings.of(namespace)
    return page({one.to: _document(context, one) for one in found}, limit, cursor)


@router.get("/namespaces/{namespace}/bindings/{to}", response_model=BindingOut, responses=problems(401, 404))
async def get_binding(context: Context, caller: Caller, namespace: Space, to: To) -> Response:
    """One of them."""
    _check(context, caller, namespace, "read")
    stored = context.resources.subjects.stored(to, KINDS)
    for one in context.resources.bindings.of(namespace):
        if one.to == stored:
            return JSONResponse(_document(context, one))
    raise NotFound(f"{namespace} has no binding to {to!a}")


@router.put(
    "/namespaces/{namespace}/bindings/{to}",
    response_model=BindingOut,
    responses={201: {"model": BindingOut}, **problems(400, 401, 404, 408, 409, 413, 415)},
    openapi_extra=body(BindingPut),
)
async def put_binding(request: Request, context: Context, caller: Caller, namespace: Space, to: To) -> Response:
    """Give somebody a role there, in place of the one that they had."""
    _check(context, caller, namespace, "admin")
    role = validate(BindingPut, await small_json(request)).role
    stored = context.resources.subjects.stored(to, KINDS)
    new = await context.resources.bindings.put(namespace, stored, role, by=caller.acting)
    return JSONResponse(_document(context, Binding(stored, role)), 201 if new else 200)


@router.delete("/namespaces/{namespace}/bindings/{to}", status_code=204, responses=problems(401, 404, 409))
async def delete_binding(context: Context, caller: Caller, namespace: Space, to: To) -> Response:
    """Take it away."""
    _check(context, caller, namespace, "admin")
    stored = context.resources.subjects.stored(to, KINDS)
    await context.resources.bindings.delete(namespace, stored, by=caller.acting)
    return Response(status_code=204)


def _check(context: Services, caller: Principal, namespace: str, verb: Verb) -> None:
    check_kind(caller, verb, resource(namespace), f"namespace {namespace}")
    context.resources.namespaces.get(namespace)


def _document(context: Services, binding: Binding) -> dict[str, Any]:
    shown = context.resources.subjects.show(binding.to)
    return {"to": shown.to, "id": shown.id, "role": binding.role}
