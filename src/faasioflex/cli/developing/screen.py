"""What ``ffx dev`` writes: lines with a time, what they are, the call they belong to, coloured on a terminal."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import IO

from faasioflex.cli.output import on_terminal, printable
from faasioflex.model.instance import LogLine

SHORT_ID = 8
_STYLES = {"stdout": "", "stderr": "yellow", "platform": "magenta", "error": "bold red", "dev": "cyan", "build": "dim"}
_NAMES = {"stdout": "out", "stderr": "err", "platform": "ffx"}


class Screen:
    """``replaced``: beginnings of paths, of copies of the code, and what stands for them in the folder that is edited."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = out or sys.stdout
        self.replaced: dict[str, str] = {}
        self._console = None
        if self._out is sys.stdout and on_terminal():
            from rich.console import Console

            self._console = Console(file=self._out, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Something about the run itself."""
        self._write("dev", text, style=_STYLES["dev"])

    def error(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._write("error", line, style=_STYLES["error"])

    def build(self, line: str) -> None:
        self._write("build", line, style=_STYLES["build"])

    def line(self, line: LogLine) -> None:
        """What the function wrote."""
        at = datetime.fromtimestamp(line.time).astimezone()
        stream = line.stream
        self._write(_NAMES[stream], line.message, request_id=line.request_id, style=_STYLES[stream], at=at)

    def call(self, method: str, path: str, status: int | None, took_ms: float, request_id: str) -> None:
        """A call that has ended; ``status`` None: the client left."""
        style = "red" if status is None or status >= 500 else "yellow" if status >= 400 else "green"
        answer = "the client left" if status is None else str(status)
        self._write("call", f"{method} {path}  {answer}  {took_ms:.1f} ms", request_id=request_id, style=style)

    def plain(self, text: str = "") -> None:
        """A line without a time."""
        self._print(text)

    def _write(
        self, name: str, text: str, *, style: str, request_id: str | None = None, at: datetime | None = None
    ) -> None:
        for written, meant in self.replaced.items():
            text = text.replace(written, meant)
        now = at or datetime.now().astimezone()
        head = f"{now:%H:%M:%S}.{now.microsecond // 1000:03d} {name:<5} "
        identifier = f"{(request_id or '')[:SHORT_ID]:<{SHORT_ID}} "
        if self._console is None:
            self._print(head + identifier + printable(text))
            return
        from rich.text import Text

        shown = Text().append(head, style="dim")
        shown.append(identifier, style="blue")
        shown.append(printable(text), style=style)
        self._console.print(shown)

    def _print(self, text: str) -> None:
        if self._console is not None:
            self._console.print(text)
        else:
            print(text, file=self._out, flush=True)
