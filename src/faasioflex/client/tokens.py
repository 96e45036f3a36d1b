"""Who calls: a token, a file that holds one, or a function that gives one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import httpx

Token = str | Path | Callable[[], str | None]
"""A file is read anew when the platform says that its token is over; a function is asked before each request."""


class Bearer(httpx.Auth):
    """Adds the header, and sends a request once more with a newer token where the one it had was refused.

    What a request has as its Authorization stays.
    """

    def __init__(self, token: Token | None) -> None:
        self._token = token
        self._read: str | None = None

    def now(self) -> str | None:
        """The token of the next request. Raises: OSError where its file cannot be read."""
        if isinstance(self._token, Path):
            if self._read is None:
                self._read = self._token.expanduser().read_text().strip()
            return self._read or None
        return self._token() if callable(self._token) else self._token

    def newer(self, refused: str | None) -> str | None:
        """Another one than ``refused``, where there is one now."""
        if isinstance(self._token, str) or self._token is None:
            return None
        self._read = None
        found = self.now()
        return found if found != refused else None

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if "Authorization" in request.headers:
            yield request
            return
        token = self.now()
        response = yield _with(request, token)
        if response.status_code == 401 and (newer := self.newer(token)):
            response.read()
            yield _with(request, newer)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if "Authorization" in request.headers:
            yield request
            return
        token = await asyncio.to_thread(self.now)
        response = yield _with(request, token)
        if response.status_code == 401 and (newer := await asyncio.to_thread(self.newer, token)):
            await response.aread()
            yield _with(request, newer)


def _with(request: httpx.Request, token: str | None) -> httpx.Request:
    if token:
        request.headers["Authorization"] = f"Bearer {token}"
    return request


def namespace_of(token: str | None) -> str | None:
    """The caller's own namespace as their token says; None where it does not. A convenience: nothing is verified."""
    try:
        payload = (token or "").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        found = claims["namespace"]
    except (IndexError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) and found else None
