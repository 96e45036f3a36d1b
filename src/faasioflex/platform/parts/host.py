"""Several parts in one process: started side by side, each again until it starts, stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from faasioflex.model.errors import FfxError
from faasioflex.platform.parts.part import Part

log = structlog.get_logger(__name__)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
STOP_WITHIN_S = 2.5  # the supervisor waits 3 s


class PartFailed(Exception):
    """A part raised what is none of ours: the process ends and is started again."""


class Host:
    """``parts`` are started in no order: each waits for what it needs. ``readiness`` is what /readyz tells."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = dict(parts)
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._why: dict[str, str] = {}

    def add(self, name: str, part: Part) -> None:
        """Before ``run``."""
        self._parts[name] = part

    def readiness(self) -> dict[str, str | None]:
        """Part -> why it is not ready; None: it is."""
        return {name: self._why.get(name) or part.problem for name, part in self._parts.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set. Raises PartFailed; the parts are stopped then too."""
        stopping = asyncio.create_task(stop.wait(), name="stop")
        self._starts = {n: asyncio.create_task(self._start(n, p), name=f"start {n}") for n, p in self._parts.items()}
        running: set[asyncio.Task[None]] = set(self._starts.values())
        try:
            while running and not stopping.done():
                done, _ = await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
                for task in done & running:
                    task.result()
                    running.discard(task)
            await stopping
        finally:
            stopping.cancel()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await asyncio.gather(*(self._end(name, part) for name, part in self._parts.items()))

    async def _start(self, name: str, part: Part) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await part.start()
            except FfxError as error:
                self._why[name] = error.message
                log.warning("part does not start yet", name=name, error=error.message, again_in_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except Exception as error:
                raise PartFailed(f"{name} failed to start: {type(error).__name__}: {error}") from error
            else:
                self._why.pop(name, None)
                log.info("part serves", name=name)
                return

    async def _end(self, name: str, part: Part) -> None:
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await part.stop()
        except Exception as error:
            log.warning("part did not stop in order", name=name, error=f"{type(error).__name__}: {error}")
