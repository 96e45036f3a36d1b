"""ASGI's lifespan: start-up before the first call, shutdown after the last one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from ffx_runtime.style import StartupFailed, trace


class Lifespan:
    """An application that raises on the scope ``lifespan`` has none, and is served all the same."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._supported = True
        self._failed: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Raises: StartupFailed where the application says so."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._messages.put_nowait({"type": "lifespan.startup"})
        await self._started.wait()
        if self._failed is not None:
            raise StartupFailed(f"the application's start-up failed: {self._failed}")

    async def shutdown(self) -> None:
        if not self._supported or self._task is None:
            return
        self._messages.put_nowait({"type": "lifespan.shutdown"})
        await self._stopped.wait()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._app(scope, self._messages.get, self._send)
        except BaseException as error:
            if self._started.is_set():
                sys.stderr.write(trace(error))
        finally:
            self._supported = self._started.is_set() and not self._stopped.is_set()
            self._started.set()
            self._stopped.set()

    async def _send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.failed":
            self._failed = message.get("message") or "the log has the reason"
        if kind.startswith("lifespan.startup."):
            self._started.set()
        elif kind.startswith("lifespan.shutdown."):
            if kind.endswith(".failed"):
                sys.stderr.write(f"the application's shutdown failed: {message.get('message', '')}\n")
            self._stopped.set()
        else:
            raise RuntimeError(f"{kind!r} is no message of a lifespan")
