"""The in-memory driver, with answers that come late and stops that take their time."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from faasioflex.model.instance import Instance
from faasioflex.runtime.memory import MemoryDriver


class SlowDriver(MemoryDriver):
    """``answers`` holds what :meth:`observe` saw, ``stops`` holds instances between SIGTERM and their end. Both open at first."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.answers.set()
        self.stops = asyncio.Event()
        self.stops.set()
        self.graces: list[tuple[str, float]] = []
        self.looks = 0
        self.looked = 0  # at what they use

    async def observe(self) -> list[Instance]:
        seen = await super().observe()
        self.looks += 1
        await self.answers.wait()
        return seen

    async def usage(self) -> dict[str, tuple[int, float]]:
        self.looked += 1
        return await super().usage()

    async def stop(self, instance: str, grace_s: float) -> None:
        self.graces.append((instance, grace_s))
        if instance in self.instances and not self.stops.is_set():
            self.instances[instance] = replace(self.instances[instance], state="stopping")
            await self.stops.wait()
        await super().stop(instance, grace_s)
