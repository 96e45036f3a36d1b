"""What the invoker tells of the calls that it answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from faasioflex.bus.codec import decode
from faasioflex.bus.memory import MemoryBus
from faasioflex.invoker.bounds import Bounds
from faasioflex.model.durations import percentile
from faasioflex.model.function import Limits
from faasioflex.model.messages import (
    CALLS_SUBJECT,
    COUNTS_SUBJECT,
    LOAD_SUBJECT,
    CallsReport,
    CountsReport,
    LoadReport,
    RevisionCalls,
    WakeReply,
    WakeRequest,
)
from faasioflex.model.route import FunctionRoute, RevisionRoute
from support.deadline import eventually
from support.invoker_world import GATEWAY, World, world

FROM_GATEWAY = {**GATEWAY, "x-ffx-namespace": "acme", "x-ffx-function": "hello", "x-ffx-revision": "1"}


class Told:
    """Everything so far, added up by function and revision."""

    def __init__(self) -> None:
        self.reports: list[CallsReport] = []

    async def take(self, _: str, data: bytes) -> None:
        self.reports.append(decode(CallsReport, data))

    def of(self, name: str, revision: int = 1) -> list[RevisionCalls]:
        every = [each for report in self.reports for each in report.calls]
        return [each for each in every if (each.namespace, each.name, each.revision) == ("acme", name, revision)]

    def sums(self, name: str, revision: int = 1) -> tuple[int, int, int]:
        """Answered, errors, cold starts."""
        found = self.of(name, revision)
        return sum(e.answered for e in found), sum(e.errors for e in found), sum(e.cold_starts for e in found)


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
async def here(told: Told) -> AsyncIterator[World]:
    bus = MemoryBus()
    await bus.subscribe(CALLS_SUBJECT, told.take)
    async with world(bus=bus, bounds=Bounds(calls_every_s=0.02), clock=lambda: 99.0) as made:
        yield made


async def test_calls_of_the_catch_all_with_errors_and_durations(here: World, told: Told) -> None:
    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(0.03)
        return web.Response(status=int(request.query_string or 200))

    await here.route("hello", await here.instance(behaviour=behave))
    for query in ("", "?404", "?500", "?503"):
        await here.call("GET", f"/f/acme/hello{query}")
    await eventually(lambda: told.sums("hello") == (4, 2, 0), "two of four are errors")
    found = told.of("hello")
    for each in found:
        assert sum(each.durations.values()) == each.answered
        assert (percentile(each.durations, 0.01) or 0) >= 30
    assert sum(each.duration_sum_ms for each in found) >= 120
    classes = [of for each in found for of in each.classes.items()]
    assert {digit: sum(count for of, count in classes if of == digit) for digit, _ in classes} == {2: 1, 4: 1, 5: 2}
    assert {(report.source, report.member, report.at) for report in told.reports} == {
        ("invoker", "invoker.local", 99.0)
    }


async def test_what_the_gateway_counts_is_not_counted_again_but_its_cold_start_is(here: World, told: Told) -> None:
    await here.route("hello")
    assert (await here.call("GET", "/", headers=FROM_GATEWAY))[0] == 200
    assert (await here.call("GET", "/", headers=FROM_GATEWAY))[0] == 200
    assert (await here.call("GET", "/f/acme/hello"))[0] == 200
    await eventually(lambda: told.sums("hello") == (1, 0, 1), "one call of ours, one start")


async def test_a_call_that_overflowed_was_issued_once(here: World, told: Told) -> None:
    """The gateway has issued it already, to the instance that was full; what found none it has not."""
    loads: list[int] = []

    async def take(_subject: str, data: bytes) -> None:
        loads.extend(load.issued for load in decode(LoadReport, data).loads)

    await here.bus.subscribe(LOAD_SUBJECT, take)
    await here.route("hello")
    for _ in range(3):  # the first of them finds no instance
        assert (await here.call("GET", "/", headers=FROM_GATEWAY))[0] == 200
    assert (await here.call("GET", "/f/acme/hello"))[0] == 200
    await eventually(lambda: told.sums("hello") == (1, 0, 1), "all is told")
    await eventually(lambda: sum(loads) >= 2, "two are of the invoker")
    assert sum(loads) + sum(load.issued for load in here.invoker._lanes.loads()) == 2


async def test_many_calls_that_wait_for_one_start_are_one_cold_start(here: World, told: Told) -> None:
    await here.route("hello", limits=Limits(concurrency=50))
    gate = asyncio.Event()

    async def slowly(request: WakeRequest) -> WakeReply:
        await gate.wait()
        return await here.start_for_wake(request)

    here.on_wake = slowly
    calls = [asyncio.create_task(here.call()) for _ in range(20)]
    await eventually(lambda: here.invoker._admission.total == 20, "all wait")
    gate.set()
    await asyncio.gather(*calls)
    await eventually(lambda: told.sums("hello") == (20, 0, 1), "twenty calls, one start")
    durations = [each for report in told.of("hello") for each in report.start_durations.values()]
    assert durations == [1], "and how long it took"
    assert sum(each.start_sum_ms for each in told.of("hello")) > 0


async def test_calls_that_find_no_place_are_told_whoever_counts_them(here: World, told: Told) -> None:
    refused: list[int] = []

    async def take(_: str, data: bytes) -> None:
        refused.extend(each.refused for each in decode(CountsReport, data).functions)

    await here.bus.subscribe(COUNTS_SUBJECT, take)
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance, limits=Limits(concurrency=1, queue=0))
    first = asyncio.create_task(here.call())
    await eventually(here.invoker._lanes.loads, "the place is taken")
    assert (await here.call())[0] == 429
    assert (await here.call("GET", "/", headers=FROM_GATEWAY))[0] == 429
    await eventually(lambda: sum(refused) == 2, "both are told")
    instance.hold.set()
    await first


async def test_an_instance_that_nobody_waited_for_is_no_cold_start(here: World, told: Told) -> None:
    await here.route("hello", await here.instance())
    await here.call()
    second = await here.instance()
    await here.add_endpoint("hello", 1, second.endpoint)
    await here.call()
    await eventually(lambda: told.sums("hello") == (2, 0, 0), "no start was waited for")


async def test_a_thaw_is_no_cold_start(here: World, told: Told) -> None:
    instance = await here.instance()
    frozen = RevisionRoute(Limits(), (replace(instance.endpoint, frozen=True),))
    await here.put("hello", FunctionRoute("uid-1", "private", {1: 100}, {1: frozen}))

    async def thaw(_: WakeRequest) -> WakeReply:
        return WakeReply(instance.endpoint.instance, instance.endpoint.address)

    here.on_wake = thaw
    assert (await here.call())[0] == 200
    assert len(here.wakes) == 1
    await eventually(lambda: told.sums("hello") == (1, 0, 0), "a call, no start")


async def test_a_start_that_fails_is_an_error_and_no_cold_start(here: World, told: Told) -> None:
    async def fails(_: WakeRequest) -> WakeReply:
        return WakeReply(code="start-failed", message="it cannot", status=503)

    here.on_wake = fails
    await here.route("hello")
    assert (await here.call())[0] == 503
    await eventually(lambda: told.sums("hello") == (1, 1, 0), "an error")


async def test_execute_and_calls_over_nats_are_counted(here: World, told: Told) -> None:
    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=500 if await request.content.read() == b"1" else 200)

    await here.route("hello", await here.instance(behaviour=behave))
    for payload in ("0", "1"):
        body = {"function": "acme/hello", "payload": int(payload)}
        async with here.request("POST", "/.ffx/execute", json=body) as got:
            assert got.status == 200
        await here.call_over_bus("hello", payload.encode())
    await eventually(lambda: told.sums("hello") == (4, 2, 0), "two of four are errors")


async def test_a_function_without_a_serving_revision_is_told_as_such(here: World, told: Told) -> None:
    await here.put("broken", FunctionRoute("u", "private", {}, {}, message="Revision 1 failed: no handler"))
    assert (await here.call("GET", "/f/acme/broken"))[0] == 503
    await eventually(lambda: told.sums("broken", 0) == (1, 1, 0), "told with revision 0")


async def test_names_that_do_not_exist_and_callers_that_left_are_nobodys(here: World, told: Told) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    assert (await here.call("GET", "/f/acme/nobody"))[0] == 404
    instance.hold.clear()
    with pytest.raises(TimeoutError):
        await here.call("GET", "/f/acme/hello", timeout=aiohttp.ClientTimeout(total=0.1))
    await eventually(lambda: instance.cancelled == 1, "the call was given up")
    instance.hold.set()
    await here.call("GET", "/f/acme/hello")
    await eventually(lambda: told.sums("hello") == (1, 0, 0), "only the call that was answered")
    assert not told.of("nobody") + told.of("nobody", 0)


async def test_an_answer_that_is_cut_is_an_error(here: World, told: Told) -> None:
    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"some")
        assert request.transport
        request.transport.abort()
        return response

    await here.route("hello", await here.instance(behaviour=behave))
    with pytest.raises(aiohttp.ClientError):
        await here.call()
    await eventually(lambda: told.sums("hello") == (1, 1, 0), "an error")
