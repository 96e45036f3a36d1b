"""The listener behind FFX_URL: functions answer there, the API does not, whatever the gateway's own listener is set to."""

from __future__ import annotations

import tempfile
from pathlib import Path

import aiohttp
import pytest

from faasioflex.gateway.port import RouteTable
from support.envoy import revision, stack, table


@pytest.mark.parametrize("host", [None, "functions.example.org"])
async def test_functions_and_nothing_else(host: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="ffxgw", dir="/tmp") as folder:
        socket = Path(folder) / "functions.sock"
        async with stack(functions_socket=socket, functions_host=host) as made:
            one = await made.instance("one")
            await made.gateway.apply(table(1, acme_hello=[revision(1, one)]))
            connector = aiohttp.UnixConnector(str(socket))
            async with aiohttp.ClientSession(connector=connector) as client:

                async def get(path: str, **headers: str) -> tuple[int, str]:
                    async with client.get(f"http://127.0.0.1:30080{path}", headers=headers) as got:
                        return got.status, await got.text()

                status, text = await get("/f/acme/hello/x?y=1")
                assert (status, "one" in text) == (200, True)
                status, text = await get("/f/acme/other")  # unknown to the gateway: the invoker's
                assert (status, "invoker" in text) == (200, True)
                for path in ("/", "/functions", "/healthz", "/f", "/F/acme/hello", "/openapi.json", "//f/acme/hello"):
                    for headers in ({}, {"x-ffx-vhost": "fixed", "x-forwarded-for": "1.2.3.4"}):
                        status, text = await get(path, **headers)
                        assert status == 403, path
                        assert '"code":"not-allowed"' in text.replace(" ", "")
            assert socket.stat().st_mode & 0o777 == 0o600
            await made.gateway.apply(RouteTable(2, ()))
