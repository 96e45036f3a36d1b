"""What passes through the invoker, and how exactly."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from support.deadline import eventually
from support.invoker_world import GATEWAY, World


async def test_a_call_reaches_the_instance_and_its_answer_comes_back(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    async with here.request(
        "POST", "/f/acme/hello/some/path?q=1", data=b"body", headers={"X-Request-Id": "r-1"}
    ) as got:
        assert (got.status, await got.text()) == (200, f"{instance.endpoint.instance}:body")
        assert got.headers["Ffx-Revision"] == "1"
        assert got.headers["X-Request-Id"] == "r-1"
        assert not [name for name in got.headers if name.lower().startswith("x-ffx")]
    (seen,) = instance.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/some/path?q=1", b"body")
    for name, value in {
        "x-forwarded-prefix": "/f/acme/hello",
        "x-ffx-namespace": "acme",
        "x-ffx-function": "hello",
        "x-ffx-revision": "1",
        "x-request-id": "r-1",
        "content-length": "4",
    }.items():
        assert seen.headers[name] == value
    assert here.wakes == []


async def test_the_request_target_is_never_decoded_or_normalised(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    for sent, seen in {
        b"/f/acme/hello/a%2Fb?x=%20y": "/a%2Fb?x=%20y",
        b"/f/acme/hello": "/",
        b"/f/acme/hello?": "/?",
        b"/f/acme/hello?q=/f/x/y": "/?q=/f/x/y",
        b"/f/acme/hello/": "/",
        b"/f/acme/hello//x/../%2e%2E/./y": "//x/../%2e%2E/./y",
        b"/f/acme/hello/a%00;b=c|d?a&a=+": "/a%00;b=c|d?a&a=+",
    }.items():
        answer = await here.raw(b"GET " + sent + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert instance.seen[-1].path == seen


async def test_names_that_are_no_names_are_unknown_functions(here: World) -> None:
    await here.route("hello", await here.instance())
    for target in (
        "/f/acme/hel%6co",
        "/f/acme/",
        "/f/acme",
        "/f//hello",
        "/f/acme/..",
        "/f/a/../hello",
        "/f/Acme/hello",
        "/f/",
    ):
        answer = await here.raw(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 404"), target
        assert json.loads(body)["code"] == "function-not-found"


async def test_the_gateways_headers_name_function_and_revision(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    headers = {**GATEWAY, "x-ffx-namespace": "acme", "x-ffx-function": "hello", "x-ffx-revision": "1"}
    assert (await here.call("GET", "/f/other/path?x", headers=headers))[0] == 200
    assert instance.seen[-1].path == "/f/other/path?x"


async def test_fields_of_the_connection_and_of_the_platform_do_not_pass(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    await here.raw(
        b"GET /f/acme/hello HTTP/1.1\r\nHost: me.example\r\nConnection: close, X-Private\r\nX-Private: 1\r\nTE: trailers\r\n"
        b"Proxy-Authorization: x\r\nX-FFX-Principal: root\r\nTraceparent: 00-1\r\nX-Two: a\r\nX-Two: b\r\n"
        b"X-Forwarded-Prefix: /evil\r\n\r\n"
    )
    (seen,) = instance.seen
    assert seen.headers["host"] == "me.example"
    assert seen.headers["traceparent"] == "00-1"
    assert seen.headers["x-forwarded-prefix"] == "/f/acme/hello"
    assert [value for name, value in seen.raw_headers if name == b"X-Two"] == [b"a", b"b"]
    for gone in ("x-private", "te", "proxy-authorization", "x-ffx-principal", "connection"):
        assert gone not in seen.headers
    assert len([name for name, _ in seen.raw_headers if name.lower() == b"x-forwarded-prefix"]) == 1


async def test_a_request_id_is_made_where_there_is_no_sane_one(here: World) -> None:
    instance = await here.instance()
    await here.route("hello", instance)
    async with here.request("GET", "/f/acme/hello", headers={"X-Request-Id": "no spaces please"}) as got:
        made = got.headers["X-Request-Id"]
    assert made != "no spaces please"
    assert instance.seen[0].headers["x-request-id"] == made


async def test_nothing_is_added_to_an_answer_and_its_length_is_kept(here: World) -> None:
    reader_done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 207 Many Things\r\nX-A: \xe9\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok")
        await reader.read()
        writer.close()
        reader_done.set()

    instance = await here.instance()
    await instance.kill()
    path = instance.endpoint.address.removeprefix("unix:")
    async with await asyncio.start_unix_server(serve, path):
        await here.route("hello", instance)
        answer = await here.raw(b"GET /f/acme/hello HTTP/1.1\r\nHost: x\r\nX-Request-Id: r\r\n\r\n")
        assert answer == (
            b"HTTP/1.1 207 Many Things\r\nX-A: \xe9\r\nContent-Length: 2\r\nFfx-Revision: 1\r\nX-Request-Id: r\r\n\r\nok"
        )
        await here.invoker.stop()
        await asyncio.wait_for(reader_done.wait(), 5)


async def test_head_and_answers_without_a_body(here: World) -> None:
    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response(headers={"Content-Length": "5"})
        return web.Response(status=int(request.raw_path[1:]))

    await here.route("hello", await here.instance(behaviour=behave))
    async with here.request("HEAD", "/f/acme/hello") as got:
        assert (got.status, got.headers["Content-Length"]) == (200, "5")
    for status in (204, 304, 205):
        for _ in range(2):  # the connection is still in step afterwards
            assert (await here.call("GET", f"/f/acme/hello/{status}"))[0] == status


async def test_the_first_event_of_a_stream_comes_at_once(here: World) -> None:
    go_on = asyncio.Event()

    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await out.prepare(request)
        await out.write(b"data: 1\n\n")
        await go_on.wait()
        await out.write(b"data: 2\n\n")
        return out

    await here.route("hello", await here.instance(behaviour=behave))
    async with here.request("GET", "/f/acme/hello") as got:
        assert await asyncio.wait_for(got.content.readany(), 5) == b"data: 1\n\n"
        go_on.set()
        assert await got.content.read() == b"data: 2\n\n"


async def test_a_client_that_leaves_cancels_the_call(here: World) -> None:
    instance = await here.instance()
    instance.hold.clear()
    await here.route("hello", instance)
    calling = asyncio.create_task(here.call())
    await eventually(lambda: instance.running, "the call runs")
    calling.cancel()
    await eventually(lambda: instance.cancelled == 1, "the instance sees the client go")


async def test_an_instance_that_dies_within_its_answer_cuts_the_client_off(here: World) -> None:
    async def behave(request: web.BaseRequest) -> web.StreamResponse:
        out = web.StreamResponse()
        await out.prepare(request)
        await out.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return out

    await here.route("hello", await here.instance(behaviour=behave))
    answer = await here.raw(b"GET /f/acme/hello HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.endswith(b"4\r\nhalf\r\n")  # and no end of the chunked coding


async def test_a_silent_instance_is_given_up_after_the_deadline() -> None:
    from dataclasses import replace

    from faasioflex.invoker.bounds import Bounds
    from faasioflex.model.function import Limits
    from support.invoker_world import world

    async with world(bounds=replace(Bounds(), deadline_slack_s=0.05)) as here:
        instance = await here.instance()
        instance.hold.clear()
        await here.route("hello", instance, limits=Limits(timeout_s=0.1))
        problem = await here.problem("POST", data=b"x")
        assert (problem["status"], problem["code"]) == (504, "deadline-exceeded")
        await eventually(lambda: instance.cancelled == 1, "the instance is told")
