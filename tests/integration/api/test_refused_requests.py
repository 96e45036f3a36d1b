"""Bad input of every kind: a problem document with the right status, never a 5xx, nothing stored."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from faasioflex.bus.buckets import CODE_OBJECTS, FUNCTIONS, REVISIONS
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.function import FunctionRecord, RevisionRecord
from support.api_client import code_of, function
from support.archives import file, tar_gz

REGISTER = "/functions/register"
JSON = {"content-type": "application/json"}


async def nothing_stored(bus: MemoryBus) -> bool:
    return (
        not await bus.objects(CODE_OBJECTS).names()
        and not await bus.bucket(FUNCTIONS.name, FunctionRecord).list()
        and not await bus.bucket(REVISIONS.name, RevisionRecord).list()
    )


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": "Hello"}, "/name"),
    ({"name": "a\n"}, "/name"),
    ({"name": "-a"}, "/name"),
    ({"name": "x" * 41}, "/name"),
    ({"name": None}, "/name"),
    ({"namespace": "a.b"}, "/namespace"),
    ({"runtime": "ruby"}, "/runtime"),
    ({"handler": "main"}, "/handler"),
    ({"handler": "../main:x"}, "/handler"),
    ({"runtime": "exec", "handler": "../run"}, "/handler"),
    ({"runtime": "exec", "handler": "/bin/sh"}, "/handler"),
    ({"env": {"FFX_X": "1"}}, "/env/FFX_X"),
    ({"env": {"PORT": "1"}}, "/env/PORT"),
    ({"env": {"LISTEN_FDS": "1"}}, "/env/LISTEN_FDS"),
    ({"env": {"a=b": "1"}}, "/env/a=b"),
    ({"env": {"a/b~c": "1"}}, "/env/a~1b~0c"),
    ({"env": {"A": 1}}, "/env/A"),
    ({"env": {"A": "x\0y"}}, "/env/A"),
    ({"env": {"A": "x" * 40_000, "B": "x" * 40_000}}, "/env"),
    ({"limits": {"memory_bytes": 1}}, "/limits/memory_bytes"),
    ({"limits": {"memory_bytes": "134217728"}}, "/limits/memory_bytes"),
    ({"limits": {"memory_bytes": 2**70}}, "/limits/memory_bytes"),
    ({"limits": {"concurrency": True}}, "/limits/concurrency"),
    ({"limits": {"concurrency": 1.5}}, "/limits/concurrency"),
    ({"limits": {"timeout_s": 0}}, "/limits/timeout_s"),
    ({"limits": {"timeout_s": 3601}}, "/limits/timeout_s"),
    ({"limits": {"nope": 1}}, "/limits/nope"),
    ({"limits": []}, "/limits"),
    ({"scaling": {"min_instances": 6, "max_instances": 5}}, "/scaling"),
    ({"labels": {"a b": "c"}}, "/labels/a b"),
    ({"labels": {"a": "-"}}, "/labels/a"),
    ({"labels": {f"l{i}": "" for i in range(65)}}, "/labels"),
    ({"description": "x" * 2001}, "/description"),
    ({"rollout": "some"}, "/rollout"),
    ({"unknown": 1}, "/unknown"),
    ({"source": None}, "/source"),
    ({"source": {}}, "/source"),
    ({"source": {"files": {}}}, "/source/files"),
    ({"source": {"files": {"a": "x"}, "archive": "AAAA"}}, "/source"),
    ({"source": {"files": {"a": 1}}}, "/source/files/a"),
    ({"source": {"archive": "not base64!"}}, "/source/archive"),
    ({"source": {"image": "x"}}, "/source/image"),
]


@pytest.mark.parametrize(("fields", "pointer"), WRONG)
async def test_each_wrong_field_is_named(
    client: httpx.AsyncClient, bus: MemoryBus, fields: dict[str, Any], pointer: str
) -> None:
    answer = await client.post(REGISTER, json=function() | fields)
    assert code_of(answer) == (422, "invalid")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert await nothing_stored(bus)


async def test_what_has_not_come_yet_is_refused_not_ignored(client: httpx.AsyncClient) -> None:
    fields: dict[str, Any] = {"runtime": "image", "source": {"image": "a:b"}}
    answer = await client.post(REGISTER, json=function() | fields)
    assert code_of(answer) == (422, "not-supported-yet")
    named = {error["pointer"].split("/")[1] for error in answer.json()["errors"]}
    assert named <= set(fields)
    defaults = {"visibility": "private", "secrets": [], "network": {"egress": []}, "scaling": {}}
    assert (await client.post(REGISTER, json=function() | defaults)).status_code == 201


BROKEN = [
    b"",
    b"{",
    b"[]]",
    b'{"name": "a\xff"}',
    b'{"name": "\\ud800"}',
    b"\xff\xfe{\x00}\x00",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b"[" * 100_000,
    b'{"a":' * 5000,
    b"1" * 10_000,
    b"\x00",
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
async def test_what_is_not_json(client: httpx.AsyncClient, body: bytes) -> None:
    await client.post(REGISTER, json=function("x"))
    for method, path in (("POST", REGISTER), ("PUT", "/functions/admin/x/traffic"), ("POST", "/functions/execute")):
        answer = await client.request(method, path, content=body, headers=JSON)
        assert code_of(answer)[0] in (400, 422), (method, path)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense"])
async def test_other_content_types(client: httpx.AsyncClient, kind: str) -> None:
    headers = {"content-type": kind} if kind else {}
    body = json.dumps(function()).encode()
    assert code_of(await client.post(REGISTER, content=body, headers=headers)) == (415, "unsupported-media-type")
    assert (await client.post(REGISTER, json=function("x"))).status_code == 201
    assert code_of(await client.put("/functions/admin/x/traffic", content=body, headers=headers))[0] == 415


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=x"),
        (b"--y\r\n\r\n--y--", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="function"\r\n\r\n{}', "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n{}\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="function"\r\n\r\n{\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken header\r\n\r\n{}\r\n--x--\r\n", "multipart/form-data; boundary=x; charset=nope"),
        (
            b'--x\r\nContent-Disposition: form-data; name="archive"\r\n\r\nPK\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
)
async def test_broken_forms(client: httpx.AsyncClient, body: bytes, kind: str) -> None:
    assert code_of(await client.post(REGISTER, content=body, headers={"content-type": kind})) == (400, "bad-request")


async def test_bad_archives_are_refused_before_anything_is_stored(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    evil = tar_gz([file("main.py"), file("../evil")])
    coded = function(source={"archive": base64.b64encode(evil).decode()})
    answer = await client.post(REGISTER, json=coded)
    assert code_of(answer) == (422, "bad-archive")
    assert "'../evil'" in answer.json()["detail"]
    form = {"function": json.dumps({"name": "a", "runtime": "python"})}
    assert code_of(await client.post(REGISTER, data=form, files={"archive": ("a", evil)})) == (422, "bad-archive")
    assert code_of(await client.post(REGISTER, json=function(source={"files": {"a/../../b": ""}}))) == (
        422,
        "bad-archive",
    )
    assert await nothing_stored(bus)
    both = {"function": json.dumps(function())}
    assert code_of(await client.post(REGISTER, data=both, files={"archive": ("a", evil)})) == (422, "invalid")


async def test_bodies_that_are_too_large(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1024 * 1024
            yield b" " * (1024 * 1024)

    for method, path in (("POST", REGISTER), ("POST", "/functions/execute"), ("PUT", "/groups/eng")):
        answer = await client.request(method, path, content=endless(), headers=JSON)
        assert code_of(answer) == (413, "payload-too-large"), path
    assert sent < 800 * 1024 * 1024
    assert await nothing_stored(bus)


async def test_wrong_parameters(client: httpx.AsyncClient) -> None:
    for query in ("wait_s=x", "wait_s=-1", "wait_s=601", "wait_s=nan", "wait_s=inf", "wait=5"):
        answer = await client.post(f"{REGISTER}?{query}", json=function())
        assert code_of(answer) == (422, "invalid"), query
        assert answer.json()["errors"][0]["pointer"] == f"/query/{query.split('=')[0]}"
    await client.post(REGISTER, json=function())
    for path in ("?limit=0", "?limit=1001", "?label=x", "?label==x", "?cursor=%00", "?namespace=A"):
        assert code_of(await client.get("/functions" + path)) == (422, "invalid"), path
    for path in (
        "/logs?since=yesterday",
        "/logs?since=2026-01-01",
        "/logs?revision=0",
        "/metrics?window_s=0",
        "/logs?x",
    ):
        assert code_of(await client.get("/functions/admin/hello" + path))[0] in (422,), path


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", (404, "not-found")),
        ("GET", "/functions/", (404, "not-found")),
        ("GET", "/functions/admin", (404, "not-found")),
        ("GET", "/functions/admin/none", (404, "function-not-found")),
        ("GET", "/functions/Admin/hello", (404, "function-not-found")),
        ("GET", "/functions/admin/he%00llo", (404, "function-not-found")),
        ("GET", "/functions/admin/hello%0a", (404, "function-not-found")),
        ("GET", "/functions/admin/%ff", (404, "function-not-found")),
        ("GET", "/functions/a%2eb/c", (404, "function-not-found")),
        ("GET", "/functions/admin/none/revisions/1", (404, "function-not-found")),
        ("GET", "/functions/admin/none/revisions/99999999999999999999", (404, "function-not-found")),
        ("GET", "/functions/admin/none/logs", (404, "function-not-found")),
        ("GET", "/invocations/none", (404, "invocation-not-found")),
        ("GET", "/invocations/a.b*>", (404, "invocation-not-found")),
        ("DELETE", "/functions/admin/none", (404, "function-not-found")),
        ("GET", "/functions/register", (405, "method-not-allowed")),
        ("DELETE", "/functions", (405, "method-not-allowed")),
        ("TRACE", "/healthz", (405, "method-not-allowed")),
    ],
)
async def test_what_is_not_there(client: httpx.AsyncClient, method: str, path: str, expected: tuple[int, str]) -> None:
    answer = await client.request(method, path)
    assert code_of(answer) == expected
    if answer.status_code == 405:
        assert answer.headers["allow"]


async def test_request_ids_are_taken_in_if_they_are_sane(client: httpx.AsyncClient) -> None:
    sane = await client.get("/healthz", headers={"x-request-id": "abc-123"})
    assert sane.headers["x-request-id"] == "abc-123"
    for wrong in ("a b", "x" * 129, "<script>", ""):
        given = (await client.get("/nothing", headers={"x-request-id": wrong})).headers["x-request-id"]
        assert given
        assert given != wrong


async def test_pages_of_others_cannot_drive_the_platform(client: httpx.AsyncClient) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9", "http://[", ""):
        answer = await client.post(REGISTER, json=function(), headers={"origin": origin})
        assert code_of(answer) == (403, "not-allowed"), origin
    assert code_of(await client.get("/functions", headers={"host": "rebound.evil.example:8080"})) == (
        403,
        "not-allowed",
    )
    own = await client.post(REGISTER, json=function(), headers={"origin": "http://127.0.0.1"})
    assert own.status_code == 201
    for host in ("localhost:8080", "127.0.0.1:1", "[::1]:8080", "api"):
        assert (await client.get("/functions", headers={"host": host})).status_code == 200, host


async def test_a_record_that_cannot_be_read_is_nobodys_bad_request(client: httpx.AsyncClient, bus: MemoryBus) -> None:
    bus._logs[FUNCTIONS.name].write("admin.broken", json.dumps({"uid": 1}).encode())
    assert code_of(await client.get("/functions/admin/broken")) == (500, "internal")
