"""A part of the platform that a test starts by itself, as a process of its own."""

from __future__ import annotations

import signal
import subprocess


class PartProcess:
    """Who inherits starts ``_process``."""

    _process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As ``kill -9`` does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(20)
