"""Namespaces."""

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
from faasioflex.api.resource.people import NamespaceOut, NamespacePut, namespace_document, page_of
from faasioflex.api.routes.lists import body, page
from faasioflex.api.routes.pages import CursorQuery, LimitQuery
from faasioflex.identity.policy import Resource, permitted
from faasioflex.model.errors import WrongState
from faasioflex.model.identity import NamespaceRecord
from faasioflex.model.names import NAME_PATTERN

router = APIRouter(tags=["identity"])
Space = Annotated[str, Path(pattern=NAME_PATTERN, max_length=40)]


def resource(namespace: str) -> Resource:
    return Resource("namespace", namespace)


@router.get("/namespaces", response_model=None, responses={**page_of(NamespaceOut), **problems(401)})
async def list_namespaces(
    context: Context, caller: Caller, limit: LimitQuery = 100, cursor: CursorQuery = None
) -> Response:
    """Those that the caller has a role in; all, to those whose role holds everywhere."""
    spaces = context.identity.directory.namespaces.entries
    seen = {
        name: _document(context, one.value)
        for name, one in spaces.items()
        if "see" in permitted(caller, resource(name))
    }
    return page(seen, limit, cursor)


@router.get("/namespaces/{namespace}", response_model=NamespaceOut, responses=problems(401, 404))
async def get_namespace(context: Context, caller: Caller, namespace: Space) -> Response:
    """One namespace."""
    check_kind(caller, "see", resource(namespace), f"namespace {namespace}")
    return JSONResponse(_document(context, context.resources.namespaces.get(namespace)))


@router.put(
    "/namespaces/{namespace}",
    response_model=NamespaceOut,
    responses={201: {"model": NamespaceOut}, **problems(400, 401, 404, 408, 409, 413, 415)},
    openapi_extra=body(NamespacePut),
)
async def put_namespace(request: Request, context: Context, caller: Caller, namespace: Space) -> Response:
    """Make it (admins of the platform), or give it other owners (its own admins too)."""
    check_kind(caller, "admin", resource(namespace), f"namespace {namespace}")
    wanted = validate(NamespacePut, await small_json(request))
    owners = [
        context.resources.subjects.stored(to, ("user", "group"), f"/owners/{number}")
        for number, to in enumerate(wanted.owners)
    ]
    made, new = await context.resources.namespaces.put(
        namespace, owners, wanted.description, by=caller, now=context.now()
    )
    return JSONResponse(_document(context, made), 201 if new else 200)


@router.delete("/namespaces/{namespace}", status_code=204, responses=problems(401, 404, 409))
async def delete_namespace(context: Context, caller: Caller, namespace: Space) -> Response:
    """An empty one that is nobody's own."""
    check_kind(caller, "admin", resource(namespace), f"namespace {namespace}")
    await context.registry.caught_up()
    held = [
        entry.value.spec.name
        for entry in context.registry.functions.entries.values()
        if entry.value.spec.namespace == namespace
    ]
    if held:
        raise WrongState(f"{namespace} has functions: delete {', '.join(sorted(held)[:5])} first")
    await context.resources.namespaces.delete(namespace)
    return Response(status_code=204)


def _document(context: Services, space: NamespaceRecord) -> dict[str, Any]:
    return namespace_document(space, [context.resources.subjects.show(owner) for owner in space.owners])
