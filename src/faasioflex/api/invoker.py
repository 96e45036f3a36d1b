"""The way to the invoker's internal socket, for ``POST /functions/execute``."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.datastructures import Headers

from faasioflex.model.errors import InstanceEnded, Unavailable

EXECUTE_PATH = "/.ffx/execute"
RETRY_FOR_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.5
_PASSED_ON = frozenset({"authorization", "x-request-id", "traceparent", "tracestate"})
_PASSED_BACK = ("content-type", "retry-after", "server-timing", "ffx-revision", "location")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class InvokerClient:
    """Keeps connections to the invoker's unix socket."""

    def __init__(self, socket: Path) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                uds=str(socket),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30),
            ),
            base_url="http://invoker",
            timeout=httpx.Timeout(None, connect=5),  # the invoker holds the deadline of the call
        )

    async def execute(self, body: bytes, headers: Headers) -> Answer:
        """Hand a call over as it came, with the caller's token: the invoker decides.

        Raises: Unavailable (no invoker for a while), InstanceEnded (it died meanwhile)."""
        sent = [(name, value) for name, value in headers.items() if name in _PASSED_ON]
        ends = time.monotonic() + RETRY_FOR_S
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                got = await self._client.post(
                    EXECUTE_PATH, content=body, headers=[*sent, ("content-type", "application/json")]
                )
                break
            except (httpx.ConnectError, httpx.ConnectTimeout):
                # nothing was sent yet, so repeating is safe
                if time.monotonic() + pause_s > ends:
                    raise Unavailable("The invoker is away: repeat the call") from None
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            except httpx.HTTPError:
                raise InstanceEnded("The invoker ended during the call: it may have run or not") from None
        back = {name: got.headers[name] for name in _PASSED_BACK if name in got.headers}
        return Answer(got.status_code, back, got.content)

    async def close(self) -> None:
        await self._client.aclose()
