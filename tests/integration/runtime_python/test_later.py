"""Modules that the Python runtime does not read at its start are ordinary ones for a function."""

from __future__ import annotations

from pathlib import Path

from faasioflex.runtime.language import language
from support.runtime_instance import run_check

FUNCTION = """
import sys, threading

BEFORE = {name: type(sys.modules[name]).__name__ for name in ("ssl", "asyncio.sslproto")}

import asyncio, ssl

seen = []
def look():
    seen.append((ssl.create_default_context, asyncio.sslproto.SSLProtocol))

threads = [threading.Thread(target=look) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

from ssl import SSLContext

assert BEFORE == {"ssl": "Later", "asyncio.sslproto": "Later"}, BEFORE
assert len(seen) == 20
assert type(ssl) is type(asyncio.sslproto) is type(sys)
assert asyncio.base_events.ssl is asyncio.sslproto.ssl is ssl
assert isinstance(SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext)

def handle(event, context):
    return 1
"""
PATCH = """
import ssl

ssl._create_default_https_context = None
assert ssl._create_default_https_context is None and ssl.SSLContext

def handle(event, context):
    return 1
"""


async def test_the_first_look_makes_them_whole_for_many_threads_at_once(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(FUNCTION)
    assert await run_check(language("python"), tmp_path) == (0, "")


async def test_what_a_function_puts_into_one_stays(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(PATCH)
    assert await run_check(language("python"), tmp_path) == (0, "")
