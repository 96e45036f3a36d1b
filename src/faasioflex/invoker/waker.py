"""Asking the function manager for an instance: once per revision, however many calls wait for it."""

from __future__ import annotations

import asyncio

import structlog

from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bus
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.lane import Lane
from faasioflex.model.errors import DeadlineExceeded, FfxError, StartFailed, Unavailable, tree
from faasioflex.model.messages import WAKE_SUBJECT, WakeReply, WakeRequest
from faasioflex.model.route import Endpoint

log = structlog.get_logger(__name__)
LONGEST_PAUSE_S = 1.0


class Waker:
    def __init__(self, bus: Bus, bounds: Bounds) -> None:
        self._bus = bus
        self._bounds = bounds
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        self._errors = tree()

    def wake(self, lane: Lane) -> None:
        """See to it that the lane gets an instance or its calls an answer. No second request while one is under way."""
        if lane not in self._tasks:
            task = asyncio.create_task(self._run(lane), name=f"wake {lane.function} {lane.revision}")
            self._tasks[lane] = task
            task.add_done_callback(lambda _: self._done(lane))

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, lane: Lane) -> None:
        task = self._tasks.pop(lane)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a wake failed", function=str(lane.function), revision=lane.revision, error=repr(error))
            lane.fail(Unavailable(f"{lane.function} cannot be started right now: call again"))
        elif lane.needs_wake and not task.cancelled():
            self.wake(lane)

    async def _run(self, lane: Lane) -> None:
        loop = asyncio.get_running_loop()
        away_since: float | None = None
        pause_s = self._bounds.wake_pause_s
        while lane.needs_wake:
            try:
                reply = await self._ask(lane)
            except DeadlineExceeded:
                away_since = None
                continue
            except Unavailable as error:
                away_since = away_since if away_since is not None else loop.time()
                lane.fail_longest(error, self._bounds.away_hold_s, away_since)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            away_since, pause_s = None, self._bounds.wake_pause_s
            if reply.code is not None:
                log.info("start failed", function=str(lane.function), revision=lane.revision, code=reply.code)
                lane.fail(self._error(lane, reply))
            elif reply.instance and reply.address:
                lane.offer(Endpoint(reply.instance, reply.address))
                await asyncio.sleep(self._bounds.wake_pause_s)  # it may turn out to be dead: then not again at once

    async def _ask(self, lane: Lane) -> WakeReply:
        """Raises: Unavailable, DeadlineExceeded (still starting, or the manager that had the request is gone)."""
        request = WakeRequest(lane.function.namespace, lane.function.name, lane.revision, lane.waiting)
        log.info("wake", function=str(lane.function), revision=lane.revision, waiting=lane.waiting)
        data = await self._bus.request(WAKE_SUBJECT, encode(request), self._bounds.wake_refresh_s)
        reply = decode(WakeReply, data)
        if reply.code == Unavailable.code:
            raise Unavailable(reply.message or f"{lane.function} cannot be started right now: call again")
        return reply

    def _error(self, lane: Lane, reply: WakeReply) -> FfxError:
        kind = self._errors.get(reply.code or "", StartFailed)
        return kind(reply.message or f"No instance of {lane.function} can be started: see its log")
