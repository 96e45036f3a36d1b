"""From a call to an answer: which revision, which instance, again where that is safe."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from functools import partial

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.call import Call
from faasioflex.invoker.exchange import Exchange, Overflow, send
from faasioflex.invoker.http1.connection import ConnectionEnded, NotSent
from faasioflex.invoker.http1.dial import Busy, Refused
from faasioflex.invoker.http1.head import BadMessage
from faasioflex.invoker.http1.pool import Pool
from faasioflex.invoker.lane import Lane, Rerouted, Ticket
from faasioflex.invoker.lanes import Lanes
from faasioflex.invoker.routes import Routes
from faasioflex.invoker.split import choose
from faasioflex.invoker.traces import UNTRACED, CallTrace, Traces
from faasioflex.model.errors import (
    FunctionError,
    InstanceEnded,
    RevisionNotFound,
    StartFailed,
    TooManyCalls,
    Unavailable,
)
from faasioflex.model.function import Limits
from faasioflex.model.route import FunctionRoute


class Answer:
    """An instance's answer whose body is still to be read. ``close`` gives the place free, at any time."""

    def __init__(self, exchange: Exchange, revision: int, start_ms: float | None) -> None:
        self.exchange = exchange
        self.head = exchange.head
        self.framing = exchange.framing
        self.revision = revision
        self.start_ms = start_ms  # how long the call waited for a start

    @property
    def ready(self) -> bool:
        """Whether some of the body has come already, or there is none."""
        return self.framing.done or self.exchange.connection.has_data

    @property
    def done(self) -> bool:
        return self.framing.done

    async def chunk(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises: as ``Exchange.chunk``."""
        return await self.exchange.chunk()

    def close(self) -> None:
        self.exchange.close()


class Dispatcher:
    """``find`` gives the route of a call's function, or says why the call is refused; without it every call is let through."""

    def __init__(
        self,
        *,
        routes: Routes,
        lanes: Lanes,
        admission: Admission,
        pool: Pool,
        bounds: Bounds,
        chance: Callable[[], float] = random.random,
        find: Callable[[Call], Awaitable[FunctionRoute]] | None = None,
        traces: Traces = UNTRACED,
    ) -> None:
        self._traces = traces
        self._find = find or (lambda call: routes.find(call.target.function))
        self._routes = routes
        self._lanes = lanes
        self._admission = admission
        self._pool = pool
        self._bounds = bounds
        self._chance = chance

    async def open(self, call: Call) -> Answer:
        """Hand the call to an instance, waiting for a place or a start within bounds; returns with the head of its answer.

        Raises: FfxError (of the platform; the function's own errors are answers), ClientGone.
        """
        ticket = self._lanes.ticket(patient=call.patient)
        trace = self._traces.begin(call)
        try:
            while True:
                lane = await self._lane(call)
                # The gateway has told of it, as issued to an instance that refused it then.
                ticket.counted = ticket.counted or (call.target.counted and lane.usable)
                try:
                    if call.body.whole is None:
                        lane.check_room()
                    await call.body.prepare(lane.limits.payload_bytes, self._admission, self._bounds)
                    exchange = await self._serve(call, lane, ticket, trace)
                except Rerouted:
                    continue
                exchange.at_close(call.body.release)
                exchange.at_close(trace.end)
                call.status = exchange.head.status
                start_ms = ticket.start_waited_s * 1000 if ticket.start_waited_s else None
                return Answer(exchange, lane.revision, start_ms)
        except BaseException as error:
            call.body.release()
            trace.end(error)
            raise

    async def admit(self, call: Call) -> FunctionRoute:
        """The route of the call's function, for a caller who may call it now and so often. Raises: FfxError."""
        return await self._find(call)

    async def prepare(self, call: Call, route: FunctionRoute, revision: int) -> None:
        """Read the call's body where it is small, before it goes anywhere. Raises: as ``Body.prepare``."""
        await call.body.prepare(route.revisions[revision].limits.payload_bytes, self._admission, self._bounds)

    async def _lane(self, call: Call) -> Lane:
        function, named = call.target.function, call.target.revision
        route = await self._find(call)
        call.revision = call.revision or 0
        if call.must_have_revision and named not in route.revisions:
            raise RevisionNotFound(f"{function} has no revision {named}, or it is not kept any more")
        revision = choose(route, named, self._chance, pinned=call.must_have_revision)
        if revision is None:
            route = await self._wait_for_first(call, route)
            revision = choose(route, named, self._chance, pinned=call.must_have_revision)
            if revision is None:
                kind = Unavailable if call.patient and being_made(route) else StartFailed
                raise kind(route.message or f"Nothing of {function} serves yet")
        call.revision = revision
        return self._lanes.of(function, route, revision)

    async def _wait_for_first(self, call: Call, route: FunctionRoute) -> FunctionRoute:
        """A function that is being built or started serves soon: wait for its next route; one that failed does not."""
        if not being_made(route):
            return route
        function = call.target.function
        limits = route.revisions[max(route.revisions)].limits if route.revisions else Limits()
        if not call.patient:
            self._admission.enter(function, limits.queue + limits.concurrency)
        try:
            await self._routes.until(
                function, lambda now: bool(now.traffic) or not being_made(now), limits.queue_wait_s
            )
        finally:
            if not call.patient:
                self._admission.leave(function)
        return await self._find(call)

    async def _serve(self, call: Call, lane: Lane, ticket: Ticket, trace: CallTrace) -> Exchange:
        resets = failures = 0
        while failures < self._bounds.attempts:
            trace.waits(for_start=not lane.usable)
            slot = await lane.acquire(ticket)
            trace.sends(slot.endpoint)
            call.handed_over_at = asyncio.get_running_loop().time()
            try:
                exchange = await send(
                    call,
                    slot.endpoint.address,
                    revision=lane.revision,
                    limits=lane.limits,
                    pool=self._pool,
                    bounds=self._bounds,
                )
            except Overflow as error:
                lane.refused(slot)
                if not call.body.repeatable:
                    raise TooManyCalls(f"{call.target.function} is full: call again later") from error
            except Busy:
                failures += 1
                lane.refused(slot)
            except Refused:
                failures += 1
                lane.died(slot)
            except NotSent:
                failures += 1
                lane.release(slot)
            except ConnectionEnded as error:
                lane.release(slot)
                resets += 1
                if not (call.idempotent and call.body.repeatable and resets <= self._bounds.resets):
                    raise InstanceEnded(
                        f"The instance of {call.target.function} ended while it had the call: it crashed, ran out of memory or "
                        "was killed. The function's logs tell. The call may have been carried out"
                    ) from error
                # A killed process takes connections until the kernel has closed its socket: at once would meet it again.
                await asyncio.sleep(RESET_PAUSE_S * 4 ** (resets - 1))
                ticket.since = None
            except BadMessage as error:
                lane.release(slot)
                raise FunctionError(f"{call.target.function} did not answer in HTTP/1.1: {error}") from error
            except BaseException:
                lane.release(slot)
                raise
            else:
                lane.accepted(slot)
                exchange.at_close(partial(lane.release, slot))
                return exchange
        raise Unavailable(f"No instance of {call.target.function} could take the call: call again")


RESET_PAUSE_S = 0.05
_BEING_MADE = re.compile(r"revision \d+ is (building|starting)\b", re.IGNORECASE)


def being_made(route: FunctionRoute) -> bool:
    """Whether a function that serves nothing is on its way: it has no message yet, or the manager's that says so."""
    return not route.traffic and (route.message is None or _BEING_MADE.match(route.message) is not None)
