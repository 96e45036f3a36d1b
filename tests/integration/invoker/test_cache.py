"""The result cache through a real invoker: what is given without a call, and what never is."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from email.utils import formatdate

import pytest
from aiohttp import web

from faasioflex.bus.codec import decode
from faasioflex.model.function import CachePolicy, RateLimit
from faasioflex.model.messages import CALLS_SUBJECT, CallsReport
from support.cached_world import POLICY, Cached, Counting, cached_world
from support.deadline import eventually


class Undated(web.Response):
    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        del self.headers["Date"]


@pytest.fixture
async def here() -> AsyncIterator[Cached]:
    async with cached_world() as made:
        yield made


async def test_a_second_call_is_given_the_first_ones_answer_with_its_age(here: Cached) -> None:
    function = Counting(x_own="1")
    await here.serve(function)
    status, text, fields = await here.ask()
    assert (status, text, fields["cache-status"]) == (200, "1 /x", "faasioflex; fwd=uri-miss; stored")
    here.clock.now += 7
    status, text, fields = await here.ask()
    assert (status, text) == (200, "1 /x")
    assert (fields["cache-status"], fields["age"]) == ("faasioflex; hit; ttl=53", "7")
    assert (fields["x-own"], fields["ffx-revision"], fields["content-length"]) == ("1", "1", "4")
    here.clock.now += 54
    assert await here.told() == "fwd=stale; stored"
    assert function.calls == 2


async def test_a_hit_starts_nothing_and_a_function_without_a_policy_has_no_cache(here: Cached) -> None:
    await here.serve(Counting())
    await here.ask()
    await here.world.route("hello", cache=POLICY)  # no instance any more
    assert await here.told() == "hit; ttl=60"
    assert here.world.wakes == []
    await here.serve(function := Counting(), policy=None)
    assert "cache-status" not in (await here.ask())[2]
    await here.ask()
    assert function.calls == 2


async def test_other_paths_and_queries_are_others(here: Cached) -> None:
    await here.serve(function := Counting())
    for path in ("/x", "/x?a=1", "/x?a=2", "/y", "/x"):
        await here.ask(path=path)
    assert function.calls == 4


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (200, {"cache_control": "no-store"}),
        (200, {"cache_control": "max-age=0"}),
        (200, {"set_cookie": "a=1"}),
        (200, {"vary": "*"}),
        (500, {}),
        (201, {}),
        (302, {"location": "/"}),
    ],
)
async def test_what_may_not_be_kept_is_called_each_time(here: Cached, status: int, fields: dict[str, str]) -> None:
    await here.serve(function := Counting(status, **fields))
    for _ in range(2):
        assert await here.told(allow_redirects=False) == "fwd=uri-miss"
    assert function.calls == 2
    assert here.store.used_bytes == 0


async def test_what_an_answer_says_less_of_counts(here: Cached) -> None:
    await here.serve(Counting(cache_control="max-age=5"))
    await here.ask()
    assert await here.told() == "hit; ttl=5"
    here.clock.now += 6
    assert await here.told() == "fwd=stale; stored"


async def test_a_policy_that_gives_less_time_counts_at_once_and_another_key_begins_anew(here: Cached) -> None:
    await here.serve(Counting())
    await here.ask()
    here.clock.now += 10
    await here.world.route("hello", here.instance, cache=CachePolicy(5.0))
    assert await here.told() == "fwd=stale; stored"
    await here.world.route("hello", here.instance, cache=CachePolicy(60.0, ("path",)))
    assert len(here.store) == 0
    assert await here.told() == "fwd=uri-miss; stored"


# what a request may ask for


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("no-cache", "fwd=request; stored"),
        ("no-store", "fwd=request"),
        ("max-age=5", "fwd=request; stored"),
        ("max-age=20", "hit; ttl=50"),
        ("min-fresh=55", "fwd=request; stored"),
        ("min-fresh=20", "hit; ttl=50"),
        ("only-if-cached", "hit; ttl=50"),
    ],
)
async def test_a_request_may_ask_for_less(here: Cached, wish: str, told: str) -> None:
    await here.serve(Counting())
    await here.ask()
    here.clock.now += 10
    assert await here.told(headers={"Cache-Control": wish}) == told


async def test_only_if_cached_makes_no_call(here: Cached) -> None:
    await here.serve(function := Counting())
    for method in ("GET", "POST"):
        status, text, _ = await here.ask(method, headers={"Cache-Control": "only-if-cached"})
        assert status == 504
        assert "not-cached" in text
    assert function.calls == 0


async def test_an_answer_gets_a_tag_by_which_it_is_known_again(here: Cached) -> None:
    await here.serve(Counting())
    _, _, first = await here.ask()
    status, text, fields = await here.ask(headers={"If-None-Match": f'"other", {first["etag"]}'})
    assert (status, text) == (304, "")
    assert fields["etag"] == first["etag"]
    assert "content-type" not in fields
    assert (await here.ask(headers={"If-None-Match": '"other"'}))[0] == 200


async def test_the_same_answer_after_its_time_is_known_again_too(here: Cached) -> None:
    async def always(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="the same")

    await here.serve(always)
    _, _, first = await here.ask()
    here.clock.now += 100
    assert (await here.ask(headers={"If-None-Match": first["etag"]}))[0] == 304
    assert await here.told() == "hit; ttl=60"


async def test_a_functions_own_validators_are_its_own_and_ask_it_again(here: Cached) -> None:
    modified = "Sun, 06 Nov 1994 08:49:37 GMT"
    seen: list[tuple[str | None, str | None]] = []

    async def function(request: web.BaseRequest) -> web.StreamResponse:
        seen.append((request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")))
        fields = {"ETag": '"v1"', "Last-Modified": modified, "X-Checked": str(len(seen))}
        if request.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304, headers=fields)
        return web.Response(text="whole", headers=fields)

    await here.serve(function)
    assert (await here.ask(headers={"If-None-Match": '"older"'}))[:2] == (200, "whole")
    assert (await here.ask(headers={"If-Modified-Since": modified}))[0] == 304
    assert (await here.ask(headers={"If-None-Match": '"v1"'}))[0] == 304
    here.clock.now += 100
    status, text, fields = await here.ask()
    assert (status, text, fields["x-checked"]) == (200, "whole", "2")
    assert seen == [(None, None), ('"v1"', modified)]
    assert await here.told() == "hit; ttl=60"


async def test_the_functions_own_tag_is_known_also_where_its_answer_is_not_kept(here: Cached) -> None:
    await here.serve(function := Counting(etag='"v1"', cache_control="no-store"))
    assert (await here.ask(headers={"If-None-Match": '"v0"'}))[:2] == (200, "1 /x")
    status, text, fields = await here.ask(headers={"If-None-Match": '"v1"'})
    assert (status, text, fields["etag"]) == (304, "", '"v1"')
    assert function.calls == 2


async def test_a_not_modified_of_another_answer_says_nothing_of_the_kept_one(here: Cached) -> None:
    versions = ["v1"]

    async def function(request: web.BaseRequest) -> web.StreamResponse:
        fields = {"ETag": f'"{versions[-1]}"'}
        known = "If-None-Match" in request.headers
        return web.Response(status=304, headers=fields) if known else web.Response(text=versions[-1], headers=fields)

    await here.serve(function)
    await here.ask()
    here.clock.now += 100
    versions.append("v2")
    assert (await here.ask())[1] == "v2"
    status, text, fields = await here.ask()
    assert (status, text, fields["etag"]) == (200, "v2", '"v2"')


async def test_a_post_is_made_without_conditions_of_ours_and_with_its_own(here: Cached) -> None:
    function = Counting(etag='"v1"')
    await here.serve(function, CachePolicy(60.0, ("method", "path", "body")))
    await here.ask("POST", data="one")
    here.clock.now += 100
    assert await here.told("POST", data="one") == "fwd=stale; stored"
    assert await here.told("POST", data="one", headers={"If-None-Match": "*"}) == "fwd=bypass"
    assert [one.get("if-none-match") for one in function.requests] == [None, None, "*"]


async def test_a_kept_answer_has_the_date_at_which_it_was_made(here: Cached) -> None:
    async def undated(_: web.BaseRequest) -> web.StreamResponse:
        return Undated(text="x")

    await here.serve(undated)
    await here.ask()
    made = formatdate(here.clock.now, usegmt=True)
    here.clock.now += 30
    _, _, fields = await here.ask()
    assert (fields["date"], fields["age"]) == (made, "30")


async def test_head_is_answered_from_get_and_ranges_are_the_functions(here: Cached) -> None:
    await here.serve(function := Counting())
    assert await here.told("HEAD") == "fwd=uri-miss"
    await here.ask()
    status, text, fields = await here.ask("HEAD")
    assert (status, text, fields["content-length"]) == (200, "", "4")
    assert fields["cache-status"] == "faasioflex; hit; ttl=60"
    assert await here.told(headers={"Range": "bytes=0-1"}) == "fwd=bypass"
    assert function.calls == 3


async def test_post_is_kept_by_its_body_where_the_key_has_it(here: Cached) -> None:
    await here.serve(function := Counting())
    for _ in range(2):
        assert await here.told("POST", data="one") == "fwd=method"
    await here.serve(function, CachePolicy(60.0, ("method", "path", "body")))
    for body, told in (("one", "fwd=uri-miss; stored"), ("two", "fwd=uri-miss; stored"), ("one", "hit; ttl=60")):
        assert await here.told("POST", data=body) == told
    assert here.world.invoker._admission.held_bytes == 0


async def test_a_change_makes_what_was_kept_of_that_address_old(here: Cached) -> None:
    function = Counting()
    await here.serve(function)
    for path in ("/x", "/y"):
        await here.ask(path=path)
    assert await here.told("PUT") == "fwd=method"
    assert await here.told(path="/y") == "hit; ttl=60"
    assert await here.told() == "fwd=uri-miss; stored"
    function.status = 500
    await here.ask("DELETE")
    assert await here.told() == "hit; ttl=60"


@pytest.mark.parametrize(
    ("key", "changed", "told"),
    [
        (("path",), "/x?b=2", "fwd=uri-miss; stored"),
        (("path",), "/y?a=1", "hit; ttl=60"),
        (("query",), "/y?a=1", "fwd=uri-miss; stored"),
        (("method",), "/y?b=2", "fwd=uri-miss; stored"),
        (("method", "path", "query"), "/x?b=2", "hit; ttl=60"),
    ],
)
async def test_what_the_key_leaves_out_does_not_count_where_something_is_changed(
    here: Cached, key: tuple[str, ...], changed: str, told: str
) -> None:
    await here.serve(Counting(), CachePolicy(60.0, key))
    await here.ask(path="/x?a=1")
    await here.ask("DELETE", path=changed)
    assert await here.told(path="/x?a=1") == told


async def test_answers_that_vary_stand_beside_each_other(here: Cached) -> None:
    async def tongues(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.headers.get("X-Tongue", "-"), headers={"Vary": "X-Tongue"})

    await here.serve(tongues)
    for _ in range(2):
        for tongue in ("es", "en"):
            assert (await here.ask(headers={"X-Tongue": tongue}))[1] == tongue
    assert await here.told(headers={"X-Tongue": "es"}) == "hit; ttl=60"
    assert await here.told() == "fwd=vary-miss; stored"


# revisions and purging


async def test_another_revision_has_other_answers_and_the_old_ones_go(here: Cached) -> None:
    await here.serve(Counting())
    await here.ask()
    await here.world.route("hello", here.instance, revision=2, cache=POLICY)
    assert len(here.store) == 0
    assert await here.told() == "fwd=uri-miss; stored"


async def test_an_answer_that_was_on_its_way_when_it_became_old_is_not_kept(here: Cached) -> None:
    function = Counting()
    await here.serve(function)
    here.instance.hold.clear()
    asking = asyncio.create_task(here.ask())
    await eventually(lambda: here.instance.running == 1, "the call is under way")
    reply = await here.world.bus.request("ffx.cache.purge", b'{"namespace": "acme", "name": "hello"}', 5)
    assert reply == b'{"entries":0}'
    here.instance.hold.set()
    status, _, fields = await asking
    assert (status, fields["cache-status"]) == (200, "faasioflex; fwd=uri-miss")
    assert len(here.store) == 0


async def test_what_became_another_while_a_body_came_is_not_kept_as_it_was(here: Cached) -> None:
    policy = CachePolicy(60.0, ("method", "path", "body"))
    await here.serve(Counting(), policy, visibility="public")
    reader, writer = await asyncio.open_unix_connection(str(here.world.socket))
    writer.write(here.world.signed(b"POST /f/acme/hello/x HTTP/1.1\r\nHost: functions\r\nContent-Length: 2\r\n\r\no"))
    await eventually(lambda: here.world.invoker._admission.held_bytes == 1, "its body has begun")
    await here.serve(Counting(), policy, visibility="private")
    writer.write(b"k")
    assert b"Cache-Status: faasioflex; fwd=bypass\r\n" in await reader.readuntil(b"\r\n\r\n")
    assert len(here.store) == 0
    writer.transport.abort()


async def test_purging_forgets_the_functions_answers_and_nobody_elses(here: Cached) -> None:
    await here.serve(Counting())
    await here.world.route("other", here.instance, cache=POLICY)
    for path in ("/x", "/y"):
        await here.ask(path=path)
    await here.world.call(target="/f/acme/other")
    reply = await here.world.bus.request("ffx.cache.purge", b'{"namespace": "acme", "name": "hello"}', 5)
    assert reply == b'{"entries":2}'
    assert len(here.store) == 1
    assert await here.told() == "fwd=uri-miss; stored"


async def test_the_bound_holds(here: Cached) -> None:
    async def large(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"x" * int(request.raw_path[1:]))

    await here.serve(large)
    for size in range(40_000, 40_020):
        assert len((await here.ask(path=f"/{size}"))[1]) == size
    assert here.store.used_bytes <= 200_000
    assert here.store.evicted > 0
    for _ in range(2):
        assert await here.told(path="/50001") == "fwd=uri-miss"  # larger than an entry may be


async def test_those_who_read_slowly_hold_no_copies_of_what_is_kept() -> None:
    size = 2 * 1024 * 1024
    async with cached_world(entry_bytes=size) as here:

        async def large(_: web.BaseRequest) -> web.StreamResponse:
            return web.Response(body=b"x" * size)

        await here.serve(large)
        assert len((await here.ask())[1]) == size
        connections = [await asyncio.open_unix_connection(str(here.world.socket), limit=1024) for _ in range(8)]
        tracemalloc.start()
        try:
            for _, writer in connections:
                writer.write(here.world.signed(b"GET /f/acme/hello/x HTTP/1.1\r\nHost: functions\r\n\r\n"))
            await eventually(lambda: here.world.invoker._results.counts.hits == 8, "all were given it")
            for reader, _ in connections:
                await reader.readuntil(b"\r\n\r\n")
            assert tracemalloc.get_traced_memory()[0] < 4 * size  # a copy each were eight
        finally:
            tracemalloc.stop()
        for _, writer in connections:
            writer.transport.abort()


async def test_calls_that_were_answered_from_the_cache_are_counted(here: Cached) -> None:
    reports: list[CallsReport] = []

    async def hear(_: str, data: bytes) -> None:
        reports.append(decode(CallsReport, data))

    await here.world.bus.subscribe(CALLS_SUBJECT, hear)
    await here.serve(Counting())
    for _ in range(3):
        await here.ask()
    await eventually(lambda: sum(each.answered for one in reports for each in one.calls) == 3, "three were told")
    counts = here.world.invoker._results.counts
    assert (counts.hits, counts.misses, counts.stored) == (2, 1, 1)


async def test_calls_that_failed_are_counted_as_those_of_functions_without_a_cache(here: Cached) -> None:
    reports: list[CallsReport] = []

    async def hear(_: str, data: bytes) -> None:
        reports.append(decode(CallsReport, data))

    async def dies(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    await here.world.bus.subscribe(CALLS_SUBJECT, hear)
    for policy in (None, POLICY):
        await here.serve(dies, policy)
        assert (await here.ask())[0] == 502
    assert (await here.ask(headers={"Cache-Control": "only-if-cached"}))[0] == 504  # the caller's own wish
    await here.serve(Counting(), POLICY)
    await here.ask()
    await eventually(lambda: sum(each.answered for one in reports for each in one.calls) == 3, "three were told")
    assert sum(each.errors for one in reports for each in one.calls) == 2


async def test_rates_count_hits_too(here: Cached) -> None:
    await here.serve(Counting(), rate_limit=RateLimit(calls_per_minute=2))
    assert [(await here.ask())[0] for _ in range(3)] == [200, 200, 429]


async def test_callers_without_a_token_have_a_bound_for_each_address(here: Cached) -> None:
    await here.serve(Counting(), visibility="public", rate_limit=RateLimit(per_caller_per_minute=1))
    here.world.token = None
    for address in ("192.0.2.1", "192.0.2.2"):
        asked = [(await here.ask(headers={"X-Ffx-Address": address}))[0] for _ in range(2)]
        assert asked == [200, 429]
