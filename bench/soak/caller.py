"""Who calls in the soak: the local admin, over the gateway, never trying anything twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

NAMESPACE = "admin"
TIMEOUT_S = 60.0


class Unexpected(Exception):
    """An answer, or none, that a platform that works does not give."""


class Caller:
    """``token``: of now; it is renewed while the soak runs."""

    def __init__(self, url: str, token: Callable[[], str]) -> None:
        self._token = token
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=3.0)
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=limits, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def api(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """A JSON answer of the API. Raises: Unexpected."""
        answer = await self._send(method, path, json=body)
        if answer.status_code >= 300:
            raise Unexpected(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        made: dict[str, Any] = answer.json() if answer.content else {}
        return made

    async def lines(self, path: str) -> list[dict[str, Any]]:
        """Of NDJSON. Raises: Unexpected."""
        answer = await self._send("GET", path)
        if answer.status_code != 200:
            raise Unexpected(f"GET {path}: {answer.status_code} {answer.text[:300]}")
        return [json.loads(line) for line in answer.text.splitlines() if line]

    async def call(self, name: str, body: bytes) -> bytes:
        """A function's answer. Raises: Unexpected."""
        answer = await self._send("POST", f"/f/{NAMESPACE}/{name}", content=body)
        if answer.status_code != 200:
            raise Unexpected(f"call of {name}: {answer.status_code} {answer.text[:300]}")
        return answer.content

    async def stream(self, name: str) -> list[str]:
        """The lines of an answer that comes in parts. Raises: Unexpected."""
        try:
            async with self._client.stream("POST", f"/f/{NAMESPACE}/{name}/stream", headers=self._headers()) as answer:
                lines = [line async for line in answer.aiter_lines()]
        except httpx.HTTPError as error:
            raise Unexpected(f"stream of {name}: {type(error).__name__} {error}") from error
        if answer.status_code != 200:
            raise Unexpected(f"stream of {name}: {answer.status_code} {lines[:3]}")
        return lines

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return await self._client.request(method, path, headers=self._headers(), **content)
        except httpx.HTTPError as error:
            raise Unexpected(f"{method} {path}: {type(error).__name__} {error}") from error

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}"}
