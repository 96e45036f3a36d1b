"""Revisions, the traffic between them, and the number of instances."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import Operate, Read
from faasioflex.api.body import small_json
from faasioflex.api.context import Context, WaitS, if_match
from faasioflex.api.problems import problems
from faasioflex.api.resource.answer import revision_document
from faasioflex.api.resource.changes import RollbackIn, ScaleIn, read_traffic
from faasioflex.api.resource.document import validate
from faasioflex.api.resource.shapes import FunctionOut, RevisionOut, RevisionPage
from faasioflex.api.routes.answers import ETAG, changed
from faasioflex.api.schema import IF_MATCH, json_body
from faasioflex.manager.functions import read
from faasioflex.manager.functions.quota import check_instances
from faasioflex.manager.functions.scale import scale
from faasioflex.manager.functions.split import roll_back, set_traffic

router = APIRouter(tags=["revisions"])
CHANGE_PROBLEMS = problems(400, 404, 408, 409, 412, 413, 415)


@router.get("/functions/{namespace}/{name}/revisions", response_model=RevisionPage, responses=problems(404))
async def list_revisions(context: Context, function: Read) -> Response:
    """All that are kept (50, and those with traffic), newest first."""
    seen = await read.get(context.registry, function)
    found = await read.revisions(context.registry, seen.record)
    return JSONResponse({"items": [revision_document(one, seen.record, seen.status) for one in found]})


@router.get("/functions/{namespace}/{name}/revisions/{revision}", response_model=RevisionOut, responses=problems(404))
async def get_revision(
    context: Context, function: Read, revision: Annotated[int, Path(ge=1, le=2_000_000_000)]
) -> Response:
    """One revision."""
    seen = await read.get(context.registry, function)
    found = await read.revision(context.registry, seen.record, revision)
    return JSONResponse(revision_document(found, seen.record, seen.status))


@router.put(
    "/functions/{namespace}/{name}/traffic",
    response_model=FunctionOut,
    responses={200: {"headers": ETAG}, **CHANGE_PROBLEMS},
    openapi_extra=json_body("Traffic", parameters=[IF_MATCH]),
)
async def put_traffic(request: Request, context: Context, function: Operate, wait_s: WaitS = 0) -> Response:
    """Split calls between revisions that have been ready; stays until a newer revision rolls out."""
    split = read_traffic(await small_json(request))
    entry = await set_traffic(context.registry, function, split, now=context.now(), guard=if_match(request))
    return await changed(context, entry.value, wait_s)


@router.post(
    "/functions/{namespace}/{name}/rollback",
    response_model=FunctionOut,
    responses={200: {"headers": ETAG}, **CHANGE_PROBLEMS},
    openapi_extra=json_body("RollbackIn", required=False, parameters=[IF_MATCH]),
)
async def post_rollback(request: Request, context: Context, function: Operate, wait_s: WaitS = 0) -> Response:
    """All calls to an earlier revision: the newest one before what serves that was ready, or the one that is named."""
    wanted = validate(RollbackIn, await small_json(request, optional=True))
    entry = await roll_back(context.registry, function, wanted.revision, now=context.now(), guard=if_match(request))
    return await changed(context, entry.value, wait_s)


@router.put(
    "/functions/{namespace}/{name}/scale",
    response_model=FunctionOut,
    responses={200: {"headers": ETAG}, **CHANGE_PROBLEMS},
    openapi_extra=json_body("ScaleIn", parameters=[IF_MATCH]),
)
async def put_scale(request: Request, context: Context, function: Operate) -> Response:
    """So many instances now, and at least as many from now on; 0 stops them until the next call."""
    wanted = validate(ScaleIn, await small_json(request))
    held = (await context.registry.find(function)).value.spec
    kept = replace(held, scaling=replace(held.scaling, min_instances=wanted.instances))
    async with context.resources.quotas.turn(function.namespace):
        await check_instances(context.registry, context.resources.quotas, kept)
        entry = await scale(context.registry, function, wanted.instances, now=context.now(), guard=if_match(request))
    return await changed(context, entry.value, 0)
