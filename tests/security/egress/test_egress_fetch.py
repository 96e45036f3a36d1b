"""A build's fetching step reaches the registries and nothing else, by the machine's own proxy where it has one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from faasioflex.runtime.language import interpreter
from faasioflex.runtime.port import JobEnded
from support.egress import EgressWorld, Host, asks, launched_with_relay, says
from support.launcher import job

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[EgressWorld]:
    async with launched_with_relay() as made:
        yield made


async def _fetch(world: EgressWorld, source: str, *egress: str, **env: str) -> tuple[str, JobEnded]:
    """What the source leaves in ``result``, and what the job's log says besides."""
    lines: list[str] = []
    argv = (str(interpreter()), "-I", "-c", f"{source}\nprint(result)")
    ended = await world.driver.run(job(argv, network=True, egress=egress, env=env, language="python"), lines.append)
    return "\n".join(lines), ended


@contextlib.contextmanager
def _hosts(number: int):  # type: ignore[no-untyped-def]
    made = [Host(socket.create_server(("127.0.0.1", 0)), f"host{index}") for index in range(number)]
    try:
        yield made
    finally:
        for host in made:
            host.close()


async def test_it_reaches_its_registry_and_no_other_port_of_that_host(world: EgressWorld) -> None:
    with _hosts(2) as (registry, other):
        listed = f"127.0.0.1:{registry.port}"
        said, _ = await _fetch(world, asks(f"http://127.0.0.1:{registry.port}/simple/"), listed)
        assert said == "host0 got GET /simple/ HTTP/1.1"
        for proxy in (True, False):
            said, _ = await _fetch(world, asks(f"http://127.0.0.1:{other.port}/", proxy=proxy), listed)
            assert "failed" in said
        said, _ = await _fetch(world, says("127.0.0.1", other.port), listed)
        assert "failed" in said
        assert other.reached == 0


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/", "https://evil.example.net/", "http://10.0.0.1:8080/", "http://[::1]:80/"]
)
async def test_nothing_else_is_reached_and_the_log_says_so(world: EgressWorld, url: str) -> None:
    said, _ = await _fetch(world, asks(url), "registry.example.org:443")
    assert "403" in said or "failed" in said
    if "[" not in url:  # that is its own loopback, for which no proxy is asked
        assert "cannot be reached: it is not one of this machine's package registries" in said


async def test_nothing_of_the_host_s_network_is_there(world: EgressWorld) -> None:
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind("\0ffx-egress-test")
        abstract.listen()
        source = (
            "import socket\nresult = [name for _, name in socket.if_nameindex()]\n"
            "line = socket.socket(socket.AF_UNIX)\n"
            "try:\n    line.connect('\\0ffx-egress-test')\n    result.append('reached')\nexcept OSError:\n    pass\n"
        )
        said, ended = await _fetch(world, source, "registry.example.org:443")
    assert said == "['lo']", ended


async def test_by_the_machine_s_own_proxy(world: EgressWorld) -> None:
    asked: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        request = await reader.readuntil(b"\r\n\r\n")
        body = b"by the proxy: " + request.split(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    async with server:
        url = f"http://me:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        proxies = {"HTTPS_PROXY": url, "http_proxy": url, "NO_PROXY": "other.example.org"}
        said, _ = await _fetch(world, asks("http://registry.example.org/simple/"), "registry.example.org:80", **proxies)
        assert said == "by the proxy: GET /simple/ HTTP/1.1"
        assert asked[0].startswith("CONNECT registry.example.org:80 HTTP/1.1\r\n")
        assert "Basic bWU6c2VjcmV0" in asked[0]
        said, _ = await _fetch(world, asks("http://evil.example.net/"), "registry.example.org:80", **proxies)
        assert "403" in said
        said, _ = await _fetch(world, "import os\nresult = str(dict(os.environ))", "registry.example.org:80", **proxies)
        assert "secret" not in said
    assert len(asked) == 1


async def test_a_step_without_hosts_has_no_way_out(world: EgressWorld) -> None:
    with _hosts(1) as (there,):
        lines: list[str] = []
        argv = (str(interpreter()), "-I", "-c", says("127.0.0.1", there.port) + "print(result)")
        await world.driver.run(job(argv, language="python"), lines.append)
        assert lines[-1].startswith("failed")
        assert there.reached == 0
