"""Set, list, delete and rotate the secrets of a namespace. Values go in here and come out only for instances (``values``)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from faasioflex.bus import buckets
from faasioflex.bus.port import Bucket, Bus, Entry
from faasioflex.manager.secrets import sealing
from faasioflex.manager.secrets.keyring import Keyring
from faasioflex.manager.secrets.master import MasterKey
from faasioflex.manager.secrets.sealing import SealBroken
from faasioflex.model.errors import (
    Conflict,
    Invalid,
    PayloadTooLarge,
    PreconditionFailed,
    SecretNotFound,
    Unavailable,
)
from faasioflex.model.function import FunctionRecord
from faasioflex.model.identity import SecretRecord, Told
from faasioflex.model.names import LONGEST_SECRET_NAME, is_secret_name

log = structlog.get_logger(__name__)
LONGEST_VALUE = 64 * 1024
MOST_SECRETS = 100
_ATTEMPTS = 5


@dataclass(frozen=True)
class Rotated:
    """What a rotation did."""

    secrets: int  # that are encrypted with the new key


class SecretStore:
    """Raises (from all): Unavailable where the bus or the master key is away."""

    def __init__(self, bus: Bus, master: MasterKey, clock: Callable[[], float]) -> None:
        self._secrets: Bucket[SecretRecord] = bus.bucket(buckets.SECRETS.name, SecretRecord)
        self._functions: Bucket[FunctionRecord] = bus.bucket(buckets.FUNCTIONS.name, FunctionRecord)
        self.keyring = Keyring(bus, master)
        self._clock = clock
        self._writing = asyncio.Lock()
        self._prepared = False

    async def start(self) -> None:
        """Have a master key, made at the first start. Where it cannot be had, that is told, and the rest works."""
        try:
            await self.prepared()
        except Unavailable as error:
            log.error("secrets cannot be read or set", reason=error.message)

    async def prepared(self) -> None:
        """Raises: Unavailable while there is no master key."""
        if not self._prepared:
            await self.keyring.prepare()
            self._prepared = True

    async def set(
        self, namespace: str, name: str, value: bytes, *, actor: str, by: str = "", expected: int | None = None
    ) -> tuple[SecretRecord, bool]:
        """Its record, and whether it is new. ``by``: uid of the ``actor``, for the event. ``expected``: the version it must have now.

        Raises: Invalid (name, too many), PayloadTooLarge, PreconditionFailed.
        """
        check_name(name)
        if len(value) > LONGEST_VALUE:
            raise PayloadTooLarge(f"A secret holds at most {LONGEST_VALUE // 1024} KiB: it has {len(value)} bytes")
        async with self._writing:
            await self.prepared()
            for _ in range(_ATTEMPTS):
                held = await self._secrets.get(_key(namespace, name))
                _check_version(name, held, expected)
                if held is None and len(await self._secrets.list(f"{namespace}.")) >= MOST_SECRETS:
                    raise Invalid(f"{namespace} has {MOST_SECRETS} secrets, which is the most: delete one first")
                made = await self._sealed(namespace, name, value, held, actor=actor, by=by)
                try:
                    await self._write(held, made)
                except Conflict:
                    continue
                return made, held is None
        raise Conflict(f"The secret {name} is being changed by others: try again")

    async def all(self, namespace: str) -> list[SecretRecord]:
        """By name; nobody needs a key for that."""
        return [entry.value for entry in await self._secrets.list(f"{namespace}.")]

    async def get(self, namespace: str, name: str) -> SecretRecord:
        """Raises: NotFound."""
        entry = await self._secrets.get(_key(namespace, name)) if is_secret_name(name) else None
        if entry is None:
            raise _missing(namespace, name)
        return entry.value

    async def delete(self, namespace: str, name: str, *, force: bool = False, expected: int | None = None) -> None:
        """Raises: NotFound; PreconditionFailed; Conflict, naming the functions that list it, unless ``force``."""
        async with self._writing:
            held = await self._secrets.get(_key(namespace, name)) if is_secret_name(name) else None
            if held is None:
                raise _missing(namespace, name)
            _check_version(name, held, expected)
            users = [] if force else await self.used_by(namespace, name)
            if users:
                raise Conflict(
                    f"The secret {name} is listed by {', '.join(users)}: change them first, or delete it with --force "
                    "(?force=true) and they do not start any more"
                )
            await self._secrets.delete(held.key, held.revision)

    async def used_by(self, namespace: str, name: str) -> list[str]:
        """Functions whose newest revision lists it."""
        found = await self._functions.list(f"{namespace}.")
        return sorted(str(entry.value.function) for entry in found if name in entry.value.spec.secrets)

    async def missing(self, namespace: str, names: Iterable[str]) -> tuple[str, ...]:
        """Which of ``names`` are not set."""
        wanted = tuple(names)
        if not wanted:
            return ()
        held = {record.name for record in await self.all(namespace)}
        return tuple(name for name in wanted if name not in held)

    async def values(
        self, namespace: str, names: Iterable[str], known: Mapping[str, Entry[SecretRecord]] | None = None
    ) -> dict[str, bytes]:
        """In clear, for an instance. What is not set is left out. ``known``: records by key, instead of asking the leader."""
        keys = {name: _key(namespace, name) for name in filter(is_secret_name, names)}
        if known is not None:
            entries = [known.get(key) for key in keys.values()]
        else:  # all at once: a start waits for them
            entries = await asyncio.gather(*(self._secrets.get(key) for key in keys.values()))
        return {name: await self._opened(entry) for name, entry in zip(keys, entries, strict=True) if entry is not None}

    async def rotate(self, namespace: str, *, actor: str) -> Rotated:
        """A new key for the namespace, and every secret encrypted with it; versions stay.

        Stopped anywhere, all can still be read, and the next rotation takes up what is left.
        """
        async with self._writing:
            await self.prepared()
            current = await self.keyring.turn(namespace, self._clock())
            if current is None:
                return Rotated(0)
            done = 0
            for entry in await self._secrets.list(f"{namespace}."):
                done += await self._encrypted_anew(entry)
            used = {entry.value.key_id for entry in await self._secrets.list(f"{namespace}.")}
            await self.keyring.forget(namespace, used, self._clock())
        return Rotated(done)

    async def _encrypted_anew(self, entry: Entry[SecretRecord]) -> int:
        record = entry.value
        value = await self._opened(entry)
        key_id, key = await self.keyring.current(record.namespace, self._clock())
        about = sealing.about_secret(record.namespace, record.name, record.version, key_id)
        nonce, sealed = sealing.seal(key, value, about)
        made = SecretRecord(
            record.namespace,
            record.name,
            key_id,
            sealing.to_text(nonce),
            sealing.to_text(sealed),
            record.version,
            record.created_at,
            record.updated_at,
            record.updated_by,
        )
        try:
            await self._secrets.update(entry.key, made, entry.revision)
        except Conflict:
            return 0  # set anew or deleted meanwhile
        return 1

    async def _sealed(
        self, namespace: str, name: str, value: bytes, held: Entry[SecretRecord] | None, *, actor: str, by: str
    ) -> SecretRecord:
        now = self._clock()
        key_id, key = await self.keyring.current(namespace, now)
        version = held.value.version + 1 if held is not None else 1
        nonce, sealed = sealing.seal(key, value, sealing.about_secret(namespace, name, version, key_id))
        created_at = held.value.created_at if held is not None else now
        texts = sealing.to_text(nonce), sealing.to_text(sealed)
        told = Told("updated" if held is not None else "created", by)
        return SecretRecord(namespace, name, key_id, *texts, version, created_at, now, actor, told)

    async def _write(self, held: Entry[SecretRecord] | None, made: SecretRecord) -> None:
        key = _key(made.namespace, made.name)
        if held is None:
            await self._secrets.create(key, made)
        else:
            await self._secrets.update(key, made, held.revision)

    async def _opened(self, entry: Entry[SecretRecord]) -> bytes:
        """Bound to the key that it is kept under: what was moved there from elsewhere does not open."""
        record = entry.value
        namespace, _, name = entry.key.partition(".")
        try:
            key = await self.keyring.key(namespace, record.key_id)
            about = sealing.about_secret(namespace, name, record.version, record.key_id)
            return sealing.unseal(key, sealing.from_text(record.nonce), sealing.from_text(record.ciphertext), about)
        except SealBroken:
            raise Unavailable(
                f"The secret {name} of {namespace} does not open: it was altered, or is another one's. Set it again"
            ) from None


def check_name(name: str) -> None:
    """Raises: Invalid."""
    if not is_secret_name(name):
        raise Invalid(
            f"{name[:LONGEST_SECRET_NAME]!r} is not a secret's name: use a-z, A-Z, 0-9, '_', '-' and single '.', at most "
            f"{LONGEST_SECRET_NAME} characters, starting with a letter or digit"
        )


def _key(namespace: str, name: str) -> str:
    return f"{namespace}.{name}"


def _missing(namespace: str, name: str) -> SecretNotFound:
    return SecretNotFound(f"There is no secret {name[:LONGEST_SECRET_NAME]!r} in {namespace}")


def _check_version(name: str, held: Entry[SecretRecord] | None, expected: int | None) -> None:
    if expected is not None and (held is None or held.value.version != expected):
        now = f"its version is {held.value.version}" if held is not None else "there is none"
        raise PreconditionFailed(f"The secret {name} was changed meanwhile: {now}")
