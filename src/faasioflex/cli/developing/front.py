"""The door of ``ffx dev``: the invoker's own way of passing calls on, on a TCP port, with the gateway's header fields."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Never

from aiohttp import web

from faasioflex.bus.buckets import ROUTES
from faasioflex.bus.port import Bus
from faasioflex.cli.developing.told import ToldCalls
from faasioflex.invoker.admission import Admission
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.call import Call
from faasioflex.invoker.dispatcher import Dispatcher
from faasioflex.invoker.front.handler import Handler
from faasioflex.invoker.front.reply import Reply
from faasioflex.invoker.front.request import call_of
from faasioflex.invoker.front.server import Connections
from faasioflex.invoker.front.tunnel import Tunnels
from faasioflex.invoker.http1.pool import Pool
from faasioflex.invoker.lane import Lane
from faasioflex.invoker.lanes import Lanes
from faasioflex.invoker.routes import Routes
from faasioflex.invoker.target import PREFIX, Target, from_path
from faasioflex.model.errors import Conflict, NotFound, Unavailable
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8000, 8099
BACKLOG = 1024
CUT_S = 0.1
# as the gateway does for functions that share its host with the console
ANSWERS_HAVE = ((b"content-security-policy", b"sandbox allow-scripts allow-forms"),)
_FROM_GATEWAY = (b"x-forwarded-for", b"x-forwarded-proto", b"x-envoy-external-address")


class PortInUse(Conflict):
    """Somebody else listens there."""

    code, title = "port-in-use", "The port is in use"


class Front:
    """Serves ``function`` at ``/`` and at ``/f/NAMESPACE/NAME``. ``calls`` is told of each call that has ended."""

    def __init__(self, bus: Bus, function: FunctionName, calls: ToldCalls) -> None:
        bounds = Bounds()
        self._function = function
        self._bucket = bus.bucket(ROUTES.name, FunctionRoute)
        self._pool = Pool()
        admission = Admission(bounds)
        lanes = Lanes(admission, bounds, _nothing, self._pool.forget, calls.cold_start)
        self._routes = Routes(self._bucket, bounds, lanes.apply)
        self._applied = asyncio.Event()
        self._routes.listen(self._applied.set)
        dispatcher = Dispatcher(
            routes=self._routes, lanes=lanes, admission=admission, pool=self._pool, bounds=bounds
        )  # fmt: skip
        self._tunnels = Tunnels()
        handler = Handler(dispatcher, self._tunnels, _no_execute, calls, read=self._read, answers_have=ANSWERS_HAVE)
        self._runner = web.ServerRunner(Connections(handler), shutdown_timeout=CUT_S)

    async def start(self, listening: socket.socket) -> None:
        """Calls wait until :meth:`route` says where they go."""
        await self._routes.start()
        await self._runner.setup()
        await web.SockSite(self._runner, listening, backlog=BACKLOG).start()

    async def route(self, route: FunctionRoute) -> None:
        """Returns when it is in force: nothing new goes elsewhere from then on."""
        revision = await self._bucket.put(self._function.key, route)
        while self._routes.revision < revision:
            self._applied.clear()
            await self._applied.wait()

    async def stop(self) -> None:
        """Cuts what is under way."""
        self._tunnels.leave()
        await self._runner.cleanup()
        await self._routes.stop()
        self._pool.close()

    async def _read(self, request: web.BaseRequest, request_id: str) -> Call:
        raw = request.raw_path
        target = from_path(raw) if raw.startswith(PREFIX) else Target(self._function, _rooted(raw))
        if target.function != self._function:
            raise NotFound(f"Only {self._function} runs here: {target.function} has to be deployed to be called")
        call = call_of(request, target, request_id)
        call.headers = [(name, value) for name, value in call.headers if name.lower() not in _FROM_GATEWAY]
        client = request.remote or HOST
        call.headers += [(b"x-forwarded-for", client.encode()), (b"x-forwarded-proto", b"http")]
        return call


def _rooted(raw: str) -> str:
    """The target of a request line; a proxy's form ``http://host/path`` is cut to its path."""
    if raw.startswith("/"):
        return raw
    _, _, rest = raw.partition("://")
    return "/" + rest.partition("/")[2]


def _nothing(_: Lane) -> None:
    """Nobody has to be woken: the session starts what there is by itself."""


async def _no_execute(_request: web.BaseRequest, _reply: Reply, _request_id: str) -> Never:
    raise NotFound("Functions are called at / here")


def listen(port: int | None) -> socket.socket:
    """On 127.0.0.1; None takes the first free port from 8000 on, 0 any.

    Raises: PortInUse, Unavailable.
    """
    for candidate in range(FIRST_PORT, LAST_PORT + 1) if port is None else (port,):
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, candidate))
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            if port is None and error.errno == errno.EADDRINUSE:
                continue
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"port {port} is in use: name another one with --port, or leave that out") from None
            raise Unavailable(f"port {port} cannot be had ({error.strerror}): name another one with --port") from error
        listening.setblocking(False)
        return listening
    raise PortInUse(f"the ports {FIRST_PORT} to {LAST_PORT} are all in use: name another one with --port")
