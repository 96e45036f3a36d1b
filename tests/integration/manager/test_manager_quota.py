"""Instances and memory of a namespace at run time: what the autoscaler or a call asks for is started while it fits."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from faasioflex.bus.buckets import FUNCTIONS, QUOTAS, REVISIONS
from faasioflex.bus.codec import decode, encode
from faasioflex.model.function import FunctionRecord, RevisionRecord, Scaling
from faasioflex.model.identity import Quota
from faasioflex.model.messages import WAKE_SUBJECT, WakeReply, WakeRequest

from .conftest import KEY, SPEC, World

OTHER = "acme.other"


async def bound(world: World, quota: Quota) -> None:
    await world.bus.bucket(QUOTAS.name, Quota).put("acme", quota)


async def copy(world: World, key: str) -> None:
    """Another function of the namespace, as the first one is."""
    entry = await world.functions.get(KEY)
    assert entry is not None
    name = key.partition(".")[2]
    revisions = world.bus.bucket(REVISIONS.name, RevisionRecord)
    held = await revisions.get(entry.value.revisions[1])
    assert held is not None
    await revisions.create(f"{key}.1-x", replace(held.value, function_uid=name))
    record = replace(
        entry.value,
        uid=name,
        spec=replace(entry.value.spec, name=name),
        revisions={1: f"{key}.1-x"},
        change="registered",
    )
    await world.bus.bucket(FUNCTIONS.name, FunctionRecord).create(key, record)


def message(world: World, key: str = KEY) -> str:
    entry = world.statuses.entries.get(key)
    return (entry.value.revisions[1].message or "") if entry is not None else ""


async def wake(world: World, name: str) -> WakeReply:
    reply = await world.bus.request(WAKE_SUBJECT, encode(WakeRequest("acme", name, 1, 1)), 10.0)
    return decode(WakeReply, reply)


async def test_the_autoscaler_gets_what_fits_and_the_status_says_why_no_more(world: World) -> None:
    await bound(world, Quota(instances=2))
    await world.register(replace(SPEC, scaling=Scaling(max_instances=10)))
    await world.until(lambda: world.state(1) == "ready")
    await world.desire(r1=5)
    await world.until(lambda: "quota 'instances'" in message(world), "the status says it")
    await world.until(lambda: len(world.live(1)) == 2)
    assert "may have 2 instances" in message(world)
    assert len(world.driver.started) == 2
    await bound(world, Quota(instances=3))
    await world.until(lambda: len(world.live(1)) == 3, "a raised quota counts at once", within_s=0.9)
    await world.desire(r1=3)
    await world.until(lambda: not message(world), "what is not wanted any more is not missed")
    assert len(world.driver.started) == 3


async def test_memory_is_bounded_too(world: World) -> None:
    await bound(world, Quota(memory_bytes=SPEC.limits.memory_bytes * 2 - 1))
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await world.desire(r1=2)
    await world.until(lambda: "quota 'memory_bytes'" in message(world))
    assert len(world.driver.started) == 1


async def test_a_call_for_which_there_is_no_room_is_told_at_once(world: World) -> None:
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await copy(world, OTHER)
    await world.until(
        lambda: len(world.driver.started) == 2 and world.statuses.entries[OTHER].value.revisions[1].state == "ready"
    )
    await bound(world, Quota(instances=1))
    ended = next(spec for spec in world.driver.started if spec.function.name == "other")
    await world.desire(r1=1)
    await world.driver.stop(ended.id, 0.0)
    refused = await asyncio.wait_for(wake(world, "other"), 5)
    assert (refused.code, refused.status) == ("quota-exceeded", 403)
    assert refused.message is not None
    assert "may have 1 instances" in refused.message
    assert len(world.driver.started) == 2
    await bound(world, Quota(instances=2))
    assert (await asyncio.wait_for(wake(world, "other"), 5)).code is None


async def test_functions_of_one_namespace_that_start_at_the_same_moment_share_its_quota(world: World) -> None:
    await bound(world, Quota(instances=2))
    await world.register()
    await world.until(lambda: world.state(1) == "ready")
    await asyncio.gather(*(copy(world, f"acme.more{number}") for number in range(6)))
    await world.until(lambda: sum("quota 'instances'" in message(world, f"acme.more{n}") for n in range(6)) == 5)
    assert len(world.driver.started) == 2
