"""How much a job writes into the folders it may write."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

_PIECE = 500  # entries between two looks at the event loop
_BLOCK_BYTES = 512


async def used_bytes(folders: list[Path]) -> int:
    """Space on the disk, not the sizes that files claim. What vanishes meanwhile is not counted."""
    total = seen = 0
    for folder in folders:
        for root, names, files in os.walk(folder):
            for name in (*names, *files):
                try:
                    total += os.lstat(os.path.join(root, name)).st_blocks * _BLOCK_BYTES
                except OSError:
                    continue
                seen += 1
                if seen % _PIECE == 0:
                    await asyncio.sleep(0)
    return total


class DiskWatch:
    """Growth of ``folders`` since :meth:`start`, looked at so often that it takes a tenth of the time at most."""

    def __init__(self, folders: list[Path], limit_bytes: int) -> None:
        self._folders = folders
        self._limit = limit_bytes
        self._before = 0

    async def start(self) -> None:
        self._before = await used_bytes(self._folders)

    async def exceeded(self) -> str:
        """Returns, with a sentence, only when they have grown by more than the limit."""
        loop = asyncio.get_running_loop()
        while self._folders:
            begun = loop.time()
            grown = await used_bytes(self._folders) - self._before
            if grown > self._limit:
                return f"wrote more than its {self._limit / 1024 / 1024:.0f} MiB of disk"
            await asyncio.sleep(max(0.25, (loop.time() - begun) * 10))
        await loop.create_future()  # nothing to watch
        return ""
