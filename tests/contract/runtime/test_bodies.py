"""Bodies of requests and answers: limits, streams, broken ones."""

from __future__ import annotations

import asyncio

import pytest

MIB = 1024 * 1024


async def chunks(size: int, count: int):
    for _ in range(count):
        yield b"x" * size


async def test_takes_a_body_of_the_whole_limit_in_chunks(subject, start):
    instance = await start(subject, payload_bytes=MIB)
    async with instance.client() as client:
        assert (await client.post("/count", content=chunks(64 * 1024, 16))).json() == {"bytes": MIB}
        assert (await client.post("/count", content=b"x" * MIB)).json() == {"bytes": MIB}


async def test_refuses_a_larger_body(subject, start):
    instance = await start(subject, payload_bytes=1000)
    async with instance.client() as client:
        answer = await client.post("/count", content=b"x" * 1001)
        assert (answer.status_code, answer.json()["code"]) == (413, "payload-too-large")


async def test_counts_chunks_while_they_come(subject, start):
    """The refusal comes although the body never ends."""
    instance = await start(subject, payload_bytes=1000)
    reader, writer = await instance.connect()
    writer.write(b"POST /count HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    writer.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n" + b"1\r\nx\r\n")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_null_takes_any_size(subject, start):
    instance = await start(subject, payload_bytes=None)
    async with instance.client() as client:
        assert (await client.post("/count", content=chunks(MIB, 12))).json() == {"bytes": 12 * MIB}


async def test_asks_for_the_body_that_is_announced(subject, start):
    instance = await start(subject)
    reader, writer = await instance.connect()
    writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"hi")
    assert (await asyncio.wait_for(reader.readuntil(b"hi"), 10)).startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_does_not_ask_for_a_body_that_is_too_large(subject, start):
    instance = await start(subject, payload_bytes=1)
    reader, writer = await instance.connect()
    writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
    assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_streams_pieces(subject, start):
    instance = await start(subject)
    async with instance.client() as client, client.stream("GET", "/pieces") as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        body = b"".join([part async for part in answer.aiter_bytes()])
    assert body == b"x" * 262144


async def test_the_first_piece_comes_before_the_last_is_made(subject, start):
    instance = await start(subject, timeout_s=20)
    async with instance.client() as client, client.stream("GET", "/stream") as answer:
        assert answer.status_code == 200
        assert await asyncio.wait_for(anext(answer.aiter_text()), 10) == "first\n"


@pytest.mark.needs("closes")
async def test_a_stream_whose_client_goes_is_closed(subject, start):
    instance = await start(subject, timeout_s=20)
    async with instance.client(headers={"x-request-id": "r-1"}) as client, client.stream("GET", "/stream") as answer:
        await anext(answer.aiter_text())
    await instance.logged("the stream was closed", "r-1")


@pytest.mark.needs("breaks")
async def test_a_stream_that_breaks_is_cut_after_what_was_sent(subject, start):
    """An answer of which nothing came would be taken for a crash, and the call repeated."""
    instance = await start(subject)
    reader, writer = await instance.connect()
    writer.write(b"GET /broken HTTP/1.1\r\nhost: x\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert answer.endswith(b"\r\n6\r\nfirst\n\r\n"), "the head and the piece, no mark of the body's end"
    writer.close()


@pytest.mark.needs("streams-requests")
async def test_a_request_is_streamed_into_the_function(subject, start):
    """The echo of the first part comes back before the second is sent."""
    instance = await start(subject)
    reader, writer = await instance.connect()
    writer.write(
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n10000\r\n" + b"a" * 65536 + b"\r\n"
    )
    await asyncio.wait_for(reader.readuntil(b"a" * 1000), 10)
    writer.write(b"1\r\nb\r\n0\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 10)).count(b"b") == 1
    writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nhost: x\r\nbad name: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_a_malformed_request_is_a_problem(subject, start, request_bytes):
    instance = await start(subject)
    reader, writer = await instance.connect()
    writer.write(request_bytes)
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert b'"code": "bad-request"' in answer
    writer.close()
    async with instance.client() as client:
        assert (await client.get("/hello")).text == "hello"


async def test_too_large_headers_are_refused(subject, start):
    instance = await start(subject)
    async with instance.client(headers={"x-long": "x" * 200_000}) as client:
        answer = await client.get("/hello")
    assert (answer.status_code, answer.json()["code"]) == (431, "headers-too-large")
