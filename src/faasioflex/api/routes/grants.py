"""What others may do to one function."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import Administer, ReadGrants
from faasioflex.api.body import small_json
from faasioflex.api.context import Context, Services
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.resource.document import validate
from faasioflex.api.resource.people import GrantOut, GrantPut, page_of
from faasioflex.api.routes.lists import body, page
from faasioflex.api.routes.pages import CursorQuery, LimitQuery
from faasioflex.identity.subjects import WHAT
from faasioflex.model.errors import NotFound
from faasioflex.model.identity import Grant

router = APIRouter(tags=["identity"])
To = Annotated[str, Path(max_length=300, description=WHAT)]
KINDS = ("user", "group", "service", "function")
OF_FUNCTION = "/functions/{namespace}/{name}/grants"


@router.get(OF_FUNCTION, response_model=None, responses={**page_of(GrantOut), **problems(401, 404)})
async def list_grants(
    context: Context, function: ReadGrants, limit: LimitQuery = 100, cursor: CursorQuery = None
) -> Response:
    """Everybody to whom something was granted."""
    record = (await context.registry.find(function)).value
    found = context.resources.grants.of(function, record.uid)
    return page({one.to: _document(context, one) for one in found}, limit, cursor)


@router.get(OF_FUNCTION + "/{to:path}", response_model=GrantOut, responses=problems(401, 404))
async def get_grant(context: Context, function: ReadGrants, to: To) -> Response:
    """One of them."""
    record = (await context.registry.find(function)).value
    stored = context.resources.subjects.stored(to, KINDS)
    for one in context.resources.grants.of(function, record.uid):
        if one.to == stored:
            return JSONResponse(_document(context, one))
    raise NotFound(f"{function} has no grant to {to!a}")


@router.put(
    OF_FUNCTION + "/{to:path}",
    response_model=GrantOut,
    responses={201: {"model": GrantOut}, **problems(400, 401, 404, 408, 409, 413, 415)},
    openapi_extra=body(GrantPut),
)
async def put_grant(request: Request, context: Context, caller: Caller, function: Administer, to: To) -> Response:
    """Let somebody do these things, in place of what they could by a grant before."""
    verbs = validate(GrantPut, await small_json(request)).verbs
    stored = context.resources.subjects.stored(to, KINDS)
    record = (await context.registry.find(function)).value
    new = await context.resources.grants.put(function, record.uid, stored, verbs, by=caller.acting)
    return JSONResponse(_document(context, Grant(stored, tuple(sorted(set(verbs))))), 201 if new else 200)


@router.delete(OF_FUNCTION + "/{to:path}", status_code=204, responses=problems(401, 404, 409))
async def delete_grant(context: Context, caller: Caller, function: Administer, to: To) -> Response:
    """Take it away; at the gateway too when this answers, or a moment later."""
    record = (await context.registry.find(function)).value
    stored = context.resources.subjects.stored(to, KINDS)
    await context.resources.grants.delete(function, record.uid, stored, by=caller.acting)
    return Response(status_code=204)


def _document(context: Services, grant: Grant) -> dict[str, Any]:
    shown = context.resources.subjects.show(grant.to)
    return {"to": shown.to, "id": shown.id, "verbs": list(grant.verbs)}
