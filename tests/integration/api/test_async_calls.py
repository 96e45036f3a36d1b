"""Asynchronous calls and dead letters as people see them: what the API asks of the queue, and whom it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from faasioflex.bus.buckets import RESULT_OBJECTS
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.identity import UserRecord
from faasioflex.model.invocation import CalledBy, Invocation
from faasioflex.model.queue import queued_invocation
from support.api_client import code_of, function
from support.api_world import ApiWorld, api_world
from support.deadline import eventually
from support.queue_double import QueueDouble, queued_call

FIELDS = {
    "invocation_id", "function", "revision", "status", "result", "error", "attempts", "created_at", "started_at",
    "finished_at", "duration_ms", "not_before", "redrive_of",
}  # fmt: skip


class World:
    def __init__(self, api: ApiWorld, queue: QueueDouble, ann: UserRecord, bob: UserRecord) -> None:
        self.api, self.queue, self.ann, self.bob = api, queue, ann, bob
        self.anns = CalledBy(ann.uid, "ann")


@pytest.fixture
async def here(bus: MemoryBus) -> AsyncIterator[World]:
    async with api_world(bus) as api:
        ann, bob = await api.person("ann"), await api.person("bob")
        await api.made(ann, "POST", "/functions/register", function("mine"))
        queue = QueueDouble(bus)
        await queue.start()
        yield World(api, queue, ann, bob)


def ended(made: Invocation, **fields: object) -> Invocation:
    return replace(made, status="succeeded", finished_at=2.0, result={"a": 1}, **fields)  # type: ignore[arg-type]


async def test_a_call_is_seen_from_its_acceptance_to_its_end(here: World) -> None:
    made = here.queue.put(replace(queued_call(function="ann/mine", by=here.anns), not_before=60.0))
    found = (await here.api.made(here.ann, "GET", "/invocations/inv-1")).json()
    assert found.keys() == FIELDS
    assert (found["status"], found["not_before"]) == ("queued", "1970-01-01T00:01:00.000Z")
    here.queue.held["inv-1"] = replace(made, status="running", started_at=1.5)
    assert (await here.api.made(here.ann, "GET", "/invocations/inv-1?wait_s=0.1")).json()["status"] == "running"
    waiting = asyncio.create_task(here.api.ask(here.ann, "GET", "/invocations/inv-1?wait_s=60"))
    asked = len(here.queue.asked)
    await eventually(lambda: len(here.queue.asked) > asked, "it waits")
    await here.queue.end(ended(made))
    found = (await asyncio.wait_for(waiting, 3)).json()  # told, not looked for: that would take five seconds
    assert (found["status"], found["result"], found["finished_at"]) == (
        "succeeded",
        {"a": 1},
        "1970-01-01T00:00:02.000Z",
    )
    assert code_of(await here.api.ask(here.ann, "DELETE", "/invocations/inv-1")) == (409, "wrong-state")


async def test_a_large_result_comes_from_the_object_store(here: World, bus: MemoryBus) -> None:
    await bus.objects(RESULT_OBJECTS).put("inv-1.9", json.dumps({"large": "x" * 2_000_000}).encode())
    await here.queue.end(
        replace(ended(queued_invocation(queued_call(function="ann/mine"))), result=None, result_object="inv-1.9")
    )
    found = (await here.api.made(here.ann, "GET", "/invocations/inv-1")).json()
    assert len(found["result"]["large"]) == 2_000_000
    assert found.keys() == FIELDS


async def test_while_nobody_works_on_the_queue_what_lies_in_it_is_queued(here: World, bus: MemoryBus) -> None:
    await here.queue.stop()
    await bus.append("ffx.queue.ann.mine.inv-7", encode(queued_call("inv-7", "ann/mine", by=here.anns)))
    assert (await here.api.made(here.ann, "GET", "/invocations/inv-7")).json()["status"] == "queued"
    assert code_of(await here.api.ask(here.bob, "GET", "/invocations/inv-7"))[0] == 404
    assert code_of(await here.api.ask(here.ann, "GET", "/invocations/inv-8"))[0] == 404
    refused = await here.api.ask(here.ann, "DELETE", "/invocations/inv-7")
    assert code_of(refused) == (503, "unavailable")
    assert refused.headers["retry-after"]


async def test_who_may_take_a_call_back(here: World) -> None:
    await here.api.made(here.ann, "PUT", "/functions/ann/mine/grants/user:bob@example.test", {"verbs": ["read"]})
    for by, status in ((here.anns, "queued"), (CalledBy(here.bob.uid, "bob"), "running")):
        here.queue.put(queued_call(function="ann/mine", by=by))
        here.queue.held["inv-1"] = replace(here.queue.held["inv-1"], status=status)  # type: ignore[arg-type]
        carol = await here.api.person(f"carol-{status}")
        assert code_of(await here.api.ask(carol, "DELETE", "/invocations/inv-1")) == (404, "invocation-not-found")
        if by.uid == here.ann.uid:
            assert code_of(await here.api.ask(here.bob, "DELETE", "/invocations/inv-1")) == (403, "not-allowed")
            assert not [one for one in here.queue.asked if one.what == "cancel"]
        else:  # bob's own call
            found = await here.api.made(here.bob, "DELETE", "/invocations/inv-1")
            assert found.json()["status"] == "cancelled"
            (asked,) = [one for one in here.queue.asked if one.what == "cancel"]
            assert asked.asked_by == CalledBy(here.bob.uid, "bob@example.test")


async def test_dead_letters_are_listed_shown_run_again_and_thrown_away(here: World) -> None:
    for number in range(5):
        await here.queue.bury(queued_call(f"inv-{number}", "ann/mine", by=here.anns))
    await here.queue.bury(queued_call("inv-9", "ann/gone", by=here.anns))
    page = (await here.api.made(here.ann, "GET", "/dead-letters?function=mine&limit=3")).json()
    assert [one["invocation_id"] for one in page["items"]] == ["inv-0", "inv-1", "inv-2"]
    first = page["items"][0]
    assert first.keys() == FIELDS | {"last_error", "died_at"}
    assert (first["status"], first["attempts"], first["last_error"]) == ("dead", 3, "it broke")
    rest = (await here.api.made(here.ann, "GET", f"/dead-letters?function=ann/mine&cursor={page['next']}")).json()
    assert ([one["invocation_id"] for one in rest["items"]], rest["next"]) == (["inv-3", "inv-4"], None)
    all_of_them = (await here.api.made(here.ann, "GET", "/dead-letters")).json()["items"]
    assert len(all_of_them) == 6

    shown = (await here.api.made(here.ann, "GET", "/dead-letters/inv-0")).json()
    assert (shown["method"], shown["path"], shown["payload"]) == ("POST", "/", {"a": 1})

    again = await here.api.made(here.ann, "POST", "/dead-letters/inv-0/redrive")
    made = again.json()
    assert (again.status_code, again.headers["location"]) == (202, f"/invocations/{made['invocation_id']}")
    assert (made["status"], made["redrive_of"]) == ("queued", "inv-0")
    assert code_of(await here.api.ask(here.ann, "POST", "/dead-letters/inv-0/redrive")) == (
        404,
        "dead-letter-not-found",
    )
    assert (await here.api.made(here.ann, "GET", "/invocations/inv-0")).json()["status"] == "dead"

    assert (await here.api.made(here.ann, "DELETE", "/dead-letters/inv-1")).status_code == 204
    assert (await here.api.made(here.ann, "POST", "/dead-letters/redrive?function=mine")).json() == {
        "redriven": 3,
        "left": 0,
    }
    assert (await here.api.made(here.ann, "DELETE", "/dead-letters?function=ann/gone")).json() == {"purged": 1}
    assert (await here.api.made(here.ann, "GET", "/dead-letters")).json() == {"items": [], "next": None}
    assert code_of(await here.api.ask(here.ann, "GET", "/dead-letters?function=A/b"))[0] == 422


async def test_dead_letters_that_find_no_room_stay(here: World) -> None:
    for number in range(3):
        await here.queue.bury(queued_call(f"inv-{number}", "ann/mine", by=here.anns))
    here.queue.room = 2
    assert (await here.api.made(here.ann, "POST", "/dead-letters/redrive?function=mine")).json() == {
        "redriven": 2,
        "left": 1,
    }
    refused = await here.api.ask(here.ann, "POST", "/dead-letters/redrive?function=mine")
    assert code_of(refused) == (429, "queue-full")
    assert len((await here.api.made(here.ann, "GET", "/dead-letters")).json()["items"]) == 1


async def test_dead_letters_of_others(here: World) -> None:
    """Who may read calls reads them, who may scale the function runs them again; nobody else learns that there are any."""
    await here.queue.bury(queued_call("inv-1", "ann/mine", by=here.anns))
    one, many = "/dead-letters/inv-1", "/dead-letters"
    tries = (
        ("GET", one), ("POST", f"{one}/redrive"), ("DELETE", one), ("GET", f"{many}?function=ann/mine"),
        ("POST", f"{many}/redrive?function=ann/mine"), ("DELETE", f"{many}?function=ann/mine"),
    )  # fmt: skip
    for method, path in tries:
        refused = await here.api.ask(here.bob, method, path)
        assert code_of(refused)[0] == 404, (method, path)
        other = await here.api.ask(here.bob, method, path.replace("inv-1", "inv-0").replace("mine", "none"))
        assert code_of(other) == code_of(refused)
    assert (await here.api.made(here.bob, "GET", many)).json()["items"] == []
    await here.api.made(here.ann, "PUT", "/functions/ann/mine/grants/user:bob@example.test", {"verbs": ["read"]})
    assert len((await here.api.made(here.bob, "GET", many)).json()["items"]) == 1
    for method, path in tries:
        status = (await here.api.ask(here.bob, method, path)).status_code
        assert status == (200 if method == "GET" else 403), (method, path)
    assert not [each for each in here.queue.asked if each.what == "redrive"]


async def test_the_callback_key_is_for_those_who_may_set_secrets(here: World) -> None:
    mine = (await here.api.made(here.ann, "GET", "/namespaces/ann/callback-key")).json()
    assert mine["key"].startswith("whsec_")
    assert mine["previous"] == []
    assert code_of(await here.api.ask(here.bob, "GET", "/namespaces/ann/callback-key"))[0] == 404
    await here.api.made(here.ann, "PUT", "/namespaces/ann/bindings/user:bob@example.test", {"role": "invoker"})
    assert code_of(await here.api.ask(here.bob, "GET", "/namespaces/ann/callback-key"))[0] == 403
    await here.api.made(here.ann, "POST", "/namespaces/ann/secrets/rotate")
    after = (await here.api.made(here.ann, "GET", "/namespaces/ann/callback-key")).json()
    assert after["previous"] == [mine["key"]]
    assert after["key"] != mine["key"]
