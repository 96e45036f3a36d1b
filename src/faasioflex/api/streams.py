"""Answers that are lines: NDJSON, or server-sent events with ``Accept: text/event-stream``; to the end or followed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import structlog
from fastapi import Request
from fastapi.responses import StreamingResponse

from faasioflex.bus.port import StreamMessage
from faasioflex.model.errors import FfxError

log = structlog.get_logger(__name__)
NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
KEEP_ALIVE_S = 15.0
HELD_LINES = 500

Messages = AbstractAsyncContextManager[AsyncIterator[StreamMessage]]
Document = Callable[[StreamMessage], Mapping[str, Any] | None]

CONTENT: dict[str, Any] = {
    NDJSON: {"schema": {"type": "string", "description": "One JSON object per line"}},
    SSE: {"schema": {"type": "string", "description": "The same objects as data of events"}},
}


def lines(
    request: Request, messages: Messages, document: Document, ended: Callable[[], bool] | None
) -> StreamingResponse:
    """One line per message that ``document`` does not turn into None.

    ``ended`` (None: do not follow) is asked between messages: True ends a followed stream.
    """
    sse = SSE in request.headers.get("accept", "")

    async def write() -> AsyncIterator[bytes]:
        async for item in _items(messages, document, ended):
            if item is None:
                if sse:
                    yield b": still here\n\n"
                continue
            text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
            yield (f"data: {text}\n\n" if sse else text + "\n").encode()

    return StreamingResponse(write(), media_type=SSE if sse else NDJSON)


async def _items(
    messages: Messages, document: Document, ended: Callable[[], bool] | None
) -> AsyncIterator[Mapping[str, Any] | None]:
    """Documents; None where nothing came for a while."""
    queue: asyncio.Queue[Mapping[str, Any] | None] = asyncio.Queue(HELD_LINES)
    pump = asyncio.create_task(_pump(messages, document, queue), name="lines of an answer")
    quiet_s = 0.0
    try:
        while True:
            step_s = 1.0
            try:
                async with asyncio.timeout(step_s):
                    item = await queue.get()
            except TimeoutError:
                quiet_s += step_s
                if ended is not None and ended():
                    return
                if quiet_s >= KEEP_ALIVE_S:
                    quiet_s = 0.0
                    yield None
                continue
            if item is None:
                return
            quiet_s = 0.0
            yield item
    finally:
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump


async def _pump(messages: Messages, document: Document, queue: asyncio.Queue[Mapping[str, Any] | None]) -> None:
    try:
        async with messages as stream:
            async for message in stream:
                item = document(message)
                if item is not None:
                    await queue.put(item)
    except FfxError as error:
        log.warning("a stream of lines ended early", error=str(error))
    await queue.put(None)
