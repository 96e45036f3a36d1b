"""Lookups of names that nobody answers: who gives up waiting frees no place for another."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from faasioflex.gateway.egress.lookups import Lookups
from faasioflex.model.egress import Address

FOUND: list[Address] = [ipaddress.ip_address("192.0.2.1")]


class Resolver:
    """Answers when it is let. ``asked``: the names so far."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let = asyncio.Event()

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        await self.let.wait()
        if host == "none":
            raise OSError("no such name")
        return FOUND


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_lookup_that_was_given_up_keeps_its_place_until_it_ends() -> None:
    resolver = Resolver()
    lookups = Lookups(resolver, at_once=2)
    waiting = [asyncio.create_task(lookups(host, 80)) for host in ("a", "none")]
    await _turns()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    third = asyncio.create_task(lookups("c", 80))
    await _turns()
    assert resolver.asked == ["a", "none"]
    resolver.let.set()
    assert await third == FOUND
    assert resolver.asked == ["a", "none", "c"]


async def test_who_gives_up_before_a_place_is_free_takes_none() -> None:
    resolver = Resolver()
    lookups = Lookups(resolver, at_once=1)
    first = asyncio.create_task(lookups("a", 80))
    await _turns()
    second = asyncio.create_task(lookups("b", 80))
    await _turns()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    resolver.let.set()
    assert await first == FOUND
    assert await lookups("c", 80) == FOUND
    assert resolver.asked == ["a", "c"]


async def test_what_the_resolver_raises_comes_through() -> None:
    resolver = Resolver()
    resolver.let.set()
    lookups = Lookups(resolver, at_once=1)
    for _ in range(2):
        with pytest.raises(OSError, match="no such name"):
            await lookups("none", 80)
