"""Both clients against the real API and function manager: one life of a function each."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from faasioflex.client import ApiError, AsyncClient, Client, Redriven, Unreachable
from faasioflex.model.errors import (
    DeadLetterNotFound,
    FunctionExists,
    FunctionNotFound,
    Invalid,
    PreconditionFailed,
    RevisionNotFound,
)
from support.small_platform import SmallPlatform

HELLO: dict[str, Any] = {
    "name": "hello",
    "runtime": "python",
    "source": {"files": {"main.py": "def handle(event, context):\n    return 1\n"}},
}


def _archive(text: str) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("main.py")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    out.seek(0)
    return out


def test_a_function_lives_through_the_blocking_client(platform: SmallPlatform) -> None:
    with Client(platform.url, token=platform.token) as client:
        assert client.healthz().ok
        assert client.readyz().ok
        assert client.version().version
        made = client.register(HELLO, wait_s=20)
        assert (made.status.state, made.status.traffic, str(made.function)) == ("ready", {1: 100}, "admin/hello")
        with pytest.raises(FunctionExists):
            client.register(HELLO)
        changed = client.patch("hello", {"env": {"A": "1"}}, archive=_archive("x = 1\n"), wait_s=20, if_match=made.etag)
        assert changed.status.revision == 2
        with pytest.raises(PreconditionFailed):
            client.patch("hello", {"env": {"A": "2"}}, if_match=made.etag)
        put = client.put("admin/hello", {"name": "hello", "runtime": "python", "labels": {"team": "web"}}, wait_s=20)
        assert (put.env, put.labels, put.source) == ({}, {"team": "web"}, changed.source)
        assert [one.revision for one in client.revisions("hello")] == [3, 2, 1]
        assert client.revision("hello", 2).raw["env"] == {"A": "1"}
        with pytest.raises(RevisionNotFound):
            client.revision("hello", 9)
        assert client.set_traffic("hello", {1: 90, 3: 10}).status.traffic == {1: 90, 3: 10}
        assert client.rollback("hello", 2).status.traffic == {2: 100}
        assert client.scale("hello", 2).scaling.min_instances == 2
        assert [str(one.function) for one in client.list(labels={"team": "web"})] == ["admin/hello"]
        assert list(client.list(labels={"team": "other"})) == []
        assert client.execute("hello", {"n": 1}).result == {"n": 1}
        with pytest.raises(Invalid) as refused:
            client.execute("hello", mode="later")
        assert isinstance(refused.value, ApiError)
        assert refused.value.request_id
        failed = client.execute("hello", {"fail": "no"})
        assert failed.error is not None
        assert (failed.status, failed.error.code, failed.ended) == ("failed", "function-error", True)
        answer = client.call("hello", "?x=1", content=b"\x00\xff", headers={"X-A": "b"})
        assert (answer.status, answer.body, answer.headers["ffx-revision"]) == (200, b"\x00\xff", "1")
        assert client.call("missing").status == 404
        platform.log("hello", "from the function")
        assert [line.message for line in client.logs("hello") if line.stream == "stdout"] == ["from the function"]
        assert [line.revision for line in client.build_log("hello", revision=2)] == [2]
        assert [line.revision for line in client.build_log("hello", tail=1)] == [3]
        assert "faasioflex.function.registered" in {event.type for event in client.events()}
        assert client.metrics("hello").instances is not None
        client.delete("hello")
        with pytest.raises(FunctionNotFound):
            client.get("hello")


async def test_a_function_lives_through_the_asynchronous_client(platform: SmallPlatform) -> None:
    async with AsyncClient(platform.url, token=platform.token) as client:
        assert (await client.readyz()).ok
        document = {key: value for key, value in HELLO.items() if key != "source"}
        made = await client.register(document, archive=_archive("x = 1\n"), wait_s=20)
        assert made.status.state == "ready"
        assert [str(one.function) async for one in client.list()] == ["admin/hello"]
        assert (await client.execute("hello", "hi")).result == "hi"
        assert (await client.call("hello", content=b"abc")).body == b"abc"
        async with client.open("hello", content=b"abc") as (answer, chunks):
            assert (answer.status, b"".join([chunk async for chunk in chunks])) == (200, b"abc")
        platform.log("hello", "one")
        lines = client.logs("hello", follow=True)
        assert [line.message async for line in _until(lines, "one")][-1] == "one"
        with pytest.raises(Invalid):
            await client.set_traffic("hello", {1: 50})
        await client.delete("hello")
        with pytest.raises(FunctionNotFound):
            await client.get("hello")


def test_queued_calls_and_dead_letters_by_the_blocking_client(platform: SmallPlatform) -> None:
    with Client(platform.url, token=platform.token) as client:
        client.register(HELLO, wait_s=20)
        made = client.execute("hello", {"n": 1}, mode="async", idempotency_key="k", not_before=5)
        assert (made.status, made.ended) == ("queued", False)
        assert client.invocation(made.invocation_id, wait_s=5).result["not_before"] == 5
        waits = client.execute("hello", {"wait": True}, mode="async")
        assert client.cancel(waits.invocation_id).status == "cancelled"
        dead = [client.execute("hello", {"fail": "no"}, mode="async").invocation_id for _ in range(3)]
        assert {one.invocation_id for one in client.dead_letters("hello")} == set(dead)
        found = client.dead_letter(dead[0])
        assert (found.status, found.attempts, found.last_error, found.payload) == ("dead", 3, "it broke", {"a": 1})
        assert client.redrive(dead[0]).redrive_of == dead[0]
        client.delete_dead_letter(dead[1])
        assert client.redrive_all("hello") == Redriven(1)
        assert client.purge("hello") == 0
        with pytest.raises(DeadLetterNotFound):
            client.dead_letter(dead[2])
        assert client.callback_key().key.startswith("whsec_")


async def test_queued_calls_and_dead_letters_by_the_asynchronous_client(platform: SmallPlatform) -> None:
    async with AsyncClient(platform.url, token=platform.token) as client:
        await client.register(HELLO, wait_s=20)
        waits = await client.execute("hello", {"wait": True}, mode="async")
        assert (await client.cancel(waits.invocation_id)).status == "cancelled"
        dead = [(await client.execute("hello", {"fail": "no"}, mode="async")).invocation_id for _ in range(3)]
        assert {one.invocation_id async for one in client.dead_letters()} == set(dead)
        assert (await client.redrive(dead[0])).redrive_of == dead[0]
        await client.delete_dead_letter(dead[1])
        assert (await client.redrive_all("hello"), await client.purge("hello")) == (Redriven(1), 0)
        assert (await client.callback_key("admin")).previous == ()


async def _until(lines: Any, last: str) -> Any:
    async for line in lines:
        yield line
        if line.message == last:
            return


def test_pages_are_walked(platform: SmallPlatform) -> None:
    with Client(platform.url, token=platform.token) as client:
        for number in range(5):
            client.register(HELLO | {"name": f"f{number}"})
        first = client.page(limit=2)
        assert len(first.items) == 2
        assert len(client.page(limit=2, cursor=first.next).items) == 2
        assert [one.name for one in client.list()] == [f"f{number}" for number in range(5)]


def test_nobody_there_is_unreachable() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        client.version()
