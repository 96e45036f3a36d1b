"""One request at the invoker's socket, from its first byte to the last of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web

from faasioflex.invoker.body import ClientGone
from faasioflex.invoker.call import Call
from faasioflex.invoker.dispatcher import Answer
from faasioflex.invoker.front import cors
from faasioflex.invoker.front.accept import wants_async
from faasioflex.invoker.front.reply import Reply
from faasioflex.invoker.front.request import cancelled_at_hang_up, request_id_of
from faasioflex.invoker.front.tunnel import Tunnels
from faasioflex.invoker.given import Given, Opens
from faasioflex.invoker.headers import PROOF, towards_client
from faasioflex.invoker.http1.connection import ConnectionEnded
from faasioflex.invoker.http1.head import BadMessage
from faasioflex.invoker.tally import Tally
from faasioflex.model.errors import FfxError
from faasioflex.model.function import Cors

log = structlog.get_logger(__name__)
EXECUTE_PATHS = ("/.ffx/execute", "/functions/execute")  # by the API, and by the gateway itself
Execute = Callable[[web.BaseRequest, Reply, str], Awaitable[None]]
ReadCall = Callable[[web.BaseRequest, str], Awaitable[Call]]
Queue = Callable[[web.BaseRequest, Reply, Call], Awaitable[None]]


class Handler:
    """``execute`` answers ``POST /functions/execute``; ``read`` tells what any other request calls, and every one of the
    gateway's: a path that it has rewritten is a function's, whatever it looks like. ``queue`` answers those that prefer to be
    answered at once; None: that cannot be had. ``answers_have``: header fields that every function's answer gets. ``proof``:
    goes with timings of ours. ``stopping`` makes every answer the last of its connection.
    """

    def __init__(
        self,
        dispatcher: Opens,
        tunnels: Tunnels,
        execute: Execute,
        tally: Tally,
        *,
        read: ReadCall,
        queue: Queue | None = None,
        is_gateway: Callable[[web.BaseRequest], bool] = lambda _: False,
        cors_of: Callable[[Call], Cors | None] = lambda _: None,
        answers_have: Sequence[tuple[bytes, bytes]] = (),
        proof: bytes = b"",
    ) -> None:
        self._proof = proof
        self._read = read
        self._queue = queue
        self._is_gateway = is_gateway
        self._cors_of = cors_of
        self._answers_have = answers_have
        self._dispatcher = dispatcher
        self._tunnels = tunnels
        self._execute = execute
        self._tally = tally
        self.stopping = False
        self.idle = asyncio.Event()  # nothing is in flight
        self.idle.set()
        self._in_flight = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        reply = Reply(request, close=self.stopping)
        request_id = request_id_of(request)
        self._in_flight += 1
        self.idle.clear()
        try:
            if request.raw_path.partition("?")[0] in EXECUTE_PATHS and not self._is_gateway(request):
                await self._execute(request, reply, request_id)
            else:
                await self._proxy(request, reply, request_id)
        except FfxError as error:
            if reply.begun:
                reply.cut()
            else:
                await reply.problem(error, request_id)
        except (ClientGone, ConnectionError):
            reply.cut()
        except (ConnectionEnded, BadMessage) as error:
            log.info("an answer was cut", request_id=request_id, reason=str(error))
            reply.cut()
        except Exception:
            log.exception("a call failed inside the invoker", request_id=request_id)
            if reply.begun:
                reply.cut()
            else:
                await reply.problem(FfxError("Call again; the invoker's log has the cause"), request_id)
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self.idle.set()
        return reply

    async def _proxy(self, request: web.BaseRequest, reply: Reply, request_id: str) -> None:
        call = await self._read(request, request_id)
        rules = self._cors_of(call)
        origin = cors.allowed_origin(rules, request)
        if rules is not None and origin is not None and cors.is_preflight(request):
            await reply.document(200, cors.preflight(rules, origin) | {"X-Request-Id": request_id}, b"")
            return
        if self._queue is not None and call.upgrade is None and wants_async(request):
            await self._queue(request, reply, call)
            return
        with self._tally.counting(call):
            await self._pass_on(request, reply, call)

    async def _pass_on(self, request: web.BaseRequest, reply: Reply, call: Call) -> None:
        async with cancelled_at_hang_up(request, call):
            answer = await self._dispatcher.open(call)
        try:
            headers = towards_client(answer.head.headers, answer.revision, call.request_id, answer.start_ms)
            headers += self._answers_have
            rules = self._cors_of(call)
            origin = cors.allowed_origin(rules, request)
            if rules is not None and origin is not None:
                headers = cors.of_answer(headers, rules, origin)
            if answer.start_ms is not None and self._proof:
                headers.append((PROOF, self._proof))
            if isinstance(answer, Answer) and answer.head.status == 101:
                await self._tunnels.run(request, reply, answer, headers)
                return
            await self._relay(reply, answer, headers, request.method)
        finally:
            answer.close()

    async def _relay(self, reply: Reply, answer: Given, headers: list[tuple[bytes, bytes]], method: str) -> None:
        head = answer.head
        no_body = method == "HEAD" or head.status in (204, 304)
        sized = no_body or any(name.lower() == b"content-length" for name, _ in headers)
        first = await answer.chunk() if answer.ready else b""
        await reply.begin(head.status, head.reason, headers, sized=sized, first=first)
        while chunk := await answer.chunk():
            await reply.write(chunk)
        await reply.end()
