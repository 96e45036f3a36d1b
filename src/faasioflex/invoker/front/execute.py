"""``POST /functions/execute``: call a function with JSON and get an invocation, when it has ended or when it is stored."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import Caller
from faasioflex.invoker.front.accept import OF_BODY, Acceptance, check_key
from faasioflex.invoker.front.door import Door
from faasioflex.invoker.front.reply import Reply
from faasioflex.invoker.front.request import whole_body
from faasioflex.invoker.headers import server_timing
from faasioflex.invoker.http1.head import Headers
from faasioflex.invoker.invocations import Ended, Invocations, json_call
from faasioflex.invoker.keyed import KeyedCalls
from faasioflex.invoker.outcome import to_json_bytes
from faasioflex.model.errors import (
    FieldError,
    MethodNotAllowed,
    NotAuthenticated,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from faasioflex.model.execute import ExecuteIn, read_execute
from faasioflex.model.invocation import Invocation
from faasioflex.model.names import FunctionName
from faasioflex.model.sender import check_sender
from faasioflex.model.validation import invalid, json_of, pointer

MIB = 1024 * 1024
LONGEST_BODY = 16 * MIB  # each function's payload_bytes is checked besides
PASSED_ON = ("traceparent", "tracestate")
ALWAYS = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class Execute:
    """``hosts``: names of the platform besides loopback ones. ``url``: of the platform, where functions have another."""

    def __init__(
        self,
        invocations: Invocations,
        door: Door,
        acceptance: Acceptance,
        keyed: KeyedCalls,
        *,
        admission: Admission,
        hosts: Container[str] = (),
        url: str = "",
    ) -> None:
        self._invocations = invocations
        self._door = door
        self._acceptance = acceptance
        self._keyed = keyed
        self._admission = admission
        self._hosts = hosts
        self._url = url

    async def __call__(self, request: web.BaseRequest, reply: Reply, request_id: str) -> None:
        """Answers 200 or 202 with an invocation. Raises FfxError for what becomes a problem."""
        check_sender(request.method, request.headers.get("Host", ""), request.headers.get("Origin"), self._hosts)
        if request.method != "POST":
            raise MethodNotAllowed("Only POST")
        _check_query(request)
        if request.content_type != "application/json":
            raise UnsupportedMediaType("Send application/json and say so in Content-Type")
        caller, _ = await self._door.caller(request)
        async with whole_body(request, LONGEST_BODY, self._admission) as body:
            if body is None:
                raise PayloadTooLarge(
                    f"The body is larger than the {LONGEST_BODY // MIB} MiB that are taken here: a larger one goes to "
                    "/f/NAMESPACE/NAME"
                )
            asked = read_execute(json_of(body))
            call = json_call(
                _named(asked.function, caller),
                _payload(asked.payload),
                caller=caller,
                request_id=request_id,
                revision=asked.revision,
                timeout_s=asked.timeout_s,
                headers=_traces(request),
            )
            if asked.mode == "async":
                made = await self._acceptance.accept(call, asked)
            else:
                ended = await self._wait_for(call, asked)
        if asked.mode == "async":
            await answer_accepted(reply, made, request_id, url=self._url)
            return
        headers = {**ALWAYS, "X-Request-Id": request_id}
        if ended.invocation.revision is not None:
            headers["Ffx-Revision"] = str(ended.invocation.revision)
        if ended.start_ms is not None:
            headers["Server-Timing"] = server_timing(ended.start_ms)
        await reply.document(200, headers, to_json_bytes(ended.invocation))

    async def _wait_for(self, call: Call, asked: ExecuteIn) -> Ended:
        if asked.idempotency_key is None:
            return await self._invocations.run(call)
        check_key(call.caller, asked, OF_BODY)
        return await self._keyed.run(call, asked.idempotency_key)


async def answer_accepted(
    reply: Reply, made: Invocation, request_id: str, *, url: str, more: dict[str, str] | None = None
) -> None:
    """202, and where to ask."""
    location = {"Location": f"{url}/invocations/{made.invocation_id}", "X-Request-Id": request_id}
    await reply.document(202, {**ALWAYS, **location, **(more or {})}, to_json_bytes(made))


def _check_query(request: web.BaseRequest) -> None:
    query = request.raw_path.partition("?")[2]
    names = sorted({name for name, _ in parse_qsl(query, keep_blank_values=True)})
    if names:
        errors = (FieldError(pointer("query", name)[:300], "There is no such parameter here") for name in names[:20])
        raise invalid(*errors)


def _named(text: str, caller: Caller) -> FunctionName:
    """A name without a namespace is one of the caller's own. Raises: Invalid, NotAuthenticated."""
    if "/" in text:
        return FunctionName.parse(text)
    if caller.principal.namespace is None:
        raise caller.refused or NotAuthenticated("A name without a namespace needs a token that tells whose it is")
    return FunctionName.parse(text, caller.principal.namespace)


def _payload(value: Any) -> bytes:
    """Raises: Invalid for what cannot be written as JSON again (1e400 is infinite)."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise invalid(FieldError("/payload", f"Is not JSON: {error}")) from error


def _traces(request: web.BaseRequest) -> Headers:
    return [(name.encode(), request.headers[name].encode()) for name in PASSED_ON if name in request.headers]
