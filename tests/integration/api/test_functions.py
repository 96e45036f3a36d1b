"""Registering, reading, changing and deleting functions over HTTP."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import zipfile

import httpx

from faasioflex.api.resource.shapes import FunctionOut, RevisionPage
from faasioflex.bus.buckets import CODE_OBJECTS, FUNCTIONS, REVISIONS
from faasioflex.bus.codec import decode
from faasioflex.bus.memory import MemoryBus
from faasioflex.bus.port import Bus
from faasioflex.model.function import FunctionRecord, RevisionRecord
from support.api_client import CODE, code_of, function
from support.deadline import eventually
from support.manager_double import obliging_manager, say

URL = "/functions/admin/hello"


async def record(bus: Bus, key: str = "admin.hello") -> FunctionRecord:
    entry = await bus.bucket(FUNCTIONS.name, FunctionRecord).get(key)
    assert entry is not None
    return entry.value


def newest(bus: MemoryBus) -> FunctionRecord:
    """The record as it is now, without waiting."""
    write = bus._logs[FUNCTIONS.name].newest["admin.hello"]
    return decode(FunctionRecord, write.data or b"")


async def test_a_registration_is_code_revision_and_record(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    answer = await client.post("/functions/register", json=function(labels={"team": "a"}, limits={"concurrency": 5}))
    assert answer.status_code == 201
    assert answer.headers["location"] == URL
    made = FunctionOut.model_validate(answer.json(), strict=True)
    assert (made.namespace, made.limits.concurrency, made.limits.timeout_s) == ("admin", 5, 30)
    assert (made.status.state, made.status.traffic, made.status.latest.revision) == ("building", {}, 1)
    kept = await record(bus)
    assert (kept.change, kept.latest, kept.rollouts, kept.split) == ("registered", 1, (1,), {})
    revision = await bus.bucket(REVISIONS.name, RevisionRecord).get(kept.revisions[1])
    assert revision is not None
    assert (revision.value.number, revision.value.created_by, revision.value.limits.concurrency) == (1, "admin", 5)
    assert await bus.objects(CODE_OBJECTS).names() == [made.source.sha256]  # type: ignore[union-attr]
    assert (await client.get(URL)).json() == answer.json()


async def test_a_name_is_taken_once(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    answers = await asyncio.gather(*(client.post("/functions/register", json=function()) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert code_of(refused) == (409, "function-exists")


async def test_the_three_ways_to_send_code_make_the_same_code(client: httpx.AsyncClient) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        for name, text in CODE["files"].items():
            made.writestr(name, text)
    archive = packed.getvalue()
    plain = await client.post("/functions/register", json=function("a"))
    coded = {"archive": base64.b64encode(archive).decode()}
    encoded = await client.post("/functions/register", json=function("b", source=coded))
    document = json.dumps({"name": "c", "runtime": "python"})
    form = await client.post("/functions/register", data={"function": document}, files={"archive": ("x.zip", archive)})
    part = ("f.json", json.dumps({"name": "d", "runtime": "python"}), "application/json")
    files = await client.post("/functions/register", files={"function": part, "archive": ("x.zip", archive)})
    sources = [answer.json()["source"] for answer in (plain, encoded, form, files)]
    assert all(source == sources[0] for source in sources)


async def test_a_change_of_what_runs_makes_a_revision_and_others_do_not(
    client: httpx.AsyncClient, bus: MemoryBus
) -> None:
    first = await client.post("/functions/register", json=function())
    same = await client.put(URL, json=function())
    assert (same.status_code, same.headers["etag"]) == (200, first.headers["etag"])
    assert same.json()["status"]["latest"]["revision"] == 1
    in_place = await client.patch(URL, json={"labels": {"a": "b"}, "description": "d", "scaling": {"max_instances": 9}})
    assert in_place.json()["status"]["latest"]["revision"] == 1
    assert in_place.headers["etag"] != first.headers["etag"]
    for number, patch in enumerate(
        (
            {"env": {"A": "1"}},
            {"limits": {"cpu": 1}},
            {"handler": "main:other"},
            {"source": {"files": {"main.py": "x"}}},
        ),
        2,
    ):
        answer = await client.patch(URL, json=patch)
        assert answer.json()["status"]["latest"]["revision"] == number, patch
    assert (await record(bus)).rollouts == (1, 2, 3, 4, 5)
    page = RevisionPage.model_validate((await client.get(URL + "/revisions")).json(), strict=True)
    assert [one.revision for one in page.items] == [5, 4, 3, 2, 1]
    one = (await client.get(URL + "/revisions/2")).json()
    assert (one["env"], one["traffic_percent"]) == ({"A": "1"}, 0)


async def test_what_was_answered_can_be_put_back(client: httpx.AsyncClient) -> None:
    first = await client.post("/functions/register", json=function(env={"A": "1"}))
    again = await client.put(URL, json=first.json())
    assert again.status_code == 200
    assert again.headers["etag"] == first.headers["etag"]
    other = {**first.json(), "source": {"sha256": "0" * 64, "size_bytes": 1}}
    assert code_of(await client.put(URL, json=other)) == (422, "invalid")


async def test_a_merge_patch_takes_back_with_null_and_keeps_the_rest(client: httpx.AsyncClient) -> None:
    await client.post("/functions/register", json=function(env={"A": "1", "B": "2"}, limits={"cpu": 2, "queue": 7}))
    answer = await client.patch(
        URL, json={"env": {"A": None, "C": "3"}, "limits": {"cpu": None, "payload_bytes": None}}
    )
    made = answer.json()
    assert made["env"] == {"B": "2", "C": "3"}
    assert (made["limits"]["cpu"], made["limits"]["queue"], made["limits"]["payload_bytes"]) == (0.5, 7, None)
    kinds = {"content-type": "application/merge-patch+json"}
    assert (await client.patch(URL, content=b'{"description": "x"}', headers=kinds)).json()["description"] == "x"
    put = await client.put(URL, json={"runtime": "python"})
    assert (put.json()["env"], put.json()["limits"]["queue"], put.json()["source"]) == ({}, 200, made["source"])


async def test_a_function_cannot_be_renamed(client: httpx.AsyncClient) -> None:
    await client.post("/functions/register", json=function())
    assert code_of(await client.patch(URL, json={"name": "other"})) == (422, "invalid")
    assert code_of(await client.put(URL, json=function(namespace="other"))) == (422, "invalid")


async def test_if_match(client: httpx.AsyncClient) -> None:
    tag = (await client.post("/functions/register", json=function())).headers["etag"]
    changed = await client.patch(URL, json={"description": "a"}, headers={"if-match": tag})
    assert changed.status_code == 200
    for call in (
        client.patch(URL, json={"description": "b"}, headers={"if-match": tag}),
        client.put(URL, json=function(), headers={"if-match": tag}),
        client.delete(URL, headers={"if-match": f'"x", {tag}'}),
    ):
        assert code_of(await call) == (412, "precondition-failed")
    assert (await client.patch(URL, json={}, headers={"if-match": "*"})).status_code == 200


async def test_changes_at_once_are_all_there_in_the_end(client: httpx.AsyncClient) -> None:
    await client.post("/functions/register", json=function())
    patches = [client.patch(URL, json={"labels": {f"l{i}": "x"}, "env": {f"E{i}": "x"}}) for i in range(4)]
    answers = await asyncio.gather(*patches)
    assert [answer.status_code for answer in answers] == [200] * 4
    made = (await client.get(URL)).json()
    assert set(made["labels"]) == {f"l{i}" for i in range(4)}
    assert set(made["env"]) == {f"E{i}" for i in range(4)}
    assert made["status"]["latest"]["revision"] == 5


async def test_wait_s_answers_when_the_newest_revision_has_settled(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    async with obliging_manager(bus):
        answer = await client.post("/functions/register?wait_s=60", json=function())
    status = answer.json()["status"]
    assert (status["state"], status["revision"], status["traffic"], status["ready_instances"]) == (
        "ready",
        1,
        {"1": 100},
        1,
    )
    waiting = asyncio.create_task(client.patch(URL + "?wait_s=60", json={"env": {"A": "1"}}))
    await eventually(lambda: newest(bus).latest == 2, "the change is written")
    await say(bus, await record(bus), r1="ready", r2="starting")
    assert not waiting.done()
    await say(bus, await record(bus), r2="failed")
    status = (await waiting).json()["status"]
    assert (status["state"], status["revision"], status["traffic"]) == ("ready", 1, {"1": 100}), "the old one serves on"
    assert status["latest"] == {"revision": 2, "state": "failed", "message": "it does not start"}
    assert status["message"] == "Revision 2: it does not start"
    late = await client.patch(URL + "?wait_s=0.05", json={"env": {"A": "2"}})
    assert (late.status_code, late.json()["status"]["latest"]["state"]) == (200, "building")


async def test_deleting_waits_until_the_name_is_free(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    await client.post("/functions/register", json=function())
    deleting = asyncio.create_task(client.delete(URL))
    await eventually(lambda: newest(bus).deleting, "it is marked")
    assert (await client.get(URL)).json()["status"]["state"] == "deleting"
    assert code_of(await client.patch(URL, json={"description": "x"})) == (409, "wrong-state")
    registering = asyncio.create_task(client.post("/functions/register", json=function()))
    again = asyncio.create_task(client.delete(URL))
    await asyncio.sleep(0.02)
    assert not deleting.done()
    old = await record(bus)
    await bus.bucket(FUNCTIONS.name, FunctionRecord).delete("admin.hello")
    assert (await deleting).status_code == 204
    assert (await again).status_code == 204
    assert (await registering).status_code == 201
    assert (await record(bus)).uid != old.uid
    await bus.bucket(FUNCTIONS.name, FunctionRecord).delete("admin.hello")
    assert code_of(await client.delete(URL)) == (404, "function-not-found")


async def test_lists_are_sorted_filtered_and_paged(client: httpx.AsyncClient) -> None:
    for index in range(7):
        labels = {"even": "yes" if index % 2 == 0 else "no", "app": "x"}
        await client.post("/functions/register", json=function(f"f{index}", labels=labels))
    await client.post("/functions/register", json=function("f1", namespace="other"))
    seen: list[str] = []
    cursor = None
    while True:
        page = (await client.get("/functions", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        assert len(page["items"]) <= 3
        seen += [f"{one['namespace']}/{one['name']}" for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [f"admin/f{index}" for index in range(7)] + ["other/f1"]
    found = (await client.get("/functions", params={"label": ["even=yes", "app=x"]})).json()["items"]
    assert [one["name"] for one in found] == ["f0", "f2", "f4", "f6"]
    assert len((await client.get("/functions?namespace=other")).json()["items"]) == 1
    assert (await client.get("/functions?namespace=nobody")).json() == {"items": [], "next": None}
