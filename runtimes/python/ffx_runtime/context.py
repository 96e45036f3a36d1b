"""What a handler may know and ask about its call."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import logging

_SECRET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*").fullmatch
_SECRETS = "/run/ffx/secrets"
_log: logging.Logger | None = None


class Cancelled(BaseException):
    """Raised inside a call whose deadline has passed or whose client has gone. Clean up and let it through."""


class Principal(TypedDict):
    """Who calls, as the platform verified it. ``user``: an identifier that stays; ``email``: "" of who has none."""

    user: str
    groups: list[str]
    email: str


def principal_of(headers: dict[bytes, bytes]) -> Principal | None:
    """From the platform's headers; None where nobody is signed in."""
    user = headers.get(b"x-ffx-user", b"").decode("utf-8", "replace")
    if not user:
        return None
    groups = headers.get(b"x-ffx-groups", b"").decode("utf-8", "replace")
    email = headers.get(b"x-ffx-email", b"").decode("utf-8", "replace")
    return {"user": user, "groups": [name.strip() for name in groups.split(",") if name.strip()], "email": email}


class Context:
    """One call. ``deadline`` is in seconds since the epoch; ``principal`` is who calls, None where nobody is signed in."""

    def __init__(
        self,
        *,
        request_id: str,
        deadline: float,
        namespace: str,
        function: str,
        revision: int,
        principal: Principal | None,
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
        """The value of a secret that the function lists, as it is now.

        Raises: LookupError where it lists none of that name, ValueError where it is not text.
        """
        try:
            return self.secret_bytes(name).decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"the secret {name!r} is not text: use context.secret_bytes") from None

    def secret_bytes(self, name: str) -> bytes:
        """The same for a value that is not text."""
        path = Path(os.environ.get("FFX_SECRETS_DIR", _SECRETS)) / name
        try:
            if _SECRET(name) is not None:
                return path.read_bytes()
        except FileNotFoundError:
            pass
        raise LookupError(f"the function has no secret {name!r}: list it under secrets")

    def token(self) -> str:
        """The function's own token, for calls of other functions. It is renewed: ask again for each call.

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
