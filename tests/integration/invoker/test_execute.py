"""Calls whose answer is an invocation: execute and NATS subjects."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from faasioflex.invoker.bounds import Bounds
from faasioflex.model.function import Limits
from faasioflex.model.route import FunctionRoute, RevisionRoute
from support.deadline import eventually
from support.invoker_world import GATEWAY, World, world


async def answer(here: World, response: web.Response | Any, **body: Any) -> dict[str, Any]:
    """Execute a function that answers so; the invocation."""

    async def behave(_: web.BaseRequest) -> web.StreamResponse:
        return response

    await here.route("hello", await here.instance(behaviour=behave))
    return await execute(here, function="acme/hello", **body)


async def execute(here: World, **body: Any) -> dict[str, Any]:
    async with here.request("POST", "/.ffx/execute", json=body) as got:
        assert got.status == 200, await got.text()
        made: dict[str, Any] = await got.json()
        return made


async def refused(here: World, **body: Any) -> dict[str, Any]:
    return await here.problem("POST", "/.ffx/execute", json=body)


async def test_the_payload_arrives_as_json_and_the_outcome_is_kept(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    headers = {"X-Request-Id": "r-9", "traceparent": "00-a-b-01"}
    body = {"function": "acme/hello", "payload": {"ñ": [1, 2.5, None]}, "timeout_s": 3}
    async with here.request("POST", "/.ffx/execute", json=body, headers=headers) as got:
        assert got.status == 200
        assert got.headers["X-Request-Id"] == "r-9"
        made = await got.json()
    (seen,) = instance.seen
    assert (seen.method, seen.path, json.loads(seen.body)) == ("POST", "/", {"ñ": [1, 2.5, None]})
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["x-request-id"] == "r-9"
    assert seen.headers["traceparent"] == "00-a-b-01"
    assert seen.headers["x-ffx-timeout-s"] == "3"
    assert made["status"] == "succeeded"
    assert (made["function"], made["revision"], made["attempts"], made["error"]) == ("acme/hello", 1, 1, None)
    assert made["created_at"] <= made["started_at"] <= made["finished_at"]
    assert made["duration_ms"] >= 0
    uuid.UUID(made["invocation_id"])
    kept = await here.invocations.get(made["invocation_id"])
    assert kept is not None
    assert kept.value.status == "succeeded"


@pytest.mark.parametrize(
    ("response", "result"),
    [
        (web.json_response({"a": 1}), {"a": 1}),
        (web.Response(text="hi"), "hi"),
        (web.Response(status=204), None),
        (
            web.Response(body=b"\x00\xff", content_type="image/png"),
            {"base64": base64.b64encode(b"\x00\xff").decode(), "content_type": "image/png"},
        ),
    ],
    ids=["json", "text", "nothing", "bytes"],
)
async def test_results(here: World, response: web.Response, result: Any) -> None:
    made = await answer(here, response)
    assert (made["status"], made["result"], made["error"]) == ("succeeded", result, None)


async def test_the_functions_own_error_is_a_failed_invocation(here: World) -> None:
    problem = web.json_response({"detail": "division by zero"}, status=500, content_type="application/problem+json")
    made = await answer(here, problem)
    assert (made["status"], made["result"]) == ("failed", None)
    assert made["error"] == {"code": "function-error", "message": "division by zero", "http_status": 500}


async def test_a_function_past_its_deadline(here: World) -> None:
    made = await answer(here, web.json_response({"detail": "took longer than 1 s"}, status=504))
    assert made["error"]["code"] == "deadline-exceeded"


async def test_an_instance_that_ends_is_a_failed_invocation(here: World) -> None:
    async def die(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    await here.route("hello", await here.instance(behaviour=die))
    made = await execute(here, function="acme/hello")
    assert (made["status"], made["revision"], made["error"]["code"]) == ("failed", 1, "instance-ended")
    assert "ran out of memory" in made["error"]["message"]
    kept = await here.invocations.get(made["invocation_id"])
    assert kept is not None
    assert kept.value.status == "failed"


async def test_what_the_platform_refuses_is_a_problem(here: World) -> None:
    await here.route("hello", await here.instance(), limits=Limits(payload_bytes=10))
    assert (await refused(here, function="acme/nobody"))["code"] == "function-not-found"
    assert (await refused(here, function="acme/hello", revision=7))["code"] == "revision-not-found"
    assert (await refused(here, function="acme/hello", payload="x" * 20))["code"] == "payload-too-large"
    assert (await refused(here, function="Acme/Hello"))["code"] == "invalid"
    assert (await refused(here, function="acme/hello", callback="https://x.example"))["errors"][0][
        "pointer"
    ] == "/callback"
    problem = await refused(here, function="acme/hello", wat=1)
    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/wat")
    assert (await refused(here))["errors"][0]["pointer"] == "/function"
    assert (await refused(here, function="acme/hello", timeout_s=0))["errors"][0]["pointer"] == "/timeout_s"
    headers = {"Content-Type": "application/json"}
    assert (await here.problem("POST", "/.ffx/execute", data=b"{", headers=headers))["status"] == 400
    assert (await here.problem("POST", "/.ffx/execute", data=b"{}"))["status"] == 415
    assert (await here.problem("POST", "/functions/execute?x=1", json={}))["errors"][0]["pointer"] == "/query/x"
    assert (await here.problem("GET", "/.ffx/execute"))["status"] == 405
    elsewhere = {"Origin": "https://evil.example"}
    assert (await here.problem("POST", "/functions/execute", json={}, headers=elsewhere))["status"] == 403
    rebound = {"Host": "evil.example"}
    assert (await here.problem("POST", "/functions/execute", json={}, headers=rebound))["status"] == 403
    too_large = await here.problem("POST", "/functions/execute", data=b" " * ((16 << 20) + 1), headers=headers)
    assert (too_large["status"], too_large["code"]) == (413, "payload-too-large")


async def test_a_named_revision_is_called_whatever_the_split(here: World) -> None:
    one, two = await here.instance(), await here.instance()
    revisions = {1: RevisionRoute(Limits(), (one.endpoint,)), 2: RevisionRoute(Limits(), (two.endpoint,))}
    await here.put("hello", FunctionRoute("u", "private", {1: 100}, revisions))
    assert (await execute(here, function="acme/hello", revision=2))["revision"] == 2
    assert (await execute(here, function="acme/hello"))["revision"] == 1


async def test_a_call_that_waited_for_a_start_says_so(here: World) -> None:
    await here.route("hello")
    for timing in (True, False):
        async with here.request("POST", "/.ffx/execute", json={"function": "acme/hello"}) as got:
            assert got.headers["Ffx-Revision"] == "1"
            assert ("Server-Timing" in got.headers) is timing


async def test_a_large_result_is_answered_and_kept_without_it(here: World) -> None:
    made = await answer(here, web.Response(text="x" * (2 << 20)))
    assert len(made["result"]) == 2 << 20
    kept = await here.invocations.get(made["invocation_id"])
    assert kept is not None
    assert (kept.value.status, kept.value.result) == ("succeeded", None)


async def test_a_result_that_is_too_large_says_so() -> None:
    async with world(bounds=replace(Bounds(), result_bytes=1000)) as here:
        made = await answer(here, web.Response(text="x" * 1001))
        assert (made["status"], made["error"]["code"]) == ("failed", "payload-too-large")


async def test_outsiders_headers_do_not_reach_execute_of_another_function(here: World) -> None:
    """A path that the gateway has rewritten is a function's, whatever it looks like."""
    instance = await here.instance()
    await here.route("hello", instance)
    headers = {**GATEWAY, "x-ffx-namespace": "acme", "x-ffx-function": "hello", "x-ffx-revision": "1"}
    assert (await here.call("POST", "/.ffx/execute", headers=headers, data=b"{}"))[0] == 200
    assert instance.seen[0].path == "/.ffx/execute"


