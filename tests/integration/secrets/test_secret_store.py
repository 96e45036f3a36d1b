"""Secrets in the registry: what is kept, what opens, and what a rotation leaves that is stopped anywhere."""

from __future__ import annotations

import base64
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faasioflex.bus import buckets
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.manager.secrets import sealing
from faasioflex.manager.secrets.keyring import RETIRED_S
from faasioflex.manager.secrets.master import FileKeys, HeldKeys, parse_keys
from faasioflex.manager.secrets.store import MOST_SECRETS, SecretStore
from faasioflex.model.errors import Conflict, Invalid, NotFound, PayloadTooLarge, PreconditionFailed, Unavailable
from faasioflex.model.identity import NamespaceKey, SecretRecord
from support.records import function_record

NOW = 1_800_000_000.0
VALUE = b"correct horse battery staple"


class World:
    """A registry and a master key file; every ``store()`` is another process."""

    def __init__(self, folder: Path) -> None:
        self.bus = MemoryBus()
        self.path = folder / "identity" / "master.key"
        self.now = NOW

    async def store(self, bus: Any = None, keys: Any = None) -> SecretStore:
        made = SecretStore(bus or self.bus, keys or FileKeys(self.path), lambda: self.now)
        await made.prepared()
        return made

    @property
    def secrets(self) -> Any:
        return self.bus.bucket(buckets.SECRETS.name, SecretRecord)

    @property
    def keys(self) -> Any:
        return self.bus.bucket(buckets.SECRET_KEYS.name, NamespaceKey)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_what_was_set_is_given_to_instances_by_another_process(world: World):
    store = await world.store()
    record, new = await store.set("acme", "db-password", VALUE, actor="ada@example.test")
    assert (record.version, record.updated_by, new) == (1, "ada@example.test", True)
    other = await world.store()
    assert await other.values("acme", ["db-password", "not-there"]) == {"db-password": VALUE}
    record, new = await store.set("acme", "db-password", b"\x00\xff", actor="bob@example.test")
    assert (record.version, new) == (2, False)
    assert await other.values("acme", ["db-password"]) == {"db-password": b"\x00\xff"}


async def test_nothing_is_kept_in_clear(world: World):
    store = await world.store()
    await store.set("acme", "db-password", VALUE, actor="ada")
    entries = [*await world.secrets.list(), *await world.keys.list()]
    kept = b"".join(encode(entry.value) for entry in entries)
    key = base64.b64decode(world.path.read_text().split()[0])
    _, of_namespace = await store.keyring.current("acme", NOW)
    for secret in (VALUE, key, of_namespace):
        assert secret not in kept
        assert base64.b64encode(secret) not in kept
    assert stat.S_IMODE(world.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a..b", "a b", "a\n", "ä", "x" * 65, "-a"])
async def test_names_cannot_leave_their_folder(world: World, name: str):
    store = await world.store()
    with pytest.raises(Invalid):
        await store.set("acme", name, b"x", actor="ada")
    with pytest.raises(NotFound):
        await store.get("acme", name)


async def test_bounds(world: World):
    store = await world.store()
    with pytest.raises(PayloadTooLarge):
        await store.set("acme", "big", b"x" * 65_537, actor="ada")
    for number in range(MOST_SECRETS):
        await store.set("acme", f"s{number}", b"x", actor="ada")
    with pytest.raises(Invalid, match="the most"):
        await store.set("acme", "one-more", b"x", actor="ada")
    await store.set("acme", "s0", b"y", actor="ada")
    await store.set("other", "one-more", b"x", actor="ada")


async def test_versions_guard(world: World):
    store = await world.store()
    await store.set("acme", "key", b"one", actor="ada")
    with pytest.raises(PreconditionFailed):
        await store.set("acme", "key", b"two", actor="ada", expected=2)
    with pytest.raises(PreconditionFailed):
        await store.delete("acme", "key", expected=2)
    await store.set("acme", "key", b"two", actor="ada", expected=1)
    await store.delete("acme", "key", expected=2)
    with pytest.raises(NotFound):
        await store.get("acme", "key")


Swap = Callable[[World], Awaitable[None]]


async def _of_another_name(world: World) -> None:
    entry = await world.secrets.get("acme.other")
    await world.secrets.put("acme.key", replace(entry.value, name="key"))


async def _of_another_namespace(world: World) -> None:
    entry = await world.secrets.get("elsewhere.key")
    await world.secrets.put("acme.key", replace(entry.value, namespace="acme"))


async def _with_the_key_of_another_namespace(world: World) -> None:
    await _of_another_namespace(world)
    entry = await world.keys.get("elsewhere")
    await world.keys.put("acme", entry.value)


async def _of_an_older_version(world: World) -> None:
    entry = await world.secrets.get("acme.key")
    await world.secrets.put("acme.key", replace(entry.value, version=2))


async def _altered(world: World) -> None:
    entry = await world.secrets.get("acme.key")
    raw = bytearray(base64.b64decode(entry.value.ciphertext))
    raw[0] ^= 1
    await world.secrets.put("acme.key", replace(entry.value, ciphertext=base64.b64encode(bytes(raw)).decode()))


@pytest.mark.parametrize(
    "swap",
    [_of_another_name, _of_another_namespace, _with_the_key_of_another_namespace, _of_an_older_version, _altered],
)
async def test_a_record_that_was_moved_or_altered_does_not_open(world: World, swap: Swap):
    store = await world.store()
    for namespace, name in (("acme", "key"), ("acme", "other"), ("elsewhere", "key")):
        await store.set(namespace, name, VALUE + name.encode(), actor="ada")
    await swap(world)
    fresh = await world.store()
    with pytest.raises(Unavailable) as refused:
        await fresh.values("acme", ["key"])
    assert VALUE.decode() not in str(refused.value)


async def test_a_lost_master_key_is_not_replaced(world: World):
    store = await world.store()
    await store.set("acme", "key", VALUE, actor="ada")
    world.path.unlink()
    with pytest.raises(Unavailable, match="backup"):
        await world.store()
    assert not world.path.exists()


async def test_rotating_the_namespaces_key_encrypts_all_anew(world: World):
    store = await world.store()
    for number in range(3):
        await store.set("acme", f"s{number}", b"%d" % number, actor="ada")
    before = {entry.key: entry.value for entry in await world.secrets.list()}
    assert (await store.rotate("acme", actor="ada")).secrets == 3
    after = {entry.key: entry.value for entry in await world.secrets.list()}
    for key, record in after.items():
        assert record.key_id != before[key].key_id
        assert record.ciphertext != before[key].ciphertext
        assert record.version == before[key].version
    assert await (await world.store()).values("acme", ["s0", "s2"]) == {"s0": b"0", "s2": b"2"}
    world.now += RETIRED_S + 1
    await store.rotate("acme", actor="ada")
    kept = (await world.keys.get("acme")).value
    assert before["acme.s0"].key_id not in {one.key_id for one in kept.before}


async def test_after_rotating_the_master_key_the_old_one_is_needed_no_more(world: World):
    store = await world.store()
    await store.set("acme", "key", VALUE, actor="ada")
    old = world.path.read_text().split()
    assert await store.keyring.renew_master() == 1
    now = world.path.read_text().split()
    assert len(now) == 1
    assert now != old
    assert await (await world.store()).values("acme", ["key"]) == {"key": VALUE}


async def test_a_reader_that_knew_the_old_master_key_reads_the_file_again(world: World):
    store = await world.store()
    reader = await world.store()
    await store.keyring.renew_master()
    await store.set("acme", "key", VALUE, actor="ada")
    assert await reader.values("acme", ["key"]) == {"key": VALUE}


async def test_a_key_of_the_environment_is_rotated_by_naming_the_new_one_first(world: World):
    old, new = sealing.new_key(), sealing.new_key()
    store = await world.store(keys=HeldKeys([old], "FFX_SECRETS_KEY"))
    await store.set("acme", "key", VALUE, actor="ada")
    await world.store(keys=HeldKeys([new, old], "FFX_SECRETS_KEY"))
    alone = await world.store(keys=HeldKeys([new], "FFX_SECRETS_KEY"))
    assert await alone.values("acme", ["key"]) == {"key": VALUE}
    with pytest.raises(Unavailable):
        await world.store(keys=HeldKeys([old], "FFX_SECRETS_KEY"))


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"x" * 31).decode(), "!" * 44])
def test_keys_that_are_none_are_refused_without_showing_them(text: str):
    with pytest.raises(Unavailable) as refused:
        parse_keys(text, "FFX_SECRETS_KEY")
    assert not text or text not in str(refused.value)


