"""A platform as people start it: ``ffx up`` in a process of its own, on a folder and a port of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from faasioflex.client.tokens import Bearer

FFX = str(Path(sys.executable).parent / "ffx")
READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 15.0  # CONTRACT.md 2


class Platform:
    """``data``: its folder. ``start`` returns when /readyz is 200."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.options = options
        self.process: subprocess.Popen[str] | None = None

    def start(self, *more: str) -> Platform:
        process = self.process = self.popen("--port", "0", *self.options, *more)
        wait_for(  # by its pid: a killed one could not remove its own
            lambda: self.process_ended() or self.document().get("pid") == process.pid, READY_WITHIN_S, "platform.json"
        )
        if self.process_ended():
            raise AssertionError(f"ffx up ended: {self.output()}")
        return self

    def popen(self, *options: str) -> subprocess.Popen[str]:
        """``ffx up`` in the foreground, in a session of its own, its output kept in a file beside the folder."""
        output = self.data.with_name(self.data.name + ".out")
        with output.open("a") as file:
            return subprocess.Popen(
                [FFX, "up", "--data", str(self.data), *options],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                text=True,
                start_new_session=True,
            )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_ffx(*arguments, "--data", str(self.data))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code. Fails where it takes longer than promised."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(STOPPED_WITHIN_S)

    def end(self) -> None:
        """For clean-up: whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOPPED_WITHIN_S + 5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def process_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def output(self) -> str:
        return self.data.with_name(self.data.name + ".out").read_text()

    def document(self) -> dict[str, Any]:
        """platform.json, {} where there is none."""
        try:
            found: dict[str, Any] = json.loads((self.data / "run/platform.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    @property
    def url(self) -> str:
        return str(self.document()["gateway_url"])

    @property
    def token(self) -> str:
        """The local admin's; renewed in its file, so read anew."""
        file = self.document()["admin_token_file"]
        return Path(file).read_text().strip() if file else ""

    @property
    def headers(self) -> dict[str, str]:
        """Of a request by the local admin."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def auth(self) -> Bearer:
        """The local admin, for as long as the platform runs."""
        return Bearer(Path(self.document()["admin_token_file"]))

    def client(self, **options: Any) -> httpx.Client:
        """As the local admin, at the gateway."""
        given = {"timeout": 60.0, "trust_env": False, **options}
        return httpx.Client(base_url=self.url, auth=self.auth, **given)

    def async_client(self, **options: Any) -> httpx.AsyncClient:
        given = {"timeout": 60.0, "trust_env": False, **options}
        return httpx.AsyncClient(base_url=self.url, auth=self.auth, **given)

    def nats_credentials(self) -> tuple[str, str, str]:
        """Address, user and password of the platform's own parts."""
        found = json.loads((self.data / "run/nats.json").read_text())
        return found["url"], found["user"], found["password"]

    @property
    def pids(self) -> dict[str, int]:
        return dict(self.document()["processes"])

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except (httpx.HTTPError, KeyError):
            return False


def environment(**more: str) -> dict[str, str]:
    """Without what a developer's shell may say about a platform."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FFX_")} | more


def run_ffx(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """``more``: environment variables."""
    return subprocess.run(
        [FFX, *arguments], env=environment(**more), capture_output=True, text=True, check=False, timeout=READY_WITHIN_S
    )


def wait_for(condition: Callable[[], object], within_s: float, what: str) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.01)


def processes_with(folder: Path) -> dict[int, str]:
    """Live processes that have the folder in their command line or environment: pid -> command line."""
    needle = str(folder).encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command, rest = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if command and any(needle in piece and _exact(piece, needle) for piece in (command + rest).split(b"\0")):
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def _exact(piece: bytes, needle: bytes) -> bool:
    """Not of a folder whose name merely begins the same."""
    after = piece[piece.index(needle) + len(needle) :][:1]
    return after in {b"", b"/", b'"', b"'", b"}"}
