"""A real egress relay as a process beside a launcher, and hosts to reach: servers on addresses of this machine's loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from faasioflex.platform.binaries import envoy
from support.deadline import eventually
from support.launcher import LauncherProcess, World


class RelayProcess:
    """``python -m faasioflex.gateway.egress`` in the folder of a launcher."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.options = options
        self.socket = data / "run" / "egress.sock"
        self.platform = data / "run" / "functions.sock"
        self.log = data / "egress.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        places = (
            *("--socket", str(self.socket), "--platform", str(self.platform), "--envoy", str(envoy())),
            *("--folder", str(self.data / "egress"), "--parent", str(os.getpid())),
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, "-m", "faasioflex.gateway.egress", *places, *self.options],
                stderr=log,
                stdout=log,
                env={**os.environ, "FFX_DATA": str(self.data)},
            )
        await eventually(self._serves, "the relay serves")

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        return self.socket.exists()

    def envoy_pids(self) -> list[int]:
        """Of Envoys that it runs now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.pid).children()
            return [child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE]
        return []

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
        return self._process.wait(20)


class EgressWorld(World):
    """A launcher whose sandboxes have a way out."""

    def __init__(self, launcher: LauncherProcess, relay: RelayProcess) -> None:
        super().__init__(launcher)
        self.relay = relay


@contextlib.asynccontextmanager
async def launched_with_relay(*options: str) -> AsyncIterator[EgressWorld]:
    """``options`` of the relay: ``--allow``, "127.0.0.0/8"."""
    data = Path(tempfile.mkdtemp(prefix="ffx-", dir="/tmp")).resolve()
    relay = RelayProcess(data, *options)
    launcher = LauncherProcess(data, "sandbox", "--egress", str(relay.socket))
    world = EgressWorld(launcher, relay)
    try:
        await relay.start()
        await launcher.start()
        await world.listen()
        yield world
    finally:
        await world.forget()
        launcher.stop()
        relay.stop()
        shutil.rmtree(data, ignore_errors=True)
