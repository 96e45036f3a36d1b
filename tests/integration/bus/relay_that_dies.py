"""Run as a process: an event relay that is killed with -9 right behind storing its N-th event, before it says so.

Arguments: url, user, N. The password comes on stdin.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from faasioflex.bus import nats
from faasioflex.bus.relay import EventRelay


class Deadly:
    def __init__(self, bus: nats.NatsBus, after: int) -> None:
        self._bus, self._left = bus, after

    async def append(self, subject: str, data: bytes, *, message_id: str | None = None) -> int:
        stored = await self._bus.append(subject, data, message_id=message_id)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return stored

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


async def main() -> None:
    url, user, after = sys.argv[1:]
    bus = await nats.connect(url, user, sys.stdin.read(), name="relay-that-dies")
    relay = EventRelay(Deadly(bus, int(after)))  # type: ignore[arg-type]
    await relay.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
