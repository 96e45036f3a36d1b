"""Requests and answers: what every runtime does with an ordinary call."""

from __future__ import annotations

import asyncio
import json

import pytest

from support.runtime_instance import run_instance

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_answers_text_and_bytes(subject, start):
    instance = await start(subject)
    async with instance.client() as client:
        hello = await client.get("/hello")
        assert (hello.status_code, hello.text) == (200, "hello")
        assert hello.headers["content-type"] == "text/plain; charset=utf-8"
        body = bytes(range(256)) * 100
        echo = await client.post("/echo", content=body)
        assert echo.content == body


async def test_says_nothing_of_its_server(subject, start):
    instance = await start(subject)
    async with instance.client() as client:
        assert "server" not in (await client.get("/hello")).headers


async def test_shows_the_request_without_the_platforms_headers(subject, start):
    instance = await start(subject)
    headers = {
        "X-Thing": "Wert",
        "X-Request-Id": "r-17",
        "X-FFX-Function": "hello",
        "x-ffx-principal": "user",
        "X-Ffx-Invocation-Id": "i-1",
        "X-Ffx-Attempt": "2",
        "traceparent": TRACE,
    }
    async with instance.client(headers=headers) as client:
        found = (await client.put("/request?a=1&b=%20x&a=2", content=b"x")).json()
    assert found["method"] == "PUT"
    assert found["query"] == "a=1&b=%20x&a=2"
    assert found["request_id"] == "r-17"
    assert found["headers"]["x-thing"] == "Wert"
    assert found["headers"]["traceparent"] == TRACE
    ours = {name: value for name, value in found["headers"].items() if name.startswith("x-ffx-")}
    assert ours == {"x-ffx-invocation-id": "i-1", "x-ffx-attempt": "2"}  # which queued call this is


@pytest.mark.needs("prefix")
async def test_an_application_is_told_its_prefix(subject, start):
    instance = await start(subject)
    headers = {"x-forwarded-prefix": "/f/acme/hello", "x-request-id": "r"}
    async with instance.client(headers=headers) as client:
        found = (await client.get("/request")).json()
    assert (found["root_path"], found["path"]) == ("/f/acme/hello", "/request")


async def test_head_has_headers_and_no_body(subject, start):
    instance = await start(subject)
    reader, writer = await instance.connect()
    writer.write(b"HEAD /hello HTTP/1.1\r\nhost: x\r\n\r\nGET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answers = (await asyncio.wait_for(reader.read(), 10)).decode()
    assert answers.count("HTTP/1.1 200 OK") == 2
    assert answers.lower().count("content-length: 5\r\n") == 2
    assert answers.count("hello") == 1
    writer.close()


async def test_keeps_the_connection(subject, start):
    instance = await start(subject)
    reader, writer = await instance.connect()
    for _ in range(3):
        writer.write(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert b"connection: close" not in head.lower()
        assert await reader.readexactly(5) == b"hello"
    writer.close()


async def test_answers_pipelined_requests_in_order(subject, start):
    instance = await start(subject)
    reader, writer = await instance.connect()
    bodies = [f"body {number}".encode() for number in range(5)]
    for body in bodies:
        writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    writer.write(b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answers = await asyncio.wait_for(reader.read(), 20)
    found = [answers.index(body) for body in [*bodies, b"hello"]]
    assert found == sorted(found)
    writer.close()


async def test_closes_where_the_client_asks(subject, start):
    instance = await start(subject)
    for request in (b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", b"GET /hello HTTP/1.0\r\n\r\n"):
        reader, writer = await instance.connect()
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.endswith(b"hello")
        assert b"connection: close" in answer.lower()
        writer.close()


async def test_streams_to_old_clients_without_chunks(subject, start):
    instance = await start(subject)
    reader, writer = await instance.connect()
    writer.write(b"GET /pieces HTTP/1.0\r\n\r\n")
    head, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == b"x" * 262144
    writer.close()


async def test_an_error_is_a_problem_and_its_trace_is_in_the_log(subject, start):
    instance = await start(subject)
    async with instance.client(headers={"x-request-id": "r-18"}) as client:
        answer = await client.get("/fail")
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert (problem["code"], problem["status"], problem["request_id"]) == ("function-error", 500, "r-18")
        assert problem["type"] == "https://faasioflex.dev/problems/function-error"
        assert "the reason" not in answer.text
        await instance.logged("the reason", "r-18")
        assert (await client.get("/hello")).status_code == 200


async def test_lines_of_the_log_carry_the_request_id(subject, start):
    instance = await start(subject)
    async with instance.client() as client:
        calls = [client.get("/log", headers={"x-request-id": f"r-{number}"}) for number in range(5)]
        for answer in await asyncio.gather(*calls):
            assert answer.status_code in (200, 204)
    for number in range(5):
        await instance.logged("three", f"r-{number}")
        assert instance.messages(f"r-{number}") == ["one", "two", "three"]
    if "stdout" in subject.can:
        assert {(one.stream, one.message) for one in instance.log} == {
            ("stdout", "one"),
            ("stdout", "two"),
            ("stderr", "three"),
        }


async def test_the_environment_is_the_functions(subject, start):
    instance = await start(subject, env={"GREETING": "hi"})
    async with instance.client() as client:
        found = (await client.get("/environment")).json()
    assert (found["GREETING"], found["FFX_NAMESPACE"], found["FFX_FUNCTION"], found["FFX_REVISION"]) == (
        "hi",
        "acme",
        "hello",
        "7",
    )
    assert "FFX_CONFIG" not in found
    assert "FFX_REPORT_FD" not in found


@pytest.mark.parametrize("listen", ["port", "socket"])
async def test_listens_on_a_port_or_a_socket_where_none_is_handed_in(subject, start, listen):
    instance = await start(subject, listen=listen)
    request = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    if listen == "port":
        reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
    else:
        reader, writer = await instance.connect()
    writer.write(request)
    assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"hello")
    writer.close()


async def test_a_client_that_came_before_it_was_ready_is_served(subject):
    async with run_instance(subject.runtime, subject.code, wait=False) as instance:
        async with instance.client() as client:
            assert (await client.get("/hello")).text == "hello"
        assert json.dumps(instance.raw) == "[]"
