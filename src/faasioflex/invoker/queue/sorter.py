"""Calls that users publish straight into the stream: taken in as any other, in their order, or ended with why they are refused."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from faasioflex.bus.buckets import CALLS
from faasioflex.bus.port import Bus, StreamMessage
from faasioflex.identity.badge import Badge
from faasioflex.identity.directory import Directory
from faasioflex.invoker.body import Body
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import NOBODY, Caller
from faasioflex.invoker.front.door import caller_of
from faasioflex.invoker.queue.accept import Intake, queued_call
from faasioflex.invoker.queue.head import place_of
from faasioflex.invoker.queue.options import CallOptions, QueueBounds
from faasioflex.invoker.queue.outcomes import Outcomes, outcome_of
from faasioflex.invoker.queue.removals import Removals
from faasioflex.invoker.queue.retries import Attempted
from faasioflex.invoker.target import Target, checked
from faasioflex.model.errors import (
    FfxError,
    FieldError,
    Invalid,
    RateLimited,
    TooManyCalls,
    Unavailable,
)
from faasioflex.model.invocation import CallError
from faasioflex.model.route import FunctionRoute

log = structlog.get_logger(__name__)
MESSAGE_ID = "Nats-Msg-Id"
PRIORITY, NOT_BEFORE, ORDER_KEY = "Ffx-Priority", "Ffx-Not-Before", "Ffx-Order-Key"
PASSED_ON = ("content-type", "traceparent", "tracestate")
KEPT_S = 86_400.0  # an outcome of what was refused here
PAUSE_S = 0.5
UNKNOWN = FunctionRoute("", "private", {})


class Sorter:
    """``clock``: seconds since the epoch."""

    def __init__(
        self,
        *,
        bus: Bus,
        intake: Intake,
        outcomes: Outcomes,
        removals: Removals,
        directory: Directory,
        bounds: QueueBounds,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._intake = intake
        self._outcomes = outcomes
        self._removals = removals
        self._directory = directory
        self._bounds = bounds
        self._clock = clock
        self._waiting: deque[int] = deque()
        self._grown = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="queue sorter")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def add(self, sequence: int) -> None:
        """A raw message; later ones later."""
        self._waiting.append(sequence)
        self._grown.set()

    async def _run(self) -> None:
        while True:
            await self._grown.wait()
            self._grown.clear()
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._bounds.sorted_at_once))]
                left = some
                while left:
                    left = await self._sort(left)
                    if left:
                        await asyncio.sleep(PAUSE_S)

    async def _sort(self, sequences: list[int]) -> list[int]:
        """Take these in; those that have to be tried again, the platform being in the way.

        Each is begun in its turn, and stored in the order in which it was begun, unless its function is not known here yet.
        """
        found = await asyncio.gather(*map(self._read, sequences))
        done = await asyncio.gather(*(self._take_in(each) for each in found if isinstance(each, StreamMessage)))
        later = [each for each in found if isinstance(each, int)]
        for message, taken in zip([each for each in found if isinstance(each, StreamMessage)], done, strict=True):
            if taken:
                self._removals.add(message.sequence)
            else:
                later.append(message.sequence)
        return sorted(later)

    async def _read(self, sequence: int) -> StreamMessage | int | None:
        """None: somebody has removed it. The sequence: it cannot be read now."""
        try:
            return await self._bus.message(CALLS.name, sequence)
        except FfxError:
            return sequence

    async def _take_in(self, message: StreamMessage) -> bool:
        """Whether its message may go."""
        caller = self._caller(message.asker)
        try:
            call, options = self._call(message, caller)
        except FfxError as error:
            await self._refuse(message, caller, error)
            return True
        try:
            await self._intake.accept(call, options)
        except RateLimited as error:
            await self._refuse(message, caller, error)
        except (TooManyCalls, Unavailable) as error:
            log.info("a published call is taken in later", sequence=message.sequence, reason=error.message)
            return False
        except FfxError as error:
            await self._refuse(message, caller, error)
        except Exception:
            log.exception("a published call failed inside the invoker", sequence=message.sequence)
            await self._refuse(message, caller, FfxError("Call again; the invoker's log has the cause"))
        return True

    async def _refuse(self, message: StreamMessage, caller: Caller, error: FfxError) -> None:
        """Its outcome is that it was refused. It has the id that it would have, as far as the function is known."""
        now = self._clock()
        options = CallOptions(message.headers.get(MESSAGE_ID) or None)
        function, _ = place_of(message.subject)
        call = Call(
            target=Target(function, "/"),
            method="POST",
            headers=[],
            body=Body(None, whole=b""),
            request_id="",
            caller=caller,
        )
        made = queued_call(call, options, UNKNOWN, message.time)
        tried = Attempted("refused", now, now, error=CallError(error.code, error.message))
        log.info("a published call is refused", function=str(function), code=error.code)
        await self._outcomes.record(made, outcome_of(made, tried, "failed", 0), KEPT_S)

    def _call(self, message: StreamMessage, caller: Caller) -> tuple[Call, CallOptions]:
        """Raises: FunctionNotFound, Invalid."""
        function, _ = place_of(message.subject)
        headers = {name.lower(): value for name, value in message.headers.items()}
        fields = [(b"Host", b"functions")]
        fields += [(name.encode(), headers[name].encode()) for name in PASSED_ON if name in headers]
        if "content-type" not in headers:
            fields.append((b"content-type", b"application/json"))
        call = Call(
            target=Target(checked(function.namespace, function.name), "/"),
            method="POST",
            headers=fields,
            body=Body(None, whole=message.data),
            request_id=uuid.uuid4().hex,
            caller=caller,
            metered=True,
        )
        return call, options_of(message.headers)

    def _caller(self, asker: str) -> Caller:
        """By the badge that the auth callout gave them, which the server tells; nothing that a client sends says who it is."""
        try:
            badge = Badge.parse(asker)
        except ValueError:
            return NOBODY
        return caller_of(self._directory, badge, self._clock())


def options_of(headers: Mapping[str, str]) -> CallOptions:
    """What a message's headers ask for. Raises: Invalid."""
    numbers: dict[str, Callable[[str], float]] = {PRIORITY: int, NOT_BEFORE: _moment}
    found: dict[str, float | None] = {}
    for name, read in numbers.items():
        text = headers.get(name)
        try:
            found[name] = read(text) if text else None
        except (ValueError, OverflowError) as error:
            raise Invalid(
                f"{name} cannot be read", errors=(FieldError(f"/{name}", "Is not what it has to be"),)
            ) from error
    return CallOptions(
        idempotency_key=headers.get(MESSAGE_ID) or None,
        not_before=found[NOT_BEFORE],
        priority=int(found[PRIORITY] or 0),
        order_key=headers.get(ORDER_KEY, ""),
    )


def _moment(text: str) -> float:
    """Seconds since the epoch, or RFC 3339."""
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()
