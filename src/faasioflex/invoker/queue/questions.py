"""Answers the API's questions about what is in the queue (``QUEUE_STATE_SUBJECT``): of the invoker that works on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import FfxError, InvocationNotFound
from faasioflex.model.invocation import CalledBy, Invocation
from faasioflex.model.messages import QUEUE_STATE_SUBJECT
from faasioflex.model.queue import QueueAnswer, QueueDepth, QueueQuestion

NOBODY = CalledBy("", "unknown")


class Asked(Protocol):
    async def state_in_queue(self, invocation_id: str) -> Invocation | None: ...

    async def cancel(self, invocation_id: str, by: CalledBy) -> Invocation: ...

    async def redrive(self, invocation_id: str, by: CalledBy, function: str | None = None) -> Invocation: ...

    def depths(self, function: str | None = None) -> tuple[QueueDepth, ...]: ...


class Questions:
    """``state`` is answered with what waits or runs alone: outcomes are in the bucket for everybody to read."""

    def __init__(self, bus: Bus, queue: Asked) -> None:
        self._bus = bus
        self._queue = queue
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(QUEUE_STATE_SUBJECT, self._on_question)

    async def stop(self) -> None:
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            await unsubscribe()

    async def _on_question(self, _: str, data: bytes) -> bytes:
        try:
            return encode(await self._answer(decode(QueueQuestion, data)))
        except FfxError as error:
            return encode(QueueAnswer(code=error.code, message=error.message))

    async def _answer(self, question: QueueQuestion) -> QueueAnswer:
        by = question.asked_by or NOBODY
        if question.what == "depth":
            return QueueAnswer(depths=self._queue.depths(question.function))
        if question.invocation_id is None:
            raise InvocationNotFound("Which call?")
        if question.what == "state":
            return QueueAnswer(await self._queue.state_in_queue(question.invocation_id))
        if question.what == "cancel":
            return QueueAnswer(await self._queue.cancel(question.invocation_id, by))
        return QueueAnswer(await self._queue.redrive(question.invocation_id, by, question.function))
