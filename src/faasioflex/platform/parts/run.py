"""Run parts in this process until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from faasioflex.bus import nats
from faasioflex.bus.buckets import CALLS
from faasioflex.bus.nats import NatsBus, setup
from faasioflex.model.errors import Unavailable
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.parts.host import Host, PartFailed
from faasioflex.platform.parts.wiring import wire
from faasioflex.platform.settings import Settings

log = structlog.get_logger(__name__)
NATS_WITHIN_S = 30.0


def run(names: Sequence[str], settings: Settings) -> int:
    """0 after an orderly stop, 1 where a part failed. Raises Unavailable where there is no NATS to connect to."""
    os.umask(0o077)
    return asyncio.run(_run(names, settings))


async def _run(names: Sequence[str], settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bus = await _connect(settings.folder, "+".join(names))
    try:
        await setup.ensure(
            bus, calls=replace(CALLS, max_messages=settings.queue_messages, max_bytes=settings.queue_bytes)
        )
        host = Host({})
        wire(host, names, bus, settings)
        gc.collect()
        gc.freeze()  # what the imports made stays for good: no collection needs to look at it again
        try:
            await host.run(stop)
        except PartFailed as error:
            log.error("part failed", error=str(error), exc_info=error.__cause__)
            return 1
    finally:
        await bus.close()
    return 0


async def _connect(folder: DataFolder, name: str) -> NatsBus:
    try:
        given = json.loads(folder.nats_credentials.read_text())
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"There is no {folder.nats_credentials}: no platform runs on {folder.root}. Start it with 'ffx up', or name "
            "another folder with --data."
        ) from error
    certificate = Path(given["certificate"]) if given.get("certificate") else None
    return await nats.connect(
        given["url"], given["user"], given["password"], name=name, wait_s=NATS_WITHIN_S, certificate=certificate
    )
