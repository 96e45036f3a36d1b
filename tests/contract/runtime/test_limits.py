"""Concurrency, deadlines, and calls that do not end."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from support.deadline import eventually

RETIRED = 75


async def test_above_the_concurrency_a_call_is_refused_before_its_body(subject, start):
    instance = await start(subject, concurrency=2, timeout_s=20)
    async with instance.client() as client:

        async def occupy() -> None:
            while (await client.get("/sleep")).status_code == 429:  # the question below may have come first
                await asyncio.sleep(0.05)

        calls = [asyncio.create_task(occupy()) for _ in range(2)]
        async with asyncio.timeout(10):
            while (await client.get("/hello")).status_code != 429:
                await asyncio.sleep(0.01)
        reader, writer = await instance.connect()
        writer.write(b"POST /count HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        await reader.readexactly(_length(head))
        assert head.startswith(b"HTTP/1.1 429 ")
        head = head.lower()
        assert b"x-ffx-overflow: 1\r\n" in head
        assert b"retry-after: 1\r\n" in head
        assert b"application/problem+json" in head
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

        writer.write(b"x" * 1000)
        async with asyncio.timeout(10):  # the connection that was refused goes on, and the places are free again
            while True:
                writer.write(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                if await reader.readexactly(_length(head)) == b"hello":
                    break
                await asyncio.sleep(0.01)
        writer.close()


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


async def test_past_the_deadline_a_call_is_a_problem_and_its_work_ends(subject, start):
    instance = await start(subject, timeout_s=0.5, concurrency=1)
    async with instance.client(headers={"x-request-id": "r-3"}) as client:
        answer = await client.get("/sleep")
        assert answer.status_code == 504
        assert (answer.json()["code"], answer.json()["request_id"]) == ("deadline-exceeded", "r-3")
        await instance.logged("cancelled", "r-3")
        async with asyncio.timeout(5):  # its place is free again: the work has ended
            while (await client.get("/hello")).status_code == 429:
                await asyncio.sleep(0.01)
    assert instance.process.returncode is None


async def test_a_shorter_deadline_may_come_with_the_call(subject, start):
    instance = await start(subject, timeout_s=60)
    async with instance.client() as client:
        answer = await client.get("/sleep", headers={"x-ffx-timeout-s": "0.3"})
    assert answer.status_code == 504


async def test_a_longer_deadline_may_not(subject, start):
    instance = await start(subject, timeout_s=0.3)
    async with instance.client() as client:
        answer = await client.get("/sleep", headers={"x-ffx-timeout-s": "50"})
    assert answer.status_code == 504


async def test_a_call_that_spins_holds_up_no_other(subject, start):
    """Others are answered: by the function, or where it holds the event loop at least by a refusal that the gateway takes up."""
    instance = await start(subject, timeout_s=4, concurrency=4)
    async with instance.client() as client:
        spinning = asyncio.create_task(client.get("/spin", headers={"x-request-id": "r-1"}))
        await instance.logged("spinning", "r-1")
        answers = []
        for _ in range(3):
            started = asyncio.get_running_loop().time()
            answers.append(await client.get("/hello"))
            assert asyncio.get_running_loop().time() - started < 3
        if "blocks-loop" in subject.can:
            assert {answer.status_code for answer in answers} == {429}
            assert all(answer.headers["x-ffx-overflow"] == "1" for answer in answers)
        else:
            assert {answer.text for answer in answers} == {"hello"}
        assert (await spinning).status_code == 504
        async with asyncio.timeout(10):  # and what spun was ended
            while (await client.get("/hello")).text != "hello":
                await asyncio.sleep(0.01)


@pytest.mark.needs("stuck")
async def test_a_call_that_cannot_be_ended_makes_the_instance_retire_after_the_others(subject, start):
    instance = await start(subject, timeout_s=3, concurrency=4)
    async with instance.client() as client:
        assert (await client.get("/stuck", headers={"x-ffx-timeout-s": "0.2"})).status_code == 504
        other = asyncio.create_task(client.get("/sleep"))
        await eventually(lambda: any("did not end" in one.message for one in instance.log), "it gave up")
        served = await client.get("/hello")  # nobody starts a replacement before this one has ended
        assert (served.status_code, served.text) == (200, "hello")
        assert instance.process.returncode is None
        assert (await other).status_code == 504
    assert await instance.ended() == RETIRED


@pytest.mark.needs("stuck")
async def test_an_instance_with_a_call_that_cannot_be_ended_refuses_new_ones_where_it_is_never_alone(subject, start):
    async with asyncio.timeout(90):
        while (refused := await _refused_while_never_alone(await start(subject, timeout_s=1, concurrency=8))) is None:
            pass
    assert (refused.status_code, refused.headers["x-ffx-overflow"]) == (429, "1")


async def _refused_while_never_alone(instance):
    """The answer that is neither 200 nor 504; None where a busy machine let the calls end together, and the instance with them."""
    async with instance.client() as client:
        assert (await client.get("/stuck", headers={"x-ffx-timeout-s": "0.2"})).status_code == 504

        async def call_until_refused(timeout_s):
            while (answer := await client.get("/sleep", headers={"x-ffx-timeout-s": timeout_s})).status_code == 504:
                pass
            return answer

        calls = [asyncio.create_task(call_until_refused(f"0.{hundredths}")) for hundredths in range(31, 90, 9)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert await instance.ended() == RETIRED
    first = done.pop()
    if any(isinstance(result, httpx.TransportError) for result in results) and first.exception() is not None:
        return None
    return first.result()


async def test_silence_after_the_first_byte_cuts_the_connection(subject, start):
    instance = await start(subject, timeout_s=1)
    async with instance.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/stream")
        assert (await client.get("/hello")).text == "hello"


async def test_the_work_of_a_client_that_goes_is_ended(subject, start):
    instance = await start(subject, timeout_s=60, concurrency=1)
    async with instance.client() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/sleep", timeout=0.3)
        async with asyncio.timeout(10):
            while (await client.get("/hello")).status_code == 429:
                await asyncio.sleep(0.01)
    assert instance.process.returncode is None
