"""The keys of namespaces: made when they are needed, unwrapped once per process, rotated so that any step may be the last."""

from __future__ import annotations

import os
from dataclasses import replace

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.manager.secrets import sealing
from faasioflex.manager.secrets.master import MasterKey
from faasioflex.manager.secrets.sealing import SealBroken
from faasioflex.model.errors import Conflict, Unavailable
from faasioflex.model.identity import NamespaceKey, WrappedKey

RETIRED_S = 3600.0  # a key that was replaced is kept so long for whoever was just using it
_ATTEMPTS = 5


class Keyring:
    """Raises (from all): Unavailable where the bus or the master key is away."""

    def __init__(self, bus: Bus, master: MasterKey) -> None:
        self._bucket: Bucket[NamespaceKey] = bus.bucket(buckets.SECRET_KEYS.name, NamespaceKey)
        self._master = master
        self._open: dict[tuple[str, str], bytes] = {}

    async def prepare(self) -> None:
        """Have the master key ready, and finish what an earlier rotation of it left."""
        held = await self._bucket.list()
        await self._master.prepare(fresh=not held)
        current = await self._master.current()
        stale = {one.master_id for entry in held for one in _all(entry.value)} - {current}
        if stale:
            await self.rewrap()

    async def current(self, namespace: str, now: float) -> tuple[str, bytes]:
        """What new values are encrypted with: its id and the key. Made where the namespace has none."""
        for _ in range(_ATTEMPTS):
            entry = await self._bucket.get(namespace)
            if entry is not None:
                return entry.value.current.key_id, await self._unwrapped(namespace, entry.value.current)
            try:
                await self._bucket.create(namespace, NamespaceKey(await self._new(namespace, now)))
            except Conflict:
                continue  # somebody else made it
        raise Conflict(f"The key of {namespace} is being changed: try again")

    async def key(self, namespace: str, key_id: str) -> bytes:
        """The key of that id. Raises: SealBroken where the namespace has none of it."""
        held = self._open.get((namespace, key_id))
        if held is not None:
            return held
        entry = await self._bucket.get(namespace)
        for one in _all(entry.value) if entry is not None else ():
            if one.key_id == key_id:
                return await self._unwrapped(namespace, one)
        raise SealBroken

    async def recent(self, namespace: str, now: float, within_s: float) -> list[bytes]:
        """The key in use, then those that were replaced within so long. Made where the namespace has none."""
        found = [(await self.current(namespace, now))[1]]
        entry = await self._bucket.get(namespace)
        if entry is not None:
            replaced_at = [one.created_at for one in (entry.value.current, *entry.value.before)]
            for at, one in zip(replaced_at, entry.value.before, strict=False):
                if now - at < within_s:
                    found.append(await self._unwrapped(namespace, one))
        return found

    async def turn(self, namespace: str, now: float) -> str | None:
        """Another key from now on; the one before is kept. None where the namespace has no key."""
        entry = await self._bucket.get(namespace)
        if entry is None:
            return None
        fresh = await self._new(namespace, now)
        before = (entry.value.current, *entry.value.before)
        await self._bucket.update(namespace, NamespaceKey(fresh, before), entry.revision)
        return fresh.key_id

    async def forget(self, namespace: str, used: set[str], now: float) -> None:
        """Drop keys of before that none of ``used`` is, and that were replaced long ago."""
        entry = await self._bucket.get(namespace)
        if entry is None:
            return
        # each was replaced when the one after it (newer) was made
        replaced_at = [one.created_at for one in (entry.value.current, *entry.value.before)]
        kept = tuple(
            one
            for at, one in zip(replaced_at, entry.value.before, strict=False)
            if one.key_id in used or now - at < RETIRED_S
        )
        if kept != entry.value.before:
            await self._bucket.update(namespace, replace(entry.value, before=kept), entry.revision)

    async def rewrap(self) -> int:
        """Wrap every key with the master key that is in use now, then let the old ones go; returns how many were changed.

        Stopped anywhere, it goes on at the next start: the old master keys are there until all is wrapped.
        """
        done = 0
        current = await self._master.current()
        for entry in await self._bucket.list():
            done += await self._rewrap(entry, current)
        await self._master.forget_old()
        return done

    async def renew_master(self) -> int:
        """Make another master key and wrap everything with it. Raises: WrongState where its keeper does that."""
        await self._master.renew()
        return await self.rewrap()

    async def _rewrap(self, entry: Entry[NamespaceKey], master_id: str) -> int:
        namespace = entry.key
        for _ in range(_ATTEMPTS):
            keys = _all(entry.value)
            if all(one.master_id == master_id for one in keys):
                return 0
            wrapped = [await self._wrapped_anew(namespace, one) for one in keys]
            try:
                await self._bucket.update(namespace, NamespaceKey(wrapped[0], tuple(wrapped[1:])), entry.revision)
            except Conflict:
                again = await self._bucket.get(namespace)
                if again is None:
                    return 0
                entry = again
            else:
                return 1
        raise Conflict(f"The key of {namespace} is being changed: rotate again")

    async def _wrapped_anew(self, namespace: str, one: WrappedKey) -> WrappedKey:
        key = await self._unwrapped(namespace, one)
        master_id, wrapped = await self._master.wrap(key, namespace, one.key_id)
        return replace(one, master_id=master_id, wrapped=wrapped)

    async def _new(self, namespace: str, now: float) -> WrappedKey:
        key, key_id = sealing.new_key(), f"k-{os.urandom(8).hex()}"
        master_id, wrapped = await self._master.wrap(key, namespace, key_id)
        return WrappedKey(key_id, master_id, wrapped, now)

    async def _unwrapped(self, namespace: str, one: WrappedKey) -> bytes:
        held = self._open.get((namespace, one.key_id))
        if held is None:
            try:
                held = await self._master.unwrap(one.master_id, one.wrapped, namespace, one.key_id)
            except SealBroken:
                raise Unavailable(
                    f"The key of {namespace}'s secrets does not open with the master key {one.master_id}: it was altered, or "
                    "is another namespace's"
                ) from None
            self._open[namespace, one.key_id] = held
        return held


def _all(key: NamespaceKey) -> tuple[WrappedKey, ...]:
    return (key.current, *key.before)
