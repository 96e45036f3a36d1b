"""What a Node handler may return."""

from __future__ import annotations

import pytest

CODE = """
import { Readable } from 'node:stream';
import { Response as Ours } from 'ffx_runtime';

const PATHS = {
  object: () => ({ a: [1, 'ü'] }),
  array: () => [1, 2],
  number: () => 7,
  flag: () => false,
  date: () => new Date(0),
  nothing: () => undefined,
  text: () => 'ü',
  bytes: () => new Uint8Array([1, 2, 255]),
  ours: () => new Ours({ a: 1 }, 201, { 'X-One': 'x', 'set-cookie': ['a=1', 'b=2'], 'x-ffx-overflow': '1', 'content-length': '99' }),
  options: () => new Ours('no', { status: 404, headers: [['x-two', 'y']] }),
  empty: () => new Ours(null, 202),
  web: () => Response.json({ a: 1 }, { status: 201, headers: { 'x-one': 'x' } }),
  webempty: () => new Response(null, { status: 204 }),
  webstream: () => new Response(new ReadableStream({ async start(to) {
    to.enqueue(new Uint8Array([65])); await new Promise((done) => setTimeout(done, 50)); to.enqueue(new Uint8Array([66])); to.close();
  } })),
  readable: () => Readable.from(['a', 'b']),
  stream: () => new ReadableStream({ start(to) { to.enqueue('a'); to.enqueue('b'); to.close(); } }),
  async *generator() { yield 'a'; yield Buffer.from('b'); },
  typed: () => new Ours((function* () { yield '{'; yield '}'; })(), 200, { 'content-type': 'application/json' }),
  nan: () => NaN,
  map: () => new Map(),
  cyclic() { const one = {}; one.one = one; return one; },
  big: () => 1n,
  status: () => new Ours('x', 42),
  broken: () => new Ours('x', 200, { 'x-one': 'a\\r\\nx-two: b' }),
  piece: () => (function* () { yield 7; })(),
};
export const handle = (event) => PATHS[event.path.slice(1)](event);
"""


async def test_values_become_answers(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:

        async def ask(path):
            answer = await client.get(path)
            return answer.status_code, answer.headers.get("content-type"), answer.content

        assert await ask("/object") == (200, "application/json", '{"a":[1,"ü"]}'.encode())
        assert await ask("/array") == (200, "application/json", b"[1,2]")
        assert await ask("/number") == (200, "application/json", b"7")
        assert await ask("/flag") == (200, "application/json", b"false")
        assert await ask("/date") == (200, "application/json", b'"1970-01-01T00:00:00.000Z"')
        assert await ask("/nothing") == (204, None, b"")
        assert await ask("/text") == (200, "text/plain; charset=utf-8", "ü".encode())
        assert await ask("/bytes") == (200, "application/octet-stream", b"\x01\x02\xff")
        assert await ask("/empty") == (202, None, b"")
        assert await ask("/webempty") == (204, None, b"")
        assert await ask("/readable") == (200, "text/plain; charset=utf-8", b"ab")
        assert await ask("/stream") == (200, "text/plain; charset=utf-8", b"ab")
        assert await ask("/generator") == (200, "text/plain; charset=utf-8", b"ab")
        assert await ask("/typed") == (200, "application/json", b"{}")


async def test_responses_have_status_and_headers_but_none_of_the_platforms(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        ours = await client.get("/ours")
        assert (ours.status_code, ours.json(), ours.headers["x-one"]) == (201, {"a": 1}, "x")
        assert ours.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert "x-ffx-overflow" not in ours.headers
        assert ours.headers["content-length"] == "7"
        options = await client.get("/options")
        assert (options.status_code, options.text, options.headers["x-two"]) == (404, "no", "y")


async def test_the_webs_own_response_is_one_too(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        web = await client.get("/web")
        assert (web.status_code, web.json(), web.headers["x-one"]) == (201, {"a": 1}, "x")
        assert web.headers["content-type"] == "application/json"
        assert web.headers["content-length"] == "7"  # of one piece: its length is known
        streamed = await client.get("/webstream")
        assert (streamed.content, streamed.headers["transfer-encoding"]) == (b"AB", "chunked")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nan", "not NaN"),
        ("map", "not Map"),
        ("cyclic", "not JSON"),
        ("big", "not bigint"),
        ("status", "the status 42"),
        ("broken", "line break"),
        ("piece", "may yield strings or bytes"),
    ],
)
async def test_what_cannot_be_sent_is_an_error_that_says_so(run, path, words):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        answer = await client.get(f"/{path}")
        assert (answer.status_code, answer.json()["code"]) == (500, "function-error")
        assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("index.cjs", "const { Response } = require('ffx_runtime'); exports.handle = () => new Response('hi', 203)"),
        (
            "index.ts",
            "import { Response } from 'ffx_runtime'; export const handle = (): Response => new Response('hi', 203)",
        ),
        (
            "index.mts",
            "import { Response } from 'ffx_runtime'; export default { handle: () => new Response('hi', 203) }",
        ),
        (
            "index.js",
            "const { Response } = require('ffx_runtime'); module.exports = { handle: () => new Response('hi', 203) }",
        ),
        ("index.js", "import { Response } from 'ffx_runtime'; export const handle = () => new Response('hi', 203)"),
    ],
)
async def test_every_kind_of_module_can_import_the_runtime(run, file, code):
    instance = await run({file: code})
    async with instance.client() as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.text) == (203, "hi")
