"""What bubblewrap says on its ``--json-status-fd``: the pid of the sandbox's init, and the command's exit code."""

from __future__ import annotations

import asyncio
import json
import os


class StatusPipe:
    """``init`` is done with the pid, or with None when bubblewrap gave up before it made the namespaces."""

    def __init__(self) -> None:
        self._reading, self.writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._buffer = b""
        self.init: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.exit_code: int | None = None  # stays None when the command was never executed

    def listen(self) -> None:
        """After the fork: our copy of the writing end goes, so the end of bubblewrap is the end of the pipe."""
        os.close(self.writing)
        self.writing = -1
        asyncio.get_running_loop().add_reader(self._reading, self.read)

    def read(self) -> None:
        """Take in what is there."""
        while self._reading != -1:
            try:
                piece = os.read(self._reading, 4096)
            except BlockingIOError:
                return
            if not piece:
                self.close()
                return
            *lines, self._buffer = (self._buffer + piece).split(b"\n")
            for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        content = json.loads(line)
        if "child-pid" in content and not self.init.done():
            self.init.set_result(content["child-pid"])
        if "exit-code" in content:
            self.exit_code = content["exit-code"]

    def close(self) -> None:
        if not self.init.done():
            self.init.set_result(None)
        if self.writing != -1:
            os.close(self.writing)
            self.writing = -1
        if self._reading != -1:
            asyncio.get_running_loop().remove_reader(self._reading)
            os.close(self._reading)
            self._reading = -1
