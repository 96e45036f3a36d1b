"""Bounds of a namespace. Who asks for more is told which one, and its value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus
from faasioflex.model.errors import QuotaExceeded
from faasioflex.model.identity import Quota

NO_BOUNDS = Quota()


class Quotas:
    """There is one of this: in the API, which alone registers and changes functions."""

    def __init__(self, bus: Bus) -> None:
        self._bucket: Bucket[Quota] = bus.bucket(buckets.QUOTAS.name, Quota)
        self._turns: dict[str, asyncio.Lock] = {}

    async def get(self, namespace: str) -> Quota:
        """From the leader; no bounds where none were set."""
        entry = await self._bucket.get(namespace)
        return entry.value if entry is not None else NO_BOUNDS

    @asynccontextmanager
    async def turn(self, namespace: str) -> AsyncIterator[None]:
        """From looking whether there is room until it is taken: one at a time, where there are bounds."""
        if await self.get(namespace) == NO_BOUNDS:
            yield
            return
        async with self._turns.setdefault(namespace, asyncio.Lock()):
            yield

    async def put(self, namespace: str, quota: Quota) -> None:
        await self._bucket.put(namespace, quota)

    async def delete(self, namespace: str) -> None:
        await self._bucket.delete(namespace)


def check_functions(quota: Quota, namespace: str, held: int) -> None:
    """One more function. Raises: QuotaExceeded."""
    if quota.functions is not None and held >= quota.functions:
        raise QuotaExceeded(
            f"The namespace {namespace} may have {quota.functions} functions and has {held}: delete one, or have its quota "
            "'functions' raised"
        )


def check_storage(quota: Quota, namespace: str, held_bytes: int, more_bytes: int) -> None:
    """More code. Raises: QuotaExceeded."""
    if quota.storage_bytes is not None and held_bytes + more_bytes > quota.storage_bytes:
        raise QuotaExceeded(
            f"The code of the namespace {namespace} may take {quota.storage_bytes} bytes, takes {held_bytes}, and this is "
            f"{more_bytes} more: delete functions, or have its quota 'storage_bytes' raised"
        )


def check_kept(quota: Quota, namespace: str, instances: int, memory_bytes: int) -> None:
    """What all functions together are to keep running. Raises: QuotaExceeded."""
    if quota.instances is not None and instances > quota.instances:
        raise QuotaExceeded(
            f"The namespace {namespace} may have {quota.instances} instances and its functions would keep {instances}: ask "
            "for fewer, or have its quota 'instances' raised"
        )
    if quota.memory_bytes is not None and memory_bytes > quota.memory_bytes:
        raise QuotaExceeded(
            f"The instances of the namespace {namespace} may take {quota.memory_bytes} bytes of memory and its functions "
            f"would keep {memory_bytes}: ask for fewer, or have its quota 'memory_bytes' raised"
        )
