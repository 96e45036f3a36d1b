"""Calls that were given up: shown, run again as new calls, thrown away."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from faasioflex.api.authority import SIGNED_IN, no_function
from faasioflex.api.context import Context, Services
from faasioflex.api.identity import Caller
from faasioflex.api.problems import problems
from faasioflex.api.queue import AT_ONCE
from faasioflex.api.resource.calls import (
    DeadLetterPage,
    PurgedOut,
    RedrivenOut,
    WholeDeadLetterOut,
    dead_letter_document,
    whole_dead_letter_document,
)
from faasioflex.api.resource.document import invalid
from faasioflex.api.resource.shapes import InvocationOut
from faasioflex.api.routes.invocations import InvocationId, acting, made_by, verbs_of
from faasioflex.api.routes.pages import CursorQuery, LimitQuery, cursor_of, key_of
from faasioflex.identity.policy import Verb
from faasioflex.identity.principal import Principal
from faasioflex.model.errors import (
    DeadLetterNotFound,
    FfxError,
    FieldError,
    Invalid,
    NotAllowed,
)
from faasioflex.model.invocation import invocation_document
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import DeadLetter

router = APIRouter(tags=["calls"], dependencies=SIGNED_IN)
MANY = "/dead-letters"
ONE = "/dead-letters/{invocation_id}"
LOCATION = {"Location": {"description": "Of the new call", "schema": {"type": "string"}}}
OfFunction = Annotated[str, Query(max_length=81, description="ns/name, or name in the caller's own namespace")]


@router.get(MANY, response_model=DeadLetterPage, responses=problems(401, 404))
async def list_dead_letters(
    request: Request,
    context: Context,
    caller: Caller,
    *,
    function: Annotated[str | None, Query(max_length=81, description="ns/name; default: all that you may see")] = None,
    limit: LimitQuery = 100,
    cursor: CursorQuery = None,
) -> Response:
    """Calls that were given up, of functions whose calls the caller may read, in the order of functions and ids."""
    pattern = ">"
    if function is not None:
        name = _function(caller, function)
        await _check(request, context, caller, name, "observe")
        pattern = f"{name.key}.*"
    items: list[dict[str, Any]] = []
    after, last, following = key_of(cursor), "", None
    seen: dict[str, bool] = {}
    for key in await context.calls.dead.keys(pattern):
        if key <= after:
            continue
        of = ".".join(key.split(".")[:2])
        if of not in seen:
            seen[of] = "observe" in await verbs_of(request, context, caller, str(FunctionName.from_key(of)))
        if not seen[of]:
            continue
        if len(items) == limit:
            following = last
            break
        entry = await context.calls.dead.get(key)
        if entry is not None:
            items.append(dead_letter_document(entry.value))
            last = key
    return JSONResponse({"items": items, "next": cursor_of(following)})


# before the routes of one: no id is called so
@router.post(MANY + "/redrive", status_code=202, response_model=RedrivenOut, responses=problems(401, 404, 429))
async def redrive_dead_letters(request: Request, context: Context, caller: Caller, function: OfFunction) -> Response:
    """Run all of a function's again, as new calls. Those that cannot be queued now stay dead letters."""
    name = _function(caller, function)
    await _check(request, context, caller, name, "operate")
    free = asyncio.Semaphore(AT_ONCE)
    refused: list[FfxError] = []

    async def redrive(key: str) -> bool:
        async with free:
            try:
                entry = await context.calls.dead.get(key)
                if entry is None:
                    return False
                await context.calls.redrive(entry.value, acting(caller))
            except DeadLetterNotFound:
                return False  # somebody else was faster
            except FfxError as error:
                refused.append(error)
                return False
            return True

    keys = await context.calls.dead.keys(f"{name.key}.*")
    redriven = sum(await asyncio.gather(*map(redrive, keys)))
    if refused and not redriven:
        raise refused[0]
    return JSONResponse({"redriven": redriven, "left": len(refused)}, 202)


@router.delete(MANY, response_model=PurgedOut, responses=problems(401, 404))
async def purge_dead_letters(request: Request, context: Context, caller: Caller, function: OfFunction) -> Response:
    """Throw all of a function's away."""
    name = _function(caller, function)
    await _check(request, context, caller, name, "operate")
    keys = await context.calls.dead.keys(f"{name.key}.*")
    free = asyncio.Semaphore(AT_ONCE)

    async def delete(key: str) -> None:
        async with free:
            await context.calls.dead.delete(key)

    await asyncio.gather(*map(delete, keys))
    return JSONResponse({"purged": len(keys)})


@router.get(ONE, response_model=WholeDeadLetterOut, responses=problems(401, 404))
async def get_dead_letter(request: Request, context: Context, caller: Caller, invocation_id: InvocationId) -> Response:
    """One, with what the function was given."""
    letter = await _find(request, context, caller, invocation_id)
    return JSONResponse(whole_dead_letter_document(letter))


@router.post(
    ONE + "/redrive",
    status_code=202,
    response_model=InvocationOut,
    responses={202: {"headers": LOCATION}, **problems(401, 404, 429)},
)
async def redrive_dead_letter(
    request: Request, context: Context, caller: Caller, invocation_id: InvocationId
) -> Response:
    """Run it again, as a new call of whoever made it; the dead letter is gone then."""
    letter = await _find(request, context, caller, invocation_id, "operate")
    made = await context.calls.redrive(letter, acting(caller))
    return JSONResponse(invocation_document(made), 202, headers={"Location": f"/invocations/{made.invocation_id}"})


@router.delete(ONE, status_code=204, responses=problems(401, 404))
async def delete_dead_letter(
    request: Request, context: Context, caller: Caller, invocation_id: InvocationId
) -> Response:
    """Throw it away; its invocation stays dead as long as it is kept."""
    letter = await _find(request, context, caller, invocation_id, "operate")
    await context.calls.dead.delete(f"{letter.call.namespace}.{letter.call.name}.{invocation_id}")
    return Response(status_code=204)


async def _find(
    request: Request, context: Services, caller: Principal, invocation_id: str, verb: Verb = "observe"
) -> DeadLetter:
    """Raises: DeadLetterNotFound (it is not there, or not to be seen), NotAllowed."""
    letter = await context.calls.dead_letter(invocation_id)
    missing = DeadLetterNotFound(
        f"There is no dead letter {invocation_id} that you may see, or it is not kept any more"
    )
    if letter is None:
        raise missing
    function = f"{letter.call.namespace}/{letter.call.name}"
    verbs = await verbs_of(request, context, caller, function)
    if "observe" not in verbs and not made_by(caller, letter.invocation):
        raise missing
    if verb not in verbs and not (verb == "observe" and made_by(caller, letter.invocation)):
        raise NotAllowed(f"You may read the dead letters of {function}, not run them again or throw them away")
    return letter


async def _check(request: Request, context: Services, caller: Principal, name: FunctionName, verb: Verb) -> None:
    """The function may be gone: its dead letters are there until somebody purges them. Raises: FunctionNotFound, NotAllowed."""
    verbs = await verbs_of(request, context, caller, str(name))
    if "see" not in verbs:
        raise no_function(name)
    if verb not in verbs:
        raise NotAllowed(
            f"You may not {'read' if verb == 'observe' else 'run again or throw away'} the dead letters of {name}"
        )


def _function(caller: Principal, text: str) -> FunctionName:
    """Raises: Invalid."""
    try:
        if "/" not in text and caller.namespace is not None:
            return FunctionName.parse(text, caller.namespace)
        return FunctionName.parse(text, "")
    except Invalid as error:
        raise invalid(FieldError("/query/function", error.message)) from None
