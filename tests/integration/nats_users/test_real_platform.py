"""Users on the NATS of a platform that ``ffx up`` has started, while its processes are killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client

from support.deadline import awaited, eventually
from support.platform_process import Platform, wait_for

pytestmark = pytest.mark.slow
BACK_WITHIN_S = 30.0
CODE = "def handle(event, context):\n    return {'user': event.headers.get('x-ffx-user'), 'got': event.json()}\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    made = Platform(Path(tmp_path_factory.mktemp("nats") / "data"))
    made.start()
    try:
        with made.client() as client:
            body = {"name": "hello", "runtime": "python", "source": {"files": {"main.py": CODE}}}
            client.post("/functions/register?wait_s=60", json=body).raise_for_status()
        yield made
    finally:
        made.end()


async def connect(platform: Platform, token: str, **how: Any) -> Client:
    document = platform.document()
    assert "@" not in document["nats_url"], "no credentials"
    client = await nats.connect(document["nats_url"], token=token, inbox_prefix="_INBOX_u-local", **how)
    assert client.is_connected
    return client


async def call(client: Client) -> dict[str, Any]:
    reply = await client.request("ffx.call.admin.hello", b'{"a": 1}', timeout=30)
    made: dict[str, Any] = json.loads(reply.data)
    return made


async def test_the_admin_calls_and_hears_of_what_happens(platform: Platform) -> None:
    client = await connect(platform, platform.token)
    made = await call(client)
    assert made["result"] == {"user": "u-local", "got": {"a": 1}}
    events: list[str] = []

    async def take(message: Any) -> None:
        events.append(message.subject)

    await client.subscribe("ffx.event.function.>", cb=take)
    await client.flush()
    with platform.client() as http:
        http.patch("/functions/admin/hello", json={"description": "told"}).raise_for_status()
    await eventually(lambda: "ffx.event.function.updated.admin.hello" in events, "the event comes", 10)
    await client.close()


@pytest.mark.parametrize("options", [{}, {"token": "nonsense"}, {"user": "platform", "password": ""}])
async def test_nobody_else_comes_in(platform: Platform, options: dict[str, str]) -> None:
    with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
        await nats.connect(platform.document()["nats_url"], allow_reconnect=False, **options)


async def test_a_killed_control_process_throws_nobody_out_and_lets_in_again(platform: Platform) -> None:
    client = await connect(platform, platform.token, allow_reconnect=False)
    before = platform.pids["control"]
    os.kill(before, signal.SIGKILL)
    assert (await call(client))["status"] == "succeeded", "nobody is needed for who is connected"

    async def lets_in() -> bool:
        try:
            other = await connect(platform, platform.token, allow_reconnect=False, connect_timeout=5)
        except (nats.errors.Error, AssertionError, OSError):
            return False
        done = (await call(other))["status"] == "succeeded"
        await other.close()
        return done

    await awaited(lets_in, "users come in again", BACK_WITHIN_S)
    assert platform.pids["control"] != before
    await asyncio.to_thread(wait_for, platform.ready, BACK_WITHIN_S, "readiness")
    assert client.is_connected
    await client.close()


async def test_a_killed_nats_server_is_found_again(platform: Platform) -> None:
    client = await connect(platform, platform.token, max_reconnect_attempts=-1, reconnect_time_wait=1)
    before = platform.pids["nats"]
    os.kill(before, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: platform.pids.get("nats", before) != before, BACK_WITHIN_S, "a new one")
    await asyncio.to_thread(wait_for, platform.ready, BACK_WITHIN_S, "readiness")

    async def answered() -> bool:
        try:
            return bool((await call(client))["status"] == "succeeded")
        except (nats.errors.Error, TimeoutError):
            return False

    await awaited(answered, "calls go through", BACK_WITHIN_S)
    await client.close()


def test_no_secret_in_arguments_or_logs(platform: Platform) -> None:
    given = json.loads((platform.data / "run/nats.json").read_text())
    secrets = [given[name] for name in ("password", "callout_password", "system_password", "issuer_seed")]
    secrets.append(platform.token)
    for pid in platform.pids.values():
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        assert not [each for each in secrets if each in arguments]
    for log in (platform.data / "log").glob("*.log"):
        text = log.read_text(errors="replace")
        assert not [each for each in secrets if each in text], log.name
