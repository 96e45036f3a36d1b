"""Personal and service tokens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.body import small_json
from faasioflex.api.identity import Caller, Identities
from faasioflex.api.problems import problems
from faasioflex.api.resource.document import validate
from faasioflex.api.resource.tokens import NewTokenOut, RenameIn, TokenIn, TokenOut, TokenPage, token_document
from faasioflex.api.routes.pages import CursorQuery, LimitQuery, cursor_of, key_of
from faasioflex.identity.tokens.long_lived import ListedToken
from faasioflex.model.identity import TokenRecord

router = APIRouter(tags=["identity"])
TokenId = Annotated[str, Path(max_length=64)]
CHANGE_PROBLEMS = problems(400, 401, 404, 408, 413, 415)


def _body(model: type[TokenIn | RenameIn]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.get("/tokens", response_model=TokenPage, responses=problems(401))
async def list_tokens(
    identity: Identities,
    caller: Caller,
    everybodys: Annotated[bool, Query(alias="all", description="Of everybody: admins and auditors")] = False,
    limit: LimitQuery = 100,
    cursor: CursorQuery = None,
) -> Response:
    """The caller's own, the oldest first."""
    after = key_of(cursor)
    found = sorted(await identity.long_lived.list(caller, everybody=everybodys), key=_place)
    left = [one for one in found if _place(one) > after]
    page = left[:limit]
    following = _place(page[-1]) if len(left) > limit else None
    items = [_document(identity, one.record, one.last_used_at) for one in page]
    return JSONResponse({"items": items, "next": cursor_of(following)})


@router.post(
    "/tokens", status_code=201, response_model=NewTokenOut, responses=CHANGE_PROBLEMS, openapi_extra=_body(TokenIn)
)
async def create_token(request: Request, identity: Identities, caller: Caller) -> Response:
    """Make a token; the answer has it this once."""
    wanted = validate(TokenIn, await small_json(request)).wanted()
    record, token = await identity.long_lived.create(caller, wanted)
    return JSONResponse({**_document(identity, record, None), "token": token}, 201)


@router.get("/tokens/{token_id}", response_model=TokenOut, responses=problems(401, 404))
async def get_token(identity: Identities, caller: Caller, token_id: TokenId) -> Response:
    """One token, without its value."""
    found = await identity.long_lived.get(caller, token_id)
    return JSONResponse(_document(identity, found.record, found.last_used_at))


@router.put("/tokens/{token_id}", response_model=TokenOut, responses=CHANGE_PROBLEMS, openapi_extra=_body(RenameIn))
async def rename_token(request: Request, identity: Identities, caller: Caller, token_id: TokenId) -> Response:
    """Give it another name; its scope and its end stay."""
    wanted = validate(RenameIn, await small_json(request))
    await identity.long_lived.rename(caller, token_id, wanted.name)
    found = await identity.long_lived.get(caller, token_id)
    return JSONResponse(_document(identity, found.record, found.last_used_at))


@router.delete("/tokens/{token_id}", status_code=204, responses=problems(401, 404))
async def revoke_token(identity: Identities, caller: Caller, token_id: TokenId) -> Response:
    """Void it, everywhere within two seconds."""
    await identity.long_lived.revoke(caller, token_id)
    return Response(status_code=204)


def _place(listed: ListedToken) -> str:
    return f"{listed.record.created_at:020.6f} {listed.record.token_id}"


def _document(identity: Identities, record: TokenRecord, last_used_at: float | None) -> dict[str, Any]:
    owner = identity.directory.users.entries.get(record.owner)
    return token_document(record, owner.value if owner is not None else None, last_used_at)
