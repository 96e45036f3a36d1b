"""One sandbox that takes all it can of the relay: the others go on."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from faasioflex.gateway.egress.guest import HEAD_LINES_AT_ONCE, HEAD_LINES_PER_S
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
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # what waits costs the sandbox itself memory
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
HEADS = """
import socket, threading, time
MANY = b"CONNECT public.example.com:443 HTTP/1.1\\r\\n" + b"a:b\\r\\n" * 12_500 + b"\\r\\n"
FULL = b"GET http://127.0.0.1:81/ HTTP/1.1\\r\\nHost: a\\r\\n" + b"a:b\\r\\n" * 97 + b"\\r\\n"
began = time.monotonic()
statuses = []
def ask(head):
    while time.monotonic() < began + 3:
        with socket.create_connection(("127.0.0.1", 30081)) as line:
            line.sendall(head)
            statuses.append((head is FULL, line.recv(100)[9:12]))
threads = [threading.Thread(target=ask, args=(head,)) for head in (MANY, FULL) * 12]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
seconds = time.monotonic() - began
result = [{state.decode() for full, state in statuses if not full} == {"431"},
          {state.decode() for full, state in statuses if full} == {"403"},
          sum(full for full, _ in statuses), seconds]
"""


@pytest.mark.parametrize("greed", [HOLD, FLOOD, HEADS], ids=["connections", "questions", "heads"])
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


async def test_heads_that_are_long_are_refused_and_full_ones_are_read_only_so_fast(walled: Walled) -> None:
    too_long, read, heads, seconds = await inside(walled.open, HEADS)
    assert too_long
    assert read
    assert 0 < heads * 100 <= HEAD_LINES_AT_ONCE + HEAD_LINES_PER_S * seconds + 100
