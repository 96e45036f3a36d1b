"""Waiting in tests: poll until it holds, or fail at the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(holds: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    """Return as soon as ``holds()`` is true."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while not holds():
        assert loop.time() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.01)


async def awaited(holds: Callable[[], Awaitable[bool]], what: str, within_s: float = 30.0) -> None:
    """As :func:`eventually`, where asking takes an await."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    while not await holds():
        assert loop.time() < deadline, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.01)
