"""Functions of the form Handle: what they return, what they write, how they fail."""

from __future__ import annotations

import json

import httpx
import pytest

from support.deadline import eventually


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/struct", "application/json", '{"name":"<Ada>"}'),
        ("/number", "application/json", "3.5"),
        ("/reader", "application/octet-stream", "read\n"),
        ("/hello", "text/plain; charset=utf-8", "hello"),
    ],
)
async def test_what_is_returned_is_the_answer(start, path, content_type, body):
    instance = await start("go-handle")
    async with instance.client() as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (200, content_type, body)


async def test_a_response_has_status_and_headers_of_its_own(start):
    instance = await start("go-handle")
    async with instance.client() as client:
        answer = await client.get("/response")
    assert (answer.status_code, answer.json()) == (201, {"a": 1})
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers.get_list("content-length") == ["7"]
    assert "x-ffx-overflow" not in answer.headers


@pytest.mark.parametrize(("path", "says"), [("/bad-header", "line break"), ("/func", "not func()")])
async def test_what_cannot_be_sent_is_a_problem_that_says_why(start, path, says):
    instance = await start("go-handle")
    async with instance.client() as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (500, "function-error")
    assert says in answer.json()["detail"]


async def test_a_body_that_is_not_json_is_the_callers_fault(start):
    instance = await start("go-handle")
    async with instance.client() as client:
        assert (await client.post("/json", json={"name": "Ada"})).text == "Ada"
        answer = await client.post("/json", content=b"{", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert "not the JSON" in answer.json()["detail"]


async def test_a_cloudevent_is_read(start):
    instance = await start("go-handle")
    event = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "made", "data": {"a": 1}}
    async with instance.client() as client:
        headers = {"content-type": "application/cloudevents+json"}
        found = (await client.post("/cloudevent", content=json.dumps(event), headers=headers)).json()
        assert (found["ID"], found["Type"]) == ("7", "made")
        assert (await client.post("/cloudevent", content=b"[]", headers=headers)).status_code == 400
        assert (await client.post("/cloudevent")).text == "null"


async def test_a_panic_is_a_problem_and_the_instance_goes_on(start):
    instance = await start("go-handle")
    async with instance.client(headers={"x-request-id": "r-5"}) as client:
        answer = await client.get("/panic")
        assert (answer.status_code, answer.json()["code"]) == (500, "function-error")
        assert "the reason" not in answer.text
        await instance.logged("panic: the reason of /panic", "r-5")
        await instance.logged("more.go:", "r-5")
        assert not any("internal/server" in line or "debug.Stack" in line for line in instance.messages("r-5"))
        assert (await client.get("/hello")).text == "hello"


async def test_a_panic_in_a_goroutine_ends_the_process_with_its_trace(start):
    instance = await start("go-handle")
    async with instance.client() as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/goroutine")
    assert await instance.ended() == 2
    await eventually(
        lambda: any("panic: in a goroutine" in line for line in instance.raw), f"the trace in {instance.raw}"
    )


async def test_lines_of_the_log_packages_know_their_call(start):
    instance = await start("go-handle")
    async with instance.client(headers={"x-request-id": "r-6"}) as client:
        assert (await client.get("/slog")).status_code == 204
    await instance.logged('level=WARN msg="of the call" who=Ada', "r-6")
    await instance.logged('level=INFO msg="with context" key="a value"', "r-6")
    await instance.logged('level=INFO msg="without context"', None)
    await instance.logged("by package log", None)
    await eventually(lambda: "by fmt" in instance.raw, f"what went to the real stdout in {instance.raw}")


async def test_programs_that_it_starts_inherit_neither_listener_nor_report(start):
    instance = await start("go-handle")
    async with instance.client() as client:
        listed = (await client.get("/descriptors")).text.split()
    assert [fd for fd in listed if int(fd) > 2] == ["3"], "3 is the folder that ls reads"


async def test_limits_become_gos_own(start):
    instance = await start("go-handle", memory_bytes=64 << 20, cpu=0.5)
    async with instance.client() as client:
        found = (await client.get("/limits")).json()
    assert found["memory_bytes"] == int((64 << 20) * 0.9)
    assert found["cores"] <= 2


async def test_limits_that_the_function_sets_itself_stand(start):
    instance = await start("go-handle", memory_bytes=64 << 20, cpu=0.5, env={"GOMEMLIMIT": "1MiB", "GOMAXPROCS": "3"})
    async with instance.client() as client:
        assert (await client.get("/limits")).json() == {"memory_bytes": 1 << 20, "cores": 3}
