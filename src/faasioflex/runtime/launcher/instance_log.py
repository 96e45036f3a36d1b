"""The log of one instance: its three pipes, one allowance, and the last lines for when it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from faasioflex.model.instance import LogLine, Stream
from faasioflex.model.names import FunctionName
from faasioflex.runtime.launcher.masking import Masking
from faasioflex.runtime.launcher.output import LONGEST_LINE_BYTES, LinePipe
from faasioflex.runtime.launcher.rate import Rate

_LONGEST_REPORT_BYTES = 8 * LONGEST_LINE_BYTES  # a message of 16 KiB, escaped
_READY_PREFIX = b'{"ready"'
_LAST_LINES = 20
_LONGEST_LAST_LINE = 2_000
_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_DRAIN_S = 1.0


@dataclass(frozen=True)
class Owner:
    """Whose lines these are, and who takes them."""

    function: FunctionName
    revision: int
    instance: str
    emit: Callable[[LogLine], None]
    on_ready: Callable[[], None]


class InstanceLog:
    """``handed`` is what the instance gets: its stdout, stderr and report pipe. ``owner`` None: it is nobody's yet, and what comes
    out of it is kept as ``last_lines`` alone; set it once."""

    def __init__(self, owner: Owner | None) -> None:
        self.owner = owner
        self.masking = Masking()
        self._rate = Rate(asyncio.get_running_loop().time())
        self.last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._given: list[int] = []
        self._stdout = self._pipe(lambda line: self._raw("stdout", line))
        self._stderr = self._pipe(lambda line: self._raw("stderr", line))
        self._report = self._pipe(self._reported, longest=_LONGEST_REPORT_BYTES, whole=True, essential=_READY_PREFIX)
        self.handed = tuple(self._given)

    def _pipe(
        self,
        take: Callable[[bytes], None],
        longest: int = LONGEST_LINE_BYTES,
        whole: bool = False,
        essential: bytes | None = None,
    ) -> LinePipe:
        reading, writing = os.pipe()
        self._given.append(writing)
        return LinePipe(reading, self._rate, take, longest=longest, whole=whole, essential=essential)

    def handed_over(self) -> None:
        """After the fork: the other ends are the instance's alone."""
        while self._given:
            os.close(self._given.pop())

    def platform(self, message: str) -> None:
        self._line("platform", message, None)

    def tell_dropped(self, *, final: bool = False) -> None:
        notice = self._rate.notice(asyncio.get_running_loop().time(), final=final)
        if notice is not None:
            self.platform(notice)

    async def finish(self) -> None:
        """After its end: what is still in the pipes, and what was dropped."""
        self.handed_over()
        for pipe in (self._report, self._stdout, self._stderr):
            await pipe.drained(_DRAIN_S)
        self.tell_dropped(final=True)

    def _raw(self, stream: Literal["stdout", "stderr"], line: bytes) -> None:
        text = line.removesuffix(b"\r").decode(errors="replace")
        self._line(stream, self.masking.masked(f"raw {stream}", text), None)

    def _reported(self, line: bytes) -> None:
        try:
            content = json.loads(line)
            if content.get("ready") is True:
                self._report.essential = None
                if self.owner is not None:
                    self.owner.on_ready()
            elif isinstance(entry := content.get("log"), dict):
                self._reported_line(entry)
        except (ValueError, AttributeError, RecursionError):
            self._raw("stderr", line)  # not the runtime's: a function wrote to a descriptor that it found

    def _reported_line(self, entry: dict[str, object]) -> None:
        stream, message, request_id = entry.get("stream"), entry.get("message"), entry.get("request_id")
        if stream not in ("stdout", "stderr") or not isinstance(message, str):
            raise ValueError("not a log line")
        named = request_id if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id) else None
        one_line = self.masking.masked(stream, message)[:LONGEST_LINE_BYTES].replace("\r", "\\r").replace("\n", "\\n")
        self._line(stream, one_line, named)

    def _line(self, stream: Stream, message: str, request_id: str | None) -> None:
        message = message.encode(errors="replace").decode()  # a lone surrogate of JSON is no text
        self.last_lines.append(message[:_LONGEST_LAST_LINE])
        if (owner := self.owner) is not None:
            owner.emit(
                LogLine(time.time(), owner.function, owner.revision, owner.instance, stream, message, request_id)
            )
