"""One run of a queued call: handed to an instance as any other call, and what its answer means."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

from faasioflex.identity.directory import Directory
from faasioflex.invoker.body import Body
from faasioflex.invoker.bounds import MIB, Bounds
from faasioflex.invoker.call import Call
from faasioflex.invoker.dispatcher import Answer, Dispatcher
from faasioflex.invoker.http1.connection import ConnectionEnded
from faasioflex.invoker.http1.head import BadMessage
from faasioflex.invoker.outcome import content_type_of, error_of, result_of
from faasioflex.invoker.queue.retries import Attempted, Kind, retry_after_s
from faasioflex.invoker.queue.who import Callers
from faasioflex.invoker.routes import Routes
from faasioflex.invoker.tally import Tally
from faasioflex.invoker.target import Target
from faasioflex.model.errors import (
    DeadlineExceeded,
    FfxError,
    FunctionError,
    FunctionNotFound,
    InstanceEnded,
    PayloadTooLarge,
    RateLimited,
    StartFailed,
    TooManyCalls,
    Unavailable,
)
from faasioflex.model.invocation import CallError
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import QueuedCall

SILENT = (DeadlineExceeded, FunctionError, InstanceEnded, StartFailed)  # the function's doing, and no answer
POSTPONED = (TooManyCalls, Unavailable)
ID_FIELD, ATTEMPT_FIELD = b"X-Ffx-Invocation-Id", b"X-Ffx-Attempt"


class Attempts:
    """``clock``: seconds since the epoch."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        routes: Routes,
        directory: Directory,
        tally: Tally,
        *,
        bounds: Bounds,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._dispatcher = dispatcher
        self._routes = routes
        self._callers = Callers(directory)
        self._tally = tally
        self._bounds = bounds
        self._clock = clock

    async def make(self, queued: QueuedCall) -> Attempted:
        """Raises nothing but CancelledError, by which the instance is left at once, and what is a mistake of ours."""
        began = self._clock()
        call = self._call(queued)
        try:
            with self._tally.counting(call):
                await self.check_uid(call.target.function, queued.function_uid)
                answer = await self._dispatcher.open(call)
                try:
                    return await self._read(answer, call, began)
                finally:
                    answer.close()
        except FfxError as error:
            return self._failed(call, error, began)
        except (ConnectionEnded, BadMessage):
            ended = InstanceEnded(f"The instance of {call.target.function} ended within its answer")
            return self._failed(call, ended, began)

    async def check_uid(self, function: FunctionName, uid: str) -> None:
        """Another function of the same name was not called. Raises: FunctionNotFound, Unavailable."""
        route = self._routes.known(function)
        if route is None or route.function_uid != uid:
            await self._routes.ask(function, uid)
            route = self._routes.known(function)
        if route is None or route.function_uid != uid:
            raise FunctionNotFound(f"{function} was deleted before the call could run")

    def _call(self, queued: QueuedCall) -> Call:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in queued.headers]
        if queued.traceparent is not None and not any(name.lower() == b"traceparent" for name, _ in headers):
            headers.append((b"traceparent", queued.traceparent.encode()))
        headers += [(ID_FIELD, queued.invocation_id.encode()), (ATTEMPT_FIELD, str(queued.attempts + 1).encode())]
        return Call(
            target=Target(FunctionName(queued.namespace, queued.name), queued.path, queued.revision),
            method=queued.method,
            headers=headers,
            body=Body(None, whole=base64.b64decode(queued.body_base64)),
            caller=self._callers.of(queued),
            request_id=queued.request_id or queued.invocation_id,
            timeout_s=queued.timeout_s,
            must_have_revision=queued.revision is not None,
            patient=True,
            linked_to=queued.traceparent,
        )

    async def _read(self, answer: Answer, call: Call, began: float) -> Attempted:
        head, pieces, size = answer.head, list[bytes](), 0
        while piece := await answer.chunk():
            size += len(piece)
            if size > self._bounds.result_bytes:
                raise PayloadTooLarge(
                    f"The result is larger than {self._bounds.result_bytes // MIB} MiB: call the function at "
                    f"{call.target.prefix}, which streams"
                )
            pieces.append(piece)
        body, ended = b"".join(pieces), self._clock()
        error = error_of(head, body)
        return Attempted(
            "answered",
            began,
            ended,
            answer.revision,
            head.status,
            result_of(content_type_of(head), body) if error is None else None,
            error,
            retry_after_s(head.get(b"retry-after"), ended) if error is not None else None,
            size,
        )

    def _failed(self, call: Call, error: FfxError, began: float) -> Attempted:
        kind: Kind = "refused"
        if isinstance(error, SILENT):
            kind = "silent"
        elif isinstance(error, POSTPONED) and not isinstance(error, RateLimited):
            kind = "postponed"
        made = CallError(error.code, error.message, call.status if kind == "answered" else None)
        return Attempted(kind, began, self._clock(), call.revision or None, None, None, made)
