"""Calls over NATS: a request on ``ffx.call.<ns>.<name>`` is answered with an invocation."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable

import structlog

from faasioflex.bus.port import Asked, Bus
from faasioflex.identity.badge import Badge
from faasioflex.identity.directory import Directory
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.caller import NOBODY, Caller
from faasioflex.invoker.front.door import caller_of
from faasioflex.invoker.invocations import Invocations, json_call
from faasioflex.invoker.outcome import to_json_bytes
from faasioflex.invoker.target import checked
from faasioflex.model.errors import FfxError, PayloadTooLarge, TooManyCalls
from faasioflex.model.invocation import CallError, Invocation
from faasioflex.model.messages import CALL_SUBJECT

log = structlog.get_logger(__name__)
QUEUE_GROUP = "invokers"
LONGEST_REPLY = 16 * 1024 * 1024 - 64 * 1024  # the server's max_payload less headers


class BusCalls:
    """One subscription for all functions; at most ``bounds.bus_calls`` at once, the rest are answered queue-full."""

    def __init__(
        self,
        bus: Bus,
        invocations: Invocations,
        directory: Directory,
        bounds: Bounds,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._invocations = invocations
        self._directory = directory
        self._bounds = bounds
        self._clock = clock
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        self._unsubscribe = await self._bus.serve(f"{CALL_SUBJECT}.*.*", self._answer, queue=QUEUE_GROUP)

    async def stop(self) -> None:
        """Take no more; those under way go on."""
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            await unsubscribe()

    async def drain(self, within_s: float) -> None:
        """Return when those under way have ended, or time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    async def _answer(self, asked: Asked) -> bytes:
        namespace, _, name = asked.subject.removeprefix(f"{CALL_SUBJECT}.").partition(".")
        if self._in_flight >= self._bounds.bus_calls:
            return self._refusal(namespace, name, TooManyCalls("Too many calls over NATS at once: call again later"))
        self._in_flight += 1
        self._idle.clear()
        try:
            call = json_call(checked(namespace, name), asked.data or b"null", caller=self._caller(asked.asker))
            ended = await self._invocations.run(call)
            reply = to_json_bytes(ended.invocation)
            if len(reply) <= LONGEST_REPLY:
                return reply
            raise PayloadTooLarge(f"The result does not fit a message: call the function at /f/{namespace}/{name}")
        except FfxError as error:
            return self._refusal(namespace, name, error)
        except Exception:
            log.exception("a call over NATS failed inside the invoker", subject=asked.subject)
            return self._refusal(namespace, name, FfxError("Call again; the invoker's log has the cause"))
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    def _caller(self, asker: str) -> Caller:
        """By the badge that the auth callout gave them, which the server tells; nothing that a client sends says who it is."""
        try:
            badge = Badge.parse(asker)
        except ValueError:
            return NOBODY
        return caller_of(self._directory, badge, self._clock())

    def _refusal(self, namespace: str, name: str, error: FfxError) -> bytes:
        """There are no status codes here: what would be a problem document is a failed invocation, which is not kept."""
        now = self._clock()
        return to_json_bytes(
            Invocation(
                invocation_id=str(uuid.uuid4()),
                function=f"{namespace}/{name}",
                revision=None,
                status="failed",
                result=None,
                error=CallError(error.code, error.message, error.status),
                attempts=0,
                created_at=now,
                started_at=None,
                finished_at=now,
                duration_ms=None,
            )
        )
