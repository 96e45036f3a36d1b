"""Register, read, list, change and delete functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import SIGNED_IN, Deploy, Read, may_register, readable
from faasioflex.api.context import Context, Services, WaitS, if_match
from faasioflex.api.identity import Caller
from faasioflex.api.listed_secrets import check_secrets
from faasioflex.api.problems import problems
from faasioflex.api.resource.answer import function_document, source_document, spec_document
from faasioflex.api.resource.document import invalid, merge, read_function
from faasioflex.api.resource.request import FunctionIn
from faasioflex.api.resource.shapes import FunctionOut, FunctionPage
from faasioflex.api.resource.source import SourceIn
from faasioflex.api.routes.answers import ETAG, changed, resource
from faasioflex.api.routes.pages import (
    CursorQuery,
    LabelQuery,
    LimitQuery,
    NamespaceQuery,
    cursor_of,
    key_of,
    labels_of,
)
from faasioflex.api.schema import IF_MATCH, function_body
from faasioflex.identity.principal import Principal
from faasioflex.manager.archive.canonical import Code
from faasioflex.manager.functions import read
from faasioflex.manager.functions.delete import delete
from faasioflex.manager.functions.quota import check_instances, check_room
from faasioflex.manager.functions.register import check_free, register
from faasioflex.manager.functions.revise import Wanted
from faasioflex.manager.functions.update import update
from faasioflex.model.errors import FieldError
from faasioflex.model.function import FunctionRecord, Source
from faasioflex.model.names import FunctionName

router = APIRouter(tags=["functions"])
MERGE_PATCH = "application/merge-patch+json"
Answered = {200: {"headers": ETAG}}


@router.post(
    "/functions/register",
    status_code=201,
    response_model=FunctionOut,
    responses={201: {"headers": ETAG}, **problems(400, 408, 409, 413, 415)},
    openapi_extra=function_body("FunctionIn", multipart=True),
    dependencies=SIGNED_IN,
)
async def register_function(request: Request, context: Context, caller: Caller, wait_s: WaitS = 0) -> Response:
    """Register a new function; 409 where the name is taken."""
    async with context.uploads.receive(request) as upload:
        wanted = read_function(upload.document)
        spec = wanted.spec(own_namespace(caller))
        may_register(caller, spec.function)
        await check_secrets(context, caller, spec.namespace, spec.secrets)
        await check_free(context.registry, spec.function)
        code = await context.uploads.code(wanted.source, upload.archive)
        if code is None:
            raise invalid(FieldError("/source", "Say where the code is: files, archive, or a file beside the JSON"))
        async with context.resources.quotas.turn(spec.namespace):
            await check_room(context.registry, context.resources.quotas, spec.function, code.source, new=True)
            await check_instances(context.registry, context.resources.quotas, spec)
            await context.resources.namespaces.ensure(spec.namespace, caller, context.now())
            entry = await register(
                context.registry, spec, code, wanted.rollout, actor=caller.display, now=context.now()
            )
    return await changed(context, entry.value, wait_s, 201)


@router.get("/functions", response_model=FunctionPage, responses=problems(401), dependencies=SIGNED_IN)
async def list_functions(
    request: Request,
    context: Context,
    caller: Caller,
    *,
    namespace: NamespaceQuery = None,
    label: LabelQuery = None,
    limit: LimitQuery = 100,
    cursor: CursorQuery = None,
) -> Response:
    """Those that the caller may read, in the order of their names."""
    page = await read.list_functions(
        context.registry,
        namespace=namespace,
        labels=labels_of(label),
        after=key_of(cursor),
        limit=limit,
        readable=readable(request, caller),
    )
    items = [function_document(seen, context.functions_url) for seen in page.items]
    return JSONResponse({"items": items, "next": cursor_of(page.after)})


@router.get(
    "/functions/{namespace}/{name}", response_model=FunctionOut, responses={200: {"headers": ETAG}, **problems(404)}
)
async def get_function(context: Context, function: Read) -> Response:
    """One function."""
    return resource(context, await read.get(context.registry, function))


@router.put(
    "/functions/{namespace}/{name}",
    response_model=FunctionOut,
    responses={200: {"headers": ETAG}, **problems(400, 404, 408, 409, 412, 413, 415)},
    openapi_extra=function_body("FunctionPut", multipart=True, parameters=[IF_MATCH]),
)
async def put_function(
    request: Request, context: Context, caller: Caller, function: Deploy, wait_s: WaitS = 0
) -> Response:
    """Replace everything that is set; what is left out goes back to its default, only source stays."""
    async with context.uploads.receive(request) as upload:
        wanted = read_function(upload.document, namespace=function.namespace, name=function.name)
        before = (await context.registry.find(function)).value.spec.secrets
        await check_secrets(context, caller, function.namespace, wanted.secrets, before)
        code = await context.uploads.code(wanted.source, upload.archive)
        async with context.resources.quotas.turn(function.namespace):
            await _check_code(context, function, code)
            await check_instances(context.registry, context.resources.quotas, wanted.spec(function.namespace))
            entry = await update(
                context.registry,
                function,
                _applied(lambda _: wanted, code),
                code,
                actor=caller.display,
                now=context.now(),
                guard=if_match(request),
            )
    return await changed(context, entry.value, wait_s)


@router.patch(
    "/functions/{namespace}/{name}",
    response_model=FunctionOut,
    responses={200: {"headers": ETAG}, **problems(400, 404, 408, 409, 412, 413, 415)},
    openapi_extra=function_body("FunctionPatch", MERGE_PATCH, multipart=True, parameters=[IF_MATCH]),
)
async def patch_function(
    request: Request, context: Context, caller: Caller, function: Deploy, wait_s: WaitS = 0
) -> Response:
    """Change what is named (RFC 7396: null goes back to the default); source is replaced whole."""
    fixed = {"namespace": function.namespace, "name": function.name}
    async with context.uploads.receive(request, MERGE_PATCH) as upload:
        patch = upload.document
        if not isinstance(patch, dict):
            raise invalid(FieldError("", "Must be an object"))

        def wanted(record: FunctionRecord) -> FunctionIn:
            return read_function(_patched(record, patch), **fixed)

        held = (await context.registry.find(function)).value
        now_wanted = wanted(held)
        await check_secrets(context, caller, function.namespace, now_wanted.secrets, held.spec.secrets)
        code = await context.uploads.code(now_wanted.source, upload.archive)
        async with context.resources.quotas.turn(function.namespace):
            await _check_code(context, function, code)
            await check_instances(context.registry, context.resources.quotas, now_wanted.spec(function.namespace))
            entry = await update(
                context.registry,
                function,
                _applied(wanted, code),
                code,
                actor=caller.display,
                now=context.now(),
                guard=if_match(request),
            )
    return await changed(context, entry.value, wait_s)


@router.delete(
    "/functions/{namespace}/{name}",
    status_code=204,
    responses=problems(404, 409, 412),
    openapi_extra={"parameters": [IF_MATCH]},
)
async def delete_function(request: Request, context: Context, function: Deploy) -> Response:
    """Answered when its instances are drained and gone and the name is free again."""
    await delete(context.registry, function, now=context.now(), guard=if_match(request))
    return Response(status_code=204)


async def _check_code(context: Services, function: FunctionName, code: Code | None) -> None:
    if code is not None:
        await check_room(context.registry, context.resources.quotas, function, code.source, new=False)


def own_namespace(caller: Principal) -> str:
    """Of names without one. Raises: Invalid where the caller has none."""
    if caller.namespace is None:
        raise invalid(FieldError("/namespace", "You have no namespace of your own yet: log in once, or name one"))
    return caller.namespace


def _patched(record: FunctionRecord, patch: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in patch.items() if name not in {"source", "rollout", "status"}}
    merged = merge(spec_document(record.spec), plain)
    return {**merged, "source": patch.get("source"), "rollout": patch.get("rollout")}


def _applied(wanted: Callable[[FunctionRecord], FunctionIn], code: Code | None) -> Callable[[FunctionRecord], Wanted]:
    """From the request to what the use case takes, at each attempt on the record as it is then."""

    def apply(record: FunctionRecord) -> Wanted:
        request = wanted(record)
        source = code.source if code is not None else _unchanged(request.source, record.source)
        return Wanted(request.spec(record.spec.namespace), source, request.rollout)

    return apply


def _unchanged(given: SourceIn | None, held: Source) -> Source:
    """``source`` as it was answered, or absent. Raises: Invalid where it names other code."""
    if given is not None and given.sha256 != source_document(held).get("sha256"):
        raise invalid(FieldError("/source/sha256", "Is not the code of this function now: send files or an archive"))
    return held
