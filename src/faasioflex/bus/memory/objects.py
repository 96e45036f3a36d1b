"""An object store in memory."""

from __future__ import annotations


class MemoryObjects:
    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> None:
        self._held.setdefault(name, bytes(data))

    async def get(self, name: str) -> bytes | None:
        return self._held.get(name)

    async def delete(self, name: str) -> None:
        self._held.pop(name, None)

    async def names(self) -> list[str]:
        return sorted(self._held)
