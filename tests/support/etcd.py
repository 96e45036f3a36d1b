"""A real etcd (Debian's etcd-server) with a folder of its own, asked over its JSON gateway."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from support.nats_server import free_port

PROGRAM = shutil.which("etcd")
WITHOUT = "etcd is not installed (Debian: etcd-server): APISIX's store is left out"


class Etcd:
    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self.url = url
        self._client = client

    async def put(self, key: str, value: dict[str, Any]) -> None:
        await self._ask("put", {"key": _to(key), "value": _to(json.dumps(value))})

    async def delete(self, key: str) -> bool:
        return int((await self._ask("deleterange", {"key": _to(key)})).get("deleted", 0)) > 0

    async def get(self, key: str) -> dict[str, Any] | None:
        found = (await self._ask("range", {"key": _to(key)})).get("kvs", [])
        return json.loads(base64.b64decode(found[0]["value"])) if found else None

    async def below(self, prefix: str) -> list[dict[str, Any]]:
        """Items as APISIX lists them."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        found = (await self._ask("range", {"key": _to(prefix), "range_end": _to(end)})).get("kvs", [])
        return [
            {
                "key": base64.b64decode(each["key"]).decode(),
                "value": json.loads(base64.b64decode(each["value"])),
                "createdIndex": int(each["create_revision"]),
                "modifiedIndex": int(each["mod_revision"]),
            }
            for each in found
        ]

    async def _ask(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.post(f"{self.url}/v3/kv/{what}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def clear(self) -> None:
        await self._ask("deleterange", {"key": _to("/"), "range_end": _to("0")})


@contextmanager
def etcd_url() -> Iterator[str]:
    """One for many tests: it takes a second to start. Each has it empty by :meth:`Etcd.clear`."""
    assert PROGRAM is not None
    folder = tempfile.mkdtemp(prefix="ffx-etcd-")
    url, peer = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            *(PROGRAM, "--name", "one", "--data-dir", folder, "--unsafe-no-fsync"),
            *("--listen-client-urls", url, "--advertise-client-urls", url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(url)
        yield url
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/health", trust_env=False).json().get("health") == "true":
                return
        time.sleep(0.02)
    raise AssertionError("etcd does not answer")


def _to(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
