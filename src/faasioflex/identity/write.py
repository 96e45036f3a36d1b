"""Read, change, write if nobody else wrote meanwhile: what every record of identity is changed by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from faasioflex.bus.mirror import Mirror
from faasioflex.bus.port import Bucket, Entry
from faasioflex.model.errors import Conflict

T = TypeVar("T")
ATTEMPTS = 8
CAUGHT_UP_S = 2.0
TOO_MANY = "This is being changed by others all the time: repeat the request"


async def change(
    bucket: Bucket[T], mirror: Mirror[T], key: str, make: Callable[[Entry[T] | None], T]
) -> tuple[T, bool]:
    """Write what ``make`` makes of the newest record (None: of nothing). Returns it, and whether it is new.

    Comes back when ``mirror`` shows it, so that who wrote reads it. Raises: Conflict (too many writers at once), what ``make`` raises.
    """
    for _ in range(ATTEMPTS):
        entry = await bucket.get(key)
        made = make(entry)
        if entry is not None and entry.value == made:
            return made, False
        try:
            if entry is None:
                revision = await bucket.create(key, made)
            else:
                revision = await bucket.update(key, made, entry.revision)
        except Conflict:
            continue
        await shown(mirror, _from(mirror, revision))
        return made, entry is None
    raise Conflict(TOO_MANY)


async def cut(bucket: Bucket[T], mirror: Mirror[T], key: str, make: Callable[[T], T | None] | None = None) -> None:
    """Write what ``make`` leaves of the record, where there is one; nothing left (or no ``make``) deletes it. Raises: Conflict."""
    for _ in range(ATTEMPTS):
        entry = await bucket.get(key)
        if entry is None:
            return
        left = make(entry.value) if make is not None else None
        try:
            if left is None:
                await bucket.delete(key, entry.revision)
                await shown(mirror, _no_more(mirror, entry))
            elif left != entry.value:
                await shown(mirror, _from(mirror, await bucket.update(key, left, entry.revision)))
        except Conflict:
            continue
        return
    raise Conflict(TOO_MANY)


def _from(mirror: Mirror[T], revision: int) -> Callable[[], bool]:
    return lambda: mirror.revision >= revision


def _no_more(mirror: Mirror[T], held: Entry[T]) -> Callable[[], bool]:
    def gone() -> bool:
        now = mirror.entries.get(held.key)
        return now is None or now.revision > held.revision

    return gone


async def shown(mirror: Mirror[T], holds: Callable[[], bool]) -> None:
    """Wait until a mirror shows what was written; it is milliseconds behind. Past two seconds go on."""
    if holds():
        return
    seen = asyncio.Event()

    def look(_: set[str]) -> None:
        if holds():
            seen.set()

    unlisten = mirror.listen(look)
    try:
        async with asyncio.timeout(CAUGHT_UP_S):
            if not holds():
                await seen.wait()
    except TimeoutError:
        return
    finally:
        unlisten()
