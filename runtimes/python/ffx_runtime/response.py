"""What a handler may return, and how it becomes an answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ffx_runtime.wire import BadAnswer, encode

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
BYTES = b"application/octet-stream"


class Response:
    """An answer with its status and headers.

    ``body`` is anything a handler may return: dict, list, number, bool (JSON), str, bytes, None (empty), or a (async)
    generator of str or bytes, which is streamed. A header's value may be a list, for several lines of that name
    (``set-cookie``); ``headers`` may also be a list of pairs.
    """

    def __init__(
        self,
        body: object = None,
        status: int = 200,
        headers: Mapping[str, str | list[str]] | Iterable[tuple[str, str]] | None = None,
    ) -> None:
        self.body = body
        self.status = status
        self.headers = headers

    def pairs(self) -> list[tuple[str, str]]:
        """The headers, one pair for each line."""
        if self.headers is None:
            return []
        if not isinstance(self.headers, Mapping):
            return [(name, value) for name, value in self.headers]
        found = []
        for name, value in self.headers.items():
            found += [(name, one) for one in value] if isinstance(value, list | tuple) else [(name, value)]
        return found


@dataclass(slots=True)
class Answer:
    """Ready to send. ``stream`` is set instead of ``body`` where the body comes in pieces."""

    status: int
    lines: bytes
    body: bytes
    stream: Iterator[Any] | AsyncIterator[Any] | None = None
    content_type: bytes | None = None  # of a stream: None until its first piece tells


def to_answer(value: object) -> Answer:
    """Convert what a handler returned.

    Raises: BadAnswer, whose message says what is wrong with it.
    """
    if not isinstance(value, Response):
        if value is None:
            return Answer(204, b"", b"")
        body, content_type, stream = _body(value)
        if stream is not None:
            return Answer(200, b"", b"", stream)
        return Answer(200, b"content-type: %b\r\n" % content_type, body)
    status = value.status
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise BadAnswer(f"the status {status!r} is not a number from 200 to 599")
    try:
        lines, _ = encode((name.encode("latin-1"), str(one).encode("latin-1")) for name, one in value.pairs())
    except (TypeError, ValueError, AttributeError) as error:
        raise BadAnswer(f"the headers are not names and values of Latin-1 text: {error}") from error
    body, content_type, stream = _body(value.body) if value.body is not None else (b"", b"", None)
    named = _names_content_type(lines)
    if stream is not None:
        return Answer(status, lines, b"", stream, content_type=b"" if named else None)
    if content_type and not named:
        lines += b"content-type: %b\r\n" % content_type
    return Answer(status, lines, body)


def piece(value: object) -> tuple[bytes, bytes]:
    """One piece of a streamed body, and the content type that it would be.

    Raises: BadAnswer for anything but str and bytes.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass"), TEXT
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), BYTES
    raise BadAnswer(f"a generator may yield str or bytes, not {type(value).__name__}")


def _names_content_type(lines: bytes) -> bool:
    return lines.startswith(b"content-type: ") or b"\r\ncontent-type: " in lines


def _body(value: object) -> tuple[bytes, bytes, Iterator[Any] | AsyncIterator[Any] | None]:
    if isinstance(value, str):
        try:
            return value.encode(), TEXT, None
        except UnicodeEncodeError as error:
            raise BadAnswer(f"the text cannot be encoded: {error}") from error
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), BYTES, None
    if isinstance(value, dict | list | bool | int | float):
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return text.encode(), JSON, None
        except (TypeError, ValueError, RecursionError) as error:
            raise BadAnswer(f"the value is not JSON: {error}") from error
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        return b"", b"", value  # type: ignore[return-value]
    raise BadAnswer(
        f"a handler may return dict, list, number, bool, str, bytes, None, a Response or a generator, not {type(value).__name__}"
    )
