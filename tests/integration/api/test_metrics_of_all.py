"""The figures of many functions in one request."""

from __future__ import annotations

import httpx

from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.durations import bucket_of
from faasioflex.model.messages import CALLS_SUBJECT, CallsReport, RevisionCalls
from support.deadline import awaited


async def _register(client: httpx.AsyncClient, namespace: str, name: str) -> None:
    document = {"namespace": namespace, "name": name, "runtime": "python", "source": {"files": {"main.py": ""}}}
    answer = await client.post("/functions/register", json=document)
    assert answer.status_code == 201, answer.text


async def test_each_function_has_its_own_in_pages(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    for namespace, name in (("acme", "a"), ("acme", "b"), ("other", "c")):
        await _register(client, namespace, name)
    told = RevisionCalls("acme", "b", 1, 20, 5, {bucket_of(8.0): 20}, 160.0, 0)

    async def heard() -> bool:
        await bus.publish(CALLS_SUBJECT, encode(CallsReport("gateway", "gateway.local", 0.0, (told,))))
        items = (await client.get("/functions/metrics")).json()["items"]
        return any(one["calls_per_s"] > 0 for one in items)

    await awaited(heard, "the calls are counted")
    first = (await client.get("/functions/metrics", params={"limit": 2, "window_s": 10})).json()
    second = (await client.get("/functions/metrics", params={"limit": 2, "cursor": first["next"]})).json()
    items = [*first["items"], *second["items"]]
    assert [(one["namespace"], one["name"]) for one in items] == [("acme", "a"), ("acme", "b"), ("other", "c")]
    assert [one["error_rate"] for one in items] == [0.0, 0.25, 0.0]
    assert (first["items"][1]["latency_ms"]["p95"] or 0) > 0
    assert {one["state"] for one in items} == {"building"}
    assert second["next"] is None
    alone = (await client.get("/functions/acme/b/metrics")).json()
    assert alone.keys() == items[1].keys() - {"namespace", "name", "state"}


async def test_it_can_be_narrowed_as_the_list(client: httpx.AsyncClient) -> None:
    await _register(client, "acme", "a")
    await _register(client, "other", "c")
    answer = await client.get("/functions/metrics", params={"namespace": "other"})
    assert [one["name"] for one in answer.json()["items"]] == ["c"]
    assert (await client.get("/functions/metrics", params={"cursor": "%"})).status_code == 422
    assert (await client.get("/functions/metrics", params={"window_s": 0})).status_code == 422
