"""What a handler may know and ask about its call."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

_SECRET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch
_log: logging.Logger | None = None


class Cancelled(BaseException):
    """Raised inside a call whose deadline has passed or whose client has gone. Clean up and let it through."""


class Context:
    """One call. ``deadline`` is in seconds since the epoch; ``principal`` is who calls, where the platform knows."""

    def __init__(
        self,
        *,
        request_id: str,
        deadline: float,
        namespace: str,
        function: str,
        revision: int,
        principal: str | None,
        traceparent: str | None,
    ) -> None:
        self.request_id = request_id
        self.deadline = deadline
        self.namespace = namespace
        self.function = function
        self.revision = revision
        self.principal = principal
        self.traceparent = traceparent

    def remaining_s(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - time.time())

    @property
    def log(self) -> logging.Logger:
        """A logger whose lines carry the request id. Level INFO and above."""
        return _log or _make_log()

    def secret(self, name: str) -> str:
        """The value of a secret that the function lists.

        Raises: LookupError where it lists none of that name.
        """
        folder = os.environ.get("FFX_SECRETS_DIR", "/ffx/secrets")
        path = Path(folder) / name
        if _SECRET(name) is None or not path.is_file():
            raise LookupError(f"the function has no secret {name!r}: list it under secrets")
        return path.read_text("utf-8")

    def token(self) -> str:
        """The function's own token, for calls of other functions.

        Raises: LookupError where the platform gives none.
        """
        path = os.environ.get("FFX_TOKEN_FILE")
        if not path:
            raise LookupError("this platform gives functions no token")
        return Path(path).read_text("utf-8").strip()


def _make_log() -> logging.Logger:
    global _log  # noqa: PLW0603
    import logging

    class ToStderr(logging.StreamHandler):  # type: ignore[type-arg]
        """Whatever stderr is when the line is written."""

        def emit(self, record: logging.LogRecord) -> None:
            import sys

            self.stream = sys.stderr
            super().emit(record)

    log = logging.getLogger("function")
    handler = ToStderr()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    _log = log
    return log
