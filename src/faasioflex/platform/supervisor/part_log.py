"""Everything that a child writes, into DIR/log/<part>.log, bounded: the full file becomes .1, .1 becomes .2, the last is dropped."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

LONGEST_LINE_BYTES = 64 * 1024
REMEMBERED_LINES = 20


class PartLog:
    """Not thread-safe. A disk that is full loses log lines, never the platform; ``on_line`` sees each whole line."""

    def __init__(self, path: Path, file_bytes: int, files: int, on_line: Callable[[str], None]) -> None:
        self._path = path
        self._file_bytes = file_bytes
        self._files = files
        self._on_line = on_line
        self._rest = b""
        self._last: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._fd = self._open()
        self._size = os.fstat(self._fd).st_size

    def write(self, data: bytes) -> None:
        """Append a chunk as it came out of the pipe."""
        if self._size and self._size + len(data) > self._file_bytes:
            self._rotate()
        try:
            self._size += os.write(self._fd, data)
        except OSError:
            self._size = os.fstat(self._fd).st_size
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            if text:
                self._last.append(text)
                self._on_line(text)

    def last_lines(self) -> list[str]:
        """The newest lines, oldest first: for the message that says why a part does not start."""
        return list(self._last)

    def close(self) -> None:
        os.close(self._fd)

    def _rotate(self) -> None:
        os.close(self._fd)
        try:
            for number in range(self._files - 1, 1, -1):
                older = self._numbered(number - 1)
                if older.exists():
                    older.replace(self._numbered(number))
            if self._files > 1:
                self._path.replace(self._numbered(1))
            else:
                self._path.unlink(missing_ok=True)
        finally:
            self._fd = self._open()
            self._size = os.fstat(self._fd).st_size

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
