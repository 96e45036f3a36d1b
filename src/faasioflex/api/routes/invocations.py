"""Calls and their outcomes."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import SIGNED_IN, resource_of
from faasioflex.api.context import LONGEST_WAIT_S, Context, Services
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.queue import LOOK_AGAIN_S, has_ended
from faasioflex.api.resource.shapes import InvocationOut
from faasioflex.identity.policy import Verb, permitted
from faasioflex.identity.principal import Principal
from faasioflex.model.errors import InvocationNotFound, NotAllowed, WrongState
from faasioflex.model.invocation import CalledBy, Invocation, invocation_document
from faasioflex.model.names import FunctionName

router = APIRouter(tags=["calls"], dependencies=SIGNED_IN)
InvocationId = Annotated[str, Path(pattern="^[A-Za-z0-9-]{1,64}$", max_length=64)]


@router.get("/invocations/{invocation_id}", response_model=InvocationOut, responses=problems(404))
async def get_invocation(
    request: Request,
    context: Context,
    caller: Caller,
    invocation_id: InvocationId,
    wait_s: Annotated[
        float,
        Query(ge=0, le=LONGEST_WAIT_S, allow_inf_nan=False, description="Answer when it has ended, or after so long"),
    ] = 0,
) -> Response:
    """A call that is kept, whether it has ended or not."""
    call = await _find(request, context, caller, invocation_id)
    if wait_s and not has_ended(call):
        call = await _wait(request, context, caller, call, wait_s)
    return JSONResponse(invocation_document(await context.calls.whole(call)))


@router.delete("/invocations/{invocation_id}", response_model=InvocationOut, responses=problems(404, 409))
async def cancel_invocation(
    request: Request, context: Context, caller: Caller, invocation_id: InvocationId
) -> Response:
    """Cancel an asynchronous call: one that waits is not run, one that runs is cut off. 409 where it has ended."""
    call = await _find(request, context, caller, invocation_id)
    if not made_by(caller, call) and "operate" not in await verbs_of(request, context, caller, call.function):
        raise NotAllowed(f"You may read the calls of {call.function}, not cancel them")
    if has_ended(call):
        raise WrongState(f"The call {invocation_id} cannot be cancelled: it has ended")
    cancelled = await context.calls.cancel(invocation_id, acting(caller))
    return JSONResponse(invocation_document(cancelled))


async def _wait(request: Request, context: Services, caller: Principal, call: Invocation, wait_s: float) -> Invocation:
    """The call when it has ended, or as it is after so long. Whether the caller may see it is asked every time."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + wait_s
    async with context.calls.end_of(call.invocation_id) as told:
        while True:
            call = await _find(request, context, caller, call.invocation_id)
            left_s = ends - loop.time()
            if has_ended(call) or left_s <= 0 or context.closing.is_set():
                return call
            told.clear()
            waits = [asyncio.ensure_future(told.wait()), asyncio.ensure_future(context.closing.wait())]
            try:
                await asyncio.wait(waits, timeout=min(left_s, LOOK_AGAIN_S), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()


async def _find(request: Request, context: Services, caller: Principal, invocation_id: str) -> Invocation:
    """For who made the call, and who may observe its function. Raises: InvocationNotFound, Unavailable."""
    call = await context.calls.find(invocation_id)
    if call is None or not (
        made_by(caller, call) or "observe" in await verbs_of(request, context, caller, call.function)
    ):
        raise InvocationNotFound(f"There is no call {invocation_id} that you may see, or it is not kept any more")
    return call


async def verbs_of(request: Request, context: Services, caller: Principal, function: str) -> frozenset[Verb]:
    """What the caller may do to a function (``ns/name``), whether it is still there or not."""
    name = FunctionName.parse(function)
    record = await context.registry.records.get(name.key)
    return permitted(caller, resource_of(request, name, record.value if record else None))


def made_by(caller: Principal, call: Invocation) -> bool:
    return call.principal is not None and call.principal.uid == caller.uid and caller.scope.everything


def acting(caller: Principal) -> CalledBy:
    return CalledBy(caller.uid, caller.display)
