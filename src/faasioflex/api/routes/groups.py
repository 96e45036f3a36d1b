"""Groups of people."""

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
from faasioflex.api.resource.people import GroupOut, GroupPut, group_document, page_of
from faasioflex.api.routes.lists import body, page
from faasioflex.api.routes.pages import CursorQuery, LimitQuery
from faasioflex.identity.policy import Resource, permitted
from faasioflex.identity.principal import Principal
from faasioflex.model.identity import GroupRecord
from faasioflex.model.names import NAME_PATTERN

router = APIRouter(tags=["identity"])
Name = Annotated[str, Path(pattern=NAME_PATTERN, max_length=40)]


@router.get("/groups", response_model=None, responses={**page_of(GroupOut), **problems(401)})
async def list_groups(
    context: Context, caller: Caller, limit: LimitQuery = 100, cursor: CursorQuery = None
) -> Response:
    """All, to those who may read people; else those that the caller is a member of."""
    groups = context.identity.directory.groups.entries
    seen = {name: _document(context, one.value) for name, one in groups.items() if _may_read(caller, name)}
    return page(seen, limit, cursor)


@router.get("/groups/{group}", response_model=GroupOut, responses=problems(401, 404))
async def get_group(context: Context, caller: Caller, group: Name) -> Response:
    """One group."""
    if not _may_read(caller, group):
        check_kind(caller, "read", Resource("group", name=group), f"group {group}")
    return JSONResponse(_document(context, context.resources.groups.get(group)))


@router.put(
    "/groups/{group}",
    response_model=GroupOut,
    responses={201: {"model": GroupOut}, **problems(400, 401, 404, 408, 409, 413, 415)},
    openapi_extra=body(GroupPut),
)
async def put_group(request: Request, context: Context, caller: Caller, group: Name) -> Response:
    """Make it, or replace everything that is said of it."""
    check_kind(caller, "admin", Resource("group", name=group), f"group {group}")
    wanted = validate(GroupPut, await small_json(request))
    members = [context.resources.subjects.uid(who, f"/members/{number}") for number, who in enumerate(wanted.members)]
    made, new = await context.resources.groups.put(
        group, members, wanted.claims, wanted.description, by=caller, now=context.now()
    )
    return JSONResponse(_document(context, made), 201 if new else 200)


@router.delete("/groups/{group}", status_code=204, responses=problems(401, 404, 409))
async def delete_group(context: Context, caller: Caller, group: Name) -> Response:
    """With everything that it was granted."""
    check_kind(caller, "admin", Resource("group", name=group), f"group {group}")
    await context.resources.groups.delete(group)
    return Response(status_code=204)


def _may_read(caller: Principal, group: str) -> bool:
    member = group in caller.groups and caller.scope.everything
    return member or "read" in permitted(caller, Resource("group", name=group))


def _document(context: Services, group: GroupRecord) -> dict[str, Any]:
    people = context.identity.directory.users.entries
    emails = [people[uid].value.email or uid if uid in people else uid for uid in group.members]
    return group_document(group, sorted(emails))
