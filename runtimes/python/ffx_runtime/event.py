"""The request, as a handler sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from ffx_runtime.cloudevent import CloudEvent, is_cloud_event, read_cloud_event


class BadRequest(ValueError):
    """The request is not what the function needs: answered with 400 and this message where the handler lets it through."""


class Headers(Mapping[str, str]):
    """Case-insensitive. Several lines of one name are joined with ``, ``; ``all(name)`` has them apart."""

    def __init__(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self._pairs = pairs  # names in lower case

    @cached_property
    def _values(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in self._pairs:
            key, text = name.decode("latin-1"), value.decode("latin-1")
            found[key] = f"{found[key]}{'; ' if key == 'cookie' else ', '}{text}" if key in found else text
        return found

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def all(self, name: str) -> list[str]:
        """Every line of that name, in order."""
        key = name.lower().encode("latin-1")
        return [value.decode("latin-1") for found, value in self._pairs if found == key]

    def __repr__(self) -> str:
        return f"Headers({self._values!r})"


class Event:
    """``method``, ``path`` (after the function's own prefix, escapes kept), ``query``, ``headers`` and ``body``."""

    def __init__(
        self, method: str, path: str, query_string: str, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = Headers(headers)
        self.body = body

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """Each name of the query string with its values, escapes undone."""
        return parse_qs(self.query_string, keep_blank_values=True)

    def text(self) -> str:
        """The body as text: in the charset of its content type, else UTF-8.

        Raises: BadRequest where it is not.
        """
        charset = _charset(self.headers.get("content-type", ""))
        try:
            return self.body.decode(charset)
        except LookupError:
            raise BadRequest(f"the charset {charset!r} of the body is not known") from None
        except UnicodeDecodeError as error:
            raise BadRequest(f"the body is not {charset} text: {error.reason} at byte {error.start}") from None

    def json(self) -> Any:
        """The body as JSON; None for an empty body that does not claim to be JSON.

        Raises: BadRequest where it is not JSON.
        """
        if not self.body and "json" not in self.headers.get("content-type", ""):
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {error}") from None

    @cached_property
    def cloudevent(self) -> CloudEvent | None:
        """The CloudEvent that the request carries, in binary or structured mode; None where it carries none.

        Raises: BadRequest where it claims to be one and is not.
        """
        if not is_cloud_event(self.headers):
            return None
        try:
            return read_cloud_event(self.headers, self.body)
        except ValueError as error:
            raise BadRequest(f"the request is not a CloudEvent: {error}") from None

    def __repr__(self) -> str:
        return f"<Event {self.method} {self.path}>"


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or "utf-8"
    return "utf-8"
