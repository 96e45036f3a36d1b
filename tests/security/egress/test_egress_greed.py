"""One sandbox that takes all it can of the relay: the others go on."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from support.egress import says
from support.launcher import inside

from .conftest import DATABASE, PUBLIC, Walled

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOLD = """
import socket, time
held, result = [], 0
for _ in range(300):
    try:
        line = socket.create_connection(("public.example.com", 80), 0.5)
        line.setblocking(False)
        held.append(line)
        while True:
            try:
                line.send(b"x" * 65536)
            except BlockingIOError:
                break
    except OSError:
        result += 1
until = time.monotonic() + 3
while time.monotonic() < until:
    time.sleep(0.1)
"""
FLOOD = """
import socket, time
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.connect(("127.0.0.1", 53))
line.setblocking(False)
question = b"\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4evil\\3net\\0\\0\\1\\0\\1"
until = time.monotonic() + 3
result = 0
while time.monotonic() < until:
    try:
        line.send(question)
        result += 1
    except OSError:
        time.sleep(0.001)
"""


@pytest.mark.parametrize("greed", [HOLD, FLOOD], ids=["connections", "questions"])
async def test_another_sandbox_is_served_meanwhile(walled: Walled, greed: str) -> None:
    relay = psutil.Process(walled.world.relay.pid)
    before_bytes = relay.memory_info().rss
    under_way = asyncio.create_task(inside(walled.open, greed))
    served = 0
    while not under_way.done():
        assert await inside(walled.listed, says("db.internal", 5432)) == f"{DATABASE}:5432 heard hello"
        served += 1
    await under_way
    assert served >= 3
    assert relay.memory_info().rss - before_bytes < 128 * 1024 * 1024
    assert await inside(walled.listed, says(PUBLIC, 443)) == f"{PUBLIC}:443 heard hello"
