"""Functions of the form Handler: an http.Handler with all that net/http lets it do."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed


async def test_a_websocket_works_and_frees_its_place(start):
    instance = await start("go-handler", concurrency=1, timeout_s=20)
    async with unix_connect(instance.path, "ws://function.test/socket", compression=None) as socket:
        await socket.send("hello")
        assert await asyncio.wait_for(socket.recv(), 10) == "HELLO"
        async with instance.client() as client:
            assert (await client.get("/hello")).status_code == 429, "the socket holds the only place"
    await _free_again(instance)


async def test_a_websocket_without_a_byte_is_closed(start):
    instance = await start("go-handler", concurrency=1, timeout_s=0.5)
    async with unix_connect(instance.path, "ws://function.test/socket", compression=None) as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
    await _free_again(instance)
    assert instance.process.returncode is None


async def test_a_panic_after_the_first_byte_cuts_the_answer(start):
    instance = await start("go-handler")
    async with instance.client(headers={"x-request-id": "r-7"}) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/half")
        await instance.logged("the reason", "r-7")
        assert (await client.get("/hello")).text == "hello"


async def test_a_panic_before_anything_has_left_is_a_problem(start):
    instance = await start("go-handler")
    async with instance.client() as client:
        answer = await client.get("/late")
    assert (answer.status_code, answer.json()["code"]) == (500, "function-error")


async def test_lengths_and_names_are_put_in_order(start):
    instance = await start("go-handler")
    async with instance.client() as client:
        answer = await client.get("/lengths")
    assert answer.headers.get_list("content-length") == ["2"]
    assert "x-ffx-overflow" not in answer.headers
    assert answer.text == "hi"


async def test_a_body_that_the_handler_leaves_does_not_end_the_connection(start):
    instance = await start("go-handler")
    reader, writer = await instance.connect()
    for _ in range(3):
        writer.write(b"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert await reader.readexactly(5) == b"hello"
    writer.close()


async def test_a_body_that_does_not_come_does_not_hold_up_the_answer(start):
    instance = await start("go-handler", timeout_s=60)
    reader, writer = await instance.connect()
    writer.write(b"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbo")
    answer = await asyncio.wait_for(reader.read(), 10)  # nothing can follow on this connection
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"hello")
    writer.close()


async def test_a_client_that_has_only_stopped_sending_gets_its_answer(start):
    instance = await start("go-handler")
    reader, writer = await instance.connect()
    writer.write(b"GET /pieces HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.count(b"x" * 1000) >= 64 * 4
    writer.close()


async def _free_again(instance):
    async with instance.client() as client, asyncio.timeout(10):
        while (await client.get("/hello")).status_code == 429:
            await asyncio.sleep(0.01)
