"""Taking a call in: who may make it is asked, then it is stored, and only then anybody is told that it was accepted."""

from __future__ import annotations

import asyncio
import base64
import string
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

from faasioflex.bus.buckets import IDEMPOTENCY
from faasioflex.bus.codec import encode
from faasioflex.bus.port import Bus
from faasioflex.invoker.call import Call
from faasioflex.invoker.queue.head import head_of, subject_of, write_head
from faasioflex.invoker.queue.index import Index
from faasioflex.invoker.queue.options import LONGEST_DELAY_S, CallOptions, QueueBounds
from faasioflex.invoker.queue.who import called_by
from faasioflex.invoker.split import choose
from faasioflex.model.errors import (
    Conflict,
    FfxError,
    FieldError,
    Invalid,
    PayloadTooLarge,
    RevisionNotFound,
    TooManyCalls,
    WrongState,
)
from faasioflex.model.execute import LONGEST_KEY
from faasioflex.model.invocation import Invocation
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import MOST_PRIORITY, QueuedCall, Repeatable, queued_invocation
from faasioflex.model.route import FunctionRoute

IDS = uuid.UUID("6f6b9d0a-5d0b-5c0e-9b59-0c6a2b1f4e17")  # the name space of ids that come from an idempotency key
FULL_RETRY_S = 5
Find = Callable[[Call], Awaitable[FunctionRoute]]
State = Callable[[str], Awaitable[Invocation | None]]


@dataclass(frozen=True)
class Stored:
    """``sequence``: of its message, 0 where that is not known. ``earlier``: its key had been used before."""

    invocation: Invocation
    sequence: int
    earlier: bool = False


