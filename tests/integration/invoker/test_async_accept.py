"""Calls that are queued: by execute and on the direct path; and calls with idempotency keys that are waited for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from faasioflex.bus.buckets import IDEMPOTENCY
from faasioflex.invoker.bounds import Bounds
from faasioflex.model.egress import parse_all
from faasioflex.model.function import Cors, Limits, RateLimit
from faasioflex.model.queue import Repeatable
from support.deadline import awaited, eventually
from support.invoker_world import World, world

EXECUTE = "/functions/execute"
HELLO = "/f/acme/hello"


async def accepted(here: World, **body: Any) -> dict[str, Any]:
    async with here.request("POST", EXECUTE, json={"function": "acme/hello", "mode": "async", **body}) as got:
        made: dict[str, Any] = await got.json()
        assert got.status == 202, made
        assert got.headers["Location"] == f"/invocations/{made['invocation_id']}"
        return made


async def preferred(here: World, method: str = "POST", target: str = HELLO, **how: Any) -> dict[str, Any]:
    how["headers"] = {"Prefer": "respond-async", **how.get("headers", {})}
    async with here.request(method, target, **how) as got:
        made: dict[str, Any] = await got.json()
        assert got.status == 202, made
        assert got.headers["Preference-Applied"] == "respond-async"
        assert got.headers["Location"] == f"/invocations/{made['invocation_id']}"
        return made


async def outcome(here: World, invocation_id: str) -> Any:
    async def ended() -> bool:
        return await here.invocations.get(invocation_id) is not None

    await awaited(ended, f"{invocation_id} has an outcome")
    entry = await here.invocations.get(invocation_id)
    assert entry is not None
    return entry.value


async def test_execute_answers_when_the_call_is_stored_and_runs_it_later(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance)
    made = await accepted(here, payload={"a": 1}, timeout_s=3)
    assert (made["status"], made["attempts"], made["result"]) == ("queued", 0, None)
    assert not made.keys() & {"principal", "asynchronous", "result_object"}
    await eventually(lambda: instance.running, "it runs after it was answered")
    instance.hold.set()
    ended = await outcome(here, made["invocation_id"])
    assert (ended.status, ended.attempts) == ("succeeded", 1)
    (seen,) = instance.seen
    assert (seen.method, seen.path, json.loads(seen.body)) == ("POST", "/", {"a": 1})
    assert seen.headers["x-ffx-timeout-s"] == "3"
    assert seen.headers["x-ffx-invocation-id"] == made["invocation_id"]
    assert seen.headers["x-ffx-attempt"] == "1"


async def test_the_direct_path_keeps_method_path_headers_and_body(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    headers = {
        "X-Mine": "a", "Content-Type": "text/x-mine", "Ffx-Priority": "3", "Ffx-Order-Key": "k", "Idempotency-Key": '"q"',
        "Prefer": "wait=5, Respond-Async",
    }  # fmt: skip
    made = await preferred(here, "PUT", f"{HELLO}/a%2Fb?x=1&y", headers=headers, data=b"\x00\xff")
    await outcome(here, made["invocation_id"])
    (seen,) = instance.seen
    assert (seen.method, seen.path, seen.body) == ("PUT", "/a%2Fb?x=1&y", b"\x00\xff")
    assert (seen.headers["x-mine"], seen.headers["content-type"]) == ("a", "text/x-mine")
    gone = {"prefer", "ffx-priority", "ffx-order-key", "idempotency-key", "authorization"}
    assert not gone & seen.headers.keys()
    again = await preferred(here, headers={"Idempotency-Key": "q"})  # the string of structured fields is the same key
    assert again["invocation_id"] == made["invocation_id"]
    assert len(instance.seen) == 1


async def test_other_preferences_are_the_functions_business(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    for value in ("return=minimal", "respond-asynchronously", 'foo="respond-async"'):
        assert (await here.call("POST", HELLO, headers={"Prefer": value}))[0] == 200
        assert instance.seen[-1].headers["prefer"] == value


@pytest.mark.parametrize(
    ("headers", "pointer"),
    [
        ({"Ffx-Priority": "10"}, "/headers/Ffx-Priority"),
        ({"Ffx-Priority": "high"}, "/headers/Ffx-Priority"),
        ({"Ffx-Not-Before": "soon"}, "/headers/Ffx-Not-Before"),
        ({"Ffx-Not-Before": "99999999"}, "/headers/Ffx-Not-Before"),
        ({"Ffx-Order-Key": "x" * 201}, "/headers/Ffx-Order-Key"),
        ({"Idempotency-Key": "x" * 201}, "/headers/Idempotency-Key"),
        ({"Ffx-Callback": "http://127.0.0.1/"}, "/headers/Ffx-Callback"),
        ({"Ffx-Callback": "not a url"}, "/headers/Ffx-Callback"),
        ({"Ffx-Callback": "https://a.example", "Ffx-Callback-Secret": "../x"}, "/headers/Ffx-Callback-Secret"),
    ],
)
async def test_headers_that_are_refused(here: World, headers: dict[str, str], pointer: str) -> None:
    await here.route("hello", await here.instance())
    problem = await here.problem("POST", HELLO, headers={"Prefer": "respond-async", **headers})
    assert (problem["code"], [one["pointer"] for one in problem["errors"]]) == ("invalid", [pointer])


async def test_a_field_that_is_there_twice(here: World) -> None:
    await here.route("hello", await here.instance())
    raw = await here.raw(
        b"POST /f/acme/hello HTTP/1.1\r\nHost: x\r\nPrefer: respond-async\r\nContent-Length: 0\r\n"
        b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n"
    )
    assert raw.startswith(b"HTTP/1.1 422")
    assert b"/headers/Idempotency-Key" in raw


async def test_what_execute_refuses_names_its_place(here: World) -> None:
    await here.route("hello", await here.instance(), limits=Limits(payload_bytes=10))
    for fields, status, pointer in (
        ({"priority": 10}, 422, "/priority"),
        ({"callback": "http://10.0.0.1/"}, 422, "/callback"),
        ({"callback": {"url": "http://[::1]/"}}, 422, "/callback"),
        ({"not_before": "x"}, 422, "/not_before"),
        ({"mode": "sync", "order_key": "k"}, 422, "/order_key"),
        ({"wat": 1}, 422, "/wat"),
        ({"payload": "x" * 20}, 413, None),
        ({"revision": 7}, 404, None),
        ({"function": "acme/nobody"}, 404, None),
    ):
        body = {"function": "acme/hello", "mode": "async", **fields}
        problem = await here.problem("POST", EXECUTE, json=body)
        assert (problem["status"], (problem.get("errors") or [{"pointer": None}])[0]["pointer"]) == (status, pointer)


async def test_a_body_that_no_message_holds_is_told_of_the_direct_path(here: World) -> None:
    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        size = 0
        while piece := await request.content.readany():
            size += len(piece)
        return web.json_response(size)

    await here.route("hello", await here.instance(behaviour=behave), limits=Limits(payload_bytes=None))
    large = b"x" * (12 << 20)
    problem = await here.problem("POST", HELLO, data=large, headers={"Prefer": "respond-async"})
    assert (problem["status"], problem["code"]) == (413, "payload-too-large")
    assert "streams" in problem["detail"]
    made = await preferred(here, data=large[: 11 << 20])
    assert (await outcome(here, made["invocation_id"])).result == 11 << 20


async def test_bodies_of_calls_that_are_queued_are_bounded_together() -> None:
    async with world(bounds=replace(Bounds(), held_bytes=1000)) as here:
        await here.route("hello", await here.instance())
        for target, headers in ((HELLO, {"Prefer": "respond-async"}), (EXECUTE, {"Content-Type": "application/json"})):
            problem = await here.problem("POST", target, data=b" " * 1001, headers=headers)
            assert (problem["status"], problem["code"]) == (429, "queue-full")
        await accepted(here, payload="x" * 500)
        assert here.invoker._admission.held_bytes == 0


async def test_the_policy_and_rates_are_asked_before_it_is_stored(here: World) -> None:
    await here.route("hello", await here.instance(), rate_limit=RateLimit(calls_per_minute=2))
    admin, here.token = here.token, None
    assert (await here.problem("POST", HELLO, headers={"Prefer": "respond-async"}))["status"] == 401
    here.token = here.identity.token(await here.identity.user("bob"))
    assert (await here.problem("POST", HELLO, headers={"Prefer": "respond-async"}))["status"] == 404
    here.token = admin
    await preferred(here)
    await accepted(here)
    limited = await here.problem("POST", HELLO, headers={"Prefer": "respond-async"})
    assert (limited["status"], limited["code"]) == (429, "rate-limited")


async def test_who_may_only_call_has_nothing_signed_with_secrets(here: World) -> None:
    """With signatures of what they choose they could guess a secret at leisure."""
    await here.route("hello", await here.instance(), visibility="authenticated")
    callback = {"url": "https://a.example", "secret": "db-password"}
    await accepted(here, callback=callback)
    here.token = here.identity.token(await here.identity.user("bob"))
    body = {"function": "acme/hello", "mode": "async", "callback": callback}
    assert (await here.problem("POST", EXECUTE, json=body))["code"] == "not-allowed"
    await accepted(here, callback="https://a.example")


async def test_nobody_in_particular_has_no_idempotency_keys_and_no_callbacks(here: World) -> None:
    """Another stranger with the same key would get this one's result; and anybody could have anybody posted to."""
    await here.route("hello", await here.instance(), visibility="public")
    here.token = None
    body = {"function": "acme/hello", "idempotency_key": "k"}
    for mode in ("sync", "async"):
        problem = await here.problem("POST", EXECUTE, json={**body, "mode": mode})
        assert problem["errors"][0]["pointer"] == "/idempotency_key"
    headers = {"Prefer": "respond-async", "Ffx-Callback": "https://victim.example"}
    problem = await here.problem("POST", HELLO, headers=headers)
    assert problem["errors"][0]["pointer"] == "/headers/Ffx-Callback"
    await preferred(here)


