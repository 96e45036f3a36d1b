"""``ffx dev`` as a process, and what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

FFX = [sys.executable, "-m", "faasioflex.cli.main"]
_URL = re.compile(r"^  (http://127\.0\.0\.1:\d+)  and", re.MULTILINE)
PATIENCE_S = 90.0


class DevCommand:
    """A context manager around a run on ``folder``; it is told Ctrl-C at the end, and killed if it does not end by that."""

    def __init__(self, folder: Path, temporary: Path, *arguments: str) -> None:
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FFX_")}
        environment |= {"TMPDIR": str(temporary), "FFX_CACHE": str(temporary / "cache")}
        self.process = subprocess.Popen(
            [*FFX, "dev", str(folder), "--port", "0", *arguments],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "\n".join(self._lines)

    @property
    def url(self) -> str:
        found = _URL.search(self.says(" and "))
        assert found is not None
        return found[1]

    def says(self, text: str, times: int = 1) -> str:
        """Wait for it; all that was said so far."""
        until = time.monotonic() + PATIENCE_S
        while self.said.count(text) < times:
            assert time.monotonic() < until, f"{text!r} was not said {times} times: {self.said}"
            assert self.process.poll() is None or self._reader.is_alive(), f"it has ended: {self.said}"
            self._reader.join(0.01)
        return self.said

    def write(self, name: str, text: str) -> None:
        """Save a file as editors do: beside it, then in its place; executable where it begins with ``#!``."""
        new = self.folder / f".{name}.new"
        new.write_text(text)
        new.chmod(0o755 if text.startswith("#!") else 0o644)
        new.replace(self.folder / name)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def interrupt(self) -> int:
        """Ctrl-C, to its process alone; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if self.process.poll() is None:
                self.interrupt()
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line.rstrip("\n"))


def processes_of(folder: Path) -> list[str]:
    """Command lines and environments of living processes that name ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and entry.name != str(os.getpid()):
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if os.fsencode(folder) in told:
                found.append((entry / "cmdline").read_text().replace("\0", " "))
    return found
