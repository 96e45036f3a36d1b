"""What ends a Node process elsewhere: errors that nobody catches, process.exit; and what children and threads inherit."""

from __future__ import annotations

import asyncio

import pytest

RETIRED = 75
CODE = """
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const PATHS = {
  hello: () => 'hello',
  sleep() {
    console.log('asleep');
    return delay(700, 'slept');
  },
  thrown: () => new Promise(() => setTimeout(() => { throw new Error('from a timer'); }, 1)),
  rejected() { Promise.reject(new Error('nobody awaits')); return 'answered'; },
  throws({ query }) { throw { null: null, nothing: undefined, text: 'words', object: { a: 1 } }[query.what[0]]; },
  properties() { throw Object.assign(new Error('the reason'), { code: 'E_MINE' }); },
  exit: () => new Promise(() => setTimeout(() => process.exit(3), 100)),
  descriptors: () => execFileSync('ls', ['/proc/self/fd']).toString(),
  worker: () => new Promise((resolve, reject) => {
    const worker = new Worker(`console.log('in a thread')`, { eval: true });
    worker.on('error', reject);
    worker.on('exit', (code) => setTimeout(() => resolve({ code }), 100));
  }),
  raw() { process.stdout.write('no line'); process.stdout.write(Buffer.from(' break')); },
  long: () => void console.log('ü'.repeat(20000)),
  async signal(_, context) {
    await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
    console.log('told', context.signal.aborted);
  },
};
export const handle = (event, context) => PATHS[event.path.slice(1)](event, context);
"""


async def test_an_error_that_nobody_catches_is_answered_and_the_instance_replaced_after_its_other_calls(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        other = asyncio.create_task(client.get("/sleep", headers={"x-request-id": "r-0"}))
        await instance.logged("asleep", "r-0")
        answer = await client.get("/thrown", headers={"x-request-id": "r-1"})
        assert (answer.status_code, answer.json()["code"]) == (500, "function-error")
        assert (await client.get("/hello")).status_code == 429
        assert (await other).text == "slept"
    assert await instance.ended() == RETIRED
    await instance.logged("from a timer", "r-1")


@pytest.mark.parametrize(
    ("what", "named", "logged"),
    [("null", "null", "null"), ("nothing", "undefined", "undefined"), ("text", "a string", "'words'"),
     ("object", "an object", "{ a: 1 }")],
)  # fmt: skip
async def test_what_is_thrown_and_no_error_is_named(run, what, named, logged):
    instance = await run({"index.mjs": CODE})
    async with instance.client(headers={"x-request-id": "r-8"}) as client:
        answer = await client.get("/throws", params={"what": what})
    assert (answer.status_code, answer.json()["code"]) == (500, "function-error")
    assert answer.json()["detail"].startswith(f"the function threw {named}, not an Error")
    await instance.logged(f"thrown: {logged}", "r-8")


async def test_the_properties_of_an_error_are_logged_in_their_braces(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client(headers={"x-request-id": "r-9"}) as client:
        await client.get("/properties")
    await instance.logged("}", "r-9")
    lines = instance.messages("r-9")
    assert lines[-3].endswith(" {"), lines
    assert lines[-2:] == ["  code: 'E_MINE'", "}"]


async def test_a_rejection_after_the_answer_is_logged_and_the_instance_replaced(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client(headers={"x-request-id": "r-2"}) as client:
        assert (await client.get("/rejected")).text == "answered"
    assert await instance.ended() == RETIRED
    await instance.logged("nobody awaits", "r-2")


async def test_a_function_that_listens_for_its_rejections_goes_on(run):
    instance = await run(
        {"index.mjs": CODE + "process.on('unhandledRejection', (error) => console.log(`mine: ${error.message}`));"}
    )
    async with instance.client(headers={"x-request-id": "r-3"}) as client:
        assert (await client.get("/rejected")).text == "answered"
        await instance.logged("mine: nobody awaits", "r-3")
        assert (await client.get("/hello")).text == "hello"


async def test_process_exit_answers_what_runs_and_ends(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        other = asyncio.create_task(client.get("/sleep"))
        answer = await client.get("/exit")
        assert (answer.status_code, answer.json()["detail"]) == (500, "the function ended its process")
        assert (await other).status_code == 500
    assert await instance.ended() == 3


async def test_children_inherit_nothing_but_the_standard_streams(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        found = (await client.get("/descriptors")).text.split()
    assert found in (["0", "1", "2", "3"], ["0", "1", "2", "4"])  # the last is ls's own, of the folder it lists


async def test_lines_of_threads_and_pieces_of_lines_are_logged(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        assert (await client.get("/worker", headers={"x-request-id": "r-4"})).json() == {"code": 0}
        await client.get("/raw", headers={"x-request-id": "r-5"})
        await client.get("/long", headers={"x-request-id": "r-6"})
    await instance.logged("no line break", "r-5")
    assert [one for one in instance.log if one.message == "in a thread"]
    pieces = instance.messages("r-6")
    assert "".join(pieces) == "ü" * 20000
    assert all(len(piece.encode()) <= 16384 for piece in pieces)


async def test_the_signal_tells_that_the_client_has_gone(run):
    instance = await run({"index.mjs": CODE})
    _, writer = await instance.connect()
    writer.write(b"GET /signal HTTP/1.1\r\nhost: x\r\nx-request-id: r-7\r\n\r\n")
    await writer.drain()
    async with instance.client() as client:
        await client.get("/hello")  # the other has come by now
    writer.close()
    await instance.logged("told true", "r-7")
