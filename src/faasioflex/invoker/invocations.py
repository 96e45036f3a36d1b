"""A call whose answer becomes an invocation: for execute and for calls over NATS."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from faasioflex.bus.codec import encode
from faasioflex.bus.port import Bucket
from faasioflex.invoker.body import Body
from faasioflex.invoker.bounds import MIB, Bounds
from faasioflex.invoker.call import Call
from faasioflex.invoker.caller import Caller
from faasioflex.invoker.dispatcher import Answer, Dispatcher
from faasioflex.invoker.http1.connection import ConnectionEnded
from faasioflex.invoker.http1.head import BadMessage, Headers
from faasioflex.invoker.outcome import content_type_of, error_of, result_of
from faasioflex.invoker.tally import Tally
from faasioflex.invoker.target import Target
from faasioflex.model.errors import DeadlineExceeded, FfxError, FunctionError, InstanceEnded, PayloadTooLarge
from faasioflex.model.invocation import CalledBy, CallError, Invocation
from faasioflex.model.names import FunctionName

log = structlog.get_logger(__name__)
STORE_TIMEOUT_S = 2.0
KEPT_S = 86_400.0
BEGUN_AND_FAILED = (DeadlineExceeded, FunctionError, InstanceEnded)  # the function had the call: an outcome, no refusal


@dataclass(frozen=True)
class Ended:
    """``start_ms``: how long the call waited for a start, None where it did not."""

    invocation: Invocation
    start_ms: float | None


class Invocations:
    """``clock``: seconds since the epoch."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        tally: Tally,
        bucket: Bucket[Invocation],
        bounds: Bounds,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._dispatcher = dispatcher
        self._tally = tally
        self._bucket = bucket
        self._bounds = bounds
        self._clock = clock

    async def run(self, call: Call) -> Ended:
        """The outcome is kept before it is returned.

        Raises: FfxError where the platform did not hand the call over (no such function, queue full, no start, too large).
        """
        ended = await self.make(call, str(uuid.uuid4()))
        await self._keep(ended.invocation)
        return ended

    async def make(self, call: Call, invocation_id: str) -> Ended:
        """As :meth:`run`, for who keeps the outcome."""
        loop = asyncio.get_running_loop()
        created_at, begun = self._clock(), loop.time()
        with self._tally.counting(call):
            had = await self._outcome(call)
        ended = loop.time()
        handed_over = call.handed_over_at if call.handed_over_at is not None else begun
        made = replace(
            had.invocation,
            invocation_id=invocation_id,
            principal=_called_by(call.caller),
            created_at=created_at,
            started_at=created_at + handed_over - begun,
            finished_at=created_at + ended - begun,
            duration_ms=round((ended - handed_over) * 1000, 3),
        )
        return Ended(made, had.start_ms)

    async def _outcome(self, call: Call) -> Ended:
        failed = Invocation("", str(call.target.function), None, "failed", None, None, 1, 0.0, None, None, None)
        try:
            answer = await self._dispatcher.open(call)
        except BEGUN_AND_FAILED as error:
            call.status = error.status
            made = replace(failed, revision=call.revision or None, error=CallError(error.code, error.message))
            return Ended(made, None)
        failed = replace(failed, revision=answer.revision)
        try:
            body = await self._whole(answer, call)
        except FfxError as error:
            call.status = error.status
            made = replace(failed, error=CallError(error.code, error.message, answer.head.status))
        except (ConnectionEnded, BadMessage):
            call.status = InstanceEnded.status
            message = f"The instance of {call.target.function} ended within its answer"
            made = replace(failed, error=CallError(InstanceEnded.code, message, answer.head.status))
        else:
            failure = error_of(answer.head, body)
            if failure is not None:
                made = replace(failed, error=failure)
            else:
                made = replace(failed, status="succeeded", result=result_of(content_type_of(answer.head), body))
        finally:
            answer.close()
        return Ended(made, answer.start_ms)

    async def _whole(self, answer: Answer, call: Call) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await answer.chunk():
            size += len(piece)
            if size > self._bounds.result_bytes:
                raise PayloadTooLarge(
                    f"The result is larger than {self._bounds.result_bytes // MIB} MiB: call the function at "
                    f"{call.target.prefix}, which streams"
                )
            pieces.append(piece)
        return b"".join(pieces)

    async def _keep(self, made: Invocation) -> None:
        """Best effort: the caller has the outcome anyway. A result over 1 MiB is answered, and kept as null."""
        if len(encode(made)) > self._bounds.stored_result_bytes:
            made = replace(made, result=None)
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                await self._bucket.put(made.invocation_id, made, ttl_s=KEPT_S)
        except (FfxError, TimeoutError) as error:
            log.warning("an invocation was not kept", invocation=made.invocation_id, error=str(error))


def json_call(
    function: FunctionName,
    payload: bytes,
    *,
    caller: Caller,
    request_id: str | None = None,
    revision: int | None = None,
    timeout_s: float | None = None,
    headers: Headers | None = None,
) -> Call:
    """``POST /`` with the payload as ``application/json``."""
    return Call(
        target=Target(function, "/", revision),
        method="POST",
        headers=[(b"Host", b"functions"), (b"Content-Type", b"application/json"), *(headers or [])],
        body=Body(None, whole=payload),
        caller=caller,
        metered=True,
        request_id=request_id or str(uuid.uuid4()),
        timeout_s=timeout_s,
        must_have_revision=revision is not None,
    )


def _called_by(caller: Caller) -> CalledBy | None:
    principal = caller.principal
    return None if principal.kind == "anonymous" else CalledBy(principal.uid, principal.display)
