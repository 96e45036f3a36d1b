"""Let the gateway finish what it has before it is ended."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

from faasioflex.platform.supervisor.probe import request

DRAIN_S = 3.0
POLL_S = 0.05
_ACTIVE = re.compile(rb"^http\.(?!admin\.)\S+\.downstream_rq_active: (\d+)$", re.MULTILINE)  # admin: this very question


async def drain_gateway(admin: Path, hurry: asyncio.Event) -> None:
    """Close Envoy's listeners, then wait until no request is in progress, at most DRAIN_S or until ``hurry``."""
    if hurry.is_set() or await request(admin, "/drain_listeners", method="POST", timeout_s=0.5) is None:
        return
    deadline = time.monotonic() + DRAIN_S
    while time.monotonic() < deadline and not hurry.is_set():
        answer = await request(admin, "/stats?filter=downstream_rq_active$", timeout_s=0.5)
        if answer is None or not any(int(number) for number in _ACTIVE.findall(answer.body)):
            return
        await asyncio.sleep(POLL_S)
