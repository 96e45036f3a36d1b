"""On a running platform: an instance that rests is frozen and goes on, and a node whose memory is used up says so."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from faasioflex.model.function import MIB
from faasioflex.model.instance import Instance
from faasioflex.runtime.driver import LauncherDriver
from support.platform_process import Platform, wait_for

CODE = """\
import time
calls = 0
def handle(event, context):
    global calls
    calls += 1
    time.sleep(float(event.query.get("s", ["0"])[0]))
    return calls
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("p")
    config = folder / "config.toml"
    config.write_text(f"memory_budget_bytes = {300 * MIB}\nmemory_weights = ['admin=2']\n")
    platform = Platform(folder / "d", "--config", str(config))
    try:
        yield platform.start()
    finally:
        platform.end()


def register(platform: Platform, name: str, *, mib: int, **scaling: Any) -> None:
    body = {
        "name": name,
        "runtime": "python",
        "limits": {"memory_bytes": mib * MIB},
        "scaling": scaling,
        "source": {"files": {"main.py": CODE}},
    }
    with platform.client() as http:
        answer = http.post("/functions/register", params={"wait_s": 50}, json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json()["status"]["state"] == "ready", answer.text


def instances(platform: Platform, name: str) -> list[Instance]:
    async def look() -> list[Instance]:
        driver = LauncherDriver(platform.data / "run" / "launcher.sock")
        try:
            return await driver.observe()
        finally:
            await driver.close()

    return [one for one in asyncio.run(look()) if one.function.name == name]


def call(platform: Platform, name: str, **query: str) -> httpx.Response:
    with platform.client() as http:
        return http.get(f"/f/admin/{name}", params=query)


def frozen(platform: Platform) -> bool:
    return all(one.frozen for one in instances(platform, "rests"))


def test_it_is_frozen_and_the_next_call_finds_it_as_it_was_also_after_the_manager_was_killed(
    platform: Platform,
) -> None:
    register(platform, "rests", mib=64, freeze_s=0.5)
    assert call(platform, "rests").text == "1"
    (first,) = instances(platform, "rests")
    wait_for(lambda: frozen(platform), 30, "it is frozen")
    assert call(platform, "rests").text == "2"
    wait_for(lambda: frozen(platform), 30, "it is frozen again")
    os.kill(platform.pids["control"], signal.SIGKILL)
    answers: list[httpx.Response] = []  # calls are held ten seconds for it, which a busy machine may need more of

    def answered() -> bool:
        answers.append(call(platform, "rests"))
        return answers[-1].status_code == 200

    wait_for(answered, 60, "it is called again")
    assert answers[-1].text == "3"
    assert [one.id for one in instances(platform, "rests")] == [first.id]


def test_a_full_node_makes_room_where_that_is_fair_and_else_says_when_to_come_again(platform: Platform) -> None:
    wait_for(platform.ready, 30, "it is ready again")
    register(platform, "kept", mib=100, min_instances=2)
    wait_for(lambda: len(instances(platform, "kept")) == 2, 30, "two are kept")
    register(platform, "late", mib=100)  # the one that rests goes for it
    assert not instances(platform, "rests")
    busy = threading.Thread(target=lambda: call(platform, "late", s="8"))
    busy.start()
    try:
        wait_for(lambda: in_progress(platform) == 1, 10, "it is known to be called")
        refused = call(platform, "rests")
        assert refused.status_code == 503, refused.text
        assert refused.json()["code"] == "node-full"
        assert int(refused.headers["Retry-After"]) > 0
    finally:
        busy.join()
    wait_for(lambda: call(platform, "rests").status_code == 200, 30, "then it has its place")
    assert len(instances(platform, "kept")) == 2
    assert sum(one.memory_bytes for name in ("rests", "kept", "late") for one in instances(platform, name)) <= 300 * MIB


def in_progress(platform: Platform) -> int:
    with platform.client() as http:
        return int(http.get("/functions/admin/late/metrics").json()["in_progress"])


def test_the_folder_is_left_tidy(platform: Platform) -> None:
    assert platform.stop() == 0
    assert "Traceback" not in Path(platform.data / "log" / "control.log").read_text()
