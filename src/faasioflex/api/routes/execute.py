"""Calls through the API; the direct path is ``/f/NS/NAME``."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Request, Response

from faasioflex.api.authority import invokers_to_decide
from faasioflex.api.body import MIB, chunks, parse_json, require_json
from faasioflex.api.context import Context
from faasioflex.api.problems import problems
from faasioflex.api.resource.changes import ExecuteIn
from faasioflex.api.resource.document import invalid, validate
from faasioflex.api.resource.shapes import InvocationOut
from faasioflex.api.resource.unsupported import refuse
from faasioflex.api.schema import json_body
from faasioflex.model.errors import BadRequest, FieldError, Invalid
from faasioflex.model.names import FunctionName

router = APIRouter(tags=["calls"])
MAX_BODY_BYTES = 16 * MIB


@router.post(
    "/functions/execute",
    response_model=InvocationOut,
    responses=problems(400, 404, 408, 413, 415, 429, 500, 502, 504),
    openapi_extra=json_body("ExecuteIn"),
    dependencies=[Depends(invokers_to_decide)],
)
async def execute(request: Request, context: Context) -> Response:
    """Call a function and wait. Its own error is a 200 whose invocation is failed; what the platform says is a problem."""
    require_json(request)
    body = b"".join([chunk async for chunk in chunks(request, MAX_BODY_BYTES)])
    call = validate(ExecuteIn, await parse_json(body))
    _check(call)
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


def _check(call: ExecuteIn) -> None:
    try:
        FunctionName.parse(call.function)
    except Invalid as error:
        raise invalid(FieldError("/function", error.message)) from None
    unsupported = []
    if call.mode == "async":
        unsupported.append(FieldError("/mode", "There is no queue yet: call it with sync"))
    if call.idempotency_key is not None:
        unsupported.append(FieldError("/idempotency_key", "There is no queue yet: leave it out"))
    if call.callback is not None:
        unsupported.append(FieldError("/callback", "There is no queue yet: leave it out"))
    refuse(tuple(unsupported))
