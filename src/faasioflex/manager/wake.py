"""``ffx.wake``: a call waits for a revision that has no instance. The shortest way from there to a ready one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bus
from faasioflex.manager.crashes import LONGEST_HOLD_S
from faasioflex.manager.freezing import Freezer
from faasioflex.manager.load import Load
from faasioflex.manager.observer import Observer
from faasioflex.manager.reconciler import Reconciler
from faasioflex.manager.state import FunctionState, RevisionState, TrackedInstance
from faasioflex.model.errors import FfxError, FunctionNotFound, RevisionNotFound, StartFailed, Unavailable
from faasioflex.model.messages import WAKE_SUBJECT, WakeReply, WakeRequest
from faasioflex.model.names import FunctionName

LONGEST_S = 60.0


class WakeDesk:
    """Answers wake requests, each when there is something to say."""

    def __init__(
        self,
        bus: Bus,
        reconciler: Reconciler,
        observer: Observer,
        *,
        freezer: Freezer,
        load: Load,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._reconciler = reconciler
        self._observer = observer
        self._freezer = freezer
        self._load = load
        self._clock = clock
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None
        self._waiting: set[asyncio.Future[WakeReply]] = set()

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(WAKE_SUBJECT, self._on_wake, queue="manager")

    async def stop(self) -> None:
        if self._unsubscribe:
            await self._unsubscribe()
        stopping = Unavailable("the function manager stops: ask the next one")
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(WakeReply(code=stopping.code, message=stopping.message, status=stopping.status))

    async def _on_wake(self, _subject: str, data: bytes) -> bytes:
        request = decode(WakeRequest, data)
        try:
            reply = await self.wake(request)
        except FfxError as error:
            reply = WakeReply(code=error.code, message=error.message, status=error.status)
        return encode(reply)

    async def wake(self, request: WakeRequest) -> WakeReply:
        """Raises: FunctionNotFound, RevisionNotFound, StartFailed, Unavailable."""
        began = time.monotonic()
        name = FunctionName(request.namespace, request.name)
        state, revision = self._find(name, request.revision)
        self._load.called(name.key, request.revision)
        revision.ceiling = None
        there = state.ready_of(request.revision)
        if there and all(one.frost for one in there):
            revision.woken_at = self._clock()
            await self._freezer.thaw(state, there[0])
            return _here(there[0], time.monotonic() - began)
        if there:
            # The caller could not reach what we believe is there: look before it is told again.
            try:
                await asyncio.wait_for(self._observer.seen_anew(), LONGEST_S)
            except TimeoutError:
                raise Unavailable(f"{name} cannot be started: {self._observer.away}") from None
            state, revision = self._find(name, request.revision)  # both may have changed meanwhile
        revision.woken_at = self._clock()
        ready = [one for one in state.ready_of(request.revision) if not one.frost]
        if ready:
            return _here(ready[0], 0.0)
        if revision.failed:
            raise StartFailed(revision.message or f"revision {request.revision} of {name} failed")
        if revision.retry_at is not None and revision.retry_at - self._clock() > LONGEST_HOLD_S:
            raise StartFailed(
                revision.message or "it keeps crashing",
                retry_after_s=max(1, round(revision.retry_at - self._clock())),
            )
        return await self._wait(state, request.revision)

    def _find(self, name: FunctionName, number: int) -> tuple[FunctionState, RevisionState]:
        state = self._reconciler.states.get(name.key)
        if state is None or state.record.deleting:
            raise FunctionNotFound(f"there is no function {name}; see `ffx list`")
        revision = state.revisions.get(number)
        if revision is None:
            raise RevisionNotFound(f"{name} has no revision {number}; see `ffx revisions {name}`")
        return state, revision

    async def _wait(self, state: FunctionState, number: int) -> WakeReply:
        waiter: asyncio.Future[WakeReply] = asyncio.get_running_loop().create_future()
        state.waiters.setdefault(number, set()).add(waiter)
        self._waiting.add(waiter)
        self._reconciler.touch(state.name.key)
        try:
            return await asyncio.wait_for(waiter, LONGEST_S)
        except TimeoutError:
            raise Unavailable(f"no instance of {state.name} became ready within {LONGEST_S:.0f} s") from None
        finally:
            self._waiting.discard(waiter)
            state.waiters.get(number, set()).discard(waiter)


def _here(one: TrackedInstance, took_s: float) -> WakeReply:
    return WakeReply(instance=one.id, address=one.instance.address if one.instance else None, took_s=round(took_s, 4))
