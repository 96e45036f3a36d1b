"""Derives the events of functions and of identity from the history of the registry: every write that is stored has its event, exactly once.

See docs/adr/0002-events-from-the-kv-stream.md.
"""

from __future__ import annotations

import asyncio
import json

import structlog

from faasioflex.bus.buckets import ALERTS, EVENTS, FUNCTIONS, SCALE, STATUS
from faasioflex.bus.events import NOUNS, Event, of_write
from faasioflex.bus.port import Bus, Write
from faasioflex.model.errors import FfxError, Invalid, Unavailable

log = structlog.get_logger(__name__)
SOURCES = (FUNCTIONS.name, STATUS.name, SCALE.name, ALERTS.name, *NOUNS)
DURABLE = "ffx-events"
RETRY_S = 0.5


class EventRelay:
    """One per installation at a time (a second one does no harm but work: events have the id of their write)."""

    def __init__(self, bus: Bus) -> None:
        self.problem: str | None = "the event relay has not started"
        self._bus = bus
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._run(bucket), name=f"events of {bucket}") for bucket in SOURCES]
        self.problem = None

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.problem = "the event relay has stopped"

    async def _run(self, bucket: str) -> None:
        while True:
            try:
                async with self._bus.changes(bucket, DURABLE) as writes:
                    in_doubt = True
                    async for write in writes:
                        await self._relay(write, in_doubt=in_doubt)
                        in_doubt = False
                        self.problem = None
            except Unavailable as error:
                self.problem = str(error)
                log.warning("the event relay waits for the bus", bucket=bucket, error=str(error))
            except FfxError as error:
                self.problem = str(error)
                log.error("the event relay begins again", bucket=bucket, error=str(error))
            await asyncio.sleep(RETRY_S)

    async def _relay(self, write: Write, *, in_doubt: bool) -> None:
        """Only the first write after a start can have been published before: the one that its reader had not finished."""
        try:
            event = of_write(write)
        except Invalid as error:
            log.error("a record without event: it cannot be read", bucket=write.bucket, key=write.key, error=str(error))
            return
        if event is None or (in_doubt and await self._is_there(event)):
            return
        await self._bus.append(event.subject, event.encode(), message_id=event.id)

    async def _is_there(self, event: Event) -> bool:
        """Exact, whatever the stream's duplicate window: nobody else publishes on this subject, so it would be the newest."""
        async with self._bus.read(EVENTS.name, event.subject, last=1) as messages:
            async for message in messages:
                return bool(json.loads(message.data).get("id") == event.id)
        return False
