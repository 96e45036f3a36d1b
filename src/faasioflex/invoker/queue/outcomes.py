"""How a call ends: once, for good, and only then its message goes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from faasioflex.bus.buckets import DEAD_LETTERS, INVOCATIONS
from faasioflex.bus.codec import encode
from faasioflex.bus.events import publish_event
from faasioflex.bus.port import Bus
from faasioflex.invoker.queue.results import Results
from faasioflex.invoker.queue.retries import Attempted
from faasioflex.model.errors import Conflict, FfxError, Invalid
from faasioflex.model.invocation import Invocation, InvocationState
from faasioflex.model.messages import OUTCOME_SUBJECT
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import DeadLetter, QueuedCall

log = structlog.get_logger(__name__)
LONGEST_PAUSE_S = 2.0
LARGE_BYTES = 1024 * 1024  # results beyond go by the object store
DEAD_TTL_S = 14 * 86_400.0  # as long as its letter
SURE_TTL_S = 86_400.0  # an outcome stays at least so long, or until its message certainly is gone
CALLBACK_TTL_S = 12 * 3600.0  # callbacks are tried for nine hours
VERBS = {"failed": "failed", "dead": "dead-lettered"}
MOST_EVENTS = 1000  # that wait to be published; beyond, they are left out


class Outcomes:
    """``clock``: seconds since the epoch."""

    def __init__(self, bus: Bus, results: Results, clock: Callable[[], float] = time.time) -> None:
        self._bus = bus
        self._bucket = bus.bucket(INVOCATIONS.name, Invocation)
        self._dead_letters = bus.bucket(DEAD_LETTERS.name, DeadLetter)
        self._results = results
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, invocation_id: str) -> Invocation | None:
        """Raises: Unavailable."""
        entry = await self._bucket.get(invocation_id)
        return entry.value if entry is not None else None

    async def record(
        self, call: QueuedCall, made: Invocation, result_ttl_s: float, *, size: int = 0
    ) -> tuple[Invocation, bool]:
        """Store the outcome, however long that takes. Returns what counts, and whether it is ours: the first one stays.

        ``size``: bytes of the result as the function gave it. A dead call's letter is there before its outcome is.
        """
        ttl_s = self.ttl_s(call, made, result_ttl_s)
        function, pause_s = FunctionName(call.namespace, call.name), 0.05
        while True:
            try:
                if made.status == "dead":
                    await self._dead_letters.put(
                        f"{function.key}.{call.invocation_id}", _letter(call, made, self._clock())
                    )
                if size >= LARGE_BYTES // 8:  # as JSON it can be six times as long, or more where it is not text
                    made = await self._fitting(made, ttl_s)
                await self._bucket.create(made.invocation_id, made, ttl_s=max(ttl_s, SURE_TTL_S))
            except Conflict:
                first = await self._first(made.invocation_id)
                if first is None:
                    continue
                if made.status == "dead" != first.status:
                    await self._take_back(f"{function.key}.{call.invocation_id}")
                return first, False
            except Invalid:
                made = _in_bytes(made)
                continue
            except FfxError as error:
                log.warning("an outcome is stored later", invocation=made.invocation_id, reason=error.message)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            await self._tell(function, made)
            return made, True

    def ttl_s(self, call: QueuedCall, made: Invocation, result_ttl_s: float) -> float:
        """How long the outcome is kept."""
        least = DEAD_TTL_S if made.status == "dead" else CALLBACK_TTL_S if call.callback is not None else 0.0
        return max(result_ttl_s, least)

    async def shorten(self, made: Invocation, ttl_s: float) -> None:
        """Its message is gone, so nobody runs it again: from now on it is kept as long as was set, and no longer."""
        left_s = ttl_s - (self._clock() - (made.finished_at or 0.0))
        try:
            entry = await self._bucket.get(made.invocation_id)
            if entry is not None:
                await self._bucket.update(made.invocation_id, entry.value, entry.revision, ttl_s=max(left_s, 1.0))
        except FfxError as error:
            log.info("an outcome is kept for longer", invocation=made.invocation_id, reason=error.message)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take_back(self, key: str) -> None:
        """A letter of a call that ended otherwise: whoever worked on the queue before or after us was first."""
        try:
            await self._dead_letters.delete(key)
        except FfxError as error:
            log.warning("a dead letter of a call that did not die is left", key=key, reason=error.message)

    async def _first(self, invocation_id: str) -> Invocation | None:
        try:
            return await self.find(invocation_id)
        except FfxError:
            await asyncio.sleep(LONGEST_PAUSE_S)
            return None

    async def _fitting(self, made: Invocation, ttl_s: float) -> Invocation:
        """Without its result, where that is too large for a record: then it lies elsewhere."""
        if made.result_object is not None or len(encode(made)) <= LARGE_BYTES:
            return made
        name = await self._results.put(made.invocation_id, json.dumps(made.result).encode(), ttl_s)
        return replace(made, result=None, result_object=name)

    async def _tell(self, function: FunctionName, made: Invocation) -> None:
        """Those who wait for it, and in case of a failure everybody who looks at events."""
        with contextlib.suppress(FfxError):
            await self._bus.publish(f"{OUTCOME_SUBJECT}.{made.invocation_id}", b"")
        verb = VERBS.get(made.status)
        if verb is not None and len(self._tasks) < MOST_EVENTS:
            task = asyncio.create_task(self._publish(function, verb, made))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _publish(self, function: FunctionName, verb: str, made: Invocation) -> None:
        data = {
            "invocation_id": made.invocation_id,
            "code": made.error.code if made.error is not None else None,
            "http_status": made.error.http_status if made.error is not None else None,
            "attempts": made.attempts,
            "revision": made.revision,
        }
        try:
            await publish_event(self._bus, "invocation", verb, function, data, at=made.finished_at)
        except FfxError as error:
            log.debug("the end of a call was not told", invocation=made.invocation_id, reason=error.message)


def _in_bytes(made: Invocation) -> Invocation:
    """A result that is JSON and no UTF-8 (half a surrogate pair) is kept as the bytes that it was."""
    error = None if made.error is None else replace(made.error, message=clean(made.error.message))
    if made.result is None:
        return replace(made, error=error)
    data = base64.b64encode(json.dumps(made.result).encode()).decode()
    return replace(made, result={"base64": data, "content_type": "application/json"}, error=error)


def clean(text: str) -> str:
    """As UTF-8 can hold it."""
    return text.encode("utf-8", "replace").decode()


def _letter(call: QueuedCall, made: Invocation, now: float) -> DeadLetter:
    last = made.error.message if made.error is not None else None
    return DeadLetter(replace(call, attempts=made.attempts, last_error=last), made, now)


def outcome_of(call: QueuedCall, tried: Attempted, state: InvocationState, attempts: int) -> Invocation:
    return Invocation(
        invocation_id=call.invocation_id,
        function=f"{call.namespace}/{call.name}",
        revision=tried.revision,
        status=state,
        result=tried.result,
        error=tried.error,
        attempts=attempts,
        created_at=call.accepted_at,
        started_at=tried.began,
        finished_at=tried.ended,
        duration_ms=round((tried.ended - tried.began) * 1000, 3),
        principal=call.principal,
        asynchronous=True,
        not_before=call.not_before,
        redrive_of=call.redrive_of,
    )
