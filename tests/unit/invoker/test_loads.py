"""What the invoker says of its load: each call in one place."""

from __future__ import annotations

import asyncio

from faasioflex.invoker.admission import Admission
from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.lanes import Lanes
from faasioflex.invoker.reports import with_queued
from faasioflex.model.function import Limits
from faasioflex.model.messages import RevisionLoad
from faasioflex.model.names import FunctionName
from faasioflex.model.route import Endpoint, FunctionRoute, RevisionRoute

HELLO = FunctionName("acme", "hello")


async def test_queued_calls_that_wait_for_a_place_are_still_in_the_queue() -> None:
    def nothing(_: object) -> None:
        return None

    bounds = Bounds()
    lanes = Lanes(Admission(bounds), bounds, nothing, nothing, nothing)
    revision = RevisionRoute(Limits(concurrency=1), (Endpoint("i-1", "unix:/nowhere"),))
    lane = lanes.of(HELLO, FunctionRoute("u1", "private", {1: 100}, {1: revision}), 1)
    tickets = [lanes.ticket(), lanes.ticket(), lanes.ticket(patient=True), lanes.ticket(patient=True)]
    calls = [asyncio.create_task(lane.acquire(ticket)) for ticket in tickets]
    await asyncio.sleep(0)
    (load,) = lanes.loads()
    assert (load.in_progress, load.waiting, load.queued) == (1, 1, 2)
    (told,) = with_queued((load,), [(HELLO, 1, 30)])
    assert (told.in_progress, told.waiting, told.queued) == (1, 1, 32)
    assert with_queued((), [(HELLO, 1, 30)]) == (RevisionLoad("acme", "hello", 1, 0, 0, 0, 30),)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
