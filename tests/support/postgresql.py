"""A real PostgreSQL with a data folder of its own, on a unix socket only."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

PASSWORD = "not-for-anybody"


def programs() -> Path | None:
    """The folder of the newest installed version; None where there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


class PostgreSQL:
    """It does not run as root: then it is the user ``postgres``, whom the package has made."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="ffx-pg-", dir="/tmp"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            *("initdb", "--pgdata", str(self.folder / "data"), "--username", "ffx", "--auth", "scram-sha-256"),
            *("--pwfile", str(password), "--no-sync", "--encoding", "UTF8", "--locale", "C"),
        )
        settings = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        self._run(
            "pg_ctl",
            "start",
            "--pgdata",
            str(self.folder / "data"),
            "-w",
            "-o",
            settings,
            "-l",
            str(self.folder / "log"),
        )

    def connect(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(str(self.folder / ".s.PGSQL.5432"))
        return made

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--pgdata", str(self.folder / "data"), "-m", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "LANG": "C"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


class Forward:
    """What is connected to ``listener`` is a connection to ``database``: it is at an address of another network."""

    def __init__(self, listener: socket.socket, database: PostgreSQL) -> None:
        self._listener = listener
        self._database = database
        self.connections = 0
        listener.settimeout(None)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                one, _ = self._listener.accept()
                self.connections += 1
                other = self._database.connect()
                for source, target in ((one, other), (other, one)):
                    threading.Thread(target=_copy, args=(source, target), daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
