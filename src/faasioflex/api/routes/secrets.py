"""Secrets of a namespace. Nobody gets a value back, whatever their role."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import check_kind
from faasioflex.api.body import small_json
from faasioflex.api.context import Context, Services
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.resource.calls import CallbackKeyOut
from faasioflex.api.resource.document import invalid, validate
from faasioflex.api.resource.secrets import (
    MasterRotatedOut,
    RotatedOut,
    SecretOut,
    SecretPage,
    SecretPut,
    secret_document,
)
from faasioflex.api.routes.lists import body, page
from faasioflex.api.routes.namespaces import Space
from faasioflex.api.routes.pages import CursorQuery, LimitQuery
from faasioflex.identity.policy import Resource, Verb, permitted
from faasioflex.identity.principal import Principal
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.model.errors import FieldError, NotAllowed, PreconditionFailed, Unavailable
from faasioflex.model.identity import SecretRecord
from faasioflex.model.names import LONGEST_SECRET_NAME, SECRET_NAME_PATTERN

router = APIRouter(tags=["identity"])
OF_NAMESPACE = "/namespaces/{namespace}/secrets"
ONE = OF_NAMESPACE + "/{name}"
SecretName = Annotated[str, Path(pattern=SECRET_NAME_PATTERN, max_length=LONGEST_SECRET_NAME)]


@router.get(OF_NAMESPACE, response_model=SecretPage, responses=problems(401, 403, 404))
async def list_secrets(
    context: Context, caller: Caller, namespace: Space, limit: LimitQuery = 100, cursor: CursorQuery = None
) -> Response:
    """Their names, without values."""
    _check(caller, namespace, "read")
    found = await _store(context).all(namespace)
    return page(((record.name, secret_document(record)) for record in found), limit, cursor)


# before the route of one secret: a POST, so a secret may be called «rotate» all the same
@router.post(OF_NAMESPACE + "/rotate", response_model=RotatedOut, responses=problems(401, 403, 404, 409))
async def rotate_secrets(context: Context, caller: Caller, namespace: Space) -> Response:
    """Make another key for the namespace and encrypt all of its secrets with it. Values and versions stay."""
    _check(caller, namespace, "deploy")
    done = await _store(context).rotate(namespace, actor=caller.display)
    return JSONResponse({"secrets": done.secrets})


@router.post("/secrets/rotate-master", response_model=MasterRotatedOut, responses=problems(401, 403, 409))
async def rotate_master_key(context: Context, caller: Caller) -> Response:
    """Make another master key and wrap the key of every namespace with it; the old one is needed no more then."""
    if "admin" not in permitted(caller, Resource("platform")):
        raise NotAllowed("You may not rotate the master key: that takes the role admin")
    store = _store(context)
    await store.prepared()
    return JSONResponse({"namespaces": await store.keyring.renew_master()})


@router.get(ONE, response_model=SecretOut, responses=problems(401, 403, 404))
async def get_secret(context: Context, caller: Caller, namespace: Space, name: SecretName) -> Response:
    """That it is set, since when and by whom."""
    _check(caller, namespace, "read")
    return _answer(await _store(context).get(namespace, name))


@router.put(
    ONE,
    response_model=SecretOut,
    responses={201: {"model": SecretOut}, **problems(400, 401, 403, 404, 408, 412, 413, 415)},
    openapi_extra=body(SecretPut),
)
async def put_secret(
    request: Request, context: Context, caller: Caller, namespace: Space, name: SecretName
) -> Response:
    """Set it. Instances that list it see the new value within two seconds, without a new revision."""
    _check(caller, namespace, "deploy")
    given = validate(SecretPut, await small_json(request))
    try:
        content = given.content()
    except ValueError as error:
        raise invalid(FieldError("/value_base64", str(error))) from None
    store = _store(context)
    await context.resources.namespaces.ensure(namespace, caller, context.now())
    expected = await _expected(request, store, namespace, name)
    record, new = await store.set(namespace, name, content, actor=caller.display, by=caller.acting, expected=expected)
    return _answer(record, 201 if new else 200)


@router.delete(ONE, status_code=204, responses=problems(401, 403, 404, 409, 412))
async def delete_secret(
    request: Request,
    context: Context,
    caller: Caller,
    *,
    namespace: Space,
    name: SecretName,
    force: Annotated[bool, Query(description="Also where functions list it: they do not start any more")] = False,
) -> Response:
    """Refused while a function lists it."""
    _check(caller, namespace, "deploy")
    store = _store(context)
    expected = await _expected(request, store, namespace, name)
    await store.delete(namespace, name, force=force, expected=expected)
    return Response(status_code=204)


@router.get("/namespaces/{namespace}/callback-key", response_model=CallbackKeyOut, responses=problems(401, 403, 404))
async def get_callback_key(context: Context, caller: Caller, namespace: Space) -> Response:
    """What callbacks of its functions are signed with that name no secret; for those who may set its secrets."""
    _check(caller, namespace, "deploy")
    if context.callback_keys is None:
        raise Unavailable("This API keeps no secrets")
    key, *previous = await context.callback_keys.of(namespace)
    return JSONResponse({"key": key, "previous": previous})


def _check(caller: Principal, namespace: str, verb: Verb) -> None:
    """As ``check_kind``; who may see the namespace is told that they may not, as everywhere."""
    resource = Resource("secret", namespace)
    if "see" in permitted(caller, Resource("namespace", namespace)) and verb not in permitted(caller, resource):
        raise NotAllowed(f"You may not {'list' if verb == 'read' else 'set'} secrets of {namespace}")
    check_kind(caller, verb, resource, f"namespace {namespace}")


def _store(context: Services) -> SecretStore:
    if context.identity.secrets is None:
        raise Unavailable("This API keeps no secrets")
    return context.identity.secrets


async def _expected(request: Request, store: SecretStore, namespace: str, name: str) -> int | None:
    """The version that If-Match asks for; None where it asks for none."""
    wanted = request.headers.get("if-match")
    if wanted is None:
        return None
    held = (await store.get(namespace, name)).version
    tags = {tag.strip() for tag in wanted.split(",")}
    if "*" not in tags and _etag(held) not in tags:
        raise PreconditionFailed(f"The secret {name} was changed meanwhile: its ETag is {_etag(held)}")
    return held


def _answer(record: SecretRecord, status_code: int = 200) -> JSONResponse:
    return JSONResponse(secret_document(record), status_code, headers={"ETag": _etag(record.version)})


def _etag(version: int) -> str:
    return f'"{version}"'
