"""Request bodies: counted while they are read, parsed strictly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request

from faasioflex.model.errors import BadRequest, PayloadTooLarge, RequestTimeout, UnsupportedMediaType
from faasioflex.model.validation import json_of

KIB = 1024
MIB = 1024 * KIB
SMALL_BYTES = 256 * KIB
LONGEST_SILENCE_S = 20.0
LONGEST_READ_S = 600.0
DRAINED_BYTES = 128 * MIB  # of what is too large, so that the sender gets to read the answer
DRAIN_S = 10.0
IN_THREAD_BYTES = MIB


def media_type(request: Request) -> str:
    """The Content-Type without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request, *others: str) -> None:
    """Raises: UnsupportedMediaType."""
    given = media_type(request)
    if given != "application/json" and given not in others:
        wanted = " or ".join(("application/json", *others))
        raise UnsupportedMediaType(
            f"Send {wanted} and say so in Content-Type (it is {ascii(given or 'not said')[:100]})"
        )


async def chunks(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body in pieces. Raises: PayloadTooLarge, RequestTimeout, BadRequest (nonsensical length)."""
    declared = request.headers.get("content-length")
    if declared is not None and not (declared.isascii() and declared.isdigit()):
        raise BadRequest("Content-Length is not a number")
    stream = request.stream().__aiter__()
    ends = time.monotonic() + LONGEST_READ_S
    read = 0
    while True:
        try:
            async with asyncio.timeout(min(LONGEST_SILENCE_S, ends - time.monotonic())):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RequestTimeout("The rest of the request did not come in time") from None
        read += len(chunk)
        if read > max_bytes or (declared is not None and int(declared) > max_bytes):
            await _drain(stream)
            raise PayloadTooLarge(f"The body is larger than the {_shown(max_bytes)} that are taken here")
        yield chunk


def _shown(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


async def _drain(stream: AsyncIterator[bytes]) -> None:
    left = DRAINED_BYTES
    try:
        async with asyncio.timeout(DRAIN_S):
            async for chunk in stream:
                left -= len(chunk)
                if left < 0:
                    return
    except TimeoutError:
        return


async def parse_json(data: bytes) -> Any:
    """Raises: BadRequest for what is not JSON."""
    return await asyncio.to_thread(json_of, data) if len(data) > IN_THREAD_BYTES else json_of(data)


async def small_json(request: Request, *, optional: bool = False) -> Any:
    """The JSON body of a request that needs little; {} where there is none and it is ``optional``."""
    data = b"".join([chunk async for chunk in chunks(request, SMALL_BYTES)])
    if not data and optional:
        return {}
    require_json(request)
    return await parse_json(data)
