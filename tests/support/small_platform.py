"""A platform for tests of clients: the real API, function manager and event relay over the in-memory bus and driver.

It serves on a TCP port of loopback from a thread of its own. Where the real one has gateway and invoker there is a stand-in:
``/f/…`` and execute answer with what they were sent, for functions whose newest revision serves.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

import structlog
import uvicorn
from aiohttp import web

from faasioflex.api.app import create_app
from faasioflex.api.resource.times import rfc3339
from faasioflex.bus.buckets import ROUTES
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.relay import EventRelay
from faasioflex.manager.service import FunctionManager
from faasioflex.model.errors import FunctionNotFound
from faasioflex.model.instance import LogLine
from faasioflex.model.invocation import invocation_document
from faasioflex.model.messages import APPLIED_SUBJECT, LOGS_SUBJECT, Applied
from faasioflex.model.names import FunctionName
from faasioflex.model.problem import problem_body, problem_headers
from faasioflex.model.route import FunctionRoute
from faasioflex.runtime.memory import MemoryDriver
from support.identity import TestIdentity
from support.memory_builder import MemoryBuilder
from support.queue_double import QueueDouble, queued_call

T = TypeVar("T")
LONGEST_S = 30.0


class SmallPlatform:
    """A context manager; ``url`` is its address. ``builder`` and ``driver`` are told what should fail."""

    def __init__(self, folder: Path) -> None:
        self.bus = MemoryBus()
        self.driver = MemoryDriver()
        self.builder = MemoryBuilder()
        self.identity = TestIdentity(self.bus)
        self.queue = QueueDouble(self.bus)
        self.url = ""
        self.parts: dict[str, str | None] = {"nats": None, "gateway": None}
        self._invoker_socket = folder / "i.sock"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stops: list[Callable[[], Awaitable[Any]]] = []

    def __enter__(self) -> Self:
        quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
        structlog.configure(wrapper_class=quiet)  # what the platform logs is not what the command prints
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LONGEST_S)
        structlog.reset_defaults()

    @property
    def token(self) -> str:
        """The local admin's."""
        return self.identity.admin

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it on the platform's own loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LONGEST_S)

    def log(self, name: str, message: str, revision: int = 1) -> None:
        """As if an instance of the function ``admin/NAME`` had written ``message``."""
        line = LogLine(_now(), FunctionName("admin", name), revision, "i-0123456789abcdef", "stdout", message)
        self.run(self.bus.append(f"{LOGS_SUBJECT}.admin.{name}", encode(line)))

    async def _start(self) -> None:
        routes: Mirror[FunctionRoute] = Mirror(self.bus.bucket(ROUTES.name, FunctionRoute))
        await routes.start()
        await self.identity.people.ensure_local_admin()
        manager, relay = FunctionManager(self.bus, self.driver, self.builder), EventRelay(self.bus)
        await manager.start()
        await relay.start()
        members = asyncio.create_task(self._acknowledge(routes))
        await self.queue.start()
        invoker = await self._serve_execute()
        api = create_app(self.bus, self.identity.api, invoker_socket=self._invoker_socket, readiness=lambda: self.parts)
        await api.state.services.start()
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(_with_direct_path(api), lifespan="off", log_config=None, ws="none")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([listening]))

        async def stop_serving() -> None:
            api.state.services.closing.set()
            server.should_exit = True
            await serving

        async def stop_members() -> None:
            members.cancel()

        self._stops = [stop_serving, api.state.services.stop, invoker.cleanup, stop_members]
        self._stops += [relay.stop, manager.stop, routes.stop]

    async def _stop(self) -> None:
        for stop in self._stops:
            await stop()

    async def _acknowledge(self, routes: Mirror[FunctionRoute]) -> None:
        while True:
            for member in ("gateway.local", "invoker.local"):
                await self.bus.publish(APPLIED_SUBJECT, encode(Applied(member, routes.revision)))
            await asyncio.sleep(0.01)

    async def _execute(self, request: web.Request) -> web.Response:
        """Of a queued call: a payload {"fail": text} makes a dead letter, {"wait": true} stays in the queue, others succeed."""
        call = await request.json()
        if call.get("mode") != "async":
            return await _execute(request)
        made = self.queue.put(queued_call(str(uuid.uuid4()), call["function"]))
        payload = call["payload"] if isinstance(call["payload"], dict) else {}
        if "fail" in payload:
            await self.queue.bury(queued_call(made.invocation_id, call["function"]))
        elif "wait" not in payload:
            await self.queue.end(replace(made, status="succeeded", result=call, finished_at=2.0))
        location = {"Location": f"/invocations/{made.invocation_id}"}
        return web.json_response(invocation_document(made), status=202, headers=location)

    async def _serve_execute(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/.ffx/execute", self._execute)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.UnixSite(runner, str(self._invoker_socket)).start()
        return runner


async def _execute(request: web.Request) -> web.Response:
    """Succeeds with the call's own payload; a payload {"fail": text} fails with that text; {"bytes": base64} answers bytes."""
    call = await request.json()
    payload = call["payload"]
    failure = payload.get("fail") if isinstance(payload, dict) else None
    data = payload.get("bytes") if isinstance(payload, dict) else None
    invocation = {
        "invocation_id": str(uuid.uuid4()),
        "function": call["function"],
        "revision": call.get("revision") or 1,
        "status": "failed" if failure else "succeeded",
        "result": None if failure else {"base64": data, "content_type": "image/png"} if data else payload,
        "error": {"code": "function-error", "message": failure, "http_status": 500} if failure else None,
        "attempts": 1,
        "created_at": rfc3339(0),
        "started_at": rfc3339(0),
        "finished_at": rfc3339(1),
        "duration_ms": 1000.0,
    }
    return web.json_response(invocation)


def _with_direct_path(api: Any) -> Any:
    """``/f/…`` in front of the API: echoes what it gets; ``/f/NS/missing`` is not found."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/f/"):
            await api(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        status, headers, answer = 200, {"Content-Type": "application/octet-stream", "Ffx-Revision": "1"}, body
        if scope["raw_path"].endswith(b"/missing"):
            error = FunctionNotFound("there is no function admin/missing")
            status, headers, answer = 404, problem_headers(error), problem_body(error, "r-1")
        elif scope["raw_path"].endswith(b"/seen"):
            sent = {key.decode(): value.decode() for key, value in scope["headers"]}
            query = scope["query_string"].decode()
            answer = json.dumps(
                {"method": scope["method"], "path": scope["raw_path"].decode(), "query": query, "headers": sent}
            ).encode()
        raw = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})

    return app


def _now() -> float:
    return time.time()
