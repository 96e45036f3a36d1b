"""One process at a time in a folder that many share."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

_LOOK_EVERY_S = 0.1


@asynccontextmanager
async def turn(path: Path, on_wait: Callable[[], None]) -> AsyncIterator[int]:
    """Hold the lock of the file ``path``, which is made; yields its descriptor. It goes with its last holder, however that ends.

    ``on_wait`` is called where another one has it. Raises: OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    on_wait()
                told = True
                await asyncio.sleep(_LOOK_EVERY_S)
        yield descriptor
    finally:
        os.close(descriptor)
