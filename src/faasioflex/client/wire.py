"""Between :class:`Request` values and httpx: what the blocking and the asynchronous client share."""

from __future__ import annotations

import io
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import httpx

from faasioflex.client.errors import Unreachable
from faasioflex.client.request import Request, Response, RetryPolicy
from faasioflex.client.tokens import Bearer, Token
from faasioflex.model.errors import BadRequest

T = TypeVar("T")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Target:
    """A platform and who calls it. ``token`` is shown in no representation; ``ca_file`` is for a certificate of one's own.

    ``namespace`` is of names that are given without one; None: the caller's own.
    """

    url: str
    token: Token | None = field(default=None, repr=False)
    namespace: str | None = None
    ca_file: str | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    @property
    def base(self) -> httpx.URL:
        """Raises: BadRequest where it is not an http or https address."""
        try:
            base = httpx.URL(self.url.rstrip("/"))
        except httpx.InvalidURL as error:
            raise BadRequest(f"{self.url!r} is not a URL: {error}") from error
        if base.scheme not in ("http", "https") or not base.host:
            raise BadRequest(f"{self.url!r} is not the URL of a platform: write http://host:port or https://host:port")
        return base

    def settings(self) -> dict[str, Any]:
        """Arguments for httpx.Client and httpx.AsyncClient. Proxies of the environment are not asked for loopback."""
        headers = {"User-Agent": f"faasioflex-client/{_version()}"}
        verify = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else True
        return {
            "headers": headers,
            "auth": Bearer(self.token),
            "verify": verify,
            "trust_env": self.base.host not in _LOOPBACK,
            "timeout": httpx.Timeout(30.0, connect=5.0),
            "limits": httpx.Limits(max_keepalive_connections=20, keepalive_expiry=30.0),
        }

    def location(self, path: str) -> httpx.URL:
        """``path`` on this platform, byte for byte: escapes, dots and double slashes stay as they are."""
        prefix = self.base.raw_path.rstrip(b"/")
        return self.base.copy_with(raw_path=prefix + path.encode("ascii", "surrogateescape"))

    def explain(self, error: httpx.TransportError) -> Unreachable:
        """The platform's own error for a connection that failed."""
        where = str(self.base)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(f"nothing answers at {where}: {error}")
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"no answer from {where} in time")
        return Unreachable(
            f"the connection to {where} broke before the answer was complete: {error or type(error).__name__}"
        )


def encoded(request: Request[Any]) -> dict[str, Any]:
    """Arguments for ``build_request`` besides method and URL."""
    headers = dict(request.headers)
    arguments: dict[str, Any] = {"headers": headers, "timeout": httpx.Timeout(request.timeout_s, connect=5.0)}
    if request.query:
        arguments["params"] = request.query
    if request.upload is not None:
        request.upload.archive.seek(0, io.SEEK_SET)
        document = json.dumps(request.upload.document).encode()
        arguments["files"] = {
            "function": ("function.json", document, "application/json"),
            "archive": (request.upload.filename, request.upload.archive, "application/gzip"),
        }
    elif request.json is not None:
        arguments["content"] = json.dumps(request.json, ensure_ascii=False).encode()
        headers.setdefault("Content-Type", "application/json")
    elif request.content is not None:
        arguments["content"] = request.content
    return arguments


def next_wait_s(
    target: Target, request: Request[Any], attempt: int, response: Response | None, error: httpx.TransportError | None
) -> float | None:
    """Seconds until the request is sent again, None where what came is final."""
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return None  # it was waited for as long as was asked
    refused = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    return target.retry.wait_s(request, attempt, refused=refused, response=response)


def final(target: Target, request: Request[T], response: Response | None, error: httpx.TransportError | None) -> T:
    """The result of what came last.

    Raises: ApiError, Unreadable, Unreachable.
    """
    if response is None:
        raise target.explain(error or httpx.TransportError("no answer")) from error
    return request.outcome(response)


def plain(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by lower-case name, repeated ones joined by a comma."""
    return {name.lower(): value for name, value in headers.items()}


class LineSplitter:
    """Bytes in, lines out, split at LF only (JSON may hold every other separator)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]

    def end(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [rest.decode("utf-8", "replace")] if rest else []


def _version() -> str:
    try:
        return version("faasioflex")
    except PackageNotFoundError:
        return "0"
