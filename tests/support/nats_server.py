"""A real nats-server on a free loopback port, which can be killed and started again on the same port and store."""

from __future__ import annotations

import contextlib
import ctypes
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from faasioflex.platform.binaries import nats_server

READY_S = 20.0
MAX_PAYLOAD = 16 * 1024 * 1024


def _threads(pid: int) -> list[str]:
    """The state of each, as /proc tells it: R, S, T …"""
    files = Path(f"/proc/{pid}/task").glob("*/stat")
    return [file.read_text().rpartition(")")[2].split()[0] for file in files]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class NatsServer:
    """``url``, ``user``, ``password`` to connect. ``start`` returns when it takes connections (JetStream has recovered then)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.user, self.password = "test", secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        config = self.folder / "nats.conf"
        config.write_text(
            f"listen: 127.0.0.1:{self.port}\n"
            f"max_payload: {MAX_PAYLOAD}\n"
            f'jetstream {{ store_dir: "{self.folder / "store"}", max_memory_store: 64MB, max_file_store: 16GB }}\n'
            f'authorization {{ user: {self.user}, password: "{self.password}" }}\n'
        )
        log = (self.folder / "nats.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [str(nats_server()), "-c", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        deadline = time.monotonic() + READY_S
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                self.stop()
                raise AssertionError("nats-server does not start:\n" + (self.folder / "nats.log").read_text()[-3000:])
            time.sleep(0.01)

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: the connections stay, nothing answers. Returns when every thread has stopped, on a busy machine a while later."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + READY_S
        while any(status != "T" for status in _threads(self._process.pid)):
            assert time.monotonic() < deadline, "it does not stop"
            time.sleep(0.001)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            return connection.recv(4) == b"INFO"
        return False


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nothing is left running when the tests are killed
