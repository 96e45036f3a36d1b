"""Functions of the form ``def handle(event, context)``: blocking ones in threads, ``async def`` on the loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ffx_runtime.context import Cancelled, Context, principal_of
from ffx_runtime.event import BadRequest, Event
from ffx_runtime.report import current_request
from ffx_runtime.response import TEXT, Answer, piece, to_answer
from ffx_runtime.style import Style, failure, trace
from ffx_runtime.threadwriter import ThreadWriter
from ffx_runtime.wire import BadAnswer
from ffx_runtime.workers import Job

if TYPE_CHECKING:
    from ffx_runtime.exchange import Exchange
    from ffx_runtime.server import Server


def is_async(handler: Callable[..., Any]) -> bool:
    """Whether calling it only makes a coroutine or an async generator, so that nothing blocks."""
    while hasattr(handler, "func") and hasattr(handler, "keywords"):  # functools.partial
        handler = handler.func
    call = handler if inspect.isroutine(handler) else getattr(handler, "__call__", handler)  # noqa: B004
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


class HandlerStyle(Style):
    """The whole body is there before the handler is called."""

    def __init__(self, server: Server, handler: Callable[..., Any]) -> None:
        super().__init__(server)
        self._handler = handler
        self.on_loop = is_async(handler)

    def begin(self, exchange: Exchange) -> None:
        if self.on_loop:
            TaskWork(self, exchange, self._call_async(exchange))
            return

        def ended() -> None:
            if exchange.work is job:  # else it goes on as a task
                exchange.end_work()

        job = Job(lambda job: contextvars.Context().run(self._call_blocking, exchange, job), ended)
        exchange.work = job
        try:
            self.server.workers.submit(job)
        except RuntimeError as error:
            exchange.refuse("function-error", f"no thread could be started: {error}; raise limits.processes")
            exchange.end_work()

    def arguments(self, exchange: Exchange) -> tuple[Event, Context]:
        """What the handler is called with."""
        settings = self.server.settings
        traceparent = exchange.platform.get(b"traceparent")
        return Event(
            exchange.method,
            exchange.path.decode("latin-1"),
            exchange.query.decode("latin-1"),
            exchange.headers,
            bytes(exchange.buffer),
        ), Context(
            request_id=exchange.request_id,
            deadline=time.time() + exchange.timeout_s,
            namespace=settings.namespace,
            function=settings.function,
            revision=settings.revision,
            principal=principal_of(exchange.platform),
            traceparent=traceparent.decode("latin-1") if traceparent is not None else None,
        )

    # In a thread

    def _call_blocking(self, exchange: Exchange, job: Job) -> None:
        current_request.set(exchange.request_id)
        post = self.server.post
        try:
            value = self._handler(*self.arguments(exchange))
            if inspect.isawaitable(value) or hasattr(value, "__anext__"):
                post(self._continue_async, exchange, value)
                return
            answer = to_answer(value)
            if answer.stream is None:
                post(exchange.answer, answer.status, answer.lines, answer.body)
            elif hasattr(answer.stream, "__next__"):
                self._stream_blocking(exchange, job, answer)
            else:
                post(self._continue_async, exchange, value)
                return
        except Cancelled as error:
            sys.stderr.write(f"the call was cancelled\n{trace(error)}")
            raise
        except BaseException as error:
            post(self.fail, exchange, error)
            self.log_error(error)
        finally:
            self.server.streams.end_call(exchange.request_id)

    def _stream_blocking(self, exchange: Exchange, job: Job, answer: Answer) -> None:
        stream: Any = answer.stream
        writer = ThreadWriter(exchange, self.server.post, job)
        try:
            first = None
            for value in stream:
                data, content_type = piece(value)
                if first is None:
                    first = content_type
                    writer.start(answer.status, stream_lines(answer, content_type), None)
                writer.write(data)
            if first is None:
                writer.start(answer.status, stream_lines(answer, TEXT), None)
            writer.finish()
        finally:
            if hasattr(stream, "close"):
                stream.close()

    # On the loop

    def _continue_async(self, exchange: Exchange, value: Any) -> None:
        """A blocking handler returned something to await: its thread is done, the call goes on here."""
        if exchange.done:
            if hasattr(value, "close"):
                value.close()
            return
        TaskWork(self, exchange, self._finish_async(exchange, value))

    async def _call_async(self, exchange: Exchange) -> None:
        await self._finish_async(exchange, self._handler(*self.arguments(exchange)))

    async def _finish_async(self, exchange: Exchange, value: Any) -> None:
        if inspect.isawaitable(value):
            value = await value
        answer = to_answer(value)
        if answer.stream is None:
            exchange.answer(answer.status, answer.lines, answer.body)
        elif hasattr(answer.stream, "__anext__"):
            await self._stream_async(exchange, answer)
        else:
            await self._stream_in_thread(exchange, answer)

    async def _stream_async(self, exchange: Exchange, answer: Answer) -> None:
        stream: Any = answer.stream
        try:
            async for value in stream:
                data, content_type = piece(value)
                if exchange.started:
                    exchange.write(data)
                else:
                    exchange.start(answer.status, stream_lines(answer, content_type), None, data)
                if exchange.connection.write_paused:
                    await exchange.connection.writable()
            if not exchange.started:
                exchange.start(answer.status, stream_lines(answer, TEXT), None)
            exchange.finish()
        finally:
            if hasattr(stream, "aclose"):
                await stream.aclose()

    async def _stream_in_thread(self, exchange: Exchange, answer: Answer) -> None:
        """An async handler returned a plain generator, which may block."""
        ended = self.server.loop.create_future()
        context = contextvars.copy_context()
        errors: list[BaseException] = []

        def run(job: Job) -> None:
            try:
                context.run(self._stream_blocking, exchange, job, answer)
            except BaseException as error:
                errors.append(error)

        job = Job(run, lambda: None if ended.done() else ended.set_result(None))
        self.server.workers.submit(job)
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError:
            job.cancel()
            await ended
            raise
        if errors and not isinstance(errors[0], Cancelled):
            raise errors[0]

    def fail(self, exchange: Exchange, error: BaseException) -> None:
        """Answer for what the handler raised."""
        if isinstance(error, BadRequest):
            exchange.refuse("bad-request", str(error))
        elif isinstance(error, BadAnswer):
            exchange.refuse("function-error", str(error))
        else:
            exchange.refuse("function-error", failure(error))

    def log_error(self, error: BaseException) -> None:
        if isinstance(error, BadAnswer):
            sys.stderr.write(f"{error}\n")
        elif not isinstance(error, BadRequest):
            sys.stderr.write(trace(error))


class TaskWork:
    """A coroutine of user code as the work of an exchange."""

    def __init__(self, style: HandlerStyle, exchange: Exchange, run: Any) -> None:
        self._style = style
        self._exchange = exchange
        exchange.work = self
        self.task = style.server.loop.create_task(self._run(run))

    async def _run(self, run: Any) -> None:
        exchange, style = self._exchange, self._style
        current_request.set(exchange.request_id)
        try:
            await run
        except (asyncio.CancelledError, Cancelled) as error:
            sys.stderr.write(f"the call was cancelled\n{trace(error)}")
        except BaseException as error:
            style.fail(exchange, error)
            style.log_error(error)
        finally:
            style.server.streams.end_call(exchange.request_id)
            exchange.end_work()

    def cancel(self) -> None:
        self.task.cancel()


def stream_lines(answer: Answer, content_type: bytes) -> bytes:
    if answer.content_type is None:
        return answer.lines + b"content-type: %b\r\n" % content_type
    return answer.lines
