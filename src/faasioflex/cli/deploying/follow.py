"""Wait for a revision while its build log runs by."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from faasioflex.cli.output import printable
from faasioflex.model.errors import FfxError

if TYPE_CHECKING:
    from faasioflex.client import Client, Function

POLL_S = 0.15
VERDICT = "build failed: "  # so begins the last line of a log: its reason is that of the error, which is said anyway
FINAL = ("ready", "idle", "failed")


@dataclass(frozen=True)
class Outcome:
    """How the newest revision ended; ``function`` as it is then."""

    function: Function
    state: str
    message: str | None

    @property
    def was_built(self) -> bool:
        return self.function.status.build_s is not None


def follow(client: Client, function: Function, wait_s: float, say: Callable[[str], None]) -> Outcome | None:
    """Until the newest revision of ``function`` is ready, idle or failed; None where ``wait_s`` were not enough.

    Each line of its build log goes to ``say`` as it is written.
    """
    latest = function.status.latest
    number = latest.revision if latest else 1
    log = BuildLog(client, function, number, say)
    deadline = time.monotonic() + wait_s
    with log:
        while time.monotonic() < deadline:
            now = client.get(function.function)
            seen = now.status.latest
            if seen is None or seen.revision != number:  # replaced by a newer one meanwhile
                return Outcome(now, now.status.state, now.status.message)
            if seen.state in FINAL:
                return Outcome(now, seen.state, seen.message)
            time.sleep(POLL_S)
    return None


class BuildLog:
    """Follows in a thread of its own; on leaving, what was written since is read and said as well, but for the verdict."""

    def __init__(self, client: Client, function: Function, revision: int, say: Callable[[str], None]) -> None:
        self._client, self._name, self._revision, self._say = client, function.function, revision, say
        self._said = 0
        self._held: str | None = None
        self._lock = threading.Lock()
        self._over = False

    def __enter__(self) -> None:
        threading.Thread(target=self._follow, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
        try:
            lines = list(self._client.build_log(self._name, revision=self._revision))
        except FfxError as error:
            print(f"the build log cannot be read: {error}", file=sys.stderr)
            return
        for line in lines[self._said :]:
            self._tell(line.message)

    def _tell(self, message: str) -> None:
        """Say it; what looks like the verdict waits for a line after it, which shows that it is none."""
        if self._held is not None:
            self._say(printable(self._held))
            self._held = None
        if message.startswith(VERDICT):
            self._held = message
        else:
            self._say(printable(message))

    def _follow(self) -> None:
        try:
            for line in self._client.build_log(self._name, follow=True, revision=self._revision):
                with self._lock:
                    if self._over:
                        return
                    self._said += 1
                    self._tell(line.message)
        except Exception as error:
            if not isinstance(error, FfxError) and not self._over:
                raise
            # else: it broke, or was closed under us; the log is read once more at the end