async def test_pages_of_allowed_sites_may_read_the_answer(here: World) -> None:
    await here.route("hello", await here.instance(), cors=Cors(("https://a.example",)))
    headers = {"Prefer": "respond-async", "Origin": "https://a.example"}
    async with here.request("POST", HELLO, headers=headers) as got:
        assert (got.status, got.headers["Access-Control-Allow-Origin"]) == (202, "https://a.example")


async def test_a_host_that_the_operator_opens() -> None:
    async with world(callback_hosts=parse_all(["127.0.0.1:9"])) as here:
        await here.route("hello", await here.instance())
        await accepted(here, callback="http://127.0.0.1:9/x")
        body = {"function": "acme/hello", "mode": "async", "callback": "http://127.0.0.1:10/x"}
        assert (await here.problem("POST", EXECUTE, json=body))["status"] == 422


async def test_where_functions_have_a_host_of_their_own_the_answer_names_the_platform() -> None:
    async with world(url="https://faas.example.org") as here:
        await here.route("hello", await here.instance())
        async with here.request("POST", HELLO, headers={"Prefer": "respond-async"}) as got:
            made = await got.json()
            assert got.headers["Location"] == f"https://faas.example.org/invocations/{made['invocation_id']}"


# idempotency keys of calls that are waited for


