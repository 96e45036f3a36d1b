"""Code that holds up the event loop: the others' deadlines still hold, and what blocks is ended."""

from __future__ import annotations

import asyncio

import httpx

from support.deadline import eventually

RETIRED = 75
CODE = """
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

function compute() {
  for (;;);
}

const PATHS = {
  hello: () => 'hello',
  sleep(_, context) {
    console.log('asleep');
    return delay(60_000, null, { signal: context.signal });
  },
  async spin() {
    await delay(1);
    compute();
  },
  timer: () => new Promise(() => setTimeout(compute, 1)),
  child: () => spawnSync('sleep', ['600']),
  async second() {
    const until = Date.now() + 1500;
    while (Date.now() < until);
    return 'done';
  },
  async log() {
    await delay(1);
    console.log('of this call');
  },
};
export const handle = (event, context) => PATHS[event.path.slice(1)](event, context);
"""


async def late(instance, path, request_id, **headers):
    """Its 504 has come."""
    async with instance.client() as client:
        answer = await client.get(path, headers={"x-request-id": request_id, **headers})
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline-exceeded"), answer.text
    assert answer.json()["request_id"] == request_id


async def goes_on(instance):
    """Whether it serves again. Before Node 24 code cannot be ended after an ``await``: then the instance retires."""
    async with instance.client() as client, asyncio.timeout(10):
        while True:
            try:
                answer = await client.get("/hello")
            except httpx.TransportError:
                assert await instance.ended() == RETIRED
                return False
            if answer.status_code == 200:
                return True
            await asyncio.sleep(0.01)  # 429 until the loop turns


async def test_deadlines_of_others_hold_while_one_computes(run):
    instance = await run({"index.mjs": CODE}, timeout_s=6, concurrency=4)
    sleeping = asyncio.create_task(late(instance, "/sleep", "r-sleep", **{"x-ffx-timeout-s": "1.5"}))
    await instance.logged("asleep", "r-sleep")
    spinning = asyncio.create_task(late(instance, "/spin", "r-spin"))
    await sleeping
    assert not spinning.done()  # its own deadline is 4.5 s later
    await spinning
    await instance.logged("by compute (index.mjs:6)", "r-spin")  # the log says where
    if not await goes_on(instance):
        return
    async with instance.client(headers={"x-request-id": "r-after"}) as client:
        await client.get("/log")
    await instance.logged("of this call", "r-after")  # calls and lines still belong together
    assert instance.process.returncode is None


async def test_open_connections_are_answered_while_one_computes(run):
    instance = await run({"index.mjs": CODE}, timeout_s=4, concurrency=4)
    reader, writer = await instance.connect()
    spinning = asyncio.create_task(late(instance, "/spin", "r-spin"))
    async with asyncio.timeout(10):
        while True:
            writer.write(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200 "):
                break
            await reader.readexactly(5)  # it came before the other began to compute
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert not spinning.done()
    assert b"x-ffx-overflow: 1\r\n" in answer
    await spinning
    writer.close()


async def test_a_timer_that_computes_makes_the_instance_retire(run):
    instance = await run({"index.mjs": CODE}, timeout_s=1)
    await late(instance, "/timer", "r-timer")
    assert await instance.ended() == RETIRED
    assert [one for one in instance.log if "is replaced" in one.message and "index.mjs" in one.message]


async def test_what_blocks_outside_of_javascript_ends_the_instance(run):
    instance = await run({"index.mjs": CODE}, timeout_s=1)
    await late(instance, "/child", "r-child")
    assert await instance.ended() == -9
    assert [one for one in instance.log if "outside of JavaScript" in one.message]


async def test_a_call_that_computes_within_its_deadline_is_answered(run):
    instance = await run({"index.mjs": CODE}, timeout_s=20)
    async with instance.client() as client:
        assert (await client.get("/second")).text == "done"
        assert (await client.get("/second")).text == "done"
        assert (await client.get("/hello")).text == "hello"
    assert not instance.log


async def test_the_watch_comes_back_for_a_second_one(run):
    instance = await run({"index.mjs": CODE}, timeout_s=1, concurrency=1)
    for number in range(2):
        await late(instance, "/spin", f"r-{number}")
        if not await goes_on(instance):
            return
    await eventually(lambda: len([one for one in instance.log if "that call was ended" in one.message]) == 2, "both")
