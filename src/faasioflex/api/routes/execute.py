"""Calls by the API's socket. Those at the gateway go to the invoker without it; the direct path is ``/f/NS/NAME``."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Request, Response

from faasioflex.api.authority import invokers_to_decide
from faasioflex.api.body import MIB, chunks, parse_json, require_json
from faasioflex.api.context import Context
from faasioflex.api.problems import problems
from faasioflex.api.resource.shapes import InvocationOut
from faasioflex.api.schema import json_body
from faasioflex.model.errors import BadRequest
from faasioflex.model.execute import read_execute

router = APIRouter(tags=["calls"])
MAX_BODY_BYTES = 16 * MIB
LOCATION = {"Location": {"description": "Where the outcome can be read", "schema": {"type": "string"}}}
QUEUED = {"model": InvocationOut, "description": "It is stored", "headers": LOCATION}


@router.post(
    "/functions/execute",
    response_model=InvocationOut,
    responses={202: QUEUED, **problems(400, 404, 408, 413, 415, 429, 500, 502, 504)},
    openapi_extra=json_body("ExecuteIn"),
    dependencies=[Depends(invokers_to_decide)],
)
async def execute(request: Request, context: Context) -> Response:
    """Call a function and wait, or have the call stored and run later (mode async, 202).

    A function's own error is a 200 whose invocation is failed; what the platform says is a problem.
    """
    require_json(request)
    body = b"".join([chunk async for chunk in chunks(request, MAX_BODY_BYTES)])
    read_execute(await parse_json(body))
    running = asyncio.create_task(context.invoker.execute(body, request.headers))
    left = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({running, left}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise BadRequest("The caller left before the answer")
        answer = running.result()
    finally:
        running.cancel()
        left.cancel()
    return Response(answer.body, status_code=answer.status, headers=answer.headers)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
