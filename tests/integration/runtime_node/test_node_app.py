"""Applications on node:http: what differs from handlers."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from support.deadline import eventually

CODE = """
const PATHS = {
  hello: (req, res) => res.end('hello'),
  forged(req, res) { res.setHeader('x-ffx-overflow', '1'); res.writeHead(200, { 'X-FFX-Other': '2', 'x-mine': '3' }); res.end('x'); },
  list(req, res) { res.writeHead(200, ['x-ffx-a', '1', 'x-mine', '3']); res.end('x'); },
  short(req, res) { res.setHeader('content-length', 100); res.end('only this'); },
  long(req, res) { res.setHeader('content-length', 2); res.write('too much'); },
  later(req, res) { setTimeout(() => { throw new Error('later'); }, 1); },
  async rejects() { throw new Error('rejected'); },
  seen: (req, res) => res.end(JSON.stringify([req.rawHeaders, req.headers['x-ffx-principal'] ?? null])),
  context(req, res) { req.on('data', () => console.log('part')); req.on('end', () => { console.log('end'); res.end(); }); },
  silent() {},
};
export const app = (req, res) => PATHS[req.url.slice(1)](req, res);
"""
SOCKETS = """
import { createHash } from 'node:crypto';
import http from 'node:http';

export const app = http.createServer((req, res) => res.end('hello'));
app.on('upgrade', (req, socket, head) => {
  if (req.url === '/silent') return;
  if (req.url === '/fail') throw new Error('the reason');
  const key = createHash('sha1').update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'upgrade: websocket', 'connection: upgrade', `sec-websocket-accept: ${key}`];
  socket.write(`${lines.join('\\r\\n')}\\r\\n\\r\\n`);
  socket.on('data', (data) => { console.log('got', data.length); socket.write(data); });
  socket.on('error', () => {});
});
"""
UPGRADE = (
    b"GET %b HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nx-request-id: r-1\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def test_headers_of_the_platform_come_neither_in_nor_out(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client(headers={"X-FFX-Principal": "ada"}) as client:
        for path in ("/forged", "/list"):
            headers = (await client.get(path)).headers
            assert headers["x-mine"] == "3"
            assert not [name for name in headers if name.startswith("x-ffx-")]
        lines, principal = (await client.get("/seen")).json()
    assert principal is None
    assert not [line for line in lines if line.lower().startswith("x-ffx-")]


@pytest.mark.parametrize("path", ["/short", "/long"])
async def test_a_body_of_another_length_than_announced_cuts_the_connection(run, path):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(path)
        assert (await client.get("/hello")).text == "hello"


async def test_errors_of_every_kind_are_answered(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client(headers={"x-request-id": "r-1"}) as client:
        answer = await client.get("/rejects")
        assert (answer.status_code, answer.json()["code"]) == (500, "function-error")
        answer = await client.get("/later")
        assert (answer.status_code, answer.json()["code"]) == (500, "function-error")
    assert await instance.ended() == 75
    assert {"Error: rejected", "Error: later"} <= {message for message in instance.messages("r-1")}


async def test_listeners_of_a_request_belong_to_its_call(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client(headers={"x-request-id": "r-2"}) as client:
        await client.post("/context", content=b"x")
    await instance.logged("end", "r-2")
    assert instance.messages("r-2") == ["part", "end"]


async def test_an_application_that_answers_nothing_gets_a_504_and_its_place_is_free(run):
    instance = await run({"index.mjs": CODE}, timeout_s=0.5, concurrency=1)
    async with instance.client() as client:
        assert (await client.get("/silent")).status_code == 504
        assert (await client.get("/hello")).text == "hello"


async def test_websockets_pass_to_the_applications_server(run):
    instance = await run({"index.mjs": SOCKETS}, concurrency=1)
    reader, writer = await instance.connect()
    writer.write(UPGRADE % b"/")
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    writer.write(b"frames")
    assert await asyncio.wait_for(reader.readexactly(6), 10) == b"frames"
    async with instance.client() as client:
        assert (await client.get("/")).status_code == 429  # an open one takes a place
        writer.close()
        async with asyncio.timeout(10):
            while (await client.get("/")).text != "hello":
                await asyncio.sleep(0.01)


async def test_silence_ends_a_websocket_and_words_keep_it(run):
    instance = await run({"index.mjs": SOCKETS}, timeout_s=1)
    reader, writer = await instance.connect()
    writer.write(UPGRADE % b"/silent")
    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 504 ")
    writer.close()
    reader, writer = await instance.connect()
    writer.write(UPGRADE % b"/")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    for _ in range(8):
        writer.write(b"x")
        assert await asyncio.wait_for(reader.readexactly(1), 10) == b"x"
        await asyncio.sleep(0.2)
    with pytest.raises(asyncio.IncompleteReadError):
        await asyncio.wait_for(reader.readexactly(1), 10)
    writer.close()


async def test_a_websocket_goes_on_while_the_instance_ends_until_its_time_is_over(run):
    instance = await run({"index.mjs": SOCKETS}, timeout_s=2.5)
    reader, writer = await instance.connect()
    writer.write(UPGRADE % b"/")
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    instance.terminate()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(instance.ended(), 0.6)  # longer than it waits for last requests
    writer.write(b"frames")
    assert await asyncio.wait_for(reader.readexactly(6), 10) == b"frames"
    assert await asyncio.wait_for(reader.read(), 10) == b"\x88\x02\x03\xf4", "closed with 1012"
    writer.close()
    assert await instance.ended(10) == 0


async def test_an_error_in_an_upgrade_is_a_problem(run):
    instance = await run({"index.mjs": SOCKETS})
    reader, writer = await instance.connect()
    writer.write(UPGRADE % b"/fail")
    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 500 ")
    await eventually(lambda: any("the reason" in one for one in instance.messages("r-1")), "its trace")
    writer.close()
