"""Calls and their outcomes."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import SIGNED_IN, resource_of
from faasioflex.api.context import LONGEST_WAIT_S, Context, Services
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.resource.shapes import InvocationOut
from faasioflex.api.resource.times import rfc3339
from faasioflex.bus.port import Entry
from faasioflex.identity.policy import permitted
from faasioflex.identity.principal import Principal
from faasioflex.model.errors import InvocationNotFound, NotAllowed, WrongState
from faasioflex.model.invocation import Invocation
from faasioflex.model.names import FunctionName

router = APIRouter(tags=["calls"], dependencies=SIGNED_IN)
RUNNING = frozenset({"queued", "running"})
LOOK_AGAIN_S = 0.2  # its bucket is too large for a mirror in this process
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
    ends = asyncio.get_running_loop().time() + wait_s
    entry = await _find(request, context, caller, invocation_id)
    while entry.value.status in RUNNING and asyncio.get_running_loop().time() < ends and not context.closing.is_set():
        await asyncio.sleep(LOOK_AGAIN_S)
        entry = await _find(request, context, caller, invocation_id)
    return JSONResponse(invocation_document(entry.value))


@router.delete("/invocations/{invocation_id}", response_model=InvocationOut, responses=problems(404, 409))
async def cancel_invocation(
    request: Request, context: Context, caller: Caller, invocation_id: InvocationId
) -> Response:
    """Cancel a call that still waits; 409 where it runs or has ended."""
    entry = await _find(request, context, caller, invocation_id)
    call = entry.value
    if not _made_by(caller, call):
        name = FunctionName.parse(call.function)
        record = await context.registry.records.get(name.key)
        if "operate" not in permitted(caller, resource_of(request, name, record.value if record else None)):
            raise NotAllowed(f"You may read the calls of {name}, not cancel them")
    if call.status != "queued":
        why = "has ended" if call.status not in RUNNING else "is running: it ends with its caller's connection"
        raise WrongState(f"The call {invocation_id} cannot be cancelled: it {why}")
    cancelled = replace(call, status="cancelled", finished_at=context.now())
    await context.invocations.update(entry.key, cancelled, entry.revision)
    return JSONResponse(invocation_document(cancelled))


async def _find(request: Request, context: Services, caller: Principal, invocation_id: str) -> Entry[Invocation]:
    """For who made the call, and who may observe its function. Raises: InvocationNotFound."""
    entry = await context.invocations.get(invocation_id)
    if entry is None or not await _seen_by(request, context, caller, entry.value):
        raise InvocationNotFound(f"There is no call {invocation_id} that you may see, or it is not kept any more")
    return entry


async def _seen_by(request: Request, context: Services, caller: Principal, call: Invocation) -> bool:
    if _made_by(caller, call):
        return True
    name = FunctionName.parse(call.function)
    record = await context.registry.records.get(name.key)
    return "observe" in permitted(caller, resource_of(request, name, record.value if record else None))


def _made_by(caller: Principal, call: Invocation) -> bool:
    return call.principal is not None and call.principal.uid == caller.uid and caller.scope.everything


def invocation_document(call: Invocation) -> dict[str, Any]:
    """Its answer: times in words."""
    document = asdict(call)
    del document["principal"]
    for field in ("created_at", "started_at", "finished_at"):
        if document[field] is not None:
            document[field] = rfc3339(document[field])
    return document
