"""Stands where an invoker works on the queue: holds calls that tests put there, and answers the API's questions."""

from __future__ import annotations

import uuid
from dataclasses import replace

from faasioflex.bus.buckets import DEAD_LETTERS, INVOCATIONS
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bus
from faasioflex.model.errors import DeadLetterNotFound, FfxError, InvocationNotFound, TooManyCalls
from faasioflex.model.invocation import CalledBy, CallError, Invocation
from faasioflex.model.messages import OUTCOME_SUBJECT, QUEUE_STATE_SUBJECT
from faasioflex.model.queue import DeadLetter, QueueAnswer, QueuedCall, QueueQuestion, queued_invocation

ADMIN = CalledBy("u-admin", "admin")


def queued_call(invocation_id: str = "inv-1", function: str = "admin/hello", *, by: CalledBy = ADMIN) -> QueuedCall:
    namespace, name = function.split("/")
    headers = (("Content-Type", "application/json"),)
    return QueuedCall(
        invocation_id, namespace, name, "uid-1", None, "POST", "/", headers, "eyJhIjogMX0=", by, by.uid, 1.0
    )


class QueueDouble:
    """``held``: calls that wait or run, by id. ``asked``: every question. ``room``: how many may be made again."""

    def __init__(self, bus: Bus) -> None:
        self.held: dict[str, Invocation] = {}
        self.asked: list[QueueQuestion] = []
        self.room = 1000
        self._bus = bus
        self._ended = bus.bucket(INVOCATIONS.name, Invocation)
        self._dead = bus.bucket(DEAD_LETTERS.name, DeadLetter)

    async def start(self) -> None:
        self.stop = await self._bus.subscribe(QUEUE_STATE_SUBJECT, self._answer)

    def put(self, call: QueuedCall) -> Invocation:
        self.held[call.invocation_id] = queued_invocation(call)
        return self.held[call.invocation_id]

    async def end(self, made: Invocation) -> None:
        self.held.pop(made.invocation_id, None)
        await self._ended.create(made.invocation_id, made)
        await self._bus.publish(f"{OUTCOME_SUBJECT}.{made.invocation_id}", b"")

    async def bury(self, call: QueuedCall) -> DeadLetter:
        """The call is a dead letter."""
        error = CallError("function-error", "it broke", 500)
        made = replace(queued_invocation(call), status="dead", error=error, attempts=3, finished_at=2.0)
        letter = DeadLetter(replace(call, attempts=3, last_error="it broke"), made, 2.0)
        await self._dead.put(f"{call.namespace}.{call.name}.{call.invocation_id}", letter)
        await self.end(made)
        return letter

    async def _answer(self, _: str, data: bytes) -> bytes:
        question = decode(QueueQuestion, data)
        self.asked.append(question)
        try:
            return encode(QueueAnswer(await self._do(question)))
        except FfxError as error:
            return encode(QueueAnswer(code=error.code, message=error.message))

    async def _do(self, question: QueueQuestion) -> Invocation | None:
        invocation_id = question.invocation_id or ""
        if question.what == "state":
            return self.held.get(invocation_id)
        if question.what == "cancel":
            if invocation_id not in self.held:
                raise InvocationNotFound("it is not there")
            made = replace(self.held[invocation_id], status="cancelled", finished_at=3.0)
            await self.end(made)
            return made
        key = f"{(question.function or '').replace('/', '.')}.{invocation_id}"
        letter = await self._dead.get(key)
        if letter is None:
            raise DeadLetterNotFound("it is not there")
        if self.room == 0:
            raise TooManyCalls("the queue is full")
        self.room -= 1
        await self._dead.delete(key)
        again = replace(letter.value.call, invocation_id=str(uuid.uuid4()), redrive_of=invocation_id, attempts=0)
        return self.put(again)
