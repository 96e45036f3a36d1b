"""Asynchronous calls as the API knows them: asked of the invoker that works on the queue, read where they have ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from faasioflex.bus import buckets
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bucket, Bus
from faasioflex.model.errors import (
    DeadLetterNotFound,
    DeadlineExceeded,
    FfxError,
    InvocationNotFound,
    Unavailable,
    tree,
)
from faasioflex.model.invocation import ENDED, CalledBy, Invocation
from faasioflex.model.messages import OUTCOME_SUBJECT, QUEUE_STATE_SUBJECT, QUEUE_SUBJECT
from faasioflex.model.queue import DeadLetter, QueueAnswer, QueuedCall, QueueQuestion, queued_invocation

STATE_WITHIN_S = 2.0  # then the stream is read instead
DO_WITHIN_S = 10.0
LOOK_AGAIN_S = 5.0  # while waiting: what was published while nobody listened (NATS was away) is found by looking
AT_ONCE = 32  # of many dead letters


class Calls:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._ended: Bucket[Invocation] = bus.bucket(buckets.INVOCATIONS.name, Invocation)
        self._results = bus.objects(buckets.RESULT_OBJECTS)
        self.dead: Bucket[DeadLetter] = bus.bucket(buckets.DEAD_LETTERS.name, DeadLetter)

    async def find(self, invocation_id: str) -> Invocation | None:
        """As it is now; None where it is not kept.

        Where nobody works on the queue right now, what lies in it is queued.
        """
        entry = await self._ended.get(invocation_id)
        if entry is not None:
            return entry.value
        try:
            waits = (await self._ask(QueueQuestion("state", invocation_id))).invocation
        except Unavailable:
            waits = await self._stored(invocation_id)
        if waits is not None:
            return waits
        entry = await self._ended.get(invocation_id)  # it may have ended between the two
        return entry.value if entry is not None else None

    async def _stored(self, invocation_id: str) -> Invocation | None:
        found: QueuedCall | None = None
        async with self._bus.read(buckets.CALLS.name, f"{QUEUE_SUBJECT}.*.*.{invocation_id}") as messages:
            async for message in messages:
                found = decode(QueuedCall, message.data)
        return None if found is None else queued_invocation(found)

    async def whole(self, call: Invocation) -> Invocation:
        """With its result, wherever that is."""
        if call.result_object is None:
            return call
        data = await self._results.get(call.result_object)
        return call if data is None else replace(call, result=json.loads(data))

    async def dead_letter(self, invocation_id: str) -> DeadLetter | None:
        for key in await self.dead.keys(f"*.*.{invocation_id}"):
            entry = await self.dead.get(key)
            if entry is not None:
                return entry.value
        return None

    @asynccontextmanager
    async def end_of(self, invocation_id: str) -> AsyncIterator[asyncio.Event]:
        """Set when an outcome is told."""
        told = asyncio.Event()

        async def hear(_subject: str, _data: bytes) -> None:
            told.set()

        unsubscribe = await self._bus.subscribe(f"{OUTCOME_SUBJECT}.{invocation_id}", hear)
        try:
            yield told
        finally:
            await unsubscribe()

    async def cancel(self, invocation_id: str, by: CalledBy) -> Invocation:
        """Raises: InvocationNotFound, WrongState (it has ended), Unavailable."""
        answer = await self._ask(QueueQuestion("cancel", invocation_id, asked_by=by))
        if answer.invocation is None:
            raise InvocationNotFound(f"There is no call {invocation_id} that waits or runs")
        return answer.invocation

    async def redrive(self, letter: DeadLetter, by: CalledBy) -> Invocation:
        """The new call. Raises: DeadLetterNotFound, FunctionNotFound, TooManyCalls, Unavailable."""
        invocation_id = letter.call.invocation_id
        answer = await self._ask(
            QueueQuestion("redrive", invocation_id, f"{letter.call.namespace}/{letter.call.name}", by)
        )
        if answer.invocation is None:
            raise DeadLetterNotFound(f"There is no dead letter {invocation_id} any more")
        return answer.invocation

    async def _ask(self, question: QueueQuestion) -> QueueAnswer:
        try:
            within_s = STATE_WITHIN_S if question.what == "state" else DO_WITHIN_S
            answer = decode(QueueAnswer, await self._bus.request(QUEUE_STATE_SUBJECT, encode(question), within_s))
        except (Unavailable, DeadlineExceeded):
            raise Unavailable("Nobody works on the queue right now: the call is kept, ask again") from None
        if answer.code is not None:
            raise tree().get(answer.code, FfxError)(answer.message or answer.code)
        return answer


def has_ended(call: Invocation) -> bool:
    return call.status in ENDED
