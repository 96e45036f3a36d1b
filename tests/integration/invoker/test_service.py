"""The invoker as a part: what it reports, its socket, its end."""

from __future__ import annotations

import asyncio
import json
import stat
from typing import Any

from faasioflex.bus.codec import decode
from faasioflex.bus.memory import MemoryBus
from faasioflex.invoker.service import Invoker
from faasioflex.model.function import Limits
from faasioflex.model.messages import APPLIED_SUBJECT, LOAD_SUBJECT, Applied, LoadReport
from support.deadline import eventually
from support.invoker_world import World, world


class Heard:
    def __init__(self) -> None:
        self.applied: list[Applied] = []
        self.loads: list[LoadReport] = []

    async def listen(self, bus: Any) -> None:
        async def take(subject: str, data: bytes) -> None:
            if subject == APPLIED_SUBJECT:
                self.applied.append(decode(Applied, data))
            else:
                self.loads.append(decode(LoadReport, data))

        await bus.subscribe(APPLIED_SUBJECT, take)
        await bus.subscribe(LOAD_SUBJECT, take)


async def test_it_tells_how_far_it_follows_the_routes(here: World) -> None:
    heard = Heard()
    await heard.listen(here.bus)
    for number in range(3):
        written = await here.routes.put(f"acme.f{number}", (await made_route(here)))
        await eventually(lambda w=written: any(told.revision >= w for told in heard.applied), "it is applied", 0.9)
    assert {told.member for told in heard.applied} == {"invoker.local"}
    count = len(heard.applied)
    await eventually(lambda: len(heard.applied) >= count + 2, "it is told again every second", 4)


async def made_route(here: World) -> Any:
    await here.route("template", await here.instance())
    entry = await here.routes.get("acme.template")
    assert entry is not None
    return entry.value


async def test_it_reports_calls_that_run_and_calls_that_wait(here: World) -> None:
    heard = Heard()
    await heard.listen(here.bus)
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance, limits=Limits(concurrency=2))
    calls = [asyncio.create_task(here.call()) for _ in range(5)]

    def newest() -> tuple[int, int]:
        loads = heard.loads[-1].loads if heard.loads else ()
        return (loads[0].in_progress, loads[0].waiting) if loads else (0, 0)

    await eventually(lambda: newest() == (2, 3), "two run, three wait")
    instance.hold.set()
    await asyncio.gather(*calls)
    await eventually(lambda: heard.loads[-1].loads == (), "nothing any more, and it is still told")
    assert sum(load.issued for report in heard.loads for load in report.loads) == 5
    assert {(report.source, report.member) for report in heard.loads} == {("invoker", "invoker.local")}


async def test_its_socket_is_its_users_alone_and_goes_with_it(here: World) -> None:
    assert stat.S_IMODE(here.socket.stat().st_mode) == 0o600
    await here.invoker.stop()
    assert not here.socket.exists()


async def test_it_takes_the_place_of_a_socket_that_was_left(here: World) -> None:
    left = here.folder / "left.sock"
    left.touch()
    other = Invoker(here.bus, left, **here.who)
    await other.start()
    try:
        assert other.problem is None
        assert stat.S_ISSOCK(left.stat().st_mode)
    finally:
        await other.stop()


async def test_a_stop_lets_calls_end_and_takes_no_more(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance)
    calling = asyncio.create_task(here.call("POST", data=b"x"))
    await eventually(lambda: instance.running, "it runs")
    stopping = asyncio.create_task(here.invoker.stop(10))
    await eventually(lambda: not here.socket.exists(), "it takes no more")
    assert not stopping.done()
    instance.hold.set()
    assert (await calling)[0] == 200
    await asyncio.wait_for(stopping, 5)


async def test_a_stop_lets_calls_over_the_bus_end(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance)
    calling = asyncio.create_task(here.call_over_bus("hello", b"1"))
    await eventually(lambda: instance.running, "it runs")
    stopping = asyncio.create_task(here.invoker.stop(10))
    await eventually(lambda: not here.socket.exists(), "it takes no more")
    instance.hold.set()
    assert (await calling)["status"] == "succeeded"
    await asyncio.wait_for(stopping, 5)


async def test_what_cannot_be_read_is_answered_with_a_problem(here: World) -> None:
    for data in (
        b"GET /f/acme/\xc3\xb1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nA b\r\n\r\n",
    ):
        head, _, body = (await here.raw(data)).partition(b"\r\n\r\n")
        assert b" 400 " in head.splitlines()[0]
        assert b"application/problem+json" in head
        assert json.loads(body)["code"] == "bad-request"


async def test_a_stop_is_bounded(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance)
    calling = asyncio.create_task(here.call("POST", data=b"x"))
    await eventually(lambda: instance.running, "it runs")
    await asyncio.wait_for(here.invoker.stop(0.1), 5)
    result = (await asyncio.gather(calling, return_exceptions=True))[0]
    assert isinstance(result, Exception)


async def test_it_is_not_ready_before_it_serves_and_without_its_bus() -> None:
    bus = MemoryBus()
    async with world(bus=bus) as here:
        assert here.invoker.problem is None
        assert Invoker(bus, here.folder / "x.sock", **here.who).problem is not None
        await bus.close()
        assert here.invoker.problem is not None


async def test_idle_connections_to_instances_are_closed_after_four_seconds(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    await asyncio.gather(*(here.call() for _ in range(5)))
    server = instance._runner.server if instance._runner else None
    assert server is not None
    assert len(server.connections) >= 1
    before = len(server.connections)
    for _ in range(5):
        await here.call()
    assert len(server.connections) == before, "connections are used again"
    await eventually(lambda: not server.connections, "they are closed", 8)
