"""Splits, rollbacks, canaries and scale."""

from __future__ import annotations

import httpx
import pytest

from faasioflex.bus.buckets import FUNCTIONS
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.function import FunctionRecord
from support.api_client import code_of, function
from support.manager_double import say

URL = "/functions/admin/hello"


async def record(bus: MemoryBus) -> FunctionRecord:
    entry = await bus.bucket(FUNCTIONS.name, FunctionRecord).get("admin.hello")
    assert entry is not None
    return entry.value


@pytest.fixture
async def three(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    """Revisions 1 and 2 were ready, 3 is."""
    await client.post("/functions/register", json=function())
    await client.patch(URL, json={"env": {"N": "2"}})
    await client.patch(URL, json={"env": {"N": "3"}})
    await say(bus, await record(bus), r1="idle", r2="idle", r3="ready")


@pytest.mark.usefixtures("three")
async def test_a_split_stays_until_a_newer_revision_rolls_out(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    answer = await client.put(URL + "/traffic", json={"1": 90, "3": 10, "2": 0})
    assert answer.json()["status"]["traffic"] == {"1": 90, "3": 10}
    kept = await record(bus)
    assert (kept.split, kept.rollouts) == ({1: 90, 3: 10}, ())
    await client.patch(URL, json={"env": {"N": "4"}, "rollout": "none"})
    await say(bus, await record(bus), r4="ready")
    assert (await client.get(URL)).json()["status"]["traffic"] == {"1": 90, "3": 10}
    await client.patch(URL, json={"env": {"N": "5"}})
    await say(bus, await record(bus), r5="ready")
    assert (await client.get(URL)).json()["status"]["traffic"] == {"5": 100}
    shares = {one["revision"]: one["traffic_percent"] for one in (await client.get(URL + "/revisions")).json()["items"]}
    assert shares == {5: 100, 4: 0, 3: 0, 2: 0, 1: 0}


@pytest.mark.usefixtures("three")
async def test_rolling_back_goes_to_the_one_before_that_was_ready(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await client.patch(URL, json={"env": {"N": "4"}})
    await say(bus, await record(bus), r4="failed", r2="failed")
    back = await client.post(URL + "/rollback")
    assert back.json()["status"]["traffic"] == {"1": 100}, "3 serves, 2 has failed"
    assert code_of(await client.post(URL + "/rollback", json={})) == (409, "wrong-state")
    assert (await client.post(URL + "/rollback", json={"revision": 3})).json()["status"]["traffic"] == {"3": 100}
    assert code_of(await client.post(URL + "/rollback", json={"revision": 9})) == (404, "revision-not-found")
    assert code_of(await client.post(URL + "/rollback", json={"revision": 4})) == (422, "invalid")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({"9": 100}, (422, "invalid")),
        ({"1": 50}, (422, "invalid")),
        ({"1": 50, "2": 51}, (422, "invalid")),
        ({"1": 150, "2": -50}, (422, "invalid")),
        ({"01": 100}, (422, "invalid")),
        ({"x": 100}, (422, "invalid")),
        ({"1": "100"}, (422, "invalid")),
        ({"1": True, "2": 99}, (422, "invalid")),
        ({"1": 100.0}, (422, "invalid")),
        ({}, (422, "invalid")),
        ([], (422, "invalid")),
    ],
)
async def test_splits_that_are_refused(client: httpx.AsyncClient, split: object, expected: tuple[int, str]) -> None:
    before = (await client.get(URL)).json()
    assert code_of(await client.put(URL + "/traffic", json=split)) == expected
    assert (await client.get(URL)).json() == before


@pytest.mark.usefixtures("three")
async def test_no_calls_go_to_what_was_never_ready(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await client.patch(URL, json={"env": {"N": "4"}})
    assert code_of(await client.put(URL + "/traffic", json={"4": 100})) == (409, "wrong-state")
    await say(bus, await record(bus), r4="failed")
    assert code_of(await client.put(URL + "/traffic", json={"3": 50, "4": 50})) == (422, "invalid")
    assert (await record(bus)).rollouts == (1, 2, 3, 4), "a refused split clears nothing"


async def test_a_first_revision_without_traffic_serves_nothing(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await client.post("/functions/register", json=function(rollout="none"))
    await say(bus, await record(bus), r1="ready")
    status = (await client.get(URL)).json()["status"]
    assert (status["traffic"], status["revision"]) == ({}, 1)
    assert "PUT …/traffic" in status["message"]
    same = function(rollout="all")
    assert (await client.put(URL, json=same)).json()["status"]["traffic"] == {"1": 100}, "asked for by word"
    assert (await record(bus)).latest == 1


async def test_scale_is_a_floor_and_a_wish(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await client.post("/functions/register", json=function())
    answer = await client.put(URL + "/scale", json={"instances": 8})
    assert (answer.json()["scaling"]["min_instances"], answer.json()["scaling"]["max_instances"]) == (8, 8)
    kept = await record(bus)
    assert kept.scale is not None
    assert (kept.scale.instances, kept.latest) == (8, 1)
    assert (await client.put(URL + "/scale", json={"instances": 0})).json()["scaling"]["min_instances"] == 0
    for wrong in ({"instances": -1}, {"instances": "3"}, {"instances": True}, {}, {"instances": 1, "x": 1}):
        assert code_of(await client.put(URL + "/scale", json=wrong)) == (422, "invalid")


async def test_old_revisions_go_but_never_one_with_traffic(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await client.post("/functions/register", json=function())
    await say(bus, await record(bus), r1="ready")
    await client.put(URL + "/traffic", json={"1": 100})
    for number in range(60):
        await client.patch(URL, json={"env": {"N": str(number)}, "rollout": "none"})
    kept = await record(bus)
    assert sorted(kept.revisions) == [1, *range(12, 62)]
    assert code_of(await client.get(URL + "/revisions/5")) == (404, "revision-not-found")
