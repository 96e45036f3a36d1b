"""A real platform behind a wall (support/walled_network.py), the functions that attack it, and a neighbour that must not notice."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from support import walled_network
from support.platform_process import FFX, Platform, environment, wait_for
from support.walled_network import Wall

FUNCTIONS = Path(__file__).parents[1] / "security" / "hostile" / "functions"
CANARY = "canary-of-the-platform-0451"  # in the platform's environment and in a file of the host
NEIGHBOUR_SECRET = "secret-of-the-neighbour-1984"
READY_S = 300.0  # Go, fetched and compiled with a cold cache while other suites run
PACKAGES, NPM = 7070, 7071  # ports of the registries that the platform is told to use; the network is its own
REGISTRIES = {
    "PIP_INDEX_URL": f"http://127.0.0.1:{PACKAGES}/simple",
    "UV_DEFAULT_INDEX": f"http://127.0.0.1:{PACKAGES}/simple",
    "npm_config_registry": f"http://127.0.0.1:{NPM}/",
    "GOPROXY": "off",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def get(self, name: str) -> str | None:
        return ", ".join(self.all(name)) or None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


class WalledPlatform(Platform):
    """``ffx up`` in the network of ``wall``."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._at = data.with_name("wall.sock")
        self.wall = Wall(self._at)

    def popen(self, *options: str) -> subprocess.Popen[str]:
        self._at.unlink(missing_ok=True)
        output = self.data.with_name(self.data.name + ".out")
        command = [sys.executable, walled_network.__file__, str(self._at), FFX, "up", "--data", str(self.data)]
        with output.open("a") as file:
            return subprocess.Popen(
                [*command, *options],
                env=environment(CANARY=CANARY, **REGISTRIES),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                text=True,
                start_new_session=True,
            )

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 80

    def connection(self, timeout_s: float = 60.0) -> http.client.HTTPConnection:
        """To the gateway; kept alive."""
        made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        made.sock = self.wall.connect("127.0.0.1", self.port, timeout_s)
        return made

    def socket(self, timeout_s: float = 60.0) -> socket.socket:
        """To the gateway, for HTTP by hand."""
        return self.wall.connect("127.0.0.1", self.port, timeout_s)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> Answer:
        """One request by the local admin on a connection of its own. ``body``: JSON, or bytes as they are."""
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        kind = {} if sent is None else {"Content-Type": "application/json"}
        connection = self.connection(timeout_s)
        try:
            connection.request(method, path, sent, {**self.headers, **kind, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def ready(self) -> bool:
        with suppress(OSError, http.client.HTTPException, KeyError):
            return self.call("GET", "/readyz", timeout_s=10).status == 200
        return False

    def register(self, name: str, runtime: str, files: Mapping[str, str], **fields: Any) -> dict[str, Any]:
        """Deploy it and wait; returns the resource, whatever became of it."""
        body = {"name": name, "runtime": runtime, "source": {"files": dict(files)}, **fields}
        answer = self.call("POST", f"/functions/register?wait_s={READY_S:.0f}", body, timeout_s=READY_S + 30)
        assert answer.status == 201, answer.body
        found: dict[str, Any] = answer.json()
        return found

    def deploy(self, name: str, runtime: str, files: Mapping[str, str], **fields: Any) -> None:
        """Deploy it; fails where it does not come up."""
        found = self.register(name, runtime, files, **fields)
        assert found["status"]["latest"]["state"] in ("ready", "idle"), (found["status"], self.build_log(name))

    def build_log(self, name: str) -> list[str]:
        lines = self.call("GET", f"/functions/admin/{name}/build-log").body.splitlines()
        return [json.loads(line)["message"] for line in lines]

    def logs(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.call("GET", f"/functions/admin/{name}/logs").body.splitlines()]

    def delete(self, name: str) -> None:
        assert self.call("DELETE", f"/functions/admin/{name}").status in (204, 404)
        wait_for(lambda: self.call("GET", f"/functions/admin/{name}").status == 404, 60, f"{name} is gone")

    def instances(self, name: str) -> int:
        return int(self.call("GET", f"/functions/admin/{name}").json()["status"]["ready_instances"])


def source(folder: str, *more: str) -> dict[str, str]:
    """The files of ``functions/FOLDER``; those of ``more`` folders below a folder of that name."""
    files = {}
    for name, prefix in ((folder, ""), *((one, f"{one}/") for one in more)):
        root = FUNCTIONS / name
        files |= {
            prefix + str(path.relative_to(root)): path.read_text()
            for path in root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
    return files


@dataclass
class Found:
    """What an attacker brought home. ``got``: what it should not have had; ``refused``: what stopped it."""

    got: dict[str, Any]
    refused: dict[str, str]
    saw: dict[str, Any]

    def nothing(self, *expected: str) -> Found:
        """Fails with what the attacker saw. ``expected``: attempts that must have been made (no more, no less, if any are named)."""
        assert self.got == {}, f"the attacker got {self.got}; refused: {self.refused}; saw: {self.saw}"
        assert self.refused, "nothing was tried"
        if expected:
            assert set(self.refused) == set(expected)
        return self


class Attacker:
    """A deployed function that carries out what it is told: functions/vehicle."""

    def __init__(self, platform: WalledPlatform, language: str, name: str) -> None:
        self.platform, self.language, self.name = platform, language, name

    @property
    def path(self) -> str:
        return f"/f/admin/{self.name}"

    def attack(self, what: str, timeout_s: float = 60.0, **arguments: Any) -> Found:
        return self.found(what, self.ask(what, timeout_s, **arguments))

    def ask(self, what: str, timeout_s: float = 60.0, **arguments: Any) -> Answer:
        """The attack, whatever comes of it."""
        return self.platform.call("POST", f"{self.path}/attack/{what}", arguments, timeout_s=timeout_s)

    def found(self, what: str, answer: Answer) -> Found:
        assert answer.status == 200, (self.language, what, answer.status, answer.body)
        told = answer.json()
        assert "error" not in told, told["error"]
        return Found(told["got"], told["refused"], told["saw"])


def cgroup_folders(data: Path) -> list[str]:
    """Control groups of the platform's sandboxes that are there now."""
    record = data / "run" / "sandbox" / "cgroups.json"
    bases = json.loads(record.read_text()) if record.exists() else []
    return sorted(entry.path for base in bases if os.path.isdir(base) for entry in os.scandir(base) if entry.is_dir())


def settle(condition: Any, what: str, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.02)
