"""One call for all that ask for the same at once: who waits, who goes on alone, who leaves, and that nothing is held back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from faasioflex.invoker.bounds import Bounds
from faasioflex.invoker.cache.results import UNKEPT_S
from support.cached_world import POLICY, Cached, Counting, cached_world
from support.deadline import eventually

MANY = 20


@pytest.fixture
async def here() -> AsyncIterator[Cached]:
    async with cached_world() as made:
        yield made


async def held(here: Cached, how_many: int = MANY, **how: Any) -> list[asyncio.Task[tuple[int, str, dict[str, str]]]]:
    """So many calls of the same, all of which have come before the function answers."""
    here.instance.hold.clear()
    asking = [asyncio.create_task(here.ask(**how)) for _ in range(how_many)]
    flights = here.world.invoker._results._flying
    await eventually(
        lambda: sum(len(each._readers) for each in flights) == how_many, f"{how_many} calls wait for one answer"
    )
    return asking


async def test_calls_of_the_same_wait_for_one_answer(here: Cached) -> None:
    await here.serve(function := Counting())
    asking = await held(here)
    await eventually(lambda: here.instance.running == 1, "the call has come to the function")
    here.instance.hold.set()
    answers = await asyncio.gather(*asking)
    assert {(status, text) for status, text, _ in answers} == {(200, "1 /x")}
    told = [fields["cache-status"] for _, _, fields in answers]
    assert told.count("faasioflex; fwd=uri-miss; stored") == 1
    assert told.count("faasioflex; fwd=uri-miss; collapsed") == MANY - 1
    assert function.calls == 1


async def test_where_the_answer_is_for_one_alone_each_gets_their_own(here: Cached) -> None:
    await here.serve(function := Counting(cache_control="no-store"))
    asking = await held(here)
    here.instance.hold.set()
    answers = await asyncio.gather(*asking)
    assert len({text for _, text, _ in answers}) == MANY
    assert function.calls == MANY
    # and for a while nobody waits for such an answer any more
    here.instance.hold.clear()
    asking = [asyncio.create_task(here.ask()) for _ in range(5)]
    await eventually(lambda: here.instance.running == 5, "five at once")
    here.instance.hold.set()
    await asyncio.gather(*asking)


async def test_where_the_call_fails_each_tries_for_themselves(here: Cached) -> None:
    calls, tries = 0, 1 + Bounds().resets  # of one call, until it has failed

    async def fails_once(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        if calls <= tries and request.transport is not None:
            request.transport.abort()
        return web.Response(text="well")

    await here.serve(fails_once, POLICY)
    asking = await held(here, 4, method="GET")
    here.instance.hold.set()
    answers = await asyncio.gather(*asking)
    assert sorted(status for status, _, _ in answers) == [200, 200, 200, 502]
    assert calls == tries + 3


async def test_answers_that_vary_are_for_those_who_asked_alike(here: Cached) -> None:
    async def tongues(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=request.headers["X-Tongue"], headers={"Vary": "X-Tongue"})

    await here.serve(tongues)
    here.instance.hold.clear()
    asking = {
        (tongue, number): asyncio.create_task(here.ask(headers={"X-Tongue": tongue}))
        for tongue in ("es", "en")
        for number in range(3)
    }
    flights = here.world.invoker._results._flying
    await eventually(lambda: sum(len(each._readers) for each in flights) == 6, "all six wait")
    here.instance.hold.set()
    for (tongue, _), task in asking.items():
        assert (await task)[1] == tongue


async def test_who_leaves_takes_nobody_along_and_the_last_one_takes_the_call(here: Cached) -> None:
    await here.serve(function := Counting())
    asking = await held(here, 3)
    for leaving in asking[:2]:  # the first one made the call
        leaving.cancel()
    await eventually(
        lambda: sum(len(each._readers) for each in here.world.invoker._results._flying) == 1, "one is left"
    )
    assert here.instance.cancelled == 0
    here.instance.hold.set()
    assert (await asking[2])[:2] == (200, "1 /x")
    alone = (await held(here, 1, path="/alone"))[0]
    await eventually(lambda: here.instance.running == 1, "it runs")
    alone.cancel()
    await eventually(lambda: here.instance.cancelled == 1, "the function's work was ended")
    here.instance.hold.set()
    assert not here.world.invoker._results._flying
    assert function.calls == 1


class Steps:
    """A function whose answer goes on when it is told to, never before the client has what came last."""

    def __init__(self, *pieces: bytes, **fields: str) -> None:
        self.pieces = pieces
        self.fields = fields
        self.more = asyncio.Semaphore(0)
        self.calls = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.calls += 1
        answer = web.StreamResponse(headers=self.fields)
        await answer.prepare(request)
        for piece in self.pieces:
            await self.more.acquire()
            await answer.write(piece)
        await self.more.acquire()
        return answer


async def test_each_piece_arrives_when_it_is_written_for_all_who_wait_and_is_kept_when_it_is_whole(
    here: Cached,
) -> None:
    await here.serve(function := Steps(b"one", b"two", b"three"))
    first = await here.world.request("GET", "/f/acme/hello/x")
    second = await here.world.request("GET", "/f/acme/hello/x")
    async with first, second, asyncio.timeout(10):
        for piece in function.pieces:
            function.more.release()
            for got in (first, second):
                assert await got.content.readexactly(len(piece)) == piece
        third = await here.world.request("GET", "/f/acme/hello/x")  # has it all from the beginning
        async with third:
            assert await third.content.readexactly(11) == b"onetwothree"
            function.more.release()
            for got in (first, second, third):
                assert await got.read() == b""
    assert (await here.ask())[1] == "onetwothree"
    assert await here.told() == "hit; ttl=60"
    assert function.calls == 1


async def test_events_are_nobody_elses_and_arrive_as_they_come(here: Cached) -> None:
    await here.serve(function := Steps(b"data: 1\n\n", b"data: 2\n\n", **{"Content-Type": "text/event-stream"}))
    async with here.world.request("GET", "/f/acme/hello/x") as got, asyncio.timeout(10):
        for piece in function.pieces:
            function.more.release()
            assert await got.content.readexactly(len(piece)) == piece
        function.more.release()
    assert len(here.store) == 0


async def test_what_grows_too_large_is_passed_on_at_its_readers_pace_and_not_kept(here: Cached) -> None:
    piece, count = b"x" * 65_536, 100
    written = 0

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal written
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(count):
            await answer.write(piece)
            written += 1
        return answer

    await here.serve(endless)
    async with here.world.request("GET", "/f/acme/hello/x") as got:
        (flight,) = here.world.invoker._results._flying
        await eventually(lambda: not flight._whole, "it has become too large")
        assert here.store.used_bytes == 0
        assert len(await got.read()) == len(piece) * count
        assert sum(map(len, flight._pieces)) <= 1024 * 1024
    assert written == count
    assert len(here.store) == 0


async def test_an_answer_that_breaks_off_breaks_off_for_all_and_is_not_kept(here: Cached) -> None:
    more = asyncio.Event()

    async def breaks(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"half")
        await more.wait()
        assert request.transport is not None
        request.transport.abort()
        return answer

    await here.serve(breaks)
    async with here.world.request("GET", "/f/acme/hello/x") as one, here.world.request("GET", "/f/acme/hello/x") as two:
        for got in (one, two):
            assert await got.content.readexactly(4) == b"half"
        more.set()
        for got in (one, two):
            with pytest.raises(Exception, match=r"payload|closed"):
                await got.content.readexactly(96)
    assert len(here.store) == 0
    assert here.store.used_bytes == 0


async def test_a_stale_answer_is_given_while_one_call_fetches_the_next(here: Cached) -> None:
    await here.serve(function := Counting(cache_control="max-age=10, stale-while-revalidate=100"))
    await here.ask()
    here.clock.now += 20
    here.instance.hold.clear()
    for _ in range(3):
        assert (await here.ask())[1] == "1 /x"
    await eventually(lambda: here.instance.running == 1, "one call is under way")
    here.instance.hold.set()
    await eventually(lambda: function.calls == 2, "it was made")
    await eventually(lambda: not here.world.invoker._results._flying, "it has ended")
    assert (await here.ask())[1] == "2 /x"
    assert await here.told() == "hit; ttl=10"
    here.clock.now += 20
    assert await here.told(headers={"Cache-Control": "min-fresh=1"}) == "fwd=stale; stored"
    here.clock.now += 200
    assert await here.told() == "fwd=stale; stored"


async def test_where_the_next_answer_cannot_be_kept_the_stale_one_is_given_without_a_call_each(here: Cached) -> None:
    await here.serve(function := Counting(cache_control="max-age=10, stale-while-revalidate=100"))
    await here.ask()
    here.clock.now += 20
    function.status = 500
    for calls in (2, 2, 2):
        assert (await here.ask())[:2] == (200, "1 /x")
        await eventually(lambda: not here.world.invoker._results._flying, "nothing is under way")
        assert function.calls == calls
    here.clock.now += UNKEPT_S
    await here.ask()
    await eventually(lambda: function.calls == 3, "it is tried again")


async def test_one_who_reads_nothing_holds_up_nobody_for_long(here: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faasioflex.invoker.cache.flight.LAG_S", 0.1)
    piece, count = b"x" * 65_536, 400

    async def large(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(count):
            await answer.write(piece)
        return answer

    await here.serve(large)
    here.instance.hold.clear()
    _, writer = await asyncio.open_unix_connection(str(here.world.socket), limit=1024)
    writer.write(here.world.signed(b"GET /f/acme/hello/x HTTP/1.1\r\nHost: functions\r\n\r\n"))
    flights = here.world.invoker._results._flying
    await eventually(lambda: len(flights) == 1, "the one who reads nothing has asked")
    asking = asyncio.create_task(here.ask())
    await eventually(lambda: sum(len(each._readers) for each in flights) == 2, "and another one")
    here.instance.hold.set()
    async with asyncio.timeout(20):
        assert len((await asking)[1]) == len(piece) * count
    writer.transport.abort()
