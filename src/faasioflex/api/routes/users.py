"""People."""

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
from faasioflex.api.resource.people import InvitedOut, UserNew, UserOut, UserPut, page_of, user_document
from faasioflex.api.routes.lists import body, page
from faasioflex.api.routes.pages import CursorQuery, LimitQuery
from faasioflex.identity.policy import Resource, Verb, permitted
from faasioflex.identity.principal import Principal
from faasioflex.model.errors import NotAllowed
from faasioflex.model.identity import UserRecord

router = APIRouter(tags=["identity"])
Who = Annotated[str, Path(max_length=254, description="Id, e-mail, or me")]
CHANGE_PROBLEMS = problems(400, 401, 404, 408, 409, 413, 415)


@router.get("/users", response_model=None, responses={**page_of(UserOut), **problems(401)})
async def list_users(context: Context, caller: Caller, limit: LimitQuery = 100, cursor: CursorQuery = None) -> Response:
    """Everybody, to those who may read people; else oneself."""
    users = context.identity.directory.users.entries
    seen = {
        uid: _document(context, entry.value)
        for uid, entry in users.items()
        if "read" in permitted(caller, Resource("user", owner=uid))
    }
    return page(seen, limit, cursor)


@router.post(
    "/users",
    status_code=201,
    response_model=UserOut | InvitedOut,
    responses=CHANGE_PROBLEMS,
    openapi_extra=body(UserNew),
)
async def create_user(request: Request, context: Context, caller: Caller) -> Response:
    """Make somebody an account, or invite them where no password is given."""
    if "admin" not in permitted(caller, Resource("user")):
        raise NotAllowed("You may not make accounts: that takes the role admin")
    wanted = validate(UserNew, await small_json(request))
    if wanted.password is None:
        url = await context.identity.invite(wanted.email, wanted.name, wanted.role, caller)
        said = {"email": wanted.email, "name": wanted.name, "role": wanted.role, "invitation_url": url}
        return JSONResponse(said, 201)
    made = await context.resources.users.create(wanted.email, wanted.name, wanted.password, wanted.role)
    return JSONResponse(_document(context, made), 201)


@router.get("/users/{user}", response_model=UserOut, responses=problems(401, 404))
async def get_user(context: Context, caller: Caller, user: Who) -> Response:
    """One person."""
    return JSONResponse(_document(context, _find(context, caller, user, "read")))


@router.put("/users/{user}", response_model=UserOut, responses=CHANGE_PROBLEMS, openapi_extra=body(UserPut))
async def put_user(request: Request, context: Context, caller: Caller, user: Who) -> Response:
    """Change what is given. Disabling somebody, or giving them another password, voids their tokens."""
    held = _find(context, caller, user, "admin")
    wanted = validate(UserPut, await small_json(request))
    made = await context.resources.users.change(
        held.uid,
        name=wanted.name,
        role=wanted.role,
        disabled=wanted.disabled,
        password=wanted.password,
        by=caller.acting,
    )
    return JSONResponse(_document(context, made))


@router.delete("/users/{user}", status_code=204, responses=problems(401, 404, 409))
async def delete_user(context: Context, caller: Caller, user: Who) -> Response:
    """With their account, tokens and grants; what they registered stays in its namespace."""
    await context.resources.users.delete(_find(context, caller, user, "admin").uid)
    return Response(status_code=204)


def _find(context: Services, caller: Principal, user: str, verb: Verb) -> UserRecord:
    """Raises: NotFound, NotAllowed, Conflict."""
    uid = caller.uid if user == "me" else context.resources.subjects.find(user)
    check_kind(caller, verb, Resource("user", owner=uid), f"person {user!a}")
    return context.resources.users.get(uid or user)


def _document(context: Services, user: UserRecord) -> dict[str, Any]:
    return user_document(user, context.identity.directory.groups_of(user.uid, user.claimed_groups))
