"""How routes answer with a function: after a wait where one is asked for, with its ETag."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse

from faasioflex.api.context import Services
from faasioflex.api.resource.answer import etag, function_document
from faasioflex.manager.functions.read import Seen
from faasioflex.manager.functions.wait import wait_settled
from faasioflex.model.function import FunctionRecord

ETAG: dict[str, Any] = {"ETag": {"description": "Of what users set, for If-Match", "schema": {"type": "string"}}}


async def changed(services: Services, record: FunctionRecord, wait_s: float, status_code: int = 200) -> JSONResponse:
    """The resource as written, with the status as of the end of the wait."""
    await wait_settled(services.registry, record, wait_s)
    registry = services.registry
    return resource(services, Seen(record, await registry.status(record), registry.scale_seen(record)), status_code)


def resource(services: Services, seen: Seen, status_code: int = 200) -> JSONResponse:
    headers = {"ETag": etag(seen.record)}
    if status_code == 201:
        headers["Location"] = f"/functions/{seen.record.function}"
    return JSONResponse(function_document(seen, services.functions_url), status_code=status_code, headers=headers)
