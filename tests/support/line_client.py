"""Reading a followed stream line by line from an ASGI app over a real socket."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from faasioflex.api.server import ApiPart
from faasioflex.bus.port import Bus
from support.api_client import BASE_URL, ready
from support.identity import TestIdentity


@asynccontextmanager
async def served(
    bus: Bus, invoker_socket: Path = Path("/nonexistent/invoker.sock")
) -> AsyncIterator[tuple[ApiPart, httpx.AsyncClient]]:
    """The API as the platform runs it, on a unix socket, and a client of it, who is the local admin."""
    with tempfile.TemporaryDirectory(prefix="ffx-api-") as folder:
        path = Path(folder) / "api.sock"
        identity = TestIdentity(bus)
        await identity.people.ensure_local_admin()
        headers = {"Authorization": f"Bearer {identity.admin}"}
        part = ApiPart(bus, identity.api, socket_path=path, invoker_socket=invoker_socket, readiness=ready)
        await part.start()
        try:
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, timeout=30, headers=headers) as client:
                yield part, client
        finally:
            await part.stop()
