"""Calls that are waited for and have an idempotency key: made once, however often and from how many places they are repeated."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from faasioflex.bus.buckets import IDEMPOTENCY, INVOCATIONS, RESULT_OBJECTS
from faasioflex.bus.codec import encode
from faasioflex.bus.port import Bus
from faasioflex.invoker.call import Call
from faasioflex.invoker.invocations import Ended, Invocations
from faasioflex.invoker.queue.accept import Find, State, id_of_key
from faasioflex.model.errors import Conflict, FfxError, WrongState
from faasioflex.model.invocation import Invocation
from faasioflex.model.queue import Repeatable

log = structlog.get_logger(__name__)
KEPT_S = 86_400.0  # as long as its key
LARGE_BYTES = 1024 * 1024
KeepResult = Callable[[str, bytes, float], Awaitable[str]]


class KeyedCalls:
    """The same caller's calls of one function with one key are one call, whether each is waited for or queued.

    Such a call goes on when its caller leaves: whoever repeats it gets what became of it. ``find``: the policy. ``state``: of a
    call by its id, in the queue or ended. ``keep_result``: puts a large result away. ``clock``: seconds since the epoch.
    """

    def __init__(
        self,
        bus: Bus,
        invocations: Invocations,
        *,
        find: Find,
        state: State,
        keep_result: KeepResult,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ended = bus.bucket(INVOCATIONS.name, Invocation)
        self._keys = bus.bucket(IDEMPOTENCY.name, Repeatable)
        self._results = bus.objects(RESULT_OBJECTS)
        self._invocations = invocations
        self._find = find
        self._state = state
        self._keep_result = keep_result
        self._clock = clock
        self._running: dict[str, asyncio.Task[Ended]] = {}

    async def run(self, call: Call, key: str) -> Ended:
        """Raises: what the policy says; FfxError where the platform did not hand the call over, which frees the key;
        WrongState where the outcome of before is not kept any more; Unavailable."""
        route = await self._find(call)
        invocation_id = id_of_key(call.caller.principal.pid, route.function_uid, key)
        running = self._running.get(invocation_id)
        if running is None:
            running = asyncio.create_task(self._once(call, invocation_id, key))
            self._running[invocation_id] = running
            running.add_done_callback(lambda done: self._over(invocation_id, done))
        return await asyncio.shield(running)

    async def stop(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _over(self, invocation_id: str, done: asyncio.Task[Ended]) -> None:
        del self._running[invocation_id]
        if not done.cancelled():
            done.exception()  # looked at, where nobody waits for it any more

    async def _once(self, call: Call, invocation_id: str, key: str) -> Ended:
        function = call.target.function
        try:
            await self._keys.create(invocation_id, Repeatable(str(function), self._clock(), stored=False))
            first = True
        except Conflict:
            first = False
        # of the first too: an outcome may be kept for longer than its key
        state = await self._state(invocation_id)
        if state is not None:
            return Ended(await self._whole(state), None)
        if not first:
            entry = await self._keys.get(invocation_id)
            if entry is not None and entry.value.stored:
                raise WrongState(
                    f"A call of {function} with the idempotency key {key!r} was made within the last 24 hours, and its outcome is "
                    "not kept any more: use another key for another call"
                )
        ended = await self._invocations.make(call, invocation_id)
        return replace(ended, invocation=await self._keep(str(function), ended.invocation))

    async def _keep(self, function: str, made: Invocation) -> Invocation:
        """What counts: the first outcome of that id. Where it cannot be kept its caller has it all the same."""
        kept = made
        try:
            if len(encode(made)) > LARGE_BYTES:
                name = await self._keep_result(made.invocation_id, json.dumps(made.result).encode(), KEPT_S)
                kept = replace(made, result=None, result_object=name)
            await self._ended.create(made.invocation_id, kept, ttl_s=KEPT_S)
            await self._keys.put(made.invocation_id, Repeatable(function, self._clock(), stored=True))
        except Conflict:
            first = await self._ended.get(made.invocation_id)
            return made if first is None else await self._whole(first.value)
        except FfxError as error:
            log.warning("an invocation was not kept", invocation=made.invocation_id, error=str(error))
        return made

    async def _whole(self, made: Invocation) -> Invocation:
        data = await self._results.get(made.result_object) if made.result_object is not None else None
        return made if data is None else replace(made, result=json.loads(data))
