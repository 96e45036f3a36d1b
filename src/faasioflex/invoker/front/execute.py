"""``POST /.ffx/execute``: the API's way to call a function and get an invocation."""

from __future__ import annotations

import json
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from faasioflex.invoker.caller import Caller
from faasioflex.invoker.front.door import Door
from faasioflex.invoker.front.reply import Reply
from faasioflex.invoker.front.request import RequestSource
from faasioflex.invoker.headers import server_timing
from faasioflex.invoker.http1.head import Headers
from faasioflex.invoker.invocations import Invocations
from faasioflex.invoker.outcome import to_json_bytes
from faasioflex.model.errors import (
    FieldError,
    Invalid,
    MethodNotAllowed,
    NotAuthenticated,
    NotSupportedYet,
    PayloadTooLarge,
)
from faasioflex.model.names import FunctionName

LONGEST_BODY = 32 * 1024 * 1024  # each function's payload_bytes is checked besides
PASSED_ON = ("traceparent", "tracestate")


class ExecuteBody(BaseModel):
    """The body of ``POST /functions/execute``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    function: str
    payload: Any = None
    revision: int | None = Field(default=None, ge=1)
    mode: Literal["sync", "async"] = "sync"
    timeout_s: float | None = Field(default=None, gt=0)
    idempotency_key: str | None = None
    callback: Any = None


class Execute:
    def __init__(self, invocations: Invocations, door: Door) -> None:
        self._invocations = invocations
        self._door = door

    async def __call__(self, request: web.BaseRequest, reply: Reply, request_id: str) -> None:
        """Answers 200 with an invocation. Raises FfxError for what becomes a problem."""
        if request.method != "POST":
            raise MethodNotAllowed("Only POST")
        caller, _ = await self._door.caller(request)
        asked = parse(await _whole(request))
        ended = await self._invocations.run(
            _named(asked.function, caller),
            _payload(asked.payload),
            caller=caller,
            request_id=request_id,
            revision=asked.revision,
            timeout_s=asked.timeout_s,
            headers=_traces(request),
        )
        headers = {"Content-Type": "application/json", "X-Request-Id": request_id}
        if ended.invocation.revision is not None:
            headers["Ffx-Revision"] = str(ended.invocation.revision)
        if ended.start_ms is not None:
            headers["Server-Timing"] = server_timing(ended.start_ms)
        await reply.document(200, headers, to_json_bytes(ended.invocation))


def parse(data: bytes) -> ExecuteBody:
    """Raises: Invalid, NotSupportedYet."""
    try:
        asked = ExecuteBody.model_validate_json(data)
    except ValidationError as error:
        fields = tuple(
            FieldError("".join(f"/{part}" for part in one["loc"]), one["msg"])
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise Invalid("The body is not what execute takes", errors=fields) from error
    for field, unsupported in (
        ("mode", asked.mode == "async"),
        ("idempotency_key", asked.idempotency_key is not None),
        ("callback", asked.callback is not None),
    ):
        if unsupported:
            message = "asynchronous calls are not there yet: use mode sync"
            raise NotSupportedYet(f"{field}: {message}", errors=(FieldError(f"/{field}", message),))
    return asked


def _named(text: str, caller: Caller) -> FunctionName:
    """A name without a namespace is one of the caller's own. Raises: Invalid, NotAuthenticated."""
    if "/" in text:
        return FunctionName.parse(text)
    if caller.principal.namespace is None:
        raise caller.refused or NotAuthenticated("A name without a namespace needs a token that tells whose it is")
    return FunctionName.parse(text, caller.principal.namespace)


def _payload(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise Invalid("The payload is not JSON", errors=(FieldError("/payload", str(error)),)) from error


def _traces(request: web.BaseRequest) -> Headers:
    return [(name.encode(), request.headers[name].encode()) for name in PASSED_ON if name in request.headers]


async def _whole(request: web.BaseRequest) -> bytes:
    source = RequestSource(request)
    pieces: list[bytes] = []
    size = 0
    while piece := await source.read():
        size += len(piece)
        if size > LONGEST_BODY:
            raise PayloadTooLarge(f"The body is larger than {LONGEST_BODY} bytes")
        pieces.append(piece)
    return b"".join(pieces)
