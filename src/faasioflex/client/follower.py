"""Goes on with a followed stream after its connection broke: nothing is missed, nothing comes twice."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from faasioflex.client.errors import Unreadable
from faasioflex.client.read import BadAnswer, read
from faasioflex.client.request import Lines, Request
from faasioflex.model.errors import FfxError, NotFound

T = TypeVar("T")
REMEMBERED_LINES = 2000
OVERLAP_S = 2.0  # the platform's clock of storing runs behind the lines' own
PATIENCE_ATTEMPTS = 20
LONGEST_WAIT_S = 2.0


class Follower(Generic[T]):
    """Reads the texts of one stream over as many connections as it takes. Does no I/O."""

    def __init__(self, lines: Lines[T]) -> None:
        self._lines = lines
        self._recent: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._again: Counter[str] = Counter()
        self._newest: str | None = None
        self._was_connected = False
        self._failures = 0

    def request(self) -> Request[None]:
        """The request of the next connection: from the newest line on, where there was one."""
        request = self._lines.request
        self._again = Counter(self._recent)
        if self._newest is None:
            return request
        query = {key: value for key, value in request.query.items() if key != "tail"} | {"since": self._newest}
        return dataclasses.replace(request, query=query)

    def connected(self) -> None:
        """An answer has begun."""
        self._was_connected, self._failures = True, 0

    def items(self, texts: list[str]) -> Iterator[T]:
        """What the lines say; blank ones, comments and other fields of server-sent events say nothing.

        Raises: Unreadable.
        """
        for line in texts:
            text = line.strip().removeprefix("data:").strip()
            if not text.startswith("{"):
                continue
            if self._again[text] > 0:
                self._again[text] -= 1
                continue
            yield self._item(text)

    def _item(self, text: str) -> T:
        try:
            document = json.loads(text)
            item = read(self._lines.kind, document)
        except (BadAnswer, ValueError) as error:
            raise Unreadable(f"a line of the answer cannot be understood: {error}") from error
        if self._lines.follow:
            self._recent.append(text)
            self._newest = _before(document.get("time")) or self._newest
        return item

    def wait_s(self, error: FfxError | None) -> float | None:
        """Seconds until the next connection, None: it ends here. ``error`` None: the answer came to its end.

        Raises: ``error``, where it is not one that passes.
        """
        if error is None and not self._lines.follow:
            return None
        if isinstance(error, NotFound) and self._was_connected:
            return None  # what was followed is gone
        passes = self._lines.follow and (error is None or (error.status == 503 and self._was_connected))
        if error is not None and (not passes or self._failures >= PATIENCE_ATTEMPTS):
            raise error
        self._failures += 1
        return min(0.1 * 2.0**self._failures, LONGEST_WAIT_S)


def _before(time: Any) -> str | None:
    """A little before ``time`` (RFC 3339), in the same form."""
    try:
        return (datetime.fromisoformat(time) - timedelta(seconds=OVERLAP_S)).isoformat()
    except (TypeError, ValueError):
        return None
