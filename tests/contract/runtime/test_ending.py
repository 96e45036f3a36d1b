"""SIGTERM, and starts that fail."""

from __future__ import annotations

import asyncio
import json

import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed

from support.runtime_instance import run_instance


async def test_sigterm_ends_an_idle_instance_at_once(subject, start):
    instance = await start(subject, timeout_s=60)
    async with instance.client() as client:
        await client.get("/hello")
        instance.terminate()
        assert await instance.ended(5) == 0


async def test_sigterm_lets_calls_finish(subject, start):
    instance = await start(subject, timeout_s=20)
    reader, writer = await instance.connect()
    writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab")
    async with instance.client() as client:
        await client.get("/hello")  # the other request has been read by now
    instance.terminate()
    async with asyncio.timeout(10):
        while True:
            try:
                _, other = await instance.connect()
                other.close()
                await asyncio.sleep(0.01)
            except ConnectionRefusedError:
                break
    writer.write(b"cd")
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"abcd" in answer.replace(b"\r\n2\r\n", b"")
    assert await instance.ended() == 0
    writer.close()


async def test_sigterm_waits_no_longer_than_the_deadline(subject, start):
    instance = await start(subject, timeout_s=1)
    async with instance.client(headers={"x-request-id": "r-1"}) as client:
        call = asyncio.create_task(client.get("/sleep"))
        await instance.logged("asleep", "r-1")
        instance.terminate()
        assert (await call).status_code == 504
        assert await instance.ended(10) == 0


async def test_a_request_on_an_open_connection_is_answered_while_it_ends(subject, start):
    instance = await start(subject)
    reader, writer = await instance.connect()
    writer.write(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"hello"), 10)
    instance.terminate()
    writer.write(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.endswith(b"hello")
    assert await instance.ended() == 0
    writer.close()


async def test_code_that_is_not_there_ends_the_start_with_words(subject, tmp_path):
    async with run_instance(subject.runtime, tmp_path, wait=False) as instance:
        assert await instance.ended() == 1
    assert instance.raw
    assert not instance.ready
    assert len(json.dumps(instance.raw[-1])) < 300


@pytest.mark.parametrize("handler", ["nowhere:nothing", "../../etc/passwd"])
async def test_a_handler_that_is_not_there_ends_the_start(subject, handler):
    async with run_instance(subject.runtime, subject.code, handler=handler, wait=False) as instance:
        assert await instance.ended() == 1
    assert instance.raw


def socket_of(instance):
    return unix_connect(instance.path, "ws://function.test/socket", compression=None)


@pytest.mark.needs("sockets")
async def test_a_websocket_goes_on_while_the_instance_ends(subject, start):
    instance = await start(subject, timeout_s=60)
    async with socket_of(instance) as socket:
        await socket.send("a")
        assert await asyncio.wait_for(socket.recv(), 10) == "A"
        instance.terminate()
        async with asyncio.timeout(10):
            while True:  # until it takes no more connections
                try:
                    _, other = await instance.connect()
                except ConnectionRefusedError:
                    break
                other.close()
                await asyncio.sleep(0.01)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(instance.ended(), 0.6)  # longer than it waits for last requests
        await socket.send("b")
        assert await asyncio.wait_for(socket.recv(), 10) == "B"
    assert await instance.ended(10) == 0, "it ends with the session"


@pytest.mark.needs("sockets")
async def test_a_websocket_does_not_hold_up_the_end_for_longer_than_the_timeout(subject, start):
    instance = await start(subject, timeout_s=1.5)
    async with socket_of(instance) as socket:
        await socket.send("a")
        assert await asyncio.wait_for(socket.recv(), 10) == "A"
        instance.terminate()
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        assert await instance.ended(10) == 0
