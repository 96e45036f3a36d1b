"""What surrounds every request: its id, who may send it from a browser, HEAD as GET without a body, and the unforeseen."""

from __future__ import annotations

import re
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faasioflex.api.problems import problem_response
from faasioflex.model.errors import FfxError, NotAllowed
from faasioflex.model.sender import check_sender

log = structlog.get_logger(__name__)
_SANE_ID = re.compile(r"[A-Za-z0-9._:@+=/-]{1,128}")


class Edge:
    """ASGI middleware. ``hosts`` are names, besides loopback ones, under which the API may be reached."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        bodyless = scope["method"] == "HEAD"
        if bodyless:
            scope = {**scope, "method": "GET"}
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if bodyless and started:
                return
            if message["type"] == "http.response.start":
                started = True
                out = MutableHeaders(scope=message)
                out["x-request-id"] = request_id
                out.setdefault("x-content-type-options", "nosniff")
                out.setdefault("cache-control", "no-store")
            await send(message)
            if bodyless:  # an answer without an end would go on; now its route is told that nobody listens
                await send({"type": "http.response.body"})

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                check_sender(scope["method"], headers.get("host", ""), headers.get("origin"), self._hosts)
                await self._app(scope, receive, answer)
            except NotAllowed as refused:
                await problem_response(refused, request_id)(scope, receive, answer)
            except Exception:
                log.exception("a request failed unexpectedly", method=scope["method"], path=scope["path"])
                if started:
                    raise
                error = FfxError(f"Something went wrong; the platform's log tells more under request id {request_id}")
                await problem_response(error, request_id)(scope, receive, answer)