async def execute(here: World, key: str, **body: Any) -> dict[str, Any]:
    sent = {"function": "acme/hello", "idempotency_key": key, **body}
    async with here.request("POST", EXECUTE, json=sent) as got:
        made: dict[str, Any] = await got.json()
        assert got.status == 200, made
        return made


async def test_a_repeated_call_is_one_call(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance)
    calls = [asyncio.create_task(execute(here, "k")) for _ in range(5)]
    await eventually(lambda: instance.running == 1, "one runs")
    instance.hold.set()
    answers = await asyncio.gather(*calls)
    later = await execute(here, "k", payload="other")
    assert all(each == later for each in answers)
    assert len(instance.seen) == 1
    assert (await execute(here, "other"))["invocation_id"] != later["invocation_id"]
    queued = await accepted(here, idempotency_key="k")
    assert queued == later  # one and the same call, however it is made
    assert len(instance.seen) == 2


async def test_the_same_key_of_another_caller_is_another_call(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance, visibility="authenticated")
    mine = await execute(here, "k")
    here.token = here.identity.token(await here.identity.user("bob"))
    theirs = await execute(here, "k")
    assert theirs["invocation_id"] != mine["invocation_id"]
    assert len(instance.seen) == 2


async def test_a_call_whose_caller_left_is_there_for_who_repeats_it(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance)
    left = asyncio.create_task(execute(here, "k"))
    await eventually(lambda: instance.running == 1, "it runs")
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    again = asyncio.create_task(execute(here, "k"))
    instance.hold.set()
    assert (await again)["status"] == "succeeded"
    assert len(instance.seen) == 1


async def test_what_was_refused_may_be_tried_again_with_the_same_key(here: World) -> None:
    body = {"function": "acme/hello", "idempotency_key": "k", "revision": 2}
    instance = await here.instance()
    await here.route("hello", instance)
    assert (await here.problem("POST", EXECUTE, json=body))["code"] == "revision-not-found"
    await here.route("hello", instance, revision=2)
    assert (await execute(here, "k", revision=2))["status"] == "succeeded"


async def test_a_large_result_comes_again_whole(here: World) -> None:
    async def behave(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response("x" * 2_000_000)

    await here.route("hello", await here.instance(behaviour=behave))
    assert await execute(here, "k") == await execute(here, "k")
    assert len((await execute(here, "k"))["result"]) == 2_000_000


async def test_an_outcome_that_is_kept_for_longer_than_its_key_stays_that_calls(here: World) -> None:
    """The key is forgotten after a day, a dead call's outcome after two weeks: a new run of that id would have none."""
    instance = await here.instance()
    await here.route("hello", instance)
    made = await execute(here, "k")
    await here.bus.bucket(IDEMPOTENCY.name, Repeatable).delete(made["invocation_id"])
    assert await execute(here, "k") == made
    await here.bus.bucket(IDEMPOTENCY.name, Repeatable).delete(made["invocation_id"])
    assert await accepted(here, idempotency_key="k") == made
    assert len(instance.seen) == 1


async def test_a_functions_own_failure_is_kept_too(here: World) -> None:
    runs = 0

    async def behave(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal runs
        runs += 1
        return web.Response(status=500)

    await here.route("hello", await here.instance(behaviour=behave))
    assert await execute(here, "k") == await execute(here, "k")
    assert runs == 1
