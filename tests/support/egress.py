"""A real egress relay as a process beside a launcher, and hosts to reach: servers on addresses of this machine's loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import psutil

from faasioflex.platform.binaries import envoy
from support import named_network
from support.deadline import eventually
from support.launcher import LauncherProcess, World
from support.part_process import PartProcess
from support.walled_network import Wall


class RelayProcess(PartProcess):
    """``python -m faasioflex.gateway.egress`` in the folder of a launcher."""

    def __init__(self, data: Path, *options: str, names: str | None = None) -> None:
        """``names``: it lives in a walled network (see ``wall``) with this as its /etc/hosts."""
        self.names = data / "names"
        if names is not None:
            self.names.write_text(names)
        self._walled = names is not None
        self.wall = Wall(data / "wall.sock")
        self.data = data
        self.options = options
        self.socket = data / "run" / "egress.sock"
        self.platform = data / "run" / "functions.sock"
        self.log = data / "egress.log"

    async def start(self) -> None:
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        places = (
            *("--socket", str(self.socket), "--platform", str(self.platform), "--envoy", str(envoy())),
            *("--folder", str(self.data / "egress"), "--parent", str(os.getpid())),
        )
        before = []
        if self._walled:
            at = self.data / "wall.sock"
            at.unlink(missing_ok=True)
            before = [sys.executable, named_network.__file__, str(self.names), str(at)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [*before, sys.executable, "-m", "faasioflex.gateway.egress", *places, *self.options],
                stderr=log,
                stdout=log,
                env={**os.environ, "FFX_DATA": str(self.data)},
            )
        await eventually(self._serves, "the relay serves", 30)

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


class EgressWorld(World):
    """A launcher whose sandboxes have a way out."""

    def __init__(self, launcher: LauncherProcess, relay: RelayProcess) -> None:
        super().__init__(launcher)
        self.relay = relay


@contextlib.asynccontextmanager
async def launched_with_relay(*options: str, names: str | None = None) -> AsyncIterator[EgressWorld]:
    """``options`` of the relay: ``--allow``, "127.0.0.0/8"."""
    data = Path(tempfile.mkdtemp(prefix="ffx-", dir="/tmp")).resolve()
    relay = RelayProcess(data, *options, names=names)
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


class Host:
    """Answers every connection that is made to a listening socket with who it is. ``reached``: how many there were."""

    def __init__(self, listener: socket.socket, name: str) -> None:
        self.reached = 0
        self.port: int = listener.getsockname()[1] if listener.family != socket.AF_UNIX else 0
        self._listener = listener
        self._name = name.encode()
        listener.settimeout(None)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.reached += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        """HTTP to a request; to anything else what it said."""
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            said = connection.recv(65536)
            first = said.split(b"\r\n", 1)[0]
            if b"HTTP/1.1" in first:
                body = self._name + b" got " + first
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
            else:
                connection.sendall(self._name + b" heard " + said)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


def asks(url: str, *, proxy: bool = True) -> str:
    """Code for ``inside``: get a URL, by the proxy of the environment or as if there were none."""
    handler = "" if proxy else "urllib.request.ProxyHandler({})"
    return (
        "import urllib.request, urllib.error\n"
        f"try:\n    result = urllib.request.build_opener({handler}).open({url!r}, timeout=20).read().decode()\n"
        "except urllib.error.HTTPError as error:\n    result = f'{error.code} {error.read().decode()}'\n"
        "except OSError as error:\n    result = f'failed: {error}'\n"
    )


def says(host: str, port: int, text: str = "hello") -> str:
    """Code for ``inside``: a plain TCP connection."""
    return (
        "import socket\n"
        f"try:\n    with socket.create_connection(({host!r}, {port}), 20) as line:\n"
        f"        line.sendall({text!r}.encode())\n        result = line.recv(65536).decode()\n"
        "except OSError as error:\n    result = f'failed: {error}'\n"
    )


def proxied(request: str) -> str:
    """Code for ``inside``: words as they are to the proxy; what it answers, to its end or for a second."""
    return (
        "import socket\n"
        "with socket.create_connection(('127.0.0.1', 30081), 20) as line:\n"
        f"    line.sendall({request!r}.encode('latin-1'))\n    line.settimeout(15)\n    result = ''\n"
        "    try:\n"
        "        while piece := line.recv(65536):\n"
        "            result += piece.decode('latin-1')\n"
        "            if result.startswith('HTTP/1.1 200 Connection established'):\n                break\n"
        "    except OSError as error:\n        result += f'failed: {error}'\n"
    )
