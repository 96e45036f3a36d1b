"""Parts that live together in a process."""

from __future__ import annotations

import asyncio

import pytest

from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.errors import Unavailable
from faasioflex.model.messages import APPLIED_SUBJECT, Applied
from faasioflex.platform.parts.host import Host, PartFailed
from faasioflex.platform.parts.names import PARTS, expand
from faasioflex.platform.parts.part import SILENT_AFTER_S, HeardFrom
from support.deadline import eventually


class Steps:
    """A part that does what its list says at each start: an error to raise, or None to serve."""

    def __init__(self, *starts: Exception | None) -> None:
        self._starts = list(starts)
        self.running = False
        self.stopped = False

    @property
    def problem(self) -> str | None:
        return None if self.running else "not yet"

    async def start(self) -> None:
        error = self._starts.pop(0)
        if error is not None:
            raise error
        self.running = True

    async def stop(self) -> None:
        self.running = False
        self.stopped = True


async def test_a_part_that_waits_for_another_is_tried_again_and_says_why() -> None:
    late, quick = Steps(Unavailable("NATS is away"), None), Steps(None)
    host = Host({"late": late, "quick": quick})
    stop = asyncio.Event()
    running = asyncio.create_task(host.run(stop))
    await eventually(lambda: host.readiness() == {"late": "NATS is away", "quick": None}, "the first start")
    await eventually(lambda: host.readiness() == {"late": None, "quick": None}, "the second start")
    stop.set()
    await running
    assert late.stopped
    assert quick.stopped


async def test_a_mistake_ends_the_process_after_stopping_the_others() -> None:
    good, bad = Steps(None), Steps(ZeroDivisionError("oh"))
    with pytest.raises(PartFailed, match="bad failed to start: ZeroDivisionError: oh"):
        await Host({"good": good, "bad": bad}).run(asyncio.Event())
    assert good.stopped


async def test_a_stop_during_the_start_ends_it() -> None:
    waiting = Steps(*[Unavailable("no")] * 100)
    stop = asyncio.Event()
    running = asyncio.create_task(Host({"waiting": waiting}).run(stop))
    stop.set()
    await asyncio.wait_for(running, 5)
    assert waiting.stopped


async def test_another_process_counts_as_ready_while_it_is_heard() -> None:
    bus, now = MemoryBus(), [100.0]
    invoker = HeardFrom(bus, "invoker.local", lambda: now[0])
    await invoker.start()
    assert invoker.problem == "invoker.local has not reported yet"
    await bus.publish(APPLIED_SUBJECT, encode(Applied("gateway.local", 1)))
    await bus.publish(APPLIED_SUBJECT, b"rubbish")
    await bus.publish(APPLIED_SUBJECT, encode(Applied("invoker.local", 1)))
    await eventually(lambda: invoker.problem is None, "the report")
    now[0] += SILENT_AFTER_S
    assert invoker.problem == "invoker.local has not reported for 5 s"
    await invoker.stop()
    await bus.close()


def test_names_and_groups_of_parts() -> None:
    assert expand(["control"]) == ["api", "manager", "gateway", "autoscaler", "relay"]
    assert expand(["invoker", "control", "api"]) == ["invoker", "api", "manager", "gateway", "autoscaler", "relay"]
    assert set(expand(["control", "invoker"])) == set(PARTS)
    with pytest.raises(ValueError, match="no part 'brain'"):
        expand(["brain"])