class Killed(Exception):
    """In place of SIGKILL: nothing of ours runs after it."""


class Steps:
    """Counts what changes anything, and ends the process before or after the ``last``."""

    def __init__(self, last: int, *, after: bool) -> None:
        self.left, self.after = last, after

    async def step(self, work: Callable[[], Awaitable[Any]]) -> Any:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        done = await work()
        if self.left == 0:
            raise Killed
        return done


class DyingBucket:
    def __init__(self, bucket: Any, steps: Steps) -> None:
        self._bucket, self._steps, self.name = bucket, steps, bucket.name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._bucket, name)
        if name not in ("create", "update", "put", "delete"):
            return found
        return lambda *given, **named: self._steps.step(lambda: found(*given, **named))


class DyingBus:
    def __init__(self, bus: MemoryBus, steps: Steps) -> None:
        self._bus, self._steps = bus, steps

    def bucket(self, name: str, kind: Any) -> Any:
        return DyingBucket(self._bus.bucket(name, kind), self._steps)


class DyingFile(FileKeys):
    def __init__(self, path: Path, steps: Steps) -> None:
        super().__init__(path)
        self._steps = steps

    async def renew(self) -> None:
        await self._steps.step(super().renew)

    async def forget_old(self) -> None:
        await self._steps.step(super().forget_old)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("what", ["namespace", "master"])
async def test_a_rotation_that_is_killed_anywhere_loses_nothing(world: World, what: str, after: bool):
    values = {f"s{number}": b"value %d" % number for number in range(3)}
    store = await world.store()
    for namespace in ("acme", "other"):
        for name, value in values.items():
            await store.set(namespace, name, value, actor="ada")
    ended = 0
    for last in range(1, 30):
        steps = Steps(last, after=after)
        dying = SecretStore(DyingBus(world.bus, steps), DyingFile(world.path, steps), lambda: world.now)
        await dying.keyring.prepare()
        try:
            await (dying.rotate("acme", actor="ada") if what == "namespace" else dying.keyring.renew_master())
        except Killed:
            ended += 1
        else:
            break
        for namespace in ("acme", "other"):
            assert await (await world.store()).values(namespace, values) == values
    else:
        pytest.fail("it never came to its end")
    assert ended >= 3
    assert len(world.path.read_text().split()) == 1


async def test_a_secret_that_functions_list_is_not_deleted_by_mistake(world: World):
    store = await world.store()
    await store.set("acme", "key", VALUE, actor="ada")
    record = function_record("acme", "hello")
    record = replace(record, spec=replace(record.spec, secrets=("key",)))
    await world.bus.bucket(buckets.FUNCTIONS.name, type(record)).put("acme.hello", record)
    with pytest.raises(Conflict, match="acme/hello"):
        await store.delete("acme", "key")
    await store.delete("acme", "key", force=True)
    assert await store.missing("acme", ["key"]) == ("key",)
