"""APISIX's Admin API: one request per object, tried again while it is away."""

from __future__ import annotations

from typing import Any

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from faasioflex.gateway.apisix.objects import Json, Kind, is_ours
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.model.errors import Invalid, Unavailable

KEY_HEADER = "X-API-KEY"


class _Again(Exception):
    """Nothing was said, or that it cannot be done just now: the same request again does no harm."""


class AdminApi:
    """The key is read from its file, and again where it is refused: it may have been replaced."""

    def __init__(self, settings: ApisixSettings) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None
        self._key: str | None = None

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def list(self, kind: Kind) -> dict[str, Json]:
        """All objects of ours of this kind, by id. Raises: Unavailable, Invalid."""
        answer = await self._ask("GET", f"/{kind}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {}
        listed = answer.json().get("list") or []
        found = {str(each["value"]["id"]): each["value"] for each in listed if isinstance(each.get("value"), dict)}
        return {identifier: value for identifier, value in found.items() if is_ours(identifier)}

    async def put(self, kind: Kind, identifier: str, made: Json) -> Json:
        """Write the whole object (PATCH would merge nodes). Returns it as it is stored. Raises: Unavailable, Invalid."""
        answer = await self._ask("PUT", f"/{kind}/{identifier}", made)
        stored = answer.json().get("value")
        return stored if isinstance(stored, dict) else made

    async def delete(self, kind: Kind, identifier: str) -> bool:
        """False where something still names it. Raises: Unavailable."""
        try:
            await self._ask("DELETE", f"/{kind}/{identifier}")
        except Invalid:
            return False
        return True

    async def _ask(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        url = f"{self._settings.admin_url}/apisix/admin{path}"
        answer = await self._patiently(method, url, body)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._key = None
            answer = await self._patiently(method, url, body)
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise Unavailable(
                f"APISIX refuses the key in {self._settings.key_file}: put the admin_key of its config.yaml there."
            )
        if answer.status_code == httpx.codes.NOT_FOUND and method != "PUT":
            return answer
        if answer.is_error:
            raise Invalid(f"APISIX refuses {method} {path}: {_reason(answer)}")
        return answer

    async def _patiently(self, method: str, url: str, body: Json | None) -> httpx.Response:
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_delay(self._settings.patience_s),
                wait=wait_random_exponential(multiplier=0.05, max=0.5),
                retry=retry_if_exception_type(_Again),
                reraise=True,
            ):
                with attempt:
                    return await self._once(method, url, body)
        except _Again as error:
            raise Unavailable(f"APISIX's Admin API at {self._settings.admin_url} cannot be reached: {error}") from error
        raise AssertionError("not reached")

    async def _once(self, method: str, url: str, body: Json | None) -> httpx.Response:
        try:
            answer = await self._opened().request(method, url, json=body, headers={KEY_HEADER: self._read_key()})
        except httpx.HTTPError as error:
            raise _Again(type(error).__name__) from error
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _Again(f"it answers {answer.status_code}: {_reason(answer)}")
        return answer

    def _read_key(self) -> str:
        if self._key is None:
            try:
                self._key = self._settings.key_file.read_text().strip()
            except OSError as error:
                raise Unavailable(
                    f"The key of APISIX's Admin API cannot be read from {self._settings.key_file}: {error.strerror}"
                ) from error
        return self._key

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._settings.timeout_s, trust_env=False)
        return self._client


def _reason(answer: httpx.Response) -> str:
    try:
        told: Any = answer.json()
    except ValueError:
        told = None
    text = told.get("error_msg") or told.get("message") if isinstance(told, dict) else None
    return str(text or answer.reason_phrase)[:500]