class Intake:
    """``find``: the policy. ``state``: of a call by its id. ``index``: of the queue, where this process works on it.

    ``accepted``: called when one more waits. ``clock``: seconds since the epoch.
    """

    def __init__(
        self,
        bus: Bus,
        index: Callable[[], Index | None],
        bounds: QueueBounds,
        *,
        find: Find,
        state: State,
        accepted: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bus = bus
        self._repeatable = bus.bucket(IDEMPOTENCY.name, Repeatable)
        self._index = index
        self._bounds = bounds
        self._find = find
        self._state = state
        self._accepted = accepted
        self._storing: dict[str, asyncio.Future[int]] = {}
        self._clock = clock

    async def take(self, call: Call, options: CallOptions) -> Stored:
        """As ``Queue.accept``."""
        now = self._clock()
        check(options, now)
        route = await self._find(call)
        self._check_call(call, route)
        made = queued_call(call, options, route, now)
        if options.idempotency_key is None:
            return Stored(waiting(made), await self._store(made))
        return await self._take_repeatable(made, options.idempotency_key, now)

    async def store_once(self, call: QueuedCall, *, doubtful: bool = True) -> Stored:
        """Store a call whose id others may use too. ``doubtful``: whether it has ended already is looked at before it runs.

        Who asks for the same at the same moment waits for the one who began. Raises: as ``_store``.
        """
        storing = self._storing.get(call.invocation_id)
        if storing is None:
            storing = asyncio.ensure_future(self._store(call, doubtful=doubtful))
            self._storing[call.invocation_id] = storing
            storing.add_done_callback(lambda done: self._stored(call.invocation_id, done))
        return Stored(waiting(call), await asyncio.shield(storing))

    def _stored(self, invocation_id: str, done: asyncio.Future[int]) -> None:
        del self._storing[invocation_id]
        if not done.cancelled():
            done.exception()  # looked at, where nobody waits for it any more

    async def _store(self, call: QueuedCall, *, doubtful: bool = False) -> int:
        """Put it into the stream, acknowledged; the message's sequence.

        Raises: TooManyCalls, PayloadTooLarge, Unavailable (nobody knows whether it is stored).
        """
        function = FunctionName(call.namespace, call.name)
        data, head = encode(call), head_of(call, doubtful=doubtful)
        if len(data) > self._bounds.longest_call:
            raise PayloadTooLarge(
                f"The call is larger than an asynchronous one may be ({self._bounds.longest_call} bytes, in which a body counts "
                "four thirds): call the function at once, or send less"
            )
        index = self._index()
        subject, headers = subject_of(function, call.invocation_id), write_head(head)
        if index is None:
            return await self._append(subject, data, headers)
        if index.waiting(function) >= self._bounds.per_function:
            raise TooManyCalls(
                f"{function} has {self._bounds.per_function} asynchronous calls waiting, as many as it may: call again later",
                retry_after_s=FULL_RETRY_S,
            )
        known = index.expect(function, call.invocation_id)
        if known is not None:
            return known
        try:
            sequence = await self._append(subject, data, headers)
        except BaseException as error:
            seen = index.given_up(function, call.invocation_id)
            if seen is None:
                raise
            index.see(seen, self._clock())
            self._accepted()
            if not isinstance(error, FfxError):
                raise
            return seen.sequence
        index.accepted(function, call, head, sequence=sequence, size=len(data), now=self._clock())
        self._accepted()
        return sequence

    async def _append(self, subject: str, data: bytes, headers: dict[str, str]) -> int:
        try:
            return await self._bus.append(subject, data, headers=headers)
        except TooManyCalls as error:
            raise TooManyCalls(
                "The queue holds as many calls as it may: call again later", retry_after_s=FULL_RETRY_S
            ) from error

    async def _take_repeatable(self, made: QueuedCall, key: str, now: float) -> Stored:
        """The same caller's call with that key as it is now; stored where it is the first, or never came as far as the queue."""
        function, first = FunctionName(made.namespace, made.name), True
        try:
            await self._repeatable.create(made.invocation_id, Repeatable(str(function), now, stored=False))
        except Conflict:
            first = False
        # of the first too: an outcome may be kept for longer than its key
        state = await self._state(made.invocation_id)
        if state is not None:
            return Stored(state, 0, earlier=True)
        if not first:
            entry = await self._repeatable.get(made.invocation_id)
            if entry is not None and entry.value.stored:
                raise WrongState(
                    f"A call of {function} with the idempotency key {key!r} was made within the last 24 hours, and its outcome is "
                    "not kept any more: use another key for another call"
                ) from None
        stored = await self.store_once(made, doubtful=not first)
        await self._repeatable.put(made.invocation_id, Repeatable(str(function), now, stored=True))
        return stored

    def _check_call(self, call: Call, route: FunctionRoute) -> None:
        function, named = call.target.function, call.target.revision
        if call.must_have_revision and named not in route.revisions:
            raise RevisionNotFound(f"{function} has no revision {named}, or it is not kept any more")
        number = named if call.must_have_revision else choose(route, None, lambda: 0.0)
        limit = route.revisions[number].limits.payload_bytes if number in route.revisions else None
        body = call.body.whole
        if body is None:
            raise PayloadTooLarge("The body of an asynchronous call is stored, so it has to be small: send less")
        if limit is not None and len(body) > limit:
            raise PayloadTooLarge(
                f"The body is larger than {limit} bytes: send less, or raise the function's limits.payload_bytes"
            )


def check(options: CallOptions, now: float) -> None:
    """Raises: Invalid, which names the field."""
    found: list[FieldError] = []
    if not 0 <= options.priority <= MOST_PRIORITY:
        found.append(FieldError("/priority", f"Must be 0 to {MOST_PRIORITY}"))
    for name, key in (("idempotency_key", options.idempotency_key), ("order_key", options.order_key)):
        if key is not None and (len(key) > LONGEST_KEY or not key.isprintable()):
            found.append(FieldError(f"/{name}", f"Must be at most {LONGEST_KEY} printable characters"))
    if options.idempotency_key == "":
        found.append(FieldError("/idempotency_key", "Must not be empty"))
    if options.not_before is not None and not options.not_before <= now + LONGEST_DELAY_S:
        found.append(FieldError("/not_before", f"Must be within the next {LONGEST_DELAY_S // 86_400:g} days"))
    if found:
        raise Invalid("The call cannot be queued as it is", errors=tuple(found))


def id_of_key(pid: str, function_uid: str, key: str) -> str:
    """The invocation's id that an idempotency key gives: another caller's same key is another call."""
    return str(uuid.uuid5(IDS, f"{pid} {function_uid} {key}"))


def queued_call(call: Call, options: CallOptions, route: FunctionRoute, now: float) -> QueuedCall:
    """What is stored of a call."""
    function, principal = call.target.function, call.caller.principal
    key = options.idempotency_key
    trace = next((value for name, value in call.headers if name.lower() == b"traceparent"), None)
    not_before = options.not_before if options.not_before is not None and options.not_before > now else None
    return QueuedCall(
        invocation_id=str(uuid.uuid4()) if key is None else id_of_key(principal.pid, route.function_uid, key),
        namespace=function.namespace,
        name=function.name,
        function_uid=route.function_uid,
        revision=call.target.revision if call.must_have_revision else None,
        method=call.method,
        path=_in_ascii(call.target.path),
        headers=_fields(call),
        body_base64=base64.b64encode(call.body.whole or b"").decode(),
        principal=called_by(call.caller),
        pid=principal.pid,
        accepted_at=now,
        not_before=not_before,
        priority=options.priority,
        order_key=options.order_key,
        timeout_s=call.timeout_s,
        callback=options.callback,
        request_id=call.request_id,
        traceparent=trace.decode("latin-1") if trace is not None else None,
        caller_function_uid=principal.function_uid,
    )


def redriven(call: QueuedCall, now: float) -> QueuedCall:
    """The call of a dead letter as a new one. Of one letter always the same one: repeated, it is still made once."""
    return replace(
        call,
        invocation_id=str(uuid.uuid5(IDS, f"redrive {call.invocation_id}")),
        accepted_at=now,
        not_before=None,
        attempts=0,
        last_error=None,
        redrive_of=call.invocation_id,
        order=0,
    )


def waiting(call: QueuedCall) -> Invocation:
    """As it is answered when it has been accepted: nothing has run it, so it is of no revision yet."""
    return replace(queued_invocation(call), revision=None, principal=call.principal)


def _fields(call: Call) -> tuple[tuple[str, str], ...]:
    """Without the platform's own token; what :class:`Call` sets itself is not among them."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in call.headers
        if call.keeps_authorization or name.lower() != b"authorization"
    )


def _in_ascii(path: str) -> str:
    """A record is UTF-8, and a request's target may be any bytes: those beyond ASCII are escaped."""
    return path if path.isascii() else quote(path.encode("utf-8", "surrogateescape"), safe=string.printable)
