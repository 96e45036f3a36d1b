"""The result cache of a function: forget what it holds."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from faasioflex.api.authority import Operate
from faasioflex.api.context import Context
from faasioflex.api.problems import problems
from faasioflex.api.resource.shapes import Shape
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import DeadlineExceeded, Unavailable
from faasioflex.model.messages import PURGE_SUBJECT, Purge, Purged
from faasioflex.model.names import FunctionName

router = APIRouter(tags=["functions"])
ANSWER_S = 2.0
TRIES = 5  # while an invoker is being restarted, or has lost NATS with answers in its memory
PAUSE_S = 0.5


class PurgedCacheOut(Shape):
    purged: int = Field(description="Kept answers that are gone, of the invoker that was first to say so")


@router.delete(
    "/functions/{namespace}/{name}/cache", response_model=PurgedCacheOut, responses=problems(401, 403, 404, 503)
)
async def purge_cache(function: Operate, context: Context) -> Response:
    """Forget the kept answers of a function. Calls under way are answered, and not kept."""
    done = await purge(context.bus, function)
    return JSONResponse({"purged": done.entries})


async def purge(bus: Bus, function: FunctionName) -> Purged:
    """Every invoker hears it. Raises: Unavailable where none says that it has."""
    asked = encode(Purge(function.namespace, function.name))
    for more in reversed(range(TRIES)):
        try:
            return decode(Purged, await bus.request(PURGE_SUBJECT, asked, ANSWER_S))
        except (Unavailable, DeadlineExceeded):
            if more:
                await asyncio.sleep(PAUSE_S)
    raise Unavailable(f"No invoker says that it has forgotten the answers of {function}: try again")
