"""What people see in the terminal of ``ffx up``: the supervisor's own sentences, and warnings and errors of the parts."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable

from faasioflex.platform.supervisor.part_log import PartLog

_NATS_LINE = re.compile(r"^\[\d+\] [\d/]+ [\d:.]+ \[(WRN|ERR|FTL)\] (.*)$")
_ENVOY_LINE = re.compile(r"^\d{4}-[\d-]+T[\d:.]+Z (\w+) \w+ (.*)$")
_EXPECTED = (
    "Plaintext passwords detected",  # nats-server, of its 0600 file
    "Maximum payloads over",  # nats-server, of what CONTRACT.md 5 asks for
    "caught ENVOY_SIGTERM",  # from us
)
_LOUD = {"warning": 33, "error": 31, "critical": 31, "WRN": 33, "ERR": 31, "FTL": 31}  # ANSI colours


class Console:
    """Writes to stderr, and everything of the supervisor as JSON lines to its own log."""

    def __init__(self, log: PartLog) -> None:
        self._log = log
        self._silent = False
        self._colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ

    def say(self, text: str, *, level: str = "info", **fields: object) -> None:
        """A sentence of the supervisor, in the terminal and in the log."""
        self.record(text, level=level, **fields)
        self._print(text if level == "info" else self._painted(level, text))

    def show(self, text: str) -> None:
        """In the terminal only, never in the log: for what must be written nowhere."""
        self._print(text)

    def record(self, text: str, *, level: str, **fields: object) -> None:
        """Into the log only."""
        entry = {"timestamp": _utc(), "level": level, "part": "supervisor", "event": text, **fields}
        self._log.write(json.dumps(entry, default=str).encode() + b"\n")

    def listener(self, part: str) -> Callable[[str], None]:
        """A function that shows a line of a part's output if a person should see it."""

        def show(line: str) -> None:
            text = readable(line)
            if text is not None:
                level, words = text
                self._print(self._painted(level, f"{part}: {words}"))

        return show

    def quiet(self) -> None:
        """Say nothing more: the terminal belongs to somebody else (--detach)."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)

    def _painted(self, level: str, text: str) -> str:
        if self._colour and level in _LOUD:
            return f"\x1b[{_LOUD[level]}m{text}\x1b[0m"
        return text

    def _print(self, text: str) -> None:
        if self._silent:
            return
        try:
            print(text, file=sys.stderr, flush=True)
        except (OSError, ValueError):
            self._silent = True  # the terminal is gone; the log has it


def readable(line: str) -> tuple[str, str] | None:
    """Level and words of a log line that a person should see; None where it is only for the file.

    Known are our own JSON lines and what nats-server and Envoy write; anything else is a traceback, whose last line comes with
    the news of the death.
    """
    if line.startswith("{"):
        try:
            entry = json.loads(line)
        except ValueError:
            return None
        level = str(entry.pop("level", "info"))
        if level not in _LOUD:
            return None
        hidden = {"timestamp", "part", "event", "exception", "logger"}
        fields = " ".join(f"{name}={value}" for name, value in entry.items() if name not in hidden)
        return level, f"{entry.get('event', '')} {fields}".rstrip()
    for pattern in (_NATS_LINE, _ENVOY_LINE):
        if match := pattern.match(line):
            shown = match[1] in _LOUD and not match[2].startswith(_EXPECTED)
            return (match[1], match[2]) if shown else None
    return None


def _utc() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
