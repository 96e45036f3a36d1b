"""One call of the API as a value: what is sent, how the answer is read, whether it may be repeated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Generic, TypeVar

from faasioflex.client.errors import Unreadable, error_of, retry_after
from faasioflex.client.read import BadAnswer

T = TypeVar("T")
Query = Mapping[str, str | list[str]]
NDJSON = "application/x-ndjson"
SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "PUT", "DELETE"})


@dataclass(frozen=True)
class Response:
    """``headers`` have lower-case names."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Raises: Unreadable where the body is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Unreadable("the answer is not JSON: is the URL the platform's?") from error


@dataclass(frozen=True)
class Upload:
    """A multipart body: ``function`` (JSON) and ``archive`` (read from its start at every attempt)."""

    document: Mapping[str, Any]
    archive: IO[bytes]
    filename: str = "code.tar.gz"


@dataclass(frozen=True)
class Request(Generic[T]):
    """``path`` starts with a slash and is sent as it is. ``json`` and ``upload`` exclude each other and ``content``.

    ``timeout_s`` bounds the wait for the answer, and between its bytes; None waits for ever.
    """

    method: str
    path: str
    parse: Callable[[Response], T]
    query: Query = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    upload: Upload | None = None
    timeout_s: float | None = 30.0
    accept: frozenset[int] = frozenset()  # statuses >= 400 that ``parse`` understands
    keyed: bool = False  # it has an idempotency key: the platform makes one of several

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again when it is not known that it was not carried out."""
        return self.keyed or self.method in SAFE_TO_REPEAT

    def outcome(self, response: Response) -> T:
        """The parsed answer.

        Raises: ApiError for a problem, Unreadable for what is not the platform's.
        """
        if response.status >= 400 and response.status not in self.accept:
            raise error_of(response.status, response.headers, response.body)
        try:
            return self.parse(response)
        except BadAnswer as error:
            raise Unreadable(f"the answer cannot be understood: {error}") from error


@dataclass(frozen=True)
class Lines(Generic[T]):
    """A stream of JSON lines: ``request`` is sent, each line becomes a ``kind``."""

    request: Request[None]
    kind: type[T]
    follow: bool


@dataclass(frozen=True)
class RetryPolicy:
    """Waits between attempts grow from ``first_wait_s`` by two up to ``longest_wait_s``; Retry-After is obeyed up to it."""

    attempts: int = 6
    first_wait_s: float = 0.1
    longest_wait_s: float = 5.0

    def wait_s(self, request: Request[Any], attempt: int, *, refused: bool, response: Response | None) -> float | None:
        """Seconds until the next attempt after ``attempt`` (1, 2, ...), or None: give up.

        ``refused``: no connection was made, nothing was sent. ``response`` None and not refused: the connection broke.
        """
        if attempt >= self.attempts:
            return None
        growing = min(self.first_wait_s * 2 ** (attempt - 1), self.longest_wait_s)
        if response is None:
            return growing if refused or request.repeatable else None
        if response.status != 503 or 503 in request.accept or not request.repeatable:
            return None
        asked = retry_after(response.headers)
        return None if asked is None else max(growing, min(float(asked), self.longest_wait_s))


NO_RETRY = RetryPolicy(attempts=1)
