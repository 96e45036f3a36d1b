"""The invoker: holds calls while a function starts, takes what the instances have no room for, streams everything through."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Container, Sequence
from pathlib import Path

import structlog

from faasioflex.bus.buckets import INVOCATIONS, QUOTAS, ROUTES
from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bus
from faasioflex.identity.authenticator import Authenticate
from faasioflex.identity.directory import Directory
from faasioflex.invoker.admission import Admission
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.bus_calls import BusCalls
from faasioflex.invoker.cache.purge import Purges
from faasioflex.invoker.cache.results import Results
from faasioflex.invoker.call import Call
from faasioflex.invoker.counts import Counts
from faasioflex.invoker.dispatcher import Dispatcher
from faasioflex.invoker.front.accept import Acceptance
from faasioflex.invoker.front.door import Door
from faasioflex.invoker.front.execute import Execute
from faasioflex.invoker.front.handler import Handler
from faasioflex.invoker.front.respond_async import RespondAsync
from faasioflex.invoker.front.server import Server
from faasioflex.invoker.front.tunnel import Tunnels
from faasioflex.invoker.guard import Guard
from faasioflex.invoker.http1.pool import Pool
from faasioflex.invoker.invocations import Invocations
from faasioflex.invoker.keyed import KeyedCalls
from faasioflex.invoker.lanes import Lanes
from faasioflex.invoker.queue.attempt import Attempts
from faasioflex.invoker.queue.callbacks import Callbacks
from faasioflex.invoker.queue.options import QueueBounds
from faasioflex.invoker.queue.service import Queue
from faasioflex.invoker.rates import Rates
from faasioflex.invoker.reports import Reports
from faasioflex.invoker.routes import Routes
from faasioflex.invoker.tally import Tally
from faasioflex.invoker.traces import UNTRACED, Traces
from faasioflex.invoker.waker import Waker
from faasioflex.model.egress import Destination
from faasioflex.model.function import Cors
from faasioflex.model.identity import Quota
from faasioflex.model.invocation import Invocation
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

log = structlog.get_logger(__name__)
SWEEP_S = 1.0
QUEUE_DRAIN_S = 1.0  # what its runs have not ended by then, runs again


class Invoker:
    """An HTTP server on the unix socket ``socket``; needs the buckets ``ffx_routes`` and ``ffx_invocations``.

    ``clock``: seconds since the epoch. ``chance``: a number in [0, 1) per call, for the traffic split.
    ``proof``: shown to the gateway with timings, which takes them from nobody else; and by the gateway, whose word on who calls
    is believed then. ``directory`` is started and stopped here. ``callback_hosts``: where outcomes may be posted that is not
    public. ``hosts``: names of the platform besides loopback ones. ``url``: of the platform, where functions have another.
    ``traces``: closed here.
    """

    def __init__(
        self,
        bus: Bus,
        socket: Path,
        *,
        member: str = "invoker.local",
        bounds: Bounds | None = None,
        queue: QueueBounds | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        proof: str = "",
        authenticate: Authenticate,
        directory: Directory,
        callback_hosts: Sequence[Destination] = (),
        hosts: Container[str] = (),
        url: str = "",
        traces: Traces = UNTRACED,
    ) -> None:
        self._traces = traces
        self._bus = bus
        self._socket = socket
        self._member = member
        bounds = bounds or Bounds()
        self._started = False
        self._sweeper: asyncio.Task[None] | None = None
        self._pool = Pool()
        self._admission = Admission(bounds)
        self._waker = Waker(bus, bounds)
        self.counts = Counts()
        tally = Tally(counts=self.counts)
        self._lanes = Lanes(self._admission, bounds, self._waker.wake, self._pool.forget, tally.cold_start)
        self._directory = directory
        self._routes = Routes(bus.bucket(ROUTES.name, FunctionRoute), bounds, self._changed, directory.grants.catch_up)
        self._quotas: Mirror[Quota] = Mirror(bus.bucket(QUOTAS.name, Quota))
        self._door = Door(authenticate, directory, proof, clock)
        guard = Guard(self._routes, directory, Rates(self._quotas))
        dispatcher = Dispatcher(
            routes=self._routes,
            lanes=self._lanes,
            admission=self._admission,
            pool=self._pool,
            bounds=bounds,
            chance=chance,
            find=guard.find,
            traces=traces,
        )
        self._queue = Queue(
            bus,
            member=member,
            routes=self._routes,
            directory=directory,
            attempts=Attempts(
                dispatcher=dispatcher,
                routes=self._routes,
                directory=directory,
                tally=tally,
                bounds=bounds,
                clock=clock,
            ),
            find=guard.find,
            counts=self.counts,
            deliver=Callbacks(bus, callback_hosts, clock=clock).deliver,
            bounds=queue,
            clock=clock,
        )
        self._results = Results(
            dispatcher,
            self._routes.known,
            most_bytes=bounds.cache_bytes,
            entry_bytes=bounds.cache_entry_bytes,
            clock=clock,
            chance=chance,
            hit=self.counts.hit,
            missed=self.counts.missed,
        )
        self._purges = Purges(bus, self._results)
        invocations = Invocations(dispatcher, tally, bus.bucket(INVOCATIONS.name, Invocation), bounds, clock)
        self._keyed = KeyedCalls(
            bus,
            invocations,
            find=guard.find,
            state=self._queue.state,
            keep_result=self._queue.keep_result,
            clock=clock,
        )
        acceptance = Acceptance(self._queue.accept, callback_hosts=callback_hosts, clock=clock)
        self._tunnels = Tunnels()
        self._server = Server(
            Handler(
                self._results,
                self._tunnels,
                Execute(
                    invocations,
                    self._door,
                    acceptance,
                    self._keyed,
                    admission=self._admission,
                    hosts=hosts,
                    url=url,
                ),
                tally,
                read=self._door.read,
                queue=RespondAsync(acceptance, self._admission, self._cors, url=url),
                is_gateway=self._door.is_gateway,
                cors_of=self._cors,
                proof=proof.encode(),
            ),
            socket,
        )
        self._calls = BusCalls(bus, invocations, directory, bounds, clock)
        self._reports = Reports(
            bus=bus,
            routes=self._routes,
            lanes=self._lanes,
            tally=tally,
            counts=self.counts,
            queued=self._queue.ready,
            member=member,
            bounds=bounds,
            clock=clock,
        )

    @property
    def problem(self) -> str | None:
        """Why it is not ready; None: it is."""
        if not self._started:
            return "the invoker has not started"
        if not self._bus.connected:
            return "the invoker has lost NATS"
        return self._routes.problem or self._directory.problem or self._quotas.problem

    async def start(self) -> None:
        """Return when it serves and knows all functions; waits for NATS as long as it takes."""
        await asyncio.gather(self._routes.start(), self._directory.start(), self._quotas.start())
        await self._server.start()
        await self._purges.start()
        await self._calls.start()
        await self._queue.start()
        self._reports.start()
        self._sweeper = asyncio.create_task(self._sweep())
        self._started = True
        log.info("invoker serves", socket=str(self._socket), member=self._member)

    async def stop(self, drain_s: float = 10.0) -> None:
        """Take no more calls, let those under way end for at most ``drain_s``, close WebSockets with 1001, cut the rest.

        Also after a start that failed or was cancelled.
        """
        self._started = False
        await self._calls.stop()
        queue = asyncio.create_task(self._queue.stop(min(drain_s, QUEUE_DRAIN_S)))
        await self._server.stop_accepting()
        self._tunnels.leave()
        await asyncio.gather(self._server.drain(drain_s), self._calls.drain(drain_s))
        await self._server.stop()
        await queue
        await self._keyed.stop()
        self._results.close()
        await self._purges.stop()
        await self._reports.stop()
        await self._waker.close()
        await self._routes.stop()
        await asyncio.gather(self._directory.stop(), self._quotas.stop())
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._traces.close()
        self._pool.close()

    def _changed(self, function: FunctionName, route: FunctionRoute | None) -> None:
        self._lanes.apply(function, route)
        self._results.apply(function, route)
        self._queue.apply(function, route)

    def _cors(self, call: Call) -> Cors | None:
        """None for what the gateway hands over: there it has done that itself."""
        route = None if call.target.counted else self._routes.known(call.target.function)
        return route.cors if route is not None else None

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._pool.sweep()
