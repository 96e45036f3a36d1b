"""Calls that users publish to the queue over NATS: ``ffx.queue.<ns>.<name>``, answered as JetStream answers a publisher.

They do not go into the stream as they come: what the server knows of a publisher, it takes off a message before it stores it
(tried with NATS 2.15), and nothing that a publisher says of themselves is believed. So an invoker takes them in as any other call.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog

from faasioflex.bus.buckets import CALLS
from faasioflex.bus.port import Asked, Bus
from faasioflex.identity.badge import Badge
from faasioflex.identity.directory import Directory
from faasioflex.invoker.body import Body
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import NOBODY, Caller
from faasioflex.invoker.front.door import caller_of
from faasioflex.invoker.queue.accept import Intake
from faasioflex.invoker.queue.options import CallOptions
from faasioflex.invoker.target import Target, checked
from faasioflex.model.errors import FfxError, FieldError, Invalid
from faasioflex.model.messages import QUEUE_SUBJECT

log = structlog.get_logger(__name__)
GROUP = "invokers"
MESSAGE_ID = "Nats-Msg-Id"
PRIORITY, NOT_BEFORE, ORDER_KEY = "Ffx-Priority", "Ffx-Not-Before", "Ffx-Order-Key"
ONLY_HTTP = ("Ffx-Callback", "Ffx-Callback-Secret", "Idempotency-Key")
PASSED_ON = ("content-type", "traceparent", "tracestate")
REMEMBERED_S, MOST_CALLERS = 1.0, 10_000  # who a connection is of, while nothing changes in the directory
REFUSED = 10000  # a number of JetStream's errors that it does not use itself


class Published:
    """``clock``: seconds since the epoch."""

    def __init__(self, bus: Bus, intake: Intake, directory: Directory, clock: Callable[[], float] = time.time) -> None:
        self._bus = bus
        self._intake = intake
        self._directory = directory
        self._clock = clock
        self._callers: dict[str, Caller] = {}
        self._callers_until = 0.0
        directory.listen(self._callers.clear)
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        self._unsubscribe = await self._bus.serve(f"{QUEUE_SUBJECT}.*.*", self._on_message, queue=GROUP)

    async def stop(self) -> None:
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            await unsubscribe()

    async def _on_message(self, asked: Asked) -> bytes:
        """A publisher's acknowledgement, or JetStream's way to say that there is none."""
        try:
            call = self._call(asked)
            stored = await self._intake.take(call, options_of(asked.headers, self._clock()))
        except FfxError as error:
            log.info("a published call is refused", subject=asked.subject, code=error.code)
            return _refusal(error)
        except Exception:
            log.exception("a published call failed inside the invoker", subject=asked.subject)
            return _refusal(FfxError("Publish it again; the invoker's log has the cause"))
        answer: dict[str, Any] = {"stream": CALLS.name, "seq": stored.sequence}
        if stored.earlier:
            answer["duplicate"] = True
        return json.dumps({**answer, "invocation_id": stored.invocation.invocation_id}).encode()

    def _call(self, asked: Asked) -> Call:
        """Raises: FunctionNotFound."""
        namespace, _, name = asked.subject.removeprefix(f"{QUEUE_SUBJECT}.").partition(".")
        headers = {name.lower(): value for name, value in asked.headers.items()}
        fields = [(b"Host", b"functions")]
        fields += [(name.encode(), headers[name].encode()) for name in PASSED_ON if name in headers]
        if "content-type" not in headers:
            fields.append((b"Content-Type", b"application/json"))
        return Call(
            target=Target(checked(namespace, name), "/"),
            method="POST",
            headers=fields,
            body=Body(None, whole=asked.data),
            request_id=uuid.uuid4().hex,
            caller=self._caller(asked.asker),
            metered=True,
        )

    def _caller(self, asker: str) -> Caller:
        """By the badge that the auth callout gave them, which the server tells; nothing that a client sends says who it is."""
        now = self._clock()
        if now >= self._callers_until or len(self._callers) >= MOST_CALLERS:
            self._callers.clear()
            self._callers_until = now + REMEMBERED_S
        caller = self._callers.get(asker)
        if caller is None:
            try:
                caller = caller_of(self._directory, Badge.parse(asker), now)
            except ValueError:
                caller = NOBODY
            self._callers[asker] = caller
        return caller


def options_of(headers: Mapping[str, str], now: float) -> CallOptions:
    """What a message's headers ask for, in the words of the direct path. Raises: Invalid, also for what only that path takes."""
    for name in ONLY_HTTP:
        if name in headers:
            instead = (
                f"a message's key is its {MESSAGE_ID}" if name == "Idempotency-Key" else "make such calls over HTTP"
            )
            raise Invalid(f"{name} is not taken over NATS: {instead}")
    return CallOptions(
        idempotency_key=headers.get(MESSAGE_ID) or None,
        not_before=_number(headers, NOT_BEFORE, lambda text: _moment(text, now)),
        priority=int(_number(headers, PRIORITY, int) or 0),
        order_key=headers.get(ORDER_KEY, ""),
    )


def _number(headers: Mapping[str, str], name: str, read: Callable[[str], float]) -> float | None:
    text = headers.get(name)
    try:
        return read(text) if text else None
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{name} cannot be read", errors=(FieldError(f"/headers/{name}", "Is not a number"),)) from error


def _moment(text: str, now: float) -> float:
    """Seconds from now, or RFC 3339."""
    try:
        return now + float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def _refusal(error: FfxError) -> bytes:
    named = "; ".join(
        f"{each.pointer} {each.message}" for each in error.errors
    )  # JetStream's form has no place of its own
    said = {"code": error.status, "err_code": REFUSED, "description": f"{error.code}: {error.message}"}
    if named:
        said["description"] = f"{said['description']} ({named})"
    return json.dumps({"error": said, "stream": CALLS.name, "seq": 0}).encode()
