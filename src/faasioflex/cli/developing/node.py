"""A launcher of one's own that starts plain processes: what runs here is started exactly as on a platform, without a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from faasioflex.model.errors import Unavailable
from faasioflex.runtime.driver import LauncherDriver

START_S = 30.0
STOP_S = 5.0
_LOOK_S = 0.01


@asynccontextmanager
async def local_node(folder: Path) -> AsyncIterator[LauncherDriver]:
    """Everything it starts ends with the context, and with this process however that ends.

    Raises: Unavailable where it does not start.
    """
    socket, log = folder / "l.sock", folder / "launcher.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "faasioflex.runtime.launcher",
            "--data", str(folder), "--socket", str(socket), "--mode", "process", "--parent", str(os.getpid()),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=errors, start_new_session=True,
        )  # fmt: skip
    driver = LauncherDriver(socket)
    try:
        try:
            async with asyncio.timeout(START_S):
                while process.returncode is None:
                    if await _answers(driver):
                        break
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise Unavailable(f"the launcher has not started within {START_S:g} s") from None
        if process.returncode is not None:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise Unavailable(f"the launcher ended with {process.returncode}: {''.join(last)}")
        yield driver
    finally:
        await driver.close()
        await _end(process)


async def _answers(driver: LauncherDriver) -> bool:
    try:
        await driver.observe()
    except Unavailable:
        return False
    return True


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
    await process.wait()