async def test_a_request_over_the_bus_is_answered_with_an_invocation(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    made = await here.call_over_bus("hello", b'{"x": 1}')
    assert (made["status"], made["revision"]) == ("succeeded", 1)
    assert instance.seen[0].body == b'{"x": 1}'
    assert instance.seen[0].headers["content-type"] == "application/json"
    assert await here.invocations.get(made["invocation_id"]) is not None
    nobody = await here.call_over_bus("nobody", b"1")
    assert nobody["status"] == "failed"
    assert (nobody["error"]["code"], nobody["error"]["http_status"]) == ("function-not-found", 404)
    assert await here.invocations.get(nobody["invocation_id"]) is None


async def test_so_many_calls_over_the_bus_at_once_and_no_more() -> None:
    async with world(bounds=replace(Bounds(), bus_calls=2)) as here:
        instance = await here.instance()
        instance.hold.clear()
        await here.route("hello", instance)
        calls = [asyncio.create_task(here.call_over_bus("hello", b"1")) for _ in range(2)]
        await eventually(lambda: instance.running == 2, "two run")
        third = await here.call_over_bus("hello", b"1")
        assert third["error"]["code"] == "queue-full"
        instance.hold.set()
        assert [reply["status"] for reply in await asyncio.gather(*calls)] == ["succeeded"] * 2
